"""What leaves for one subscriber at once, and what waits for its turn."""

from sfu.congestion.pacer import BURST
from sfu.forward.lane import Lane
from sfu.forward.run import Piece, single_run
from sfu.timers import Timers
from sfu.transport.outbox import Outbox
from sfu.wire.rtp import build_rtp, parse_rtp
from tests.support.virtual_room import VirtualServer

ESTIMATE = 300_000.0  # bit/s; what may leave at once is `BURST`
SIZE = 1000  # bytes of payload
MEDIA, AGAIN, PROBE = 1, 2, 3  # SSRCs


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
        for _, data in self.outbox.datagrams():
            self.left.append(int.from_bytes(data[8:12]))
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
