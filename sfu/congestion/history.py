"""What was sent to a subscriber, and what its transport-wide feedback tells of it.

Works on bursts (packets that were written at one time), because a forwarder writes whole frames and
nothing that an estimator asks needs to know more.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sfu.wire.twcc import REFERENCE_PERIOD, REFERENCE_UNIT, TICK, TransportFeedback

KEEP = 2.0  # s; longer than any round trip on which a call is possible
MAX_BURSTS = 2048  # kept, so 1024 writes a second
MAX_JUMP = 3.0  # s; what the receiver's time line may move against ours before it is another one

_UNKNOWN, _LOST, _RECEIVED = 0, 1, 2  # what is known of a packet
_NEVER = -(1 << 62)  # ticks; the arrival of what did not come


class AckedBurst(NamedTuple):
    """What one feedback tells of the packets of one burst.

    Attributes:
        send_time: Monotonic seconds, ours.
        size: Bytes that came.
        packets: Packets that came.
        lost: Packets told as lost for the first time.
        first_arrival: Of what came, seconds of the receiver's clock; 0 when nothing did.
        last_arrival: Likewise.
        cluster: The probe cluster that the burst was part of, 0 for none.
    """

    send_time: float
    size: int
    packets: int
    lost: int
    first_arrival: float
    last_arrival: float
    cluster: int


class FeedbackResult(NamedTuple):
    """What one feedback tells that was not known before.

    Attributes:
        bursts: In the order of sending.
        size: Bytes that came.
        received: Packets that came.
        lost: Packets told as lost for the first time.
        recovered: Packets among those that came, told as lost before: they were only late.
        in_flight: Bytes sent behind the highest packet that any feedback told of.
        restarted: Whether arrival times are no longer comparable with earlier ones.
    """

    bursts: list[AckedBurst]
    size: int
    received: int
    lost: int
    recovered: int
    in_flight: int
    restarted: bool


class _Burst:
    __slots__ = ("before", "cluster", "done", "first", "send_time", "size", "sizes", "states")

    def __init__(
        self, first: int, sizes: tuple[int, ...], size: int, before: int, now: float, cluster: int
    ) -> None:
        self.first = first
        self.sizes = sizes
        self.size = size
        self.before = before  # bytes sent before it
        self.send_time = now
        self.cluster = cluster
        self.done = False  # all of it came
        self.states: bytearray | None = None  # of each packet; None while nothing is known


class SentHistory:
    """Remembers the bursts of the last two seconds, and reads feedback against them.

    Attributes:
        refused: Feedbacks that were ignored because they told of packets that were not sent or are
            forgotten, or of arrival times that cannot be.
        total: Bytes sent since the beginning.
    """

    __slots__ = (
        "_bursts",
        "_highest",
        "_next",
        "_offset",
        "_passed",
        "_reference",
        "refused",
        "total",
    )

    def __init__(self) -> None:
        self.refused = 0
        self.total = 0
        self._bursts: deque[_Burst] = deque(maxlen=MAX_BURSTS)
        self._next = 0  # transport-wide number of the next packet
        self._highest = -1  # highest number that was told of
        self._passed = 0  # bytes sent up to it
        self._reference = 0  # last reference time, unwrapped
        self._offset: float | None = None  # our clock less the receiver's, as the last one told

    def sent(self, first: int, sizes: Sequence[int], *, now: float, cluster: int = 0) -> None:
        """Note a burst before any feedback can tell of it.

        Args:
            first: Transport-wide number of the first packet, unwrapped; higher than all before.
            sizes: Bytes of each packet as it leaves; their numbers follow each other.
            now: When it was written.
            cluster: Of the probe that it is part of, 0 for none.
        """
        assert first >= self._next
        bursts = self._bursts
        oldest = now - KEEP
        while bursts and bursts[0].send_time < oldest:
            bursts.popleft()
        size = sum(sizes)
        bursts.append(_Burst(first, tuple(sizes), size, self.total, now, cluster))
        self.total += size
        self._next = first + len(sizes)

    @property
    def in_flight(self) -> int:
        """Bytes sent behind the highest packet that any feedback told of."""
        return self.total - self._passed

    def take(self, feedback: TransportFeedback, *, now: float) -> FeedbackResult:
        """Read a feedback; what it repeats, and what cannot be, is left out of the result."""
        last = self._next - 1
        base = last - ((last - feedback.base_sequence) & 0xFFFF)
        end = base + len(feedback.deltas)
        found: list[_Burst] = []
        for burst in reversed(self._bursts):
            if burst.first < end:
                found.append(burst)
                if burst.first <= base:
                    break
        if not feedback.deltas or end > self._next or not found:
            self.refused += 1
            return self._nothing()
        found.reverse()

        previous = self._reference
        half = REFERENCE_PERIOD // 2
        reference = (
            previous + ((feedback.reference_time - previous + half) % REFERENCE_PERIOD) - half
        )
        ticks = highest = lowest = reference * REFERENCE_UNIT
        arrivals: list[int] = []  # ticks of our unwrapped time line
        for delta in feedback.deltas:
            if delta is None:
                arrivals.append(_NEVER)
            else:
                ticks += delta
                arrivals.append(ticks)
                if ticks > highest:
                    highest = ticks
                elif ticks < lowest:
                    lowest = ticks
        if (highest - lowest) * TICK > KEEP + MAX_JUMP:
            self.refused += 1
            return self._nothing()
        offset = now - highest * TICK
        restarted = self._offset is None or abs(offset - self._offset) > MAX_JUMP
        first_of_all = self._offset is None
        self._reference = reference
        self._offset = offset
        if restarted and not first_of_all:
            # Either the receiver's clock was set or it lies; the next one shows which.
            self.refused += 1
            return self._nothing(restarted=True)
        return self._match(found, base, arrivals, restarted)

    def _nothing(self, *, restarted: bool = False) -> FeedbackResult:
        return FeedbackResult([], 0, 0, 0, 0, self.in_flight, restarted)

    def _match(
        self, found: list[_Burst], base: int, arrivals: list[int], restarted: bool
    ) -> FeedbackResult:
        told = len(arrivals)
        acked: list[AckedBurst] = []
        total_size = total_count = total_lost = total_recovered = 0
        for burst in found:
            if burst.done:
                continue
            start = burst.first - base
            stop = start + len(burst.sizes)
            times = arrivals[start if start > 0 else 0 : stop]
            if start >= 0 and stop <= told and burst.states is None and _NEVER not in times:
                burst.done = True
                size, count, lost = burst.size, len(times), 0
            else:
                size, count, lost, recovered, times = _compare(burst, times, max(-start, 0))
                total_recovered += recovered
                if not count and not lost:
                    continue
            first, last = (min(times) * TICK, max(times) * TICK) if count else (0.0, 0.0)
            acked.append(AckedBurst(burst.send_time, size, count, lost, first, last, burst.cluster))
            total_size += size
            total_count += count
            total_lost += lost
        highest = base + told - 1
        if highest > self._highest:
            self._highest = highest
            burst = found[-1]
            within = highest + 1 - burst.first
            self._passed = burst.before + (
                burst.size if within >= len(burst.sizes) else sum(burst.sizes[:within])
            )
        in_flight = self.total - self._passed
        return FeedbackResult(
            acked, total_size, total_count, total_lost, total_recovered, in_flight, restarted
        )


def _compare(burst: _Burst, times: list[int], skipped: int) -> tuple[int, int, int, int, list[int]]:
    """What `times` of the packets from number `skipped` on tell that is new."""
    states = burst.states
    if states is None:
        states = burst.states = bytearray(len(burst.sizes))
    size = lost = recovered = 0
    new: list[int] = []
    for i, ticks in enumerate(times, skipped):
        state = states[i]
        if ticks == _NEVER:
            if state == _UNKNOWN:
                states[i] = _LOST
                lost += 1
        elif state != _RECEIVED:
            states[i] = _RECEIVED
            recovered += state == _LOST
            size += burst.sizes[i]
            new.append(ticks)
    burst.done = states.count(_RECEIVED) == len(states)
    return size, len(new), lost, recovered, new
