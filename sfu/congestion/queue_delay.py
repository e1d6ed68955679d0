"""How much longer packets take than they would on an idle path."""

from collections import deque

BUCKET = 5.0  # s
BUCKETS = 4  # the idle path shows itself at least once in 15 to 20 s, or is another path by now
RECENT = (
    0.12  # s; a queue lasts longer, and the quickest packet within it has no jitter to speak of
)
MAX_RECENT = 64  # groups
JITTER_GAIN = 1 / 32  # of each group, so about the last second
LARGE = 500  # bytes; smaller is audio, and waits for the frame that it was sent behind


class QueueDelay:
    """The quickest recent group against the quickest one for a long time.

    Least values are not moved by jitter, which delays some packets; a queue delays all.

    Attributes:
        delay: Seconds in queues now.
        jitter: Mean change of the delay from group to group, seconds.
        latest: Seconds that the last group waited, be it for a queue or by jitter.
    """

    __slots__ = ("_bucket_end", "_last", "_minima", "_recent", "delay", "jitter", "latest")

    def __init__(self) -> None:
        self.delay = 0.0
        self.jitter = 0.0
        self.latest = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin again, with delays that need not fit to those before."""
        self._minima: deque[float] = deque(maxlen=BUCKETS)
        self._bucket_end = float("-inf")
        self._last: float | None = None
        self._recent: deque[tuple[float, float]] = deque(maxlen=MAX_RECENT)

    def update(self, send_time: float, delay: float, size: int) -> float:
        """Add a group.

        Args:
            send_time: Monotonic seconds.
            delay: One-way delay, seconds, plus any constant.
            size: Bytes.

        Returns:
            `delay`, the attribute.
        """
        if size >= LARGE:
            if self._last is not None:
                self.jitter += JITTER_GAIN * (abs(delay - self._last) - self.jitter)
            self._last = delay
        minima = self._minima
        if send_time >= self._bucket_end:
            self._bucket_end = send_time + BUCKET
            minima.append(delay)
        elif delay < minima[-1]:
            minima[-1] = delay
        # Of two groups the later one stays the longer: an earlier slower one is never the least.
        recent = self._recent
        while recent and recent[-1][1] >= delay:
            recent.pop()
        recent.append((send_time, delay))
        oldest = send_time - RECENT
        while recent[0][0] < oldest:
            recent.popleft()
        least = min(minima)
        self.latest = delay - least
        self.delay = recent[0][1] - least
        return self.delay
