"""Probing: short trains of packets that show whether more goes through than is sent.

Only when somebody could use more. A cluster costs what it weighs (6 KB at 2 Mbit/s) and a few
milliseconds of queue, and shows at once what the additive increase needs half a minute for.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sfu.congestion.history import AckedBurst

STEPS = 5  # bursts of a cluster
STEP = 0.005  # s between them; timers can hit that
JITTER_STEP = (
    1.0  # of the jitter between them: a cluster must be longer than what jitter does to it
)
MAX_STEP = 0.025  # s
JITTERY = 0.008  # s; with more, a cluster that seems slow need not have filled the link
MIN_PACKET = 200  # bytes; padding has no more than 255
FIRST_FACTOR = 3.0  # of the estimate: the first probe after joining
FACTOR = 2.0  # of the estimate: those that follow
MIN_FACTOR = 1.3  # of the estimate: less would not stand out
GOAL_FACTOR = 1.2  # of what is wanted: a margin to live in
INTERVAL = 2.0  # s between probes; longer after failures
BACKOFF = 1.6  # each time that a probe failed
MAX_INTERVAL = 6.0  # s; capacity that comes back is found, and used, within 10 s
SUCCESS = 0.7  # of what was tried: then the next one may follow at once
GAIN = 1.05  # of the estimate: a full link that gives no more than that has nothing to give
CALM = 1.0  # s without overuse before a probe
PATIENCE = 1.0  # s until a cluster that was not acknowledged has failed
ENOUGH = 0.8  # of a cluster's packets must have come
SATURATED = 0.9  # of the rate of sending: less coming means that the link was full …
USED = 0.97  # … and that no more than this of what came is wise
MAX_RATIO = 2.0  # what comes faster than that, of what was sent, was held up and says nothing


class ProbeCluster(NamedTuple):
    """What to send for a probe; media sent meanwhile counts as part of it.

    Attributes:
        id: To be told with each burst that is sent for it, 1 and up.
        bitrate: Bit/s.
        duration: Seconds from the first burst to the last.
        size: Bytes to send in all.
        bursts: In so many bursts of equal size, at least one packet each.
        interval: Seconds from one burst to the next.
    """

    id: int
    bitrate: float
    duration: float
    size: int
    bursts: int
    interval: float


class ProbeResult(NamedTuple):
    """What a probe has shown.

    Attributes:
        bitrate: Bit/s that went through.
        full: Whether less came than was sent, and not by jitter: the link carries no more.
    """

    bitrate: float
    full: bool


class ProbeController:
    """Decides when to probe and how fast, and reads what came of it.

    Attributes:
        cluster: The probe that is under way.
        failures: Probes that failed since one succeeded.
    """

    __slots__ = (
        "_bursts",
        "_ends",
        "_gain",
        "_ids",
        "_jittery",
        "_next",
        "_started",
        "cluster",
        "failures",
    )

    def __init__(self) -> None:
        self.cluster: ProbeCluster | None = None
        self.failures = 0
        self._ids = 0
        self._next = float("-inf")
        self._started = float("-inf")
        self._bursts: dict[float, list[AckedBurst]] = {}  # by their time of sending
        self._ends = 0.0
        self._gain = 0.0  # bit/s that would be something
        self._jittery = False

    def wanted(
        self,
        *,
        now: float,
        estimate: float,
        goal: float,
        sending: float,
        maximum: float,
        jitter: float = 0.0,
    ) -> ProbeCluster | None:
        """The probe to send now, if any.

        Args:
            now: Monotonic seconds.
            estimate: Bit/s.
            goal: Bit/s that would make something better.
            sending: Bit/s of media now: a probe below it would show nothing.
            maximum: Bit/s that are never passed.
            jitter: Seconds.
        """
        if self.cluster is not None:
            if now < self._ends:
                return None
            self._failed(now)
        if goal <= estimate or now < self._next:
            return None
        factor = FIRST_FACTOR if not self._ids else FACTOR
        bitrate = min(GOAL_FACTOR * goal, factor * estimate)
        bitrate = min(max(bitrate, MIN_FACTOR * estimate, MIN_FACTOR * sending), maximum)
        if bitrate <= estimate:
            return None
        self._ids += 1
        self._gain = GAIN * estimate
        step = min(max(JITTER_STEP * jitter, STEP), MAX_STEP)
        self._jittery = jitter > JITTERY
        size = max(round(bitrate * step * STEPS / 8), MIN_PACKET * STEPS)
        interval = 8 * size / STEPS / bitrate  # longer than `step` where packets are at their least
        self.cluster = ProbeCluster(
            self._ids, bitrate, interval * (STEPS - 1), size, STEPS, interval
        )
        self._bursts = {}
        self._started = now
        self._ends = now + self.cluster.duration + PATIENCE
        return self.cluster

    def overused(self, *, now: float) -> None:
        """The path is full: no probe for a while."""
        self._next = max(self._next, now + CALM)

    def receive(self, bursts: Iterable[AckedBurst], *, now: float) -> ProbeResult | None:
        """Look for the cluster in what was acknowledged.

        Returns:
            What the probe has shown, once; None while it is not known.
        """
        cluster = self.cluster
        if cluster is None:
            return None
        for burst in bursts:
            if burst.cluster == cluster.id and burst.packets:
                self._bursts.setdefault(burst.send_time, []).append(burst)
        sent = sorted(self._bursts)
        if len(sent) < 3:
            return None
        size = sum(b.size for group in self._bursts.values() for b in group)
        if size < ENOUGH * cluster.size or now < self._started + cluster.duration:
            return None
        result = _measure([self._bursts[time] for time in sent])
        if result is None:
            self._failed(now)
            return None
        bitrate = min(result.bitrate, cluster.bitrate)
        self.cluster = None
        if bitrate < SUCCESS * cluster.bitrate or (result.full and bitrate < self._gain):
            self._failed(now)  # nothing is gained by it
        else:
            self.failures = 0
            # Nearly all that was tried went through: try for more at once.
            self._next = now if bitrate >= SATURATED * cluster.bitrate else now + INTERVAL
        return ProbeResult(bitrate, result.full and not self._jittery)

    def _failed(self, now: float) -> None:
        self.cluster = None
        self.failures += 1
        self._next = now + min(INTERVAL * BACKOFF**self.failures, MAX_INTERVAL)


def _measure(groups: list[list[AckedBurst]]) -> ProbeResult | None:
    """The lesser of the rates of sending and of receiving, as libwebrtc takes them."""
    bursts = [burst for group in groups for burst in group]
    total = sum(burst.size for burst in bursts)
    first = min(bursts, key=lambda burst: burst.first_arrival)
    receiving = max(burst.last_arrival for burst in bursts) - first.first_arrival
    sending = groups[-1][0].send_time - groups[0][0].send_time
    if receiving <= 0 or sending <= 0:
        return None
    # Of n packets there are n - 1 intervals: the last sent, the first received is outside.
    sent = 8 * (total - sum(burst.size for burst in groups[-1])) / sending
    received = 8 * (total - first.size / first.packets) / receiving
    if received > MAX_RATIO * sent:
        return None
    if received < SATURATED * sent:
        return ProbeResult(USED * received, full=True)
    return ProbeResult(min(sent, received), full=False)
