"""Probing where only REMB answers: more is sent for a while, to see whether the bound follows.

What a receiver tells by REMB is bounded by what it receives (browsers: 1.5 times that), so a thin
stream never shows what the path would take. And it is told too seldom for a short train of packets
to show in it. So the rate is filled up with padding to what is wanted, in steps, and no longer than
the bound rises with it.
"""

STEP_FACTOR = 1.5  # of what is sent and known to pass: the next step
STEP_TIME = 1.5  # s in which the bound must have risen: it is told once a second, at the least
RISEN = 1.05  # of the bound when the step began
FALLEN = 0.9  # of the highest bound since: the path is full
MAX_LOSS = 0.05  # share of packets; with more nothing is tried
INTERVAL = 5.0  # s until the next attempt, after one that failed
BACKOFF = 2.0  # each time
MAX_INTERVAL = 60.0  # s; an attempt is seconds of a full path, not milliseconds


class Ramp:
    """Says at which rate to send so that the bound may rise.

    Attributes:
        rate: Bit/s to fill up to; 0 for what there is to be sent anyway.
        failures: Attempts that ended with nothing gained, since one succeeded.
    """

    __slots__ = ("_began", "_bound", "_ends", "_highest", "_next", "failures", "rate")

    def __init__(self) -> None:
        self.rate = 0.0
        self.failures = 0
        self._next = float("-inf")
        self._ends = 0.0
        self._began = 0.0  # estimate
        self._bound = 0.0  # when the step began
        self._highest = 0.0

    def update(
        self, *, goal: float, estimate: float, bound: float, loss: float, now: float
    ) -> float:
        """Look at what has come of it; call several times a second while something is wanted.

        Args:
            goal: Bit/s that would make something better.
            estimate: Bit/s.
            bound: Of the newest REMB, bit/s.
            loss: Share of packets lost lately, 0..1.
            now: Monotonic seconds.

        Returns:
            `rate`.
        """
        if not self.rate:
            if goal > estimate and now >= self._next and loss < MAX_LOSS:
                self._began = estimate
                self._highest = bound
                self._step(goal, estimate, bound, now)
            return self.rate
        self._highest = max(self._highest, bound)
        if goal <= estimate:
            self.failures = 0
            self.rate = 0.0
        elif bound < FALLEN * self._highest or loss >= MAX_LOSS or now >= self._ends:
            self.rate = 0.0
            self.failures = 0 if estimate >= RISEN * self._began else self.failures + 1
            self._next = now + min(INTERVAL * BACKOFF**self.failures, MAX_INTERVAL)
        elif bound >= RISEN * self._bound:
            self._step(goal, estimate, bound, now)
        return self.rate

    def stop(self) -> None:
        """Nothing is wanted any more."""
        self.rate = 0.0

    def _step(self, goal: float, estimate: float, bound: float, now: float) -> None:
        self._bound = bound
        self._ends = now + STEP_TIME
        self.rate = min(goal, STEP_FACTOR * estimate)
