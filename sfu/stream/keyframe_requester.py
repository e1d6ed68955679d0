"""When to ask the sender of one video stream for a key frame (RFC 4585 6.3.1)."""

MIN_INTERVAL = 0.4  # s; libwebrtc encodes one each 0.3 s at most, and that takes a round trip
MAX_INTERVAL = 2.0  # s; a sender that is muted or paused cannot answer, yet may come back any time


class KeyFrameRequester:
    """Turns the wishes of all receivers of one stream into few requests to its sender.

    The first wish asks at once, unless a request left a moment ago. Requests are repeated until a
    key frame begins to arrive, at intervals that grow to two seconds.

    Attributes:
        sent: How many requests were due so far.
        wanted: Whether somebody waits for a key frame.
    """

    __slots__ = ("_interval", "_last", "_next_time", "sent", "wanted")

    def __init__(self) -> None:
        self.sent = 0
        self.wanted = False
        self._interval = MIN_INTERVAL
        self._last = float("-inf")
        self._next_time = 0.0

    def request(self, now: float) -> None:
        """Somebody needs a key frame."""
        if not self.wanted:
            self.wanted = True
            self._interval = MIN_INTERVAL
            self._next_time = max(now, self._last + MIN_INTERVAL)

    def received(self) -> None:
        """A key frame begins to arrive: whoever waited has what it wants."""
        self.wanted = False

    def due(self, now: float) -> bool:
        """Whether to send a request now; each True counts as one sent."""
        if not self.wanted or now < self._next_time:
            return False
        self.sent += 1
        self._last = now
        self._next_time = now + self._interval
        self._interval = min(2 * self._interval, MAX_INTERVAL)
        return True

    def next_time(self) -> float | None:
        """When `due` will be True; None for not before the next wish."""
        return self._next_time if self.wanted else None
