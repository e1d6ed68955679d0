"""Recordings by WebSocket and HTTP, made by real recorder processes."""

import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from signaling.messages import RecordingInfo
from tests.support.api import Api
from tests.support.clients import Client, Clients, ServerError, access_token, clients_of
from tests.support.media import ToneTrack
from tests.support.polling import until
from tests.support.server import (
    API_KEY,
    API_SECRET,
    RunningServer,
    running_server,
    server_process,
)

JOIN: dict[str, Any] = {"room": "a", "roomJoin": True}
RECORD: dict[str, Any] = {"room": "a", "roomRecord": True}
ADMIN: dict[str, Any] = {"room": "a", "roomAdmin": True}
OF_ROOM = "/api/v1/rooms/a/recordings"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(recordings_dir=str(tmp_path)) as server:
        yield server


@pytest.fixture
async def dev(server: RunningServer) -> AsyncIterator[Api]:
    async with clients_of(server.url) as clients:
        yield Api(clients)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Clients]:
    async with (
        running_server(
            api_key=API_KEY, api_secret=API_SECRET, recordings_dir=str(tmp_path)
        ) as server,
        clients_of(server.url) as clients,
    ):
        yield clients


async def publishing(clients: Clients, room: str = "a") -> Client:
    """Somebody who is heard."""
    alice = await clients.join(room, "alice", name="Alice")
    await alice.publish(ToneTrack(440))
    return alice


async def changed(client: Client, state: str, **fields: Any) -> dict[str, Any]:
    """What the client hears of a recording in this state."""

    def look() -> dict[str, Any] | None:
        told = [event["recording"] for event in client.events if "recording" in event]
        found = [one for one in told if one["state"] == state and fields.items() <= one.items()]
        return found[-1] if found else None

    return dict(await until(look, f"a recording is {state}", deadline=30.0))


async def test_a_room_is_recorded_downloaded_and_deleted(dev: Api, tmp_path: Path) -> None:
    alice = await publishing(dev.clients)
    assert os.listdir(tmp_path) == []
    started = await dev.record()
    assert set(started) == set(RecordingInfo.__struct_fields__)
    assert (started["state"], started["mode"]) == ("starting", "tracks")
    assert started["started_by"] == "api", "nobody has said who it is"
    recording = started["id"]
    active = await changed(alice, "active", id=recording)
    assert active == {
        "id": recording,
        "mode": "tracks",
        "state": "active",
        "started_by": "api",
        "started_at": started["started_at"],
        "error": "",
    }
    late = await dev.clients.join("a", "bob")
    assert late.joined["recordings"] == [active]

    async def recorded() -> bool:
        status = await dev.recording(recording)
        return bool(status["bytes"] and status["tracks"] == 1 and status["duration"] > 1)

    await until(recorded, "a second of sound is recorded", deadline=30.0)
    status, stopping = await dev.request("POST", f"/api/v1/recordings/{recording}/stop")
    assert (status, stopping["state"]) == (200, "finishing")
    ended = await dev.reaches(recording, "complete")
    assert ended["ended_at"] > started["started_at"]
    for client in (alice, late):
        await changed(client, "complete", id=recording)
    assert (await dev.clients.join("a", "carol")).joined["recordings"] == []
    assert await dev.get(OF_ROOM) == {"recordings": [ended]}

    path = f"/api/v1/recordings/{recording}/files"
    files = await dev.files(recording)
    assert set(files) == {"alice-microphone.mkv", "manifest.json"}
    sound = files["alice-microphone.mkv"]
    url = f"{dev.clients.url}{path}/alice-microphone.mkv"
    async with dev.clients.http.get(url) as response:
        whole = await response.read()
        assert response.headers["Content-Type"] == "video/matroska"
        assert "alice-microphone.mkv" in response.headers["Content-Disposition"]
    assert hashlib.sha256(whole).hexdigest() == sound["sha256"]
    assert (len(whole), sound["duration"] > 0.9) == (sound["bytes"], True)
    async with dev.clients.http.get(url, headers={"Range": "bytes=4-103"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 4-103/{len(whole)}"
        assert await response.read() == whole[4:104]
    status, manifest = await dev.request("GET", f"{path}/manifest.json")
    assert (status, manifest["id"], manifest["room"]) == (200, recording, "a")

    await dev.delete(recording)
    assert (await dev.refused("GET", f"/api/v1/recordings/{recording}"))[0] == 404
    assert os.listdir(tmp_path) == []


async def test_participants_record_as_far_as_their_tokens_grant(guarded: Clients) -> None:
    alice = await guarded.join(token=access_token("alice", **JOIN, roomRecord=True))
    bob = await guarded.join(token=access_token("bob", **JOIN))
    assert alice.participant["permissions"]["can_record"] is True
    assert bob.participant["permissions"]["can_record"] is False
    for type, fields in (
        ("start_recording", {}),
        ("list_recordings", {}),
        ("stop_recording", {"recording": "RC_1"}),
    ):
        with pytest.raises(ServerError) as refused:
            await bob.request(type, **fields)
        assert refused.value.name == "not_allowed"
    reply = await alice.request("start_recording", options={"identities": ["alice"]})
    assert (reply["type"], reply["recording"]["started_by"]) == ("recording_started", "alice")
    recording = reply["recording"]["id"]
    for client in (alice, bob):
        assert (await changed(client, "active"))["started_by"] == "alice"
    with pytest.raises(ServerError) as refused:
        await alice.request("start_recording", options={"identities": ["alice"]})
    assert refused.value.name == "conflict"
    with pytest.raises(ServerError) as refused:
        await alice.request("start_recording", options={"mode": "composite", "fps": 1000})
    assert refused.value.name == "bad_request"
    assert (await alice.request("stop_recording", recording=recording))["type"] == "ok"
    assert (await changed(bob, "complete"))["id"] == recording
    listed = (await alice.request("list_recordings"))["recordings"]
    assert [(one["id"], one["state"]) for one in listed] == [(recording, "complete")]


async def test_who_starts_it_is_told_by_the_token_or_without_one_by_the_query(
    dev: Api, guarded: Clients
) -> None:
    await dev.clients.join("a", "alice")
    path = f"{OF_ROOM}?by=Desk%20%C3%BC"
    assert (await dev.request("POST", path, json={}))[1]["started_by"] == "Desk ü"
    tracks: dict[str, Any] = {"identities": ["bob"]}
    for by, error in (("x" * 1000, (413, "too_large")), ("a%0Ab", (400, "bad_request"))):
        assert await dev.refused("POST", f"{OF_ROOM}?by={by}", json=tracks) == error
    await guarded.join(token=access_token("alice", **JOIN))
    boss = Api(guarded, access_token("boss", **ADMIN))
    assert (await boss.request("POST", path, json={}))[1]["started_by"] == "boss"


async def test_recordings_of_other_rooms_are_none_of_ones_business(dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    bob = await dev.clients.join("b", "bob")
    recording = (await alice.request("start_recording"))["recording"]["id"]
    await changed(alice, "active")
    assert (await bob.request("list_recordings"))["recordings"] == []
    with pytest.raises(ServerError) as refused:
        await bob.request("stop_recording", recording=recording)
    assert refused.value.name == "recording_not_found"
    assert not bob.event("recording_changed")
    assert (await dev.recording(recording))["state"] == "active"


async def test_each_route_wants_its_grant(guarded: Clients) -> None:
    await guarded.join(token=access_token("alice", **JOIN))
    by_admin = await Api(guarded, access_token("boss", **ADMIN)).record()
    assert by_admin["started_by"] == "boss"
    recording = f"/api/v1/recordings/{by_admin['id']}"
    routes = [
        ("GET", OF_ROOM),
        ("POST", OF_ROOM),
        ("GET", recording),
        ("POST", f"{recording}/stop"),
        ("GET", f"{recording}/files"),
        ("GET", f"{recording}/files/manifest.json"),
        ("DELETE", recording),
    ]
    strangers = [JOIN, {"roomList": True}, {"room": "b", "roomAdmin": True}]
    strangers += [{"room": "b", "roomRecord": True}, {"roomRecord": True}]
    for method, path in routes:
        assert await Api(guarded).refused(method, path) == (401, "unauthorized")
        for grants in strangers:
            caller = Api(guarded, access_token("caller", **grants))
            assert await caller.refused(method, path) == (403, "not_allowed"), (path, grants)
    mine = Api(guarded, access_token("caller", **RECORD))
    await mine.request("POST", f"{recording}/stop")
    await mine.reaches(by_admin["id"], "complete")
    assert (await mine.request("GET", f"{recording}/files"))[0] == 200
    assert (await mine.request("DELETE", recording))[0] == 204


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("{", 400, "malformed"),
        ("[]", 400, "bad_request"),
        ('{"mode": "tape"}', 400, "bad_request"),
        ('{"colour": "red"}', 400, "bad_request"),
        ('{"mode": "composite", "width": 1}', 400, "bad_request"),
        ('{"template": "/etc/{recording}/x"}', 400, "bad_request"),
        ('{"storage": "s3"}', 400, "bad_request"),
    ],
)
async def test_what_makes_no_sense(dev: Api, body: str, status: int, error: str) -> None:
    await dev.clients.join("a", "alice")
    dev.headers["Content-Type"] = "application/json"
    assert await dev.refused("POST", OF_ROOM, data=body) == (status, error)
    assert await dev.get(OF_ROOM) == {"recordings": []}


async def test_what_is_not_there(dev: Api) -> None:
    assert await dev.refused("POST", OF_ROOM, json={}) == (404, "room_not_found")
    await dev.clients.join("a", "alice")
    assert (await dev.refused("POST", OF_ROOM, data="x"))[0] == 415
    recording = (await dev.record())["id"]
    assert await dev.refused("POST", OF_ROOM, json={}) == (409, "conflict")
    for path in ("/api/v1/recordings/RC_none", f"/api/v1/recordings/{recording}/files/../../x"):
        assert (await dev.refused("GET", path))[0] == 404
    path = f"/api/v1/recordings/{recording}/files"
    for name in ("none.mkv", "%2e%2e%2fsecret", "..%2f..%2fx", ".lock"):
        assert await dev.refused("GET", f"{path}/{name}") == (404, "recording_not_found")
    assert await dev.refused("DELETE", f"/api/v1/recordings/{recording}") == (409, "conflict")


async def test_answers_fit_the_schema(dev: Api) -> None:
    await dev.clients.join("a", "alice")
    recording = (await dev.record())["id"]
    await dev.reaches(recording, "active")
    _, schema = await dev.request("GET", "/api/v1/schema.json")
    for path, name in (
        (OF_ROOM, "RecordingsOfRoom"),
        (f"/api/v1/recordings/{recording}", "RecordingInfo"),
        (f"/api/v1/recordings/{recording}/files", "RecordingFiles"),
    ):
        part = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
        _, body = await dev.request("GET", path)
        jsonschema.validate(body, part, jsonschema.Draft202012Validator)


async def test_a_server_that_does_not_record() -> None:
    async with running_server(recordings_dir="") as server, clients_of(server.url) as clients:
        alice = await clients.join("a", "alice")
        assert alice.participant["permissions"]["can_record"] is False
        assert await Api(clients).refused("POST", OF_ROOM, json={}) == (403, "not_allowed")


async def test_rooms_of_the_settings_and_the_end_of_the_server(tmp_path: Path) -> None:
    async with (
        running_server(recordings_dir=str(tmp_path), record_rooms=("a",)) as server,
        clients_of(server.url) as clients,
    ):
        alice = await publishing(clients)
        (recording,) = alice.joined["recordings"]
        assert recording["started_by"] == ""
        await changed(alice, "active")
        assert (await clients.join("b", "bob")).joined["recordings"] == []
    (manifest,) = tmp_path.rglob("manifest.json")  # noqa: ASYNC240
    told = json.loads(manifest.read_text())
    assert (told["id"], told["state"]) == (recording["id"], "complete")


async def test_a_closed_room_ends_its_recordings(dev: Api) -> None:
    await publishing(dev.clients)
    recording = (await dev.record())["id"]
    await dev.reaches(recording, "active")
    assert (await dev.request("DELETE", "/api/v1/rooms/a"))[0] == 204
    await dev.reaches(recording, "complete")
    assert len((await dev.get(OF_ROOM))["recordings"]) == 1


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_what_was_cut_short_is_repaired_at_the_next_start(tmp_path: Path) -> None:
    folder = ("--recordings-dir", str(tmp_path))
    async with server_process(*folder) as server, clients_of(server.url) as clients:
        api = Api(clients)
        await publishing(clients)
        recording = (await api.record())["id"]
        await api.recorded(recording, seconds=2.5)
        (recorder,) = children(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        os.kill(recorder, signal.SIGKILL)
    async with server_process(*folder) as server, clients_of(server.url) as clients:
        ended = await Api(clients).reaches(recording, "complete")
        assert ended["recovered"] is True
        files = await Api(clients).files(recording)
        assert files["alice-microphone.mkv"]["duration"] > 0.5
        await until(lambda: f"recording={recording}" in server.output, "it is told in the log")


async def test_the_recorder_ends_with_the_last_recording(server: RunningServer, dev: Api) -> None:
    alice = await dev.clients.join("a", "alice")
    before = children(os.getpid())
    await alice.request("start_recording")
    await changed(alice, "active")
    (recorder,) = set(children(os.getpid())) - set(before)
    recording = (await alice.request("list_recordings"))["recordings"][0]["id"]
    await alice.request("stop_recording", recording=recording)
    await changed(alice, "complete")
    await until(lambda: recorder not in children(os.getpid()), "the process is gone")
