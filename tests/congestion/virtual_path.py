"""A sender that follows its estimator over a bottleneck in virtual time."""

import heapq
import random
from collections.abc import Callable
from itertools import count

from sfu.congestion.estimator import BandwidthEstimator
from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.wire.rtcp import parse_compound
from sfu.wire.twcc import TransportFeedback

PACKET = 1200  # bytes
FRAME_TIME = 1 / 30  # s
AUDIO_TIME = 0.02  # s
AUDIO = 100  # bytes; 40 kbit/s


class VirtualPath:
    """Bottleneck with a drop-tail queue, both propagation delays, the receiver and the sender.

    Attributes:
        capacity: Bit/s of the bottleneck at a time since the start.
        media: The video's bit rate for an estimate and a time.
        drop: Packets sent at a time of which this is true are lost.
    """

    def __init__(
        self,
        *,
        capacity: float | Callable[[float], float],
        seed: int = 1,
        delay: float = 0.025,
        queue: float = 0.3,
        loss: float = 0.0,
        jitter: float = 0.0,
        reorder: float = 0.0,
        media: Callable[[float, float], float] | None = None,
        goal: float = 0.0,
        estimator: BandwidthEstimator | None = None,
    ) -> None:
        self.capacity = capacity if callable(capacity) else lambda _: capacity
        self.delay, self.queue, self.loss = delay, queue, loss
        self.jitter, self.reorder = jitter, reorder
        self.media = media or (lambda estimate, _: estimate * 0.97 - 8 * AUDIO / AUDIO_TIME)
        self.goal = goal
        self.drop: Callable[[float], bool] = lambda _: False
        self.estimator = estimator or BandwidthEstimator()
        self.random = random.Random(seed)
        self.now = 1000.0
        self.start = self.now
        self.trace: list[tuple[float, float]] = []  # since the start, estimate after a feedback
        self.queues: list[tuple[float, float]] = []  # since the start, seconds
        self.delivered: list[tuple[float, int, str]] = []  # when, bytes, flow
        self.feedbacks: list[TransportFeedback] = []
        self.probes = 0
        self._generator = TransportFeedbackGenerator(sender_ssrc=1)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._free_at = self.now
        self._sequence = 65_000
        self._cluster = 0
        self._sent_bits = 0.0
        self._carry = 0.0
        self.at(0.0, self._frame)
        self.at(0.007, self._audio)
        self.at(0.01, self._tick)

    @property
    def elapsed(self) -> float:
        return self.now - self.start

    def at(self, delay: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + delay, next(self._order), callback))

    def run(self, seconds: float) -> "VirtualPath":
        end = self.now + seconds
        while self._heap[0][0] < end:
            self.now, _, callback = heapq.heappop(self._heap)
            callback()
        self.now = end
        return self

    def transmit(self, size: int, arrived: Callable[[], None], flow: str) -> bool:
        """Put a packet into the bottleneck; False when its queue was full."""
        waiting = max(self._free_at - self.now, 0.0)
        if waiting > self.queue:
            return False
        rate = self.capacity(self.elapsed)
        self._free_at = self.now + waiting + 8 * size / rate
        if flow == "media":
            self.queues.append((self.elapsed, waiting))
        if self.random.random() < self.loss or (flow == "media" and self.drop(self.elapsed)):
            return True
        delay = self._free_at - self.now + self.delay + self.random.uniform(0, self.jitter)
        if self.random.random() < self.reorder:
            delay += 0.03

        def deliver() -> None:
            self.delivered.append((self.elapsed, size, flow))
            arrived()

        self.at(delay, deliver)
        return True

    def burst(self, sizes: list[int]) -> None:
        first = self._sequence
        self._sequence += len(sizes)
        self.estimator.sent(first, sizes, now=self.now, cluster=self._cluster)
        self._sent_bits += 8 * sum(sizes)
        for number, size in enumerate(sizes, first):
            self.transmit(size, lambda n=number: self._receive(n), "media")  # type: ignore[misc]

    def _receive(self, number: int) -> None:
        self._generator.received(number & 0xFFFF, self.now)

    def _frame(self) -> None:
        self.at(FRAME_TIME, self._frame)
        rate = max(self.media(self.estimator.estimate, self.elapsed), 0.0)
        size = self._carry + rate * FRAME_TIME / 8 * self.random.uniform(0.8, 1.2)
        packets = int(size // PACKET)
        sizes = [PACKET] * packets
        rest = int(size - packets * PACKET)
        if rest > 100:
            sizes.append(rest)
            self._carry = 0.0
        else:
            self._carry = float(rest)
        if sizes:
            self.burst(sizes)

    def _audio(self) -> None:
        self.at(AUDIO_TIME, self._audio)
        self.burst([AUDIO])

    def _tick(self) -> None:
        """What polls: the receiver's feedback, the estimator's timer, probes."""
        self.at(0.01, self._tick)
        when = self._generator.next_time()
        if when is not None and when <= self.now:
            for feedback in self._generator.build(now=self.now):
                data = bytes(feedback)
                self.at(self.delay, lambda d=data: self._feedback(d))  # type: ignore[misc]
        timer = self.estimator.get_timer()
        if timer is not None and timer <= self.now:
            self.estimator.handle_timer(now=self.now)
        if self.goal:
            sending = self.estimator.acknowledged_bitrate or 0.0
            cluster = self.estimator.probe(goal=self.goal, sending=sending, now=self.now)
            if cluster is not None:
                self.probes += 1
                for i in range(cluster.bursts):
                    self.at(
                        i * cluster.interval,
                        lambda c=cluster: self._probe(c.id, c.size // c.bursts),  # type: ignore[misc]
                    )
                self.at(cluster.duration + 0.001, self._end_probe)

    def _probe(self, cluster: int, size: int) -> None:
        self._cluster = cluster
        count, rest = divmod(size, PACKET)
        self.burst([PACKET] * count + ([rest] if rest else []))

    def _end_probe(self) -> None:
        self._cluster = 0

    def _feedback(self, data: bytes) -> None:
        for feedback in parse_compound(data):
            assert isinstance(feedback, TransportFeedback)
            self.feedbacks.append(feedback)
            self.estimator.receive_feedback(feedback, now=self.now)
            self.trace.append((self.elapsed, self.estimator.estimate))

    def reached(self, bitrate: float, *, after: float = 0.0) -> float:
        """Seconds from `after` until the estimate first was so high."""
        return next((t - after for t, e in self.trace if t >= after and e >= bitrate), float("inf"))

    def fell(self, bitrate: float, *, after: float) -> float:
        """Seconds from `after` until the estimate first was below."""
        return next((t - after for t, e in self.trace if t >= after and e < bitrate), float("inf"))

    def estimates(self, begin: float, end: float) -> list[float]:
        return sorted(e for t, e in self.trace if begin <= t < end)

    def mean(self, begin: float, end: float) -> float:
        found = self.estimates(begin, end)
        return sum(found) / len(found)

    def queue_p95(self, begin: float, end: float) -> float:
        found = sorted(q for t, q in self.queues if begin <= t < end)
        return found[int(0.95 * len(found))]

    def throughput(self, begin: float, end: float, flow: str = "media") -> float:
        bits = sum(8 * size for t, size, f in self.delivered if f == flow and begin <= t < end)
        return bits / (end - begin)


class RenoFlow:
    """A TCP-like greedy flow through the same bottleneck: slow start, then AIMD, one loss a round.

    Acknowledgements are as quick as the path's way back and are never lost.
    """

    def __init__(self, path: VirtualPath, *, start: float) -> None:
        self._path = path
        self._window = 10.0  # packets
        self._threshold = 1e9
        self._out = 0
        self._held_until = 0.0
        path.at(start, self._fill)

    def _fill(self) -> None:
        path = self._path
        while self._out < self._window:
            self._out += 1
            if not path.transmit(PACKET, lambda: path.at(path.delay, self._acknowledged), "tcp"):
                # Found missing by what came behind it, a round trip and the queue later.
                path.at(2 * path.delay + path.queue, self._lost)

    def _acknowledged(self) -> None:
        self._out -= 1
        self._window += 1 if self._window < self._threshold else 1 / self._window
        self._fill()

    def _lost(self) -> None:
        self._out -= 1
        if self._path.now >= self._held_until:
            self._held_until = self._path.now + 2 * self._path.delay + self._path.queue
            self._threshold = self._window = max(self._window / 2, 2.0)
        self._fill()
