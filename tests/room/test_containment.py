"""What one peer does, and what a bug of ours does, costs one peer."""

from collections.abc import Sequence

from sfu.room.events import DataReceived, MediaStateChanged, TrackUpdated
from sfu.room.feeds import MAX_STREAMS
from sfu.room.permissions import Permissions
from sfu.transport.buffers import ReceiveBatch
from sfu.wire.parameters import OPUS, VP8, h264
from sfu.wire.rtcp import Goodbye, ReceiverReport, serialize_compound
from sfu.wire.rtp import RtpPacket, build_rtp
from tests.support.virtual_room import Member, Sender, VirtualClient, VirtualServer


def audio(ssrc: int, number: int) -> bytes:
    return build_rtp(
        payload_type=111,
        sequence_number=number,
        timestamp=number * 960,
        ssrc=ssrc,
        payload=b"opus",
        extensions={4: b"a"},
    )


def capture(client: VirtualClient, *packets: bytes) -> list[bytes]:
    """The datagrams of these RTP packets, which are not sent."""
    captured: list[bytes] = []
    drop = client.up.drop
    client.up.drop = lambda data: not captured.append(data)
    for packet in packets:
        client.send_rtp(packet)
    client.up.drop = drop
    return captured


def speakers(count: int) -> tuple[VirtualServer, list[Member], Member]:
    server = VirtualServer()
    members = [server.join(f"speaker{number}") for number in range(count)]
    for number, member in enumerate(members):
        member.publish(("a", "audio", {111: OPUS}), seed=100 + number)
    viewer = server.join("viewer")
    viewer.receive()
    return server, members, viewer


def arrive(server: VirtualServer, *datagrams: tuple[bytes, VirtualClient]) -> None:
    batch = ReceiveBatch()
    batch.load([(data, client.address) for data, client in datagrams])
    server.endpoint.receive_batch(batch, now=server.time.now)
    server.time.run(0.1)


def test_a_goodbye_behind_media_in_one_batch_costs_the_others_nothing() -> None:
    server, (first, second), viewer = speakers(2)
    one, two = first.publisher, second.publisher
    assert one
    assert two
    assert one.srtp
    assert viewer.subscriber
    for number in range(3):
        goodbye = one.srtp.protect_rtcp(serialize_compound((ReceiverReport(1, ()), Goodbye((11,)))))
        before = len(viewer.subscriber.received)
        arrive(
            server,
            (capture(one, audio(11, number))[0], one),
            (goodbye, one),
            (capture(two, audio(22, number))[0], two),
        )
        assert len(viewer.subscriber.received) == before + 1
    assert one.connected


def test_a_close_behind_media_in_one_batch_costs_the_others_nothing() -> None:
    server, (first, second), viewer = speakers(2)
    one, two = first.publisher, second.publisher
    assert one
    assert two
    assert one.dtls
    assert viewer.subscriber
    media = capture(one, audio(11, 0), audio(11, 1))
    one.dtls.close()
    (close,) = one.dtls.datagrams()
    arrive(
        server, (media[0], one), (close, one), (media[1], one), (capture(two, audio(22, 0))[0], two)
    )
    assert [packet.payload for packet in viewer.subscriber.received] == [b"opus"]
    assert [e.state for e in first.heard(MediaStateChanged)] == ["connected", "closed"]


class BrokenSink:
    def receive_packets(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        raise RuntimeError("a bug")


def test_a_sink_that_fails_is_dropped_and_reported() -> None:
    server, (speaker,), viewer = speakers(1)
    errors: list[Exception] = []
    server.endpoint.on_error = errors.append
    (track,) = speaker.participant.tracks.values()
    taken: list[RtpPacket] = []

    class Sink:
        def receive_packets(self, packets: Sequence[RtpPacket], *, now: float) -> None:
            taken.extend(packets)

    sink = Sink()
    track.fanout.add_sink(BrokenSink())
    track.fanout.add_sink(sink)
    client = speaker.publisher
    assert client
    for number in range(3):
        client.send_rtp(audio(11, number))
    server.time.run(0.1)
    assert [str(error) for error in errors] == ["a bug"]
    assert [packet.sequence_number for packet in taken] == [0, 1, 2]
    assert viewer.subscriber
    assert len(viewer.subscriber.received) == 3
    track.fanout.remove_sink(sink)
    client.send_rtp(audio(11, 3))
    server.time.run(0.1)
    assert len(taken) == 3


def test_a_bug_in_a_peers_path_ends_that_peer_alone() -> None:
    server, (first, second), viewer = speakers(2)
    errors: list[Exception] = []
    server.endpoint.on_error = errors.append
    one, two = first.publisher, second.publisher
    assert one
    assert one.peer
    assert two
    assert viewer.subscriber

    def fail(packet: RtpPacket, *, now: float) -> None:
        raise RuntimeError("a bug")

    one.peer.publisher.receive_rtp = fail  # type: ignore[method-assign,assignment]
    arrive(server, (capture(one, audio(11, 0))[0], one), (capture(two, audio(22, 0))[0], two))
    assert [str(error) for error in errors] == ["a bug"]
    assert len(viewer.subscriber.received) == 1
    assert one.peer not in server.endpoint.peers
    last = first.heard(MediaStateChanged)[-1]
    assert (last.state, last.reason) == ("failed", "internal_error")


def test_streams_that_fell_silent_make_room_for_new_ones() -> None:
    server, (speaker,), _ = speakers(1)
    client = speaker.publisher
    assert client
    assert client.peer
    for ssrc in range(100, 100 + 2 * MAX_STREAMS):
        client.send_rtp(audio(ssrc, 0))
    server.time.run(0.1)
    assert len(client.peer.publisher.streams) == MAX_STREAMS
    server.time.run(6)
    client.send_rtp(audio(9999, 0))
    server.time.run(0.1)
    assert 9999 in [stream.ssrc for stream in client.peer.publisher.streams]
    assert len(client.peer.publisher.streams) == MAX_STREAMS


def test_a_stream_that_wrapped_is_understood_after_its_track_was_replaced() -> None:
    server, (speaker,), viewer = speakers(1)
    client, participant = speaker.publisher, speaker.participant
    assert client
    assert client.peer
    publisher = client.peer.publisher
    ((parameters, track),) = publisher._table.sections.values()
    for number in range(65500, 65600):  # libsrtp's rollover counter is 1 behind this
        client.send_rtp(audio(11, number & 0xFFFF))
    server.time.run(0.1)
    participant.remove_track(track.sid, now=server.time.now)
    client.send_rtp(audio(11, 64))  # still on its way
    server.time.run(0.1)
    again = participant.add_track(kind="audio", now=server.time.now)
    publisher.configure([parameters], {"a": again})
    viewer.receive()
    assert viewer.subscriber
    before = len(viewer.subscriber.received)
    for number in range(65, 75):
        client.send_rtp(audio(11, number))
    server.time.run(0.1)
    assert len(viewer.subscriber.received) == before + 10


def test_a_codec_that_changes_with_every_packet_is_not_told_of_so_often() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8, 102: h264("constrained-baseline", 1)}))
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    for number in range(200):
        sender.payload_type = 96 if number % 2 else 102
        sender.packet(b"\x10\x01\x00\x00")
        server.time.run(0.01)
    assert 1 <= len(bob.heard(TrackUpdated)) <= 3


def test_who_is_hidden_stays_so_in_data() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    ghost = server.join("ghost", permissions=Permissions(hidden=True))
    alice.participant.room.send_data(ghost.participant, b"boo")
    (event,) = alice.heard(DataReceived)
    assert event.sender is None
