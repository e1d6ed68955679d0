"""How much of a path retransmissions may take besides the media."""

REPAIR_SHARE = 0.35  # of the estimate may go into retransmissions: 20 % loss, twice over
REPAIR_TIME = 0.5  # s of that share may be sent at once, after a burst of losses
MIN_REPAIR = 100_000  # bit/s; a thin path needs its key frames too


class RepairBudget:
    """A leaky bucket that retransmissions to one subscriber fill.

    Attributes:
        estimate: bit/s that the path takes; 0 where nobody knows, and nothing is held back.
    """

    __slots__ = ("_level", "_updated", "estimate")

    def __init__(self) -> None:
        self.estimate = 0.0
        self._level = 0.0  # bytes
        self._updated = float("-inf")

    def take(self, size: int, *, now: float) -> bool:
        """Whether a retransmission of so many bytes may be sent now; it counts as sent then."""
        if not self.estimate:
            return True
        rate = self._rate()
        level = max(self._level - rate * (now - self._updated), 0.0)
        if level > rate * REPAIR_TIME:
            return False
        self._level = level + size
        self._updated = now
        return True

    def time(self, size: int) -> float:
        """Seconds that so many bytes take when no more may be sent at once."""
        return size / self._rate()

    def _rate(self) -> float:
        """Bytes/s."""
        return max(REPAIR_SHARE * self.estimate, MIN_REPAIR) / 8
