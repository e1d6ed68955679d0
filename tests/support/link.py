"""A bad network in virtual time: the same losses for the same seed, two hours in a second."""

import heapq
import random
from collections.abc import Callable
from itertools import count
from typing import Protocol

from sfu.transport.address import Address


class Driven(Protocol):
    """Anything sans-IO that has timers, `sfu.timers.Timers` before all."""

    def get_timer(self) -> float | None: ...

    def handle_timer(self, *, now: float) -> None: ...


class VirtualTime:
    """The clock and the shell of a test: it calls what is due, in order.

    Attributes:
        now: Monotonic seconds.
        on_step: Called after everything that happens, for what a shell does then: to move
            datagrams from outboxes to links.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.on_step: list[Callable[[], None]] = []
        self._driven: list[Driven] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def drive(self, driven: Driven) -> None:
        """Call its `handle_timer` whenever its `get_timer` asks for it."""
        self._driven.append(driven)

    def release(self, driven: Driven) -> None:
        """Call it no more."""
        self._driven.remove(driven)

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._order), callback))

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.call_at(self.now + delay, callback)

    def step(self) -> None:
        """Do what a shell does after anything has happened."""
        for callback in self.on_step:
            callback()

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; returns whether `until` came true, which ends it early."""
        end = self.now + seconds
        self.step()
        while until is None or not until():
            when = self._heap[0][0] if self._heap else end
            due: Driven | None = None
            for driven in self._driven:
                timer = driven.get_timer()
                if timer is not None and timer < when:
                    when, due = timer, driven
            if when >= end:
                self.now = end
                return until is not None and until()
            self.now = max(self.now, when)
            if due is not None:
                due.handle_timer(now=self.now)
            else:
                heapq.heappop(self._heap)[2]()
            self.step()
        return True


class Link:
    """One direction of a path between two ends. Its conditions may be changed at any time.

    Args:
        time: Whose clock it runs by.
        deliver: Called with (datagram, source) when a datagram arrives.
        seed: The same seed makes the same decisions.
        loss: Probability that a datagram is lost.
        delay: Seconds one way.
        jitter: Seconds of additional delay at most, uniformly distributed; keeps the order.
        reorder: Probability that a datagram is held up, by `REORDER_DELAY`, and overtaken.
        duplicate: Probability that a datagram arrives twice.
        rate: Bit/s of the bottleneck, which counts 28 bytes of headers; None for no limit.
        queue: Seconds of data that wait in front of the bottleneck before the rest is dropped.

    Attributes:
        drop: Datagrams of which this is true are lost, whatever `loss` is.
        sent: Datagrams given to the link.
        lost: Datagrams that did not arrive, for whatever reason.
    """

    REORDER_DELAY = 0.03  # s

    def __init__(
        self,
        time: VirtualTime,
        deliver: Callable[[bytes, Address], None],
        *,
        seed: int,
        loss: float = 0.0,
        delay: float = 0.02,
        jitter: float = 0.0,
        reorder: float = 0.0,
        duplicate: float = 0.0,
        rate: float | None = None,
        queue: float = 0.3,
    ) -> None:
        self.deliver = deliver
        self.loss = loss
        self.delay = delay
        self.jitter = jitter
        self.reorder = reorder
        self.duplicate = duplicate
        self.rate = rate
        self.queue = queue
        self.drop: Callable[[bytes], bool] = lambda data: False
        self.sent = 0
        self.lost = 0
        self._time = time
        self._random = random.Random(seed)
        self._free_at = 0.0
        self._last_arrival = 0.0

    def send(self, data: bytes, source: Address) -> None:
        self.sent += 1
        departure = now = self._time.now
        if self.rate is not None:
            if self._free_at - now > self.queue:
                self.lost += 1
                return
            departure = max(now, self._free_at) + 8 * (len(data) + 28) / self.rate
            self._free_at = departure
        if self._random.random() < self.loss or self.drop(data):
            self.lost += 1
            return
        copies = 2 if self._random.random() < self.duplicate else 1
        for _ in range(copies):
            arrival = departure + self.delay + self.jitter * self._random.random()
            if self._random.random() < self.reorder:
                arrival += self.REORDER_DELAY
            else:
                arrival = self._last_arrival = max(arrival, self._last_arrival)
            self._time.call_at(arrival, lambda: self.deliver(data, source))
