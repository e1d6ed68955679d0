"""How often one receiver may have a key frame asked for, whatever it asks (RFC 4585 6.3.1)."""

BURST = 4  # key frames that may be asked for in a row: a bad second of a good connection
INTERVAL = 2.5  # s for another one: who needs more of them is not helped by key frames
REPEAT_TIME = 0.25  # s within which a request repeats the one before


class KeyFrameAllowance:
    """Lets the requests of one receiver for one stream pass, but not so many that all others pay.

    A key frame is sent to everybody, and takes the bandwidth of several frames. Requests of all
    receivers together are limited too (`KeyFrameRequester`); without this, one receiver could have
    that limit for its own, and everyone two key frames a second for as long as it likes.

    Attributes:
        refused: Requests that were one too many; those that repeat another do not count.
    """

    __slots__ = ("_last", "_level", "_updated", "refused")

    def __init__(self) -> None:
        self.refused = 0
        self._level = float(BURST)
        self._last = self._updated = float("-inf")

    def take(self, *, now: float) -> bool:
        """Whether to pass on a request that has just come."""
        if now - self._last < REPEAT_TIME:
            return False
        self._last = now
        self._level = min(BURST, self._level + (now - self._updated) / INTERVAL)
        self._updated = now
        if self._level < 1:
            self.refused += 1
            return False
        self._level -= 1
        return True
