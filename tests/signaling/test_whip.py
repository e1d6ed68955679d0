import asyncio
import io
import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from sfu.config import IceServer
from sfu.room.participant import Participant
from sfu.wire.parameters import IceParameters
from sfu.wire.stun import binding_request, parse_stun
from signaling.http_sessions import ice_server_links
from signaling.sdpfrag import MEDIA_TYPE, parse_fragment
from tests.support.clients import Clients, WhipClient, access_token, clients_of, peer_connection
from tests.support.descriptions import sample
from tests.support.media import PictureTrack, ToneTrack
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": MEDIA_TYPE}
NEW_ICE = "a=ice-ufrag:newu\r\na=ice-pwd:" + "n" * 24 + "\r\n"
TRICKLE = (
    "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"
    "a=candidate:2 1 udp 1 host.invalid 1 typ host\r\na=end-of-candidates\r\n"
)


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(handshake_timeout=3.0) as server:
        yield server


@pytest.fixture
async def clients(server: RunningServer) -> AsyncIterator[Clients]:
    async with clients_of(server.url) as clients:
        yield clients


async def offer_of(*kinds: str, direction: str = "sendonly") -> str:
    """An offer by aiortc that nobody follows up."""
    connection = peer_connection()
    for kind in kinds:
        connection.addTransceiver(kind, direction=direction)
    await connection.setLocalDescription(await connection.createOffer())
    sdp = connection.localDescription.sdp
    await connection.close()
    return sdp


def participants(server: RunningServer, room: str = "a") -> list[Participant]:
    found = server.media.rooms.get(room)
    return list(found.participants.values()) if found else []


async def post(clients: Clients, path: str, **arguments: Any) -> tuple[int, Any, Any]:
    """Status, headers and body."""
    arguments.setdefault("headers", SDP)
    async with clients.http.post(clients.url + path, **arguments) as response:
        text = await response.text()
        body = await response.json(content_type=None) if "json" in response.content_type else text
        return response.status, response.headers, body


async def patch(
    clients: Clients, whip: WhipClient, body: str, **headers: str
) -> tuple[int, Any, str]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    async with clients.http.patch(
        whip.resource, data=body, headers={**FRAGMENT, **named}
    ) as response:
        return response.status, response.headers, await response.text()


async def test_publisher_is_seen_and_its_media_arrives(
    server: RunningServer, clients: Clients
) -> None:
    alice = await clients.join("a", "alice")
    whip = clients.whip("a")
    whip.url += "?name=Encoder"
    picture = PictureTrack()
    await whip.publish(picture, ToneTrack(440))
    joined = await alice.wait_for("participant_joined")
    assert joined["participant"]["name"] == "Encoder"
    publisher = await until(
        lambda: next((p for p in alice.participants.values() if len(p["tracks"]) == 2), None),
        "both tracks are published",
    )
    kinds = {track["kind"]: track for track in publisher["tracks"]}
    assert kinds["video"]["source"] == "camera"
    assert kinds["audio"]["source"] == "microphone"
    sink = await alice.received(kinds["video"]["sid"], frames=5)
    assert sink.psnr(picture.luma) > 30
    sound = await alice.received(kinds["audio"]["sid"], frames=50)
    assert abs(sound.frequency() - 440) < 10
    room = server.media.rooms.get("a")
    assert room is not None
    assert kinds["video"]["sid"] in room.participant(publisher["identity"]).tracks


async def test_simulcast_is_taken(server: RunningServer, clients: Clients) -> None:
    status, _, answer = await post(clients, "/whip/a", data=sample("chrome_simulcast"))
    assert status == 201
    assert "a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\na=simulcast:recv q;h;f\r\n" in answer
    (publisher,) = participants(server)
    assert sorted(track.kind for track in publisher.tracks.values()) == ["audio", "video"]


async def test_answer_is_a_resource_with_all_headers(clients: Clients) -> None:
    offer = await offer_of("audio", "video")
    origin = {"Origin": "http://localhost:3000"}
    status, headers, answer = await post(clients, "/whip/a", data=offer, headers={**SDP, **origin})
    assert status == 201
    assert headers["Content-Type"].startswith("application/sdp")
    assert re.fullmatch(r"/whip/a/[\w-]{20,}", headers["Location"])
    assert re.fullmatch(r'"[\w-]+"', headers["ETag"])
    assert headers["Accept-Patch"] == MEDIA_TYPE
    for name in ("Location", "ETag", "Link", "Accept-Patch"):
        assert name in headers["Access-Control-Expose-Headers"]
    assert answer.count("a=recvonly") == 2
    assert "a=candidate" in answer
    assert "a=end-of-candidates" in answer


async def test_two_sessions_have_different_resources(
    server: RunningServer, clients: Clients
) -> None:
    offer = await offer_of("audio")
    locations = {(await post(clients, "/whip/a", data=offer))[1]["Location"] for _ in range(2)}
    assert len(locations) == 2
    assert len(participants(server)) == 2


async def test_delete_ends_the_session(server: RunningServer, clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    assert await whip.delete() == 200
    assert (await alice.wait_for("participant_left"))["reason"] == "left"
    assert len(participants(server)) == 1
    assert await whip.delete() == 404
    assert (await patch(clients, whip, TRICKLE, If_Match="*"))[0] == 404


async def test_closed_connection_ends_the_session(clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    track = (await alice.wait_for("track_published"))["track"]["sid"]
    await alice.received(track, frames=2)
    await whip.connection.close()
    assert (await alice.wait_for("participant_left"))["reason"] == "media_lost"
    assert await whip.delete() == 404


async def test_connection_that_never_comes_ends_the_session(
    server: RunningServer, clients: Clients
) -> None:
    status, headers, _ = await post(clients, "/whip/a", data=await offer_of("audio"))
    assert status == 201
    assert len(participants(server)) == 1
    await until(lambda: not participants(server), "the handshake times out", deadline=10)
    assert not server.media.worker.endpoint.peers
    async with clients.http.get(clients.url + headers["Location"]) as response:
        assert response.status == 404


async def test_deleted_room_ends_the_session(server: RunningServer, clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    async with clients.http.delete(f"{clients.url}/api/v1/rooms/a") as response:
        assert response.status == 204
    assert await whip.delete() == 404
    await until(lambda: not server.media.worker.endpoint.peers, "the transport is gone")


async def test_server_mute_of_an_encoder(clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    published = await alice.wait_for("track_published")
    (publisher,) = alice.participants.values()
    path = f"/api/v1/rooms/a/participants/{publisher['identity']}/tracks/"
    url = clients.url + path + published["track"]["sid"]
    async with clients.http.patch(url, json={"muted": True}) as response:
        assert (await response.json())["muted"] is True
    assert (await alice.wait_for("track_updated"))["track"]["muted"] is True


# -- what is refused


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "malformed"),
        ("hello", 400, "malformed"),
        ("v=0\r\n", 422, "negotiation_failed"),
        (b"\xff\xfe", 400, "malformed"),
        ("v=0\r\n" + "a=x\r\n" * 300_000, 413, "too_large"),
    ],
)
async def test_bad_offer(
    server: RunningServer, clients: Clients, body: str | bytes, status: int, error: str
) -> None:
    data = io.BytesIO(body if isinstance(body, bytes) else body.encode())
    got, _, problem = await post(clients, "/whip/a", data=data)
    assert (got, problem["error"]) == (status, error)
    assert not participants(server)


async def test_offer_without_anything_to_publish(server: RunningServer, clients: Clients) -> None:
    offer = await offer_of("audio", direction="recvonly")
    status, _, problem = await post(clients, "/whip/a", data=offer)
    assert (status, problem["error"]) == (422, "negotiation_failed")
    assert not participants(server)


async def test_offer_that_could_be_taken_in_part_only(
    server: RunningServer, clients: Clients
) -> None:
    offer = (await offer_of("audio", "video")).replace("VP8/90000", "FOO/90000")
    offer = offer.replace("H264/90000", "BAR/90000")
    status, _, problem = await post(clients, "/whip/a", data=offer)
    assert (status, problem["error"]) == (422, "codec_unsupported")
    assert "video" in problem["detail"]
    assert not participants(server)


async def test_bad_offer_does_not_put_out_who_publishes_already() -> None:
    token = access_token("encoder", room="a", roomJoin=True)
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        whip = clients.whip("a", token=token)
        await whip.publish(ToneTrack())
        (before,) = participants(server)
        headers = {**SDP, "Authorization": f"Bearer {token}"}
        assert (await post(clients, "/whip/a", data="v=1", headers=headers))[0] == 400
        assert participants(server) == [before]
        other = clients.whip("a", token=token)
        await other.publish(ToneTrack())
        assert len(participants(server)) == 1
        assert await whip.delete() == 404
        assert await other.delete() == 200


@pytest.mark.parametrize(
    ("change", "grants", "error"),
    [
        (lambda sdp: "v=0\r\n", {}, "negotiation_failed"),
        (lambda sdp: sdp.replace("a=group:BUNDLE", "a=x"), {}, "negotiation_failed"),
        (lambda sdp: re.sub(r"a=ice-(ufrag|pwd)", "a=x", sdp), {}, "negotiation_failed"),
        (lambda sdp: sdp.replace("a=fingerprint", "a=x"), {}, "negotiation_failed"),
        (lambda sdp: sdp.replace("a=rtcp-mux", "a=x"), {}, "negotiation_failed"),
        (lambda sdp: sdp.replace("opus/48000", "FOO/48000"), {}, "codec_unsupported"),
        (lambda sdp: re.sub("VP8|H264", "FOO", sdp), {}, "codec_unsupported"),
        (lambda sdp: sdp.replace("a=sendonly", "a=recvonly"), {}, "negotiation_failed"),
        (lambda sdp: sdp, {"canPublishSources": ["camera"]}, "not_allowed"),
        (lambda sdp: sdp, {"canPublish": False}, "not_allowed"),
        (lambda sdp: sdp + sdp[sdp.index("m=") :].replace("a=mid:", "a=mid:x"), {}, ""),
    ],
)
async def test_refused_offer_changes_nothing(
    change: Callable[[str], str], grants: dict[str, Any], error: str
) -> None:
    everything = {"room": "a", "roomJoin": True}
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET, max_tracks=2) as server,
        clients_of(server.url) as clients,
    ):
        whip = clients.whip("a", token=access_token("encoder", **everything))
        await whip.publish(ToneTrack())
        (before,) = participants(server)
        offer = change(await offer_of("audio", "video"))
        if not error:  # four m-lines, all in the BUNDLE group
            error = "too_many_tracks"
            mids = re.findall(r"a=mid:(\S+)", offer)
            offer = re.sub(r"a=group:BUNDLE .*", f"a=group:BUNDLE {' '.join(mids)}\r", offer)
        token = access_token("encoder", **{**everything, **grants})
        headers = {**SDP, "Authorization": f"Bearer {token}"}
        _, _, problem = await post(clients, "/whip/a", data=offer, headers=headers)
        assert problem["error"] == error, problem
        assert participants(server) == [before]
        assert before.present
        assert await whip.delete() == 200


async def test_full_server_does_not_put_out_who_publishes_already() -> None:
    def bearer(identity: str) -> dict[str, str]:
        token = access_token(identity, room="a", roomJoin=True)
        return {**SDP, "Authorization": f"Bearer {token}"}

    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET, max_pending_transports=1) as server,
        clients_of(server.url) as clients,
    ):
        whip = clients.whip("a", token=access_token("encoder", room="a", roomJoin=True))
        await whip.publish(ToneTrack())
        (before,) = participants(server)
        await until(
            lambda: before.publisher.transport.state == "connected", "the encoder is connected"
        )
        offer = await offer_of("audio")
        assert (await post(clients, "/whip/a", data=offer, headers=bearer("other")))[0] == 201
        status, _, problem = await post(clients, "/whip/a", data=offer, headers=bearer("encoder"))
        assert (status, problem["error"]) == (503, "server_full")
        assert before in participants(server)


async def test_other_content_is_refused(clients: Clients) -> None:
    status, headers, _ = await post(clients, "/whip/a", data="{}", headers={})
    assert status == 415
    assert headers["Accept-Post"] == "application/sdp"


async def test_full_server_says_when_to_come_back() -> None:
    async with (
        running_server(max_pending_transports=1) as server,
        clients_of(server.url) as clients,
    ):
        offer = await offer_of("audio")
        assert (await post(clients, "/whip/a", data=offer))[0] == 201
        status, headers, problem = await post(clients, "/whip/a", data=offer)
        assert (status, problem["error"]) == (503, "server_full")
        assert int(headers["Retry-After"]) > 0
        assert len(participants(server)) == 1


@pytest.mark.parametrize("query", ["?name=" + "x" * 257])
async def test_long_names_are_refused(clients: Clients, query: str) -> None:
    status, _, problem = await post(clients, "/whip/a" + query, data=await offer_of("audio"))
    assert (status, problem["error"]) == (413, "too_large")
    assert (await post(clients, "/whip/" + "r" * 257, data=await offer_of("audio")))[0] == 413


# -- who may


async def test_tokens() -> None:
    good: dict[str, Any] = {"room": "a", "roomJoin": True}
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        offer = await offer_of("audio")
        for grants, status in (
            (None, 401),
            ({"room": "b", "roomJoin": True}, 403),
            ({"room": "a"}, 403),
            ({**good, "canPublish": False}, 403),
            ({**good, "hidden": True}, 403),
            ({**good, "canPublishSources": ["camera"]}, 403),
            (good, 201),
        ):
            headers = dict(SDP)
            if grants is not None:
                headers["Authorization"] = f"Bearer {access_token('encoder', **grants)}"
            got, _, body = await post(clients, "/whip/a", data=offer, headers=headers)
            assert got == status, (grants, body)
        (encoder,) = participants(server)
        assert encoder.identity == "encoder"


async def test_name_is_the_tokens_to_give() -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        offer = await offer_of("audio")
        for may, shown in ((False, "me"), (True, "Boss")):
            token = access_token("me", room="a", roomJoin=True, canUpdateOwnMetadata=may)
            headers = {**SDP, "Authorization": f"Bearer {token}"}
            path = "/whip/a?name=Boss"
            assert (await post(clients, path, data=offer, headers=headers))[0] == 201
            (participant,) = participants(server)
            assert participant.name == shown


async def test_publishers_are_in_the_log(
    server: RunningServer, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        whip = clients.whip("a")
        await whip.publish(ToneTrack())
        (participant,) = participants(server)
        (track,) = participant.tracks
        assert await whip.delete() == 200
    who = f"identity={participant.identity!r} participant={participant.sid!r}"
    for event, detail in (
        ("participant joined", ""),
        ("track published", f"track={track!r} kind='audio' source='microphone'"),
        ("participant left", "reason='left'"),
    ):
        (line,) = (one for one in caplog.messages if one.startswith(event))
        assert who in line
        assert "room='a'" in line
        assert detail in line


@pytest.mark.parametrize("path", ["/whip/a?name=%1b%5b31m", "/whip/a%1b", "/whep/%c2%9b"])
async def test_control_characters_are_refused(clients: Clients, path: str) -> None:
    direction = "sendonly" if "whip" in path else "recvonly"
    status, _, problem = await post(
        clients, path, data=await offer_of("audio", direction=direction)
    )
    assert (status, problem["error"]) == (400, "bad_request")


async def test_session_belongs_to_its_token() -> None:
    def bearer(identity: str, **grants: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token(identity, **grants)}"}

    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        whip = clients.whip("a", token=access_token("encoder", room="a", roomJoin=True))
        await whip.publish(ToneTrack())
        for headers, status in (
            ({}, 401),
            (bearer("other", room="a", roomJoin=True), 403),
            (bearer("other", room="b", roomAdmin=True), 403),
            (bearer("encoder", room="b", roomJoin=True), 403),
            (bearer("encoder", room="a", roomJoin=True), 204),
            (bearer("other", room="a", roomAdmin=True), 204),
        ):
            async with clients.http.get(whip.resource, headers=headers) as response:
                assert response.status == status
        async with clients.http.delete(whip.resource) as response:
            assert response.status == 401
        elsewhere = whip.resource.replace("/whip/a/", "/whip/b/")
        headers = bearer("encoder", room="a", roomJoin=True)
        async with clients.http.delete(elsewhere, headers=headers) as response:
            assert response.status == 404
        assert len(participants(server)) == 1
        assert await whip.delete() == 200


async def test_session_without_a_token_is_not_that_of_a_token_without_identity() -> None:
    def bearer(identity: str, **grants: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token(identity, **grants)}"}

    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET, dev=True) as server,
        clients_of(server.url) as clients,
    ):
        whip = clients.whip("a")
        await whip.publish(ToneTrack())
        for headers, status in (
            (bearer("", room="a", roomList=True), 403),
            (bearer("", room="a", roomAdmin=True), 204),
            ({}, 204),
        ):
            async with clients.http.get(whip.resource, headers=headers) as response:
                assert response.status == status


# -- methods


async def test_get_has_no_content(clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    for method in ("GET", "HEAD"):
        async with clients.http.request(method, whip.resource) as response:
            assert response.status == 204
        async with clients.http.request(method, whip.url) as response:
            assert response.status == 200
            assert await response.read() == b""


async def test_other_methods_are_not_allowed(clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    async with clients.http.put(whip.resource) as response:
        assert response.status == 405
        assert {"DELETE", "PATCH"} <= set(response.headers["Allow"].split(","))
    async with clients.http.put(whip.url) as response:
        assert response.status == 405


async def test_options_say_what_is_taken(clients: Clients) -> None:
    for headers in ({}, {"Origin": "http://localhost", "Access-Control-Request-Method": "POST"}):
        async with clients.http.options(clients.url + "/whip/a", headers=headers) as response:
            assert response.status in (200, 204)
            assert response.headers["Accept-Post"] == "application/sdp"
            if headers:
                assert "POST" in response.headers["Access-Control-Allow-Methods"]
        session = clients.url + "/whip/a/session"
        async with clients.http.options(session, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Accept-Patch"] == MEDIA_TYPE


# -- ICE news


async def test_trickle(clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    status, headers, body = await patch(clients, whip, TRICKLE, If_Match=whip.etag)
    assert (status, body) == (204, "")
    assert "ETag" not in headers
    same = parse_offer(whip.connection.localDescription.sdp)
    assert (await patch(clients, whip, same + TRICKLE, If_Match=f'"x", {whip.etag}'))[0] == 204
    assert (await patch(clients, whip, same + TRICKLE, If_Match="*"))[0] == 204


def parse_offer(sdp: str) -> str:
    """The ICE credentials of a description, as a fragment."""
    lines = [re.search(rf"^a={name}:\S+", sdp, re.MULTILINE) for name in ("ice-ufrag", "ice-pwd")]
    return "".join(f"{line[0]}\r\n" for line in lines if line)


async def test_bad_fragments(clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    for body, headers, expected in (
        (TRICKLE, {}, 428),
        (TRICKLE, {"If-Match": '"other"'}, 412),
        (TRICKLE, {"If-Match": f"W/{whip.etag}"}, 412),
        (NEW_ICE, {"If-Match": '"other"'}, 412),
        ("hello", {"If-Match": whip.etag}, 400),
        ("a=ice-ufrag:newu\r\n", {"If-Match": "*"}, 400),
        (TRICKLE, {"If-Match": whip.etag, "Content-Type": "application/sdp"}, 415),
        ("a=x\r\n" * 20_000, {"If-Match": whip.etag}, 413),
    ):
        async with clients.http.patch(
            whip.resource, data=body, headers={**FRAGMENT, **headers}
        ) as response:
            assert response.status == expected, (body[:40], headers)
            if expected == 415:
                assert response.headers["Accept-Patch"] == MEDIA_TYPE
    assert await whip.delete() == 200


async def test_delete_overlooks_entity_tags(clients: Clients) -> None:
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    async with clients.http.delete(whip.resource, headers={"If-Match": '"old"'}) as response:
        assert response.status == 200


class Check(asyncio.DatagramProtocol):
    """Sends connectivity checks from a new address."""

    def __init__(self) -> None:
        self.responses: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.responses.put_nowait(data)


async def answered(server: RunningServer, ours: IceParameters, theirs: str) -> bool:
    """Whether the server answers a check with these credentials."""
    loop = asyncio.get_running_loop()
    transport, check = await loop.create_datagram_endpoint(
        Check, remote_addr=("127.0.0.1", server.media.worker.udp.port)
    )
    try:
        transport.sendto(
            binding_request(
                transaction_id=secrets.token_bytes(12),
                username=f"{ours.username_fragment}:{theirs}",
                password=ours.password,
                priority=1,
                controlling=1,
            )
        )
        data = await asyncio.wait_for(check.responses.get(), 1)
        return parse_stun(data).is_authentic(ours.password)
    except TimeoutError:
        return False
    finally:
        transport.close()


@pytest.mark.parametrize("match", ["*", '"*"', "etag"])
async def test_restart(server: RunningServer, clients: Clients, match: str) -> None:
    alice = await clients.join("a", "alice")
    whip = clients.whip("a")
    await whip.publish(ToneTrack())
    track = (await alice.wait_for("track_published"))["track"]["sid"]
    await alice.received(track, frames=5)
    old = whip.etag
    match = old if match == "etag" else match
    status, headers, fragment = await patch(clients, whip, NEW_ICE + TRICKLE, If_Match=match)
    assert status == 200
    assert headers["Content-Type"].startswith(MEDIA_TYPE)
    assert headers["ETag"] != old
    assert "a=ice-lite" in fragment
    assert "a=candidate:" in fragment
    assert re.search("^m=audio", fragment, re.MULTILINE)
    ours = parse_fragment(fragment)
    assert ours is not None
    assert await answered(server, ours, "newu")
    assert not await answered(server, IceParameters(ours.username_fragment, "x" * 24), "newu")
    # The old ICE session is over for later news, and its media flows until a new path is chosen.
    assert (await patch(clients, whip, TRICKLE, If_Match=old))[0] == 412
    assert (await patch(clients, whip, TRICKLE, If_Match=headers["ETag"]))[0] == 204
    await alice.received(track, frames=20)


# -- ICE servers


async def test_ice_servers_are_told() -> None:
    servers = [{"urls": ["turn:t.example?transport=udp"], "username": 'u"s', "credential": "c\\d"}]
    async with running_server(ice_servers=servers) as server, clients_of(server.url) as clients:
        _, headers, _ = await post(clients, "/whip/a", data=await offer_of("audio"))
        assert headers["Link"] == (
            '<turn:t.example?transport=udp>; rel="ice-server"; username="u\\"s"; '
            'credential="c\\\\d"; credential-type="password"'
        )


def test_one_link_for_each_url() -> None:
    servers = [IceServer(("stun:a", "stun:b")), IceServer(("turn:c",), "u", "c")]
    links = ice_server_links(servers)
    assert links[:2] == ['<stun:a>; rel="ice-server"', '<stun:b>; rel="ice-server"']
    assert len(links) == 3


async def test_client_that_breaks_off_while_it_offers(
    server: RunningServer, clients: Clients
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"v=0\r\n"
        await asyncio.sleep(60)

    with pytest.raises((TimeoutError, aiohttp.ServerTimeoutError)):
        await post(clients, "/whip/a", data=endless(), timeout=aiohttp.ClientTimeout(total=0.3))
    assert not participants(server)
