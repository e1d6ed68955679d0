"""What leaves for one subscriber at once, and what waits for its turn."""

import pytest

from sfu.congestion.pacer import BURST
from sfu.forward.lane import Lane
from sfu.forward.run import Piece, single_run
from sfu.timers import Timers
from sfu.transport.outbox import Outbox
from sfu.wire.rtp import build_rtp, parse_rtp
from tests.support.bottleneck import HEADERS, Bottleneck
from tests.support.link import VirtualTime
from tests.support.virtual_room import VirtualServer

ESTIMATE = 300_000.0  # bit/s; what may leave at once is `BURST`
SIZE = 1000  # bytes of payload
MEDIA, AGAIN, PROBE, VOICE = 1, 2, 3, 4  # SSRCs


class Way:
    """A lane over a real, connected transport, and the packets that left by it."""

    def __init__(self) -> None:
        server = VirtualServer()
        member = server.join("viewer")
        member.receive()
        assert member.subscriber
        self.client = member.subscriber
        assert self.client.peer
        self.now = server.time.now
        self.outbox = Outbox()
        self.timers = Timers()
        self.lane = Lane(self.client.peer.transport, self.outbox, self.timers, [])
        self.lane.estimated(ESTIMATE)
        self.left: list[int] = []  # SSRCs
        self.path: Bottleneck | None = None
        self.clock = VirtualTime()  # of that path
        self.index = 0

    def piece(self, ssrc: int, size: int) -> Piece:
        self.index += 1
        data = build_rtp(
            payload_type=96,
            sequence_number=self.index,
            timestamp=0,
            ssrc=ssrc,
            payload=bytes(size),
        )
        run = single_run(parse_rtp(data, arrival=self.now), data, self.index, 0)
        return run, (0, 0, ssrc, None)

    def add(self, ssrc: int, size: int) -> None:
        """A packet of media, for the next flush."""
        self.lane.add(self.piece(ssrc, size))

    def frame(self, packets: int) -> None:
        """Media, all at once."""
        for _ in range(packets):
            self.add(MEDIA, SIZE)
        self.lane.flush(now=self.now)
        self.take()

    def send(self, ssrc: int, *, cluster: int = 0) -> bool:
        """What is no fresh media."""
        sent = self.lane.send(self.piece(ssrc, SIZE), now=self.now, cluster=cluster)
        self.take()
        return sent

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (when := self.timers.get_timer()) is not None and when <= end:
            self.now = max(self.now, when)
            self.timers.handle_timer(now=self.now)
            self.take()
        self.now = end

    def take(self) -> None:
        self.clock.now = self.now
        for _, data in self.outbox.datagrams():
            self.left.append(int.from_bytes(data[8:12]))
            if self.path is not None:
                self.path.pass_through(len(data) + HEADERS, flow="media")
        self.outbox.clear()


def test_packets_of_one_stream_leave_in_their_order_whatever_their_sizes() -> None:
    way = Way()
    for size in (300, 900, 100, 700):
        way.add(MEDIA, size)
    way.lane.flush(now=way.now)
    numbers = [int.from_bytes(data[2:4]) for _, data in way.outbox.datagrams()]
    assert numbers == [1, 2, 3, 4]


def test_packets_of_many_streams_leave_by_size_to_share_messages() -> None:
    way = Way()
    for ssrc, size in enumerate((300, 900, 300, 900)):
        way.add(ssrc, size)
    way.lane.flush(now=way.now)
    sizes = [len(data) for _, data in way.outbox.datagrams()]
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_sent_again_takes_its_part_of_what_may_leave_at_once() -> None:
    alone, beside = Way(), Way()
    for _ in range(10):
        assert beside.send(AGAIN)
    for way in (alone, beside):
        way.frame(40)
    at_once = alone.left.count(MEDIA)
    assert BURST / SIZE - 2 < at_once < 25
    assert at_once - 11 <= beside.left.count(MEDIA) <= at_once - 9


def test_probes_take_their_part_too() -> None:
    alone, beside = Way(), Way()
    for _ in range(10):
        assert beside.send(PROBE, cluster=1)
    for way in (alone, beside):
        way.frame(40)
    assert beside.left.count(MEDIA) <= alone.left.count(MEDIA) - 9


def test_what_is_sent_again_waits_behind_media_and_probes_give_way() -> None:
    way = Way()
    way.frame(40)
    assert way.lane.holding
    assert way.send(AGAIN)
    assert not way.send(PROBE, cluster=1)
    assert AGAIN not in way.left
    way.wait(1.0)
    assert way.left.count(MEDIA) == 40
    assert way.left[-1] == AGAIN
    assert PROBE not in way.left
    # Later there is room for either.
    assert way.send(PROBE, cluster=1)
    assert way.left[-1] == PROBE


def test_it_holds_something_until_the_last_repair_has_left() -> None:
    way = Way()
    way.frame(40)
    for _ in range(40):
        way.send(AGAIN)
    while way.left.count(MEDIA) < 40:
        way.wait(0.01)
    assert way.left.count(AGAIN) < 40
    assert way.lane.holding
    while way.left.count(AGAIN) < 40:
        assert way.lane.holding
        way.wait(0.01)
    assert not way.lane.holding
    assert way.left == [MEDIA] * 40 + [AGAIN] * 40


def test_what_is_held_is_forgotten_when_the_way_ends() -> None:
    way = Way()
    way.frame(40)
    assert way.send(AGAIN)
    before = len(way.left)
    way.lane.close()
    assert not way.lane.holding
    way.wait(2.0)
    assert len(way.left) == before


@pytest.mark.parametrize("packets", [1, 10])
def test_a_key_frame_that_comes_in_small_batches_does_not_overflow_a_small_queue(
    packets: int,
) -> None:
    """So browsers' own pacers send it: 200 KB in 0.1 s, for a path that takes 5 Mb/s."""
    way = Way()
    way.lane.estimated(2e6)
    way.path = Bottleneck(way.clock, lambda *_: None, seed=1, capacity=5e6, queue_bytes=48_000)
    for _ in range(200 // packets):
        way.frame(packets)
        way.wait(0.0005 * packets)
    way.wait(1.0)
    assert way.left.count(MEDIA) == 200
    assert not way.path.drops


def test_frames_of_usual_size_leave_as_they_come() -> None:
    """2 Mb/s at 30 frames/s, and a key frame of five times that."""
    way = Way()
    way.lane.estimated(2e6)
    for number in range(1, 60):
        way.frame(25 if number == 10 else 8)
        assert not way.lane.holding
        way.wait(1 / 30)


def test_voices_leave_at_once_whatever_has_left_before() -> None:
    way = Way()
    way.lane.urgent.add(VOICE)
    for _ in range(4):
        way.frame(9)
    assert way.lane.holding
    held = way.left.count(MEDIA)
    way.add(VOICE, 120)
    way.lane.flush(now=way.now)
    way.take()
    assert way.left == [MEDIA] * held + [VOICE]
