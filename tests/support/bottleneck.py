"""The narrow place of a path in virtual time: a rate that changes, a queue in front of it, and what
else happens to packets on their way.

It takes the place of a `Link`: `client.down = Bottleneck(time, client.down.deliver, …)`.
"""

import random
from array import array
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sfu.transport.address import Address
from tests.support.capacity import Capacity

HEADERS = 28  # bytes of IPv4 and UDP on each datagram
REORDER_DELAY = 0.03  # s; how long a packet that is overtaken is held up
MEDIA = "media"

Datagram = tuple[bytes, Address]


@dataclass(frozen=True)
class Outage:
    """Times when everything is lost, the first after one period.

    Attributes:
        period: Seconds from the start of one to the start of the next.
        duration: Seconds.
    """

    period: float
    duration: float

    def covers(self, time: float) -> bool:
        """Whether nothing gets through at this time of the story."""
        return time >= self.period and time % self.period < self.duration


class Clock(Protocol):
    """What `VirtualTime` and an event loop have in common."""

    @property
    def now(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> None: ...


class _FlowRecord:
    """What one flow did at the bottleneck: when, how many bytes, and how long they waited."""

    def __init__(self) -> None:
        self.times = array("d")  # when they came
        self.waits = array("d")  # s in the queue, without their own transmission
        self.departures = array("d")
        self.sizes = array("L")


class Bottleneck:
    """One direction of a path whose capacity changes.

    Packets are served in their order. One that finds the queue full is dropped (drop-tail). What
    the rate has let through may still be lost, delayed by jitter, or overtaken.

    Args:
        time: Whose clock it runs by.
        deliver: Called with (datagram, source) when a datagram arrives.
        seed: The same seed makes the same decisions.
        capacity: Bit/s, or bit/s over time; counts IP and UDP headers. None for no limit.
        queue: Seconds of waiting in front of the bottleneck at most.
        queue_bytes: Bytes in front of it at most, in place of `queue`, as in real routers.
        delay: Seconds one way.
        jitter: Seconds of additional delay at most, uniformly distributed; keeps the order.
        loss: Probability that a packet is lost.
        loss_burst: Mean number of packets lost in a row.
        outage: Times when all are lost.
        reorder: Probability that a packet is held up, and overtaken.
        deliver_all: Called in place of `deliver` with all datagrams that arrive in one moment.

    Attributes:
        drop: Datagrams of which this is true are lost, whatever else.
        sent: Datagrams given to it.
        lost: Of them, those that did not arrive.
        drops: Lost packets of all flows by reason: "queue", "loss", "outage", "drop".
        epoch: Monotonic seconds when the story began.
    """

    def __init__(
        self,
        time: Clock,
        deliver: Callable[[bytes, Address], None],
        *,
        seed: int,
        capacity: Capacity | float | None = None,
        queue: float = 0.3,
        queue_bytes: int | None = None,
        delay: float = 0.02,
        jitter: float = 0.0,
        loss: float = 0.0,
        loss_burst: float = 1.0,
        outage: Outage | None = None,
        reorder: float = 0.0,
        deliver_all: Callable[[Sequence[Datagram]], None] | None = None,
    ) -> None:
        self.deliver = deliver
        self.deliver_all = deliver_all or self._deliver_each
        self.capacity = (
            Capacity.constant(capacity) if isinstance(capacity, int | float) else capacity
        )
        self.queue = queue
        self.queue_bytes = queue_bytes
        self.delay = delay
        self.jitter = jitter
        self.loss = loss
        self.loss_burst = loss_burst
        self.outage = outage
        self.reorder = reorder
        self.drop: Callable[[bytes], bool] = lambda data: False
        self._time = time
        self._random = random.Random(seed)
        self._losing = False
        self._free_at = float("-inf")
        self._last_arrival = float("-inf")
        self._queued: deque[tuple[float, int]] = deque()  # departure and size of what waits
        self._queued_bytes = 0
        self._next: tuple[float, list[Datagram]] = (float("-inf"), [])
        self.begin()

    def begin(self) -> None:
        """The story begins now: its capacity runs from here on, and statistics count from here."""
        self.epoch = self._time.now
        self.sent = self.lost = 0
        self.drops: Counter[str] = Counter()
        self._flows: dict[str, _FlowRecord] = {}

    def send(self, data: bytes, source: Address) -> None:
        """Send a datagram."""
        self.sent += 1
        departure = self.pass_through(len(data) + HEADERS, flow=MEDIA, data=data)
        if departure is None:
            self.lost += 1
            return
        arrival = departure + self.delay
        if self.jitter:
            arrival += self.jitter * self._random.random()
        if self.reorder and self._random.random() < self.reorder:
            arrival += REORDER_DELAY
        else:
            # One that is held up does not hold up those behind it.
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        when, datagrams = self._next
        if arrival != when:
            self._next = arrival, datagrams = arrival, []
            self._time.call_at(arrival, lambda: self._arrive(arrival, datagrams))
        datagrams.append((data, source))

    def pass_through(self, size: int, *, flow: str, data: bytes = b"") -> float | None:
        """Take a packet of any flow.

        Args:
            size: Bytes with all headers.
            flow: Whose it is, for statistics.
            data: Of a datagram that `drop` is to look at.

        Returns:
            When it leaves the bottleneck; None for a packet that is lost.
        """
        now = self._time.now
        departure, wait = now, 0.0
        if self.capacity is not None:
            if self._is_full(size, now):
                self.drops["queue"] += 1
                return None
            start = max(now, self._free_at)
            wait = start - now
            departure = self.epoch + self.capacity.finish(start - self.epoch, 8.0 * size)
            self._free_at = departure
            self._queued.append((departure, size))
            self._queued_bytes += size
        record = self._flows.get(flow)
        if record is None:
            record = self._flows[flow] = _FlowRecord()
        record.times.append(now)
        record.waits.append(wait)
        record.departures.append(departure)
        record.sizes.append(size)
        reason = self._is_lost(departure, data)
        if reason:
            self.drops[reason] += 1
            return None
        return departure

    def _is_full(self, size: int, now: float) -> bool:
        queued = self._queued
        while queued and queued[0][0] <= now:
            self._queued_bytes -= queued.popleft()[1]
        if self.queue_bytes is not None:
            return self._queued_bytes + size > self.queue_bytes
        return self._free_at - now > self.queue

    def _is_lost(self, time: float, data: bytes) -> str:
        """Why a packet is lost behind the queue; empty for one that is not."""
        if self.outage is not None and self.outage.covers(time - self.epoch):
            return "outage"
        if self.loss and self._loses():
            return "loss"
        return "drop" if data and self.drop(data) else ""

    def _loses(self) -> bool:
        """Gilbert's model: bad times of `loss_burst` packets on average, in which all are lost."""
        chance = self._random.random()
        burst = self.loss_burst
        if burst <= 1:
            return chance < self.loss
        if self._losing:
            self._losing = chance >= 1 / burst
        else:
            self._losing = chance < self.loss / (burst * (1 - self.loss))
        return self._losing

    def _arrive(self, arrival: float, datagrams: list[Datagram]) -> None:
        if self._next[0] == arrival:
            self._next = float("-inf"), []
        self.deliver_all(datagrams)

    def _deliver_each(self, datagrams: Sequence[Datagram]) -> None:
        for data, source in datagrams:
            self.deliver(data, source)

    # -- what it saw; times are seconds of the story

    def waits(self, since: float = 0.0, until: float = 1e9, *, flow: str = MEDIA) -> list[float]:
        """Seconds in the queue of each packet that came in this time, in their order."""
        record = self._flows.get(flow)
        if record is None:
            return []
        first = bisect_left(record.times, self.epoch + since)
        return list(record.waits[first : bisect_left(record.times, self.epoch + until)])

    def queue_delay(
        self, percentile: float, since: float = 0.0, until: float = 1e9, *, flow: str = MEDIA
    ) -> float:
        """Seconds that so many percent of the packets waited at most; 0 when there were none."""
        waits = sorted(self.waits(since, until, flow=flow))
        return waits[min(int(len(waits) * percentile / 100), len(waits) - 1)] if waits else 0.0

    def carried(self, since: float, until: float, *, flow: str = MEDIA) -> float:
        """Bits of a flow that left the queue in this time, lost behind it or not."""
        record = self._flows.get(flow)
        if record is None:
            return 0.0
        first = bisect_left(record.departures, self.epoch + since)
        last = bisect_left(record.departures, self.epoch + until)
        return 8.0 * sum(record.sizes[first:last])

    def utilisation(self, since: float, until: float) -> float:
        """Part of the capacity that all flows together used, 0 to 1."""
        assert self.capacity is not None
        bits = sum(self.carried(since, until, flow=flow) for flow in self._flows)
        return bits / self.capacity.bits(since, until)

    def share(self, since: float, until: float, *, flow: str = MEDIA) -> float:
        """Part of the capacity that one flow used, 0 to 1."""
        assert self.capacity is not None
        return self.carried(since, until, flow=flow) / self.capacity.bits(since, until)
