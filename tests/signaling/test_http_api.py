import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from signaling.messages import MediaInfo, ParticipantInfo, RoomInfo, TrackInfo
from tests.support.api import Api
from tests.support.clients import Clients, access_token, clients_of
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, running_server

ADMIN: dict[str, Any] = {"room": "a", "roomAdmin": True}
LIST: dict[str, Any] = {"roomList": True}
JOIN: dict[str, Any] = {"room": "a", "roomJoin": True}


@pytest.fixture
async def dev() -> AsyncIterator[Api]:
    async with running_server() as server, clients_of(server.url) as clients:
        yield Api(clients)


@pytest.fixture
async def guarded() -> AsyncIterator[Clients]:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        yield clients


async def test_rooms_and_who_is_in_them(dev: Api) -> None:
    assert await dev.get("/api/v1/rooms") == {"rooms": []}
    alice = await dev.clients.join("a b/ü", "alice", name="Alice", attributes={"seat": "1"})
    await dev.clients.join("other", "bob")
    rooms = (await dev.get("/api/v1/rooms"))["rooms"]
    assert sorted(room["name"] for room in rooms) == ["a b/ü", "other"]
    room = await dev.get("/api/v1/rooms/a%20b%2F%C3%BC")
    assert set(room) == set(RoomInfo.__struct_fields__)
    assert room["num_participants"] == 1
    assert room == alice.joined["room"]
    everyone = await dev.get("/api/v1/rooms/a%20b%2F%C3%BC/participants")
    assert everyone == {"participants": [alice.participant]}
    one = await dev.get("/api/v1/rooms/a%20b%2F%C3%BC/participants/alice")
    assert set(one) == set(ParticipantInfo.__struct_fields__)
    assert one == alice.participant


async def test_hidden_participants_are_listed_and_not_counted(dev: Api) -> None:
    viewer = dev.clients.whep("a")
    await viewer.watch("audio")
    room = await dev.get("/api/v1/rooms/a")
    assert room["num_participants"] == 0
    (hidden,) = (await dev.get("/api/v1/rooms/a/participants"))["participants"]
    assert hidden["permissions"]["hidden"]


async def test_tracks_and_server_mute(dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    bob = await dev.clients.join("a", "bob")
    added = await alice.request("add_track", kind="audio", source="microphone")
    path = "/api/v1/rooms/a/participants/alice/tracks"
    assert await dev.get(path) == {"tracks": [added["track"]]}
    assert set(added["track"]) == set(TrackInfo.__struct_fields__)
    sid = added["track"]["sid"]
    status, track = await dev.request("PATCH", f"{path}/{sid}", json={"muted": True})
    assert status == 200
    assert track == {**added["track"], "muted": True}
    for client in (alice, bob):
        update = await client.wait_for("track_updated")
        assert update["track"] == track
    status, track = await dev.request("PATCH", f"{path}/{sid}", json={"muted": False})
    assert track["muted"] is False


async def test_what_a_participant_receives_and_what_it_asked_for(dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    bob = await dev.clients.join("a", "bob")
    added = await alice.request(
        "add_track", kind="video", source="camera", layers=[{"rid": "q"}, {"rid": "h"}]
    )
    sid = added["track"]["sid"]
    settings = {"visible": False, "width": 320, "height": 180, "fps": 15.0, "priority": 9}
    await bob.request("track_settings", track=sid, **settings)
    media = await dev.get("/api/v1/rooms/a/participants/bob/media")
    assert set(media) == set(MediaInfo.__struct_fields__)
    (track,) = media["tracks"]
    assert (track["track"], track["identity"], track["source"]) == (sid, "alice", "camera")
    unset = {"layer": None, "temporal": None, "paused": False}
    assert track["settings"] == {**settings, **unset}
    assert track["current"] is None
    assert (track["cause"], track["reason"]) == (
        "negotiating",
        "paused: it is being negotiated",
    )
    assert (await dev.get("/api/v1/rooms/a/participants/alice/media"))["tracks"] == []


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ('{"muted": 1}', 400, "bad_request"),
        ("{}", 400, "bad_request"),
        ('{"muted": true, "name": "x"}', 400, "bad_request"),
        ("[]", 400, "bad_request"),
        ("{", 400, "malformed"),
        ("[" * 100_000, 400, "bad_request"),
    ],
)
async def test_bad_change_of_a_track(dev: Api, body: str, status: int, error: str) -> None:
    alice = await dev.clients.join("a", "alice")
    added = await alice.request("add_track", kind="audio")
    path = f"/api/v1/rooms/a/participants/alice/tracks/{added['track']['sid']}"
    dev.headers["Content-Type"] = "application/json"
    assert (await dev.request("PATCH", path, data=body))[0] == status
    _, problem = await dev.request("PATCH", path, data=body)
    assert problem["error"] == error


async def test_participant_is_removed(dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    assert await dev.request("DELETE", "/api/v1/rooms/a/participants/alice") == (204, None)
    assert (await alice.wait_for("disconnected"))["reason"] == "removed"
    status, problem = await dev.request("DELETE", "/api/v1/rooms/a/participants/alice")
    assert (status, problem["error"]) == (404, "participant_not_found")


async def test_room_is_deleted(dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    assert await dev.request("DELETE", "/api/v1/rooms/a") == (204, None)
    assert (await alice.wait_for("disconnected"))["reason"] == "room_deleted"
    assert await dev.get("/api/v1/rooms") == {"rooms": []}


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/api/v1/rooms/missing", "room_not_found"),
        ("DELETE", "/api/v1/rooms/missing", "room_not_found"),
        ("GET", "/api/v1/rooms/missing/participants", "room_not_found"),
        ("GET", "/api/v1/rooms/a/participants/missing", "participant_not_found"),
        ("GET", "/api/v1/rooms/a/participants/missing/tracks", "participant_not_found"),
        ("GET", "/api/v1/rooms/a/participants/missing/media", "participant_not_found"),
        ("GET", "/api/v1/rooms/missing/participants/alice/media", "room_not_found"),
        ("PATCH", "/api/v1/rooms/a/participants/alice/tracks/TR_missing", "track_not_found"),
    ],
)
async def test_what_is_not_there(dev: Api, method: str, path: str, error: str) -> None:
    await dev.clients.join("a", "alice")
    body = {"json": {"muted": True}} if method == "PATCH" else {}
    status, problem = await dev.request(method, path, **body)
    assert (status, problem["error"]) == (404, error)


# -- who may what


PATHS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("GET", "/api/v1/rooms"): [LIST],
    ("GET", "/api/v1/rooms/a"): [LIST, ADMIN],
    ("GET", "/api/v1/rooms/a/participants"): [ADMIN],
    ("GET", "/api/v1/rooms/a/participants/alice"): [ADMIN],
    ("GET", "/api/v1/rooms/a/participants/alice/media"): [ADMIN],
    ("GET", "/api/v1/rooms/a/participants/alice/tracks"): [ADMIN],
    ("PATCH", "/api/v1/rooms/a/participants/alice/tracks/{track}"): [ADMIN],
    ("DELETE", "/api/v1/rooms/a/participants/alice"): [ADMIN],
    ("DELETE", "/api/v1/rooms/a"): [ADMIN],
    ("GET", "/api/v1/ice-servers"): [LIST, ADMIN, JOIN, {"room": "b", "roomAdmin": True}],
}
GRANTS: list[dict[str, Any]] = [LIST, ADMIN, JOIN, {"room": "b", "roomAdmin": True}]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_each_route_wants_its_grant(guarded: Clients, method: str, path: str) -> None:
    alice = await guarded.join(token=access_token("alice", **JOIN))
    added = await alice.request("add_track", kind="audio")
    path_of_track = path.format(track=added["track"]["sid"])
    body = {"json": {"muted": True}} if method == "PATCH" else {}
    nobody = await Api(guarded).request(method, path_of_track, **body)
    assert (nobody[0], nobody[1]["error"]) == (401, "unauthorized")
    # Those that may not come first: the others may end what the path names.
    for grants in sorted(GRANTS, key=lambda grants: grants in PATHS[method, path]):
        api = Api(guarded, access_token("caller", **grants))
        status, answer = await api.request(method, path_of_track, **body)
        if grants in PATHS[method, path]:
            assert status < 300, grants
        else:
            assert (status, answer["error"]) == (403, "not_allowed"), grants


async def test_what_one_receives_may_be_asked_with_ones_own_token(guarded: Clients) -> None:
    await guarded.join(token=access_token("alice", **JOIN))
    await guarded.join(token=access_token("bob", **JOIN))
    path = "/api/v1/rooms/a/participants/alice/media"
    media = await Api(guarded, access_token("alice", **JOIN)).get(path)
    assert set(media) == set(MediaInfo.__struct_fields__)
    for identity, room in (("bob", "a"), ("alice", "b"), ("", "a")):
        token = access_token(identity, roomJoin=True, room=room)
        status, problem = await Api(guarded, token).request("GET", path)
        assert (status, problem["error"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer x.y.z",
        "Bearer " + "a" * 7000,
    ],
)
async def test_bad_authorization(guarded: Clients, header: str) -> None:
    headers = {"Authorization": header}
    async with guarded.http.get(guarded.url + "/api/v1/rooms", headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json(content_type=None))["error"] == "unauthorized"


async def test_expired_token(guarded: Clients) -> None:
    api = Api(guarded, access_token("caller", lifetime=-60, **LIST))
    status, problem = await api.request("GET", "/api/v1/rooms")
    assert (status, problem["error"]) == (401, "unauthorized")
    assert "expired" in problem["detail"]


async def test_scheme_is_not_case_sensitive(guarded: Clients) -> None:
    headers = {"Authorization": f"bearer  {access_token('caller', **LIST)}"}
    async with guarded.http.get(guarded.url + "/api/v1/rooms", headers=headers) as response:
        assert response.status == 200


async def test_dev_without_a_key_overlooks_tokens(dev: Api) -> None:
    dev.headers["Authorization"] = "Bearer whatever"
    assert await dev.get("/api/v1/rooms") == {"rooms": []}


async def test_dev_with_a_key_looks_at_tokens() -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET, dev=True) as server,
        clients_of(server.url) as clients,
    ):
        assert (await Api(clients, "whatever").request("GET", "/api/v1/rooms"))[0] == 401
        assert (await Api(clients).request("GET", "/api/v1/rooms"))[0] == 200


# -- the server


async def test_health_needs_no_token(guarded: Clients) -> None:
    health = await Api(guarded).get("/healthz")
    assert health["status"] == "ok"
    assert (health["rooms"], health["participants"], health["transports"]) == (0, 0, 0)
    assert health["network"]["udp_port"] > 0
    await guarded.join(token=access_token("alice", **JOIN))
    health = await Api(guarded).get("/healthz")
    assert (health["rooms"], health["participants"]) == (1, 1)


async def test_health_tells_what_was_not_taken() -> None:
    async with running_server() as server, clients_of(server.url) as clients:
        network = (await Api(clients).get("/healthz"))["network"]
        assert network["dropped"] == {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(bytes([128]) + bytes(19), ("127.0.0.1", network["udp_port"]))
            udp.sendto(b"x", ("127.0.0.1", network["udp_port"]))
        _, stranger = await asyncio.open_connection("127.0.0.1", network["tcp_port"])
        await until(lambda: server.media.health().network.tcp.open == 1, "it is accepted")
        stranger.write(b"\xff\xff")
        await until(lambda: server.media.health().network.tcp.misbehaved == 1, "it is thrown out")
        stranger.close()
        await until(
            lambda: sum(server.media.health().network.dropped.values()) == 2, "both are dropped"
        )
        network = (await Api(clients).get("/healthz"))["network"]
        assert network["dropped"] == {"short": 1, "unknown_address": 1}
        assert network["packets_received"] == 2
        assert network["tcp"] == {
            "open": 0,
            "connections": 1,
            "refused": 0,
            "misbehaved": 1,
            "frames_received": 0,
            "frames_sent": 0,
            "frames_dropped": 0,
        }


async def test_health_without_tcp() -> None:
    async with running_server(ice_tcp=False) as server, clients_of(server.url) as clients:
        network = (await Api(clients).get("/healthz"))["network"]
        assert (network["tcp_port"], network["tcp"]) == (None, None)


async def test_schema_is_valid_and_has_the_answers_of_the_api(dev: Api) -> None:
    await dev.clients.join("a", "alice")
    schema = await dev.get("/api/v1/schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    for path, name in (
        ("/api/v1/rooms", "RoomList"),
        ("/api/v1/rooms/a", "RoomInfo"),
        ("/api/v1/rooms/a/participants", "ParticipantList"),
        ("/api/v1/rooms/a/participants/alice", "ParticipantInfo"),
        ("/api/v1/rooms/a/participants/alice/tracks", "TrackList"),
        ("/api/v1/rooms/a/participants/alice/media", "MediaInfo"),
        ("/api/v1/ice-servers", "IceServerList"),
        ("/healthz", "Health"),
    ):
        one = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
        jsonschema.validate(await dev.get(path), one, jsonschema.Draft202012Validator)
    _, problem = await dev.request("GET", "/api/v1/rooms/missing")
    one = {"$ref": "#/$defs/Problem", "$defs": schema["$defs"]}
    jsonschema.validate(problem, one, jsonschema.Draft202012Validator)


async def test_ice_servers() -> None:
    servers = [{"urls": ["turn:t.example"], "username": "u", "credential": "c"}, "stun:s.example"]
    async with running_server(ice_servers=servers) as server, clients_of(server.url) as clients:
        assert await Api(clients).get("/api/v1/ice-servers") == {
            "ice_servers": [
                {"urls": ["turn:t.example"], "username": "u", "credential": "c"},
                {"urls": ["stun:s.example"]},
            ]
        }
