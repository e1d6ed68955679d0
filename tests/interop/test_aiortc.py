"""Known pictures and tones from one aiortc client to another, through the server."""

import asyncio
import base64

import pytest

from tests.support.clients import (
    Client,
    Clients,
    ServerError,
    access_token,
    clients_of,
    has_ipv6,
)
from tests.support.media import PictureTrack, Sink, ToneTrack, picture
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server
from tests.support.tcp_relay import tcp_relay

GOOD_PICTURE = 30.0  # dB; what an encoder at a few hundred kbit/s leaves of a still picture
TONE = 440.0  # Hz


async def sees_picture(sink: Sink, *, deadline: float = 15.0) -> None:
    luma = picture()
    await until(lambda: sink.psnr(luma) > GOOD_PICTURE, "a good picture", deadline=deadline)


async def hears_tone(sink: Sink, frequency: float = TONE) -> None:
    await until(lambda: abs(sink.frequency() - frequency) < 5, f"a tone of {frequency} Hz")


async def watches(subscriber: Client, video: str, audio: str) -> None:
    """Both tracks arrive as what they were."""
    await sees_picture(await subscriber.received(video))
    await hears_tone(await subscriber.received(audio))


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_picture_and_tone_arrive(clients: Clients, codec: str) -> None:
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben")
    video, audio = await publisher.publish(PictureTrack(), ToneTrack(TONE), codec=codec)

    await watches(subscriber, video, audio)

    assert subscriber.event("track_published", participant=publisher.participant["sid"])
    await subscriber.wait_for("subscription_changed", track=video, state="active")
    tracks = subscriber.participants[publisher.participant["sid"]]["tracks"]
    assert {track["sid"]: track["mime_type"] for track in tracks} == {
        video: codec,
        audio: "audio/opus",
    }


async def test_reports_reach_both_ends(clients: Clients) -> None:
    """Sender reports keep sound and picture together, receiver reports tell of losses."""
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben")
    for sid in await publisher.publish(PictureTrack(), ToneTrack(TONE)):
        await subscriber.received(sid)
    assert subscriber.subscriber is not None
    for connection, kind in (
        (subscriber.subscriber, "remote-outbound-rtp"),
        (publisher.publisher, "remote-inbound-rtp"),
    ):

        async def reported(connection=connection, kind=kind) -> bool:
            statistics = await connection.getStats()
            return sum(one.type == kind for one in statistics.values()) == 2

        await until(reported, f"{kind} of two streams")


async def test_late_subscriber_gets_what_is_already_published(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    video, audio = await publisher.publish(PictureTrack(), ToneTrack(TONE))
    await publisher.wait_for("media_state", target="publisher", state="connected")

    subscriber = await clients.join("kitchen", "ben")

    assert {t["sid"] for t in subscriber.joined["participants"][0]["tracks"]} == {video, audio}
    await watches(subscriber, video, audio)


async def test_four_participants_receive_each_other(clients: Clients) -> None:
    members = [await clients.join("kitchen", name) for name in ("ann", "ben", "cat", "dan")]
    tones = {}
    for number, member in enumerate(members):
        frequency = 400.0 + 100 * number
        (sid,) = await member.publish(ToneTrack(frequency))
        tones[sid] = frequency
    for number, member in enumerate(members):
        for position, (sid, frequency) in enumerate(tones.items()):
            if position != number:
                await hears_tone(await member.received(sid), frequency)


async def test_tracks_added_later_arrive_on_the_same_connection(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben")
    (audio,) = await publisher.publish(ToneTrack(TONE))
    await hears_tone(await subscriber.received(audio))
    connection = subscriber.subscriber

    (video,) = await publisher.publish(PictureTrack())

    await watches(subscriber, video, audio)
    assert subscriber.subscriber is connection


async def test_removed_track_leaves_its_place_to_the_next(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    other = await clients.join("kitchen", "cat")
    subscriber = await clients.join("kitchen", "ben")
    (first,) = await publisher.publish(ToneTrack(500))
    await hears_tone(await subscriber.received(first), 500)

    await publisher.request("remove_track", track=first)
    await subscriber.wait_for("track_unpublished", track=first)
    (second,) = await other.publish(ToneTrack(700))

    await hears_tone(await subscriber.received(second), 700)


async def test_muted_track_is_not_forwarded(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben")
    (audio,) = await publisher.publish(ToneTrack(TONE))
    sink = await subscriber.received(audio, frames=5)

    await publisher.request("mute", track=audio, muted=True)
    await subscriber.wait_for("subscription_changed", track=audio, state="paused", reason="muted")
    published = subscriber.participants[publisher.participant["sid"]]["tracks"]
    assert published[0]["muted"] is True
    before = sink.frames
    await asyncio.sleep(1)
    assert sink.frames - before < 15, "what was in the jitter buffer, and no more"

    await publisher.request("mute", track=audio, muted=False)
    await hears_tone(await subscriber.received(audio, frames=25))


async def test_unsubscribed_track_stops_and_comes_back(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben", auto_subscribe=False)
    (video,) = await publisher.publish(PictureTrack())
    await subscriber.wait_for("track_published")
    assert subscriber.event("subscriber_offer") is None

    await subscriber.request("subscribe", tracks=[video])
    await sees_picture(await subscriber.received(video))

    await subscriber.request("unsubscribe", tracks=[video])
    sink = subscriber.sinks.pop(video)
    before = sink.frames
    await asyncio.sleep(1)
    assert sink.frames - before < 15

    await subscriber.request("subscribe", tracks=[video])
    await sees_picture(await subscriber.received(video, frames=10))


async def test_media_over_tcp(server: RunningServer, clients: Clients) -> None:
    assert server.media.worker.tcp is not None
    async with tcp_relay("127.0.0.1", server.media.worker.tcp.port) as relay:
        publisher = clients.client()
        subscriber = clients.client()
        for client, identity in ((publisher, "ann"), (subscriber, "ben")):
            client.rewrite = relay.describe
            await client.join("kitchen", identity)
        video, audio = await publisher.publish(PictureTrack(), ToneTrack(TONE))
        await watches(subscriber, video, audio)
        assert relay.frames > 30
        assert server.media.worker.udp.counters.packets_received == 0


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_media_over_ipv6() -> None:
    async with running_server("::1") as server, clients_of(server.url) as clients:
        publisher = await clients.join("kitchen", "ann")
        subscriber = await clients.join("kitchen", "ben")
        video, audio = await publisher.publish(PictureTrack(), ToneTrack(TONE))
        await watches(subscriber, video, audio)


async def test_data_channels_carry_messages_both_ways(clients: Clients) -> None:
    ann = await clients.join("kitchen", "ann")
    ben = await clients.join("kitchen", "ben")
    cat = await clients.join("kitchen", "cat")
    for client in (ann, ben):
        await client.open_channels()

    ann.send_data(b"to all", topic="chat")
    for client in (ben, cat):  # cat has no data channels: hers comes over the WebSocket
        message = await until(lambda client=client: client.data and client.data[-1], "a message")
        assert base64.b64decode(message["payload"]) == b"to all"
        assert message["identity"] == "ann"
        assert message["participant"] == ann.participant["sid"]
        assert message["topic"] == "chat"
        assert message["reliable"] is True

    ben.send_data(b"to ann", reliable=False, destinations=["ann"])
    message = await until(lambda: ann.data and ann.data[-1], "an answer")
    assert base64.b64decode(message["payload"]) == b"to ann"
    assert message["reliable"] is False

    payload = base64.b64encode(b"by WebSocket").decode()
    await cat.request("send_data", payload=payload, destinations=["ben"])
    await until(lambda: len(ben.data) == 2, "a second message")
    assert len(ann.data) == 1
    assert len(cat.data) == 1


async def test_media_flows_while_signaling_is_lost_and_resumes(clients: Clients) -> None:
    publisher = await clients.join("kitchen", "ann")
    subscriber = await clients.join("kitchen", "ben")
    (audio,) = await publisher.publish(ToneTrack(TONE))
    sink = await subscriber.received(audio, frames=25)

    await publisher.drop()
    await subscriber.drop()
    before = sink.frames
    await until(lambda: sink.frames > before + 50, "media goes on")

    assert (await publisher.resume())["resumed"] is True
    joined = await subscriber.resume()
    assert joined["resumed"] is True
    assert [one["identity"] for one in joined["participants"]] == ["ann"]
    await hears_tone(await subscriber.received(audio, frames=25))
    assert subscriber.event("participant_left") is None

    (video,) = await publisher.publish(PictureTrack())
    await sees_picture(await subscriber.received(video))


async def test_others_are_told_when_the_grace_period_ends() -> None:
    async with running_server(grace_period=1.0) as server, clients_of(server.url) as clients:
        publisher = await clients.join("kitchen", "ann")
        subscriber = await clients.join("kitchen", "ben")
        (audio,) = await publisher.publish(ToneTrack(TONE))
        await subscriber.received(audio)

        await publisher.drop()

        left = await subscriber.wait_for("participant_left", deadline=5)
        assert left["identity"] == "ann"
        assert left["reason"] == "signaling_timeout"
        with pytest.raises(ServerError) as error:
            await publisher.resume()
        assert error.value.name == "resume_failed"


async def test_same_identity_takes_the_place_of_the_old_one(clients: Clients) -> None:
    first = await clients.join("kitchen", "ann")
    second = await clients.join("kitchen", "ann")
    await first.wait_for("disconnected", reason="duplicate_identity")
    await until(lambda: first.close_code, "the server closes")
    assert second.participant["sid"] != first.participant["sid"]


async def test_permissions_of_a_token_hold() -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        ann = await clients.join(token=access_token("ann", roomJoin=True, room="kitchen"))
        (audio,) = await ann.publish(ToneTrack(TONE))

        mute = await clients.join(
            token=access_token("ben", roomJoin=True, room="kitchen", canPublish=False)
        )
        with pytest.raises(ServerError, match="not_allowed"):
            await mute.request("add_track", kind="audio")
        await hears_tone(await mute.received(audio))

        deaf = await clients.join(
            token=access_token("cat", roomJoin=True, room="kitchen", canSubscribe=False)
        )
        with pytest.raises(ServerError, match="not_allowed"):
            await deaf.request("subscribe", tracks=[audio])
        assert deaf.event("subscriber_offer") is None

        speaker = await clients.join(
            token=access_token(
                "dan", roomJoin=True, room="kitchen", canPublishSources=["microphone"]
            )
        )
        with pytest.raises(ServerError, match="not_allowed"):
            await speaker.request("add_track", kind="video", source="camera")
        await speaker.request("add_track", kind="audio", source="microphone")

        ghost = await clients.join(
            token=access_token("eve", roomJoin=True, room="kitchen", hidden=True)
        )
        await hears_tone(await ghost.received(audio))
        assert "eve" not in {one["identity"] for one in ann.participants.values()}

        for token in ("", "junk", access_token("fay", roomJoin=True, room="kitchen", lifetime=-60)):
            with pytest.raises(ServerError, match="unauthorized"):
                await clients.join("kitchen", "fay", token=token)


async def test_whip_publisher_is_seen_by_whep_viewers_and_participants(clients: Clients) -> None:
    participant = await clients.join("kitchen", "ben")
    publisher = clients.whip("kitchen")
    await publisher.publish(PictureTrack(), ToneTrack(TONE))
    viewers = [clients.whep("kitchen") for _ in range(2)]
    for viewer in viewers:
        await viewer.watch("audio", "video")

    for viewer in viewers:
        await sees_picture(viewer.sinks["video"])
        await hears_tone(viewer.sinks["audio"])
    joined = await participant.wait_for("participant_joined")
    tracks = await until(
        lambda: (
            len(tracks := participant.participants[joined["participant"]["sid"]]["tracks"]) == 2
            and tracks
        ),
        "both tracks",
    )
    for track in tracks:
        sink = await participant.received(track["sid"])
        await (sees_picture(sink) if track["kind"] == "video" else hears_tone(sink))

    assert await publisher.delete() == 200
    await participant.wait_for("participant_left")
    assert await viewers[0].delete() == 200
    assert await viewers[0].delete() == 404


async def test_whep_viewer_waits_for_a_publisher(clients: Clients) -> None:
    viewer = clients.whep("kitchen")
    await viewer.watch("audio", "video")
    publisher = await clients.join("kitchen", "ann")
    await publisher.publish(PictureTrack(), ToneTrack(TONE))
    await sees_picture(viewer.sinks["video"])
    await hears_tone(viewer.sinks["audio"])
