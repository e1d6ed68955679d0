"""How much a path carries over time: bit/s that change in steps."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path


class Capacity:
    """Bit/s over time, constant between its steps, with exact integrals.

    Times are seconds since the story began; before it, the first rate holds.

    Args:
        steps: (time, bit/s), ascending; the first at 0.
        period: Seconds after which all begins again; None to stay at the last rate.
    """

    def __init__(
        self, steps: Sequence[tuple[float, float]], *, period: float | None = None
    ) -> None:
        assert steps[0][0] == 0
        self._times = [time for time, _ in steps]
        self._rates = [rate for _, rate in steps]
        self._bits = [0.0]  # carried until each step
        for i in range(1, len(steps)):
            duration = self._times[i] - self._times[i - 1]
            assert duration > 0
            self._bits.append(self._bits[-1] + duration * self._rates[i - 1])
        self._period = period
        self._period_bits = 0.0
        if period is not None:
            assert period > self._times[-1]
            self._period_bits = self._bits[-1] + (period - self._times[-1]) * self._rates[-1]
            assert self._period_bits > 0

    @classmethod
    def constant(cls, rate: float) -> "Capacity":
        """Always the same."""
        return cls(((0.0, rate),))

    @classmethod
    def trace(cls, rates: Sequence[float], *, interval: float = 0.1) -> "Capacity":
        """One rate for each interval, over and over."""
        steps = [(i * interval, rate) for i, rate in enumerate(rates)]
        return cls(steps, period=len(rates) * interval)

    @classmethod
    def function(
        cls, rate: Callable[[float], float], *, seconds: float, interval: float = 0.1
    ) -> "Capacity":
        """A function of time, looked at once an interval."""
        return cls.trace(
            [rate(i * interval) for i in range(round(seconds / interval))], interval=interval
        )

    @classmethod
    def file(cls, path: Path, *, interval: float = 0.1) -> "Capacity":
        """A trace from a file: one rate in kbit/s a line; lines that begin with # are comments."""
        lines = path.read_text(encoding="utf-8").splitlines()
        return cls.trace(
            [1000.0 * float(line) for line in lines if line and line[0] != "#"], interval=interval
        )

    def at(self, time: float) -> float:
        """Bit/s at this time."""
        if self._period is not None and time >= 0:
            time %= self._period
        return self._rates[max(bisect_right(self._times, time) - 1, 0)]

    def bits(self, start: float, end: float) -> float:
        """What can be carried from `start` to `end`."""
        return self._until(end) - self._until(start)

    def finish(self, start: float, bits: float) -> float:
        """When `bits` are through that began at `start`; infinity for never."""
        target = self._until(start) + bits
        rounds = 0.0
        if self._period is not None and target > 0:
            rounds = target // self._period_bits
            target -= rounds * self._period_bits
        # The last step that was reached with less: its rate is not zero, unless it is the last one.
        step = max(bisect_left(self._bits, target) - 1, 0)
        rate = self._rates[step]
        if not rate:
            return inf
        time = self._times[step] + (target - self._bits[step]) / rate
        return time + rounds * (self._period or 0.0)

    def _until(self, time: float) -> float:
        """Bits from 0 to `time`."""
        bits = 0.0
        if self._period is not None and time >= 0:
            rounds, time = divmod(time, self._period)
            bits = rounds * self._period_bits
        step = max(bisect_right(self._times, time) - 1, 0)
        return bits + self._bits[step] + (time - self._times[step]) * self._rates[step]
