import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.clients import Clients, ServerError, access_token, clients_of, peer_connection
from tests.support.media import PictureTrack, ToneTrack, picture
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def clients(server: RunningServer) -> AsyncIterator[Clients]:
    async with clients_of(server.url) as clients:
        yield clients


async def frames(viewer: object, kind: str, count: int) -> None:
    sink = viewer.sinks[kind]  # type: ignore[attr-defined]
    target = sink.frames + count
    await until(lambda: sink.frames >= target, f"{count} more {kind} frames", deadline=20)


async def test_viewer_sees_and_hears_who_publishes(clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    video = PictureTrack()
    await alice.publish(video, ToneTrack(440))
    viewer = clients.whep("a")
    await viewer.watch("video", "audio")
    await frames(viewer, "video", 5)
    assert viewer.sinks["video"].psnr(video.luma) > 30
    await frames(viewer, "audio", 50)
    assert abs(viewer.sinks["audio"].frequency() - 440) < 10


async def test_viewer_that_comes_before_the_publisher(clients: Clients) -> None:
    viewer = clients.whep("a")
    await viewer.watch("audio", "video")
    whip = clients.whip("a")
    await whip.publish(PictureTrack(), ToneTrack())
    await frames(viewer, "video", 3)
    await frames(viewer, "audio", 10)


async def test_viewers_are_hidden_and_independent(server: RunningServer, clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    await alice.publish(ToneTrack())
    viewers = [clients.whep("a") for _ in range(3)]
    for viewer in viewers:
        await viewer.watch("audio")
    for viewer in viewers:
        await frames(viewer, "audio", 5)
    room = server.media.rooms.get("a")
    assert room is not None
    assert len(room.participants) == 4
    assert len(room.visible) == 1
    assert alice.event("participant_joined") is None
    assert await viewers[0].delete() == 200
    assert len(room.participants) == 3
    await frames(viewers[1], "audio", 5)
    assert alice.event("participant_left") is None


async def test_viewer_of_one_participant(clients: Clients) -> None:
    dark, light = picture() // 3, picture()
    alice = await clients.join("a", "alice")
    await alice.publish(PictureTrack(dark))
    viewer = clients.whep("a", identity="bob")
    await viewer.watch("video")
    bob = await clients.join("a", "bob")
    await bob.publish(PictureTrack(light))
    await frames(viewer, "video", 5)
    assert viewer.sinks["video"].psnr(light) > 30
    late = clients.whep("a", identity="alice")
    await late.watch("video")
    await frames(late, "video", 5)
    assert late.sinks["video"].psnr(dark) > 30


async def test_viewer_of_one_track(clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    await alice.publish(ToneTrack(440))
    bob = await clients.join("a", "bob")
    (sid,) = await bob.publish(ToneTrack(880))
    viewer = clients.whep("a", track=sid)
    await viewer.watch("audio")
    await frames(viewer, "audio", 50)
    assert abs(viewer.sinks["audio"].frequency() - 880) < 10


async def test_track_that_is_not_there(server: RunningServer, clients: Clients) -> None:
    viewer = clients.whep("a", track="TR_missing")
    with pytest.raises(ServerError, match="track_not_found"):
        await viewer.watch("audio")
    room = server.media.rooms.get("a")
    assert room is not None
    assert not room.participants


async def test_offer_that_receives_nothing(clients: Clients) -> None:
    viewer = clients.whep("a")
    viewer.connection.addTransceiver("audio", direction="sendonly")
    with pytest.raises(ServerError, match="negotiation_failed"):
        await viewer.watch()


async def test_answer_sends_only(clients: Clients) -> None:
    viewer = clients.whep("a")
    answers: list[str] = []
    viewer.rewrite = lambda sdp: answers.append(sdp) or sdp  # type: ignore[func-returns-value]
    viewer.connection.addTransceiver("audio", direction="recvonly")
    viewer.connection.addTransceiver("video", direction="recvonly")
    await viewer.watch()
    (answer,) = answers
    assert answer.count("a=sendonly") == 2
    streams = set(re.findall(r"^a=msid:(\S+)", answer, re.MULTILINE))
    assert len(streams) == 1  # one MediaStream, as the draft wants it


async def test_endpoint_can_be_told_by_a_head_request(clients: Clients) -> None:
    async with clients.http.head(clients.url + "/whep/a") as response:
        assert response.status == 200
        assert response.content_type == "application/sdp"


async def test_closed_connection_ends_the_session(server: RunningServer, clients: Clients) -> None:
    alice = await clients.join("a", "alice")
    await alice.publish(ToneTrack())
    viewer = clients.whep("a")
    await viewer.watch("audio")
    await frames(viewer, "audio", 2)
    await viewer.connection.close()
    room = server.media.rooms.get("a")
    assert room is not None
    await until(lambda: len(room.participants) == 1, "the viewer is gone")
    assert await viewer.delete() == 404


async def test_tokens() -> None:
    good: dict[str, Any] = {"room": "a", "roomJoin": True}
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        for token, status in (
            ("", "401"),
            (access_token("v", room="b", roomJoin=True), "403"),
            (access_token("v", room="a"), "403"),
            (access_token("v", **good, canSubscribe=False), "403"),
        ):
            with pytest.raises(ServerError) as caught:
                await clients.whep("a", token=token).watch("audio")
            assert caught.value.name == status
        token = access_token("v", **good, canPublish=False)
        for _ in range(2):
            await clients.whep("a", token=token).watch("audio")
        room = server.media.rooms.get("a")
        assert room is not None
        identities = list(room.participants)
        assert len(identities) == 2
        assert all(re.fullmatch(r"v#[\w-]+", identity) for identity in identities)
        viewer = clients.whep("a", token=token)
        await viewer.watch("audio")
        assert await viewer.delete() == 200


async def test_one_token_does_not_fill_the_room_with_sessions_that_never_connect() -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET, max_pending_sessions=2) as server,
        clients_of(server.url) as clients,
    ):
        connection = peer_connection()
        connection.addTransceiver("audio", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription.sdp
        await connection.close()

        async def post(identity: str) -> tuple[int, str, str]:
            token = access_token(identity, room="a", roomJoin=True)
            async with clients.http.post(
                server.url + "/whep/a",
                data=offer,
                headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"},
            ) as response:
                place = response.headers.get("Location", "")
                return response.status, place, response.headers.get("Retry-After", "")

        shared = access_token("audience", room="a", roomJoin=True)
        for _ in range(4):  # those that connect are not counted
            viewer = clients.whep("a", token=shared)
            await viewer.watch("audio")
            room = server.media.rooms.get("a")
            assert room is not None
            await until(
                lambda room=room: all(  # type: ignore[misc]
                    one.subscriber.transport.state == "connected"
                    for one in room.participants.values()
                ),
                "the viewer is connected",
            )
        places = []
        for _ in range(2):
            status, place, _ = await post("audience")
            assert status == 201
            places.append(place)
        status, _, retry = await post("audience")
        assert (status, int(retry) > 0) == (429, True)
        assert (await post("somebody"))[0] == 201
        headers = {"Authorization": f"Bearer {shared}"}
        async with clients.http.delete(server.url + places[0], headers=headers) as response:
            assert response.status == 200
        assert (await post("audience"))[0] == 201


async def test_without_tokens_one_address_is_one_client() -> None:
    async with (
        running_server(max_pending_sessions=1) as server,
        clients_of(server.url) as clients,
    ):
        connection = peer_connection()
        connection.addTransceiver("audio", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        for room, expected in (("a", 201), ("b", 429)):
            async with clients.http.post(
                f"{server.url}/whep/{room}",
                data=connection.localDescription.sdp,
                headers={"Content-Type": "application/sdp"},
            ) as response:
                assert response.status == expected
        await connection.close()
