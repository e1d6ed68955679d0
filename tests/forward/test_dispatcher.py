"""A batch leaves subscriber by subscriber, and packets of one size in one run."""

from sfu.forward.dispatcher import FLUSH_PACKETS, Dispatcher, Lane
from sfu.forward.run import Run
from sfu.timers import Timers
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.outbox import Outbox
from sfu.wire.parameters import OPUS
from sfu.wire.rtp import RtpPacket, build_rtp
from tests.support.virtual_room import Member, VirtualServer


def audio_room(publishers: int) -> tuple[VirtualServer, list[Member], Member]:
    server = VirtualServer()
    speakers = [server.join(f"speaker{number}") for number in range(publishers)]
    for number, speaker in enumerate(speakers):
        speaker.publish(("a", "audio", {111: OPUS}), seed=100 + number)
    viewer = server.join("viewer")
    viewer.receive()
    return server, speakers, viewer


def arrive(server: VirtualServer, speakers: list[Member], sizes: list[int], number: int) -> None:
    """One packet of each speaker, all in one receive batch."""
    datagrams = []
    for speaker, member in enumerate(speakers):
        client = member.publisher
        assert client
        captured: list[bytes] = []
        client.up.drop = lambda data, captured=captured: not captured.append(data)
        client.send_rtp(
            build_rtp(
                payload_type=111,
                sequence_number=number,
                timestamp=1,
                ssrc=50 + speaker,
                payload=bytes([speaker]) * sizes[speaker],
                extensions={4: b"a"},
            )
        )
        datagrams.append((captured[0], client.address))
    batch = ReceiveBatch()
    batch.load(datagrams)
    server.endpoint.receive_batch(batch, now=server.time.now)


def test_the_first_packets_of_tracks_and_what_follows_reach_the_subscriber() -> None:
    server, speakers, viewer = audio_room(3)
    arrive(server, speakers, [80, 80, 80], 7)
    server.time.run(0.1)
    assert viewer.subscriber
    assert sorted(packet.payload[0] for packet in viewer.subscriber.received) == [0, 1, 2]


def test_packets_of_many_tracks_and_one_size_leave_as_one_run() -> None:
    server, speakers, viewer = audio_room(4)
    for number in (7, 8):
        arrive(server, speakers, [80, 80, 80, 60], number)
        runs = [
            run
            for run in server.endpoint.outbox.runs
            if viewer.subscriber and run[0] == viewer.subscriber.address
        ]
        server.time.step()
    # The second time everything flows: three equal packets, and the smaller one behind them.
    assert [run[4] for run in runs] == [4]
    server.time.run(0.1)
    assert viewer.subscriber
    received = [packet for packet in viewer.subscriber.received if packet.arrival]
    assert len(received) == 8
    numbers = [int.from_bytes(packet.extensions[3]) for packet in received]
    assert sorted(numbers) == list(range(8)), "transport-wide numbers are not repeated"


def run_of(data: bytes, index: int) -> Run:
    packet = RtpPacket(111, index & 0xFFFF, 0, 1, data[12:])
    return Run([(data, 20, index, 0, 0, None)], [20], 20, 8, 1, index, index, -1, packet, True)


def put(lane: Lane, run: Run) -> None:
    lane.add((run, (0, 0, 77, None)))


def test_a_subscriber_that_has_ended_is_passed_over() -> None:
    server, speakers, viewer = audio_room(1)
    arrive(server, speakers, [80], 7)
    server.time.run(0.1)
    peer = viewer.participant.subscriber
    assert peer
    dispatcher = Dispatcher(Outbox(), Timers())
    run = run_of(b"x" * 20, 0)
    put(dispatcher.lane(peer.transport), run)
    peer.transport.close(now=server.time.now)
    dispatcher.flush(now=0.0)
    assert dispatcher.outbox.runs == []


def test_a_run_that_is_refused_costs_only_itself() -> None:
    server, speakers, viewer = audio_room(1)
    arrive(server, speakers, [80], 7)
    server.time.run(0.1)
    peer = viewer.participant.subscriber
    assert peer
    dispatcher = Dispatcher(Outbox(), Timers())
    lane = dispatcher.lane(peer.transport)

    def rtp(index: int) -> Run:
        data = build_rtp(
            payload_type=111, sequence_number=0, timestamp=0, ssrc=0, payload=b"12345678"
        )
        return run_of(data, index)

    for index in range(0, 20000, 5000):
        put(lane, rtp(index))
        dispatcher.flush(now=0.0)
    dispatcher.outbox.clear()
    put(lane, rtp(100))  # far behind libsrtp's window
    put(lane, rtp(15001))
    dispatcher.flush(now=0.0)
    assert [count for *_, count in dispatcher.outbox.runs] == [1]


def test_the_first_subscribers_packets_can_leave_before_the_last_are_written() -> None:
    server, (speaker,), _ = audio_room(1)
    viewers = [server.join(f"viewer{number}") for number in range(4)]
    for viewer in viewers:
        viewer.receive()
    client, outbox = speaker.publisher, server.endpoint.outbox
    assert client
    size = FLUSH_PACKETS // 2  # of a batch, for each of five subscribers
    left: list[int] = []
    arrive(server, [speaker], [80], 6)

    def media() -> int:
        return sum(run[4] for run in outbox.runs if run[0] != client.address)

    def leave() -> None:
        left.append(media())
        outbox.clear()

    for first in (7, 7 + size):
        captured: list[bytes] = []
        client.up.drop = lambda data, captured=captured: not captured.append(data)
        for number in range(first, first + size):
            client.send_rtp(
                build_rtp(
                    payload_type=111,
                    sequence_number=number,
                    timestamp=number,
                    ssrc=50,
                    payload=b"opus",
                    extensions={4: b"a"},
                )
            )
        batch = ReceiveBatch()
        batch.load([(data, client.address) for data in captured])
        server.time.step()
        server.endpoint.receive_batch(batch, now=server.time.now)
        # At first nobody empties the outbox in between, and nothing is lost.
        left.append(media())
        outbox.on_enough = leave
    assert left[0] == 5 * size
    assert left[1:] == [2 * size, 2 * size, size]
