"""How much of a subscriber's media may leave at once.

Frames of usual size leave as they come: a pacer that touches each of them costs delay and timers. A
key frame of 200 KB would overflow a small queue on the way; it is spread.
"""

FACTOR = 2.5  # of the estimate; libwebrtc's
BURST = 20_000  # bytes that may leave at once on any path
BURST_TIME = 0.04  # s of the paced rate that may leave at once
MAX_QUEUE_TIME = 0.4  # s; what waits must be gone by then, whatever the estimate says
STEP = 0.005  # s; what one wake-up should at least be worth


class BurstPacer:
    """A leaky bucket: what was sent fills it, and what has leaked out may be sent.

    Attributes:
        rate: The rate at which it leaks, bit/s.
    """

    __slots__ = ("_allowance", "_level", "_needed", "_updated", "rate")

    def __init__(self) -> None:
        self.rate = 0.0
        self._level = 0.0  # bytes
        self._allowance = float(BURST)  # bytes
        self._updated: float | None = None
        self._needed = 0.0  # bit/s; what empties the caller's queue in time

    def budget(self, *, now: float, estimate: float, queued: int = 0) -> int:
        """Bytes that may be sent now; a packet may be begun with whatever is left of them.

        Args:
            now: Monotonic seconds.
            estimate: Bit/s.
            queued: Bytes that wait at the caller's; when they would wait for more than 0.4 s, the
                rate rises until they are gone.
        """
        if queued:
            self._needed = max(self._needed, 8 * queued / MAX_QUEUE_TIME)
        else:
            self._needed = 0.0
        if self._updated is not None:
            self._level = max(self._level - self.rate / 8 * (now - self._updated), 0.0)
        self._updated = now
        self.rate = max(FACTOR * estimate, self._needed)
        self._allowance = max(BURST, BURST_TIME * FACTOR * estimate / 8)
        return max(int(self._allowance - self._level), 0)

    def spent(self, size: int) -> None:
        """Note the bytes that were sent, at the time of the last `budget`."""
        self._level += size

    def next_time(self) -> float | None:
        """When to ask again because it is worth it; None before the first `budget`."""
        if self._updated is None or not self.rate:
            return None
        worth = min(STEP * self.rate / 8, self._allowance)
        excess = self._level + worth - self._allowance
        return self._updated + max(excess, 0.0) * 8 / self.rate
