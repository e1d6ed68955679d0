"""Delays counted in buckets, so that millions of them are added up and sent along cheaply."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log2

STEPS = 16  # buckets an octave: a percentile is at most 2.2 % off
UNIT = 1e-6  # s; shorter delays are counted as this


@dataclass(slots=True)
class Histogram:
    """How often each delay occurred.

    Attributes:
        counts: By bucket: bucket n holds delays from 2^(n/16) µs on.
    """

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a delay in seconds; negative ones (clocks differ) count as none."""
        bucket = int(log2(seconds / UNIT) * STEPS) if seconds > UNIT else 0
        self.counts[bucket] = self.counts.get(bucket, 0) + count

    def merge(self, other: "Histogram") -> None:
        """Add all delays of another one."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def total(self) -> int:
        """How many delays were counted."""
        return sum(self.counts.values())

    def percentile(self, percent: float) -> float | None:
        """The delay in seconds that `percent` of 100 do not exceed; None where none was counted."""
        total = self.total
        if not total:
            return None
        wanted, seen = total * percent / 100, 0
        middle = 0.0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            middle = UNIT * 2 ** ((bucket + 0.5) / STEPS)
            if seen >= wanted:
                break
        return middle

    @classmethod
    def union(cls, parts: Iterable["Histogram"]) -> "Histogram":
        """All delays of all parts."""
        result = cls()
        for part in parts:
            result.merge(part)
        return result
