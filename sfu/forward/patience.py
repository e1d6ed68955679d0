"""How long to wait after a loss, until something is tried again."""

FAILURE_TIME = 10.0  # s; an improvement that does not last so long has failed
FORGIVENESS = 30.0  # s without going down after which failures are forgotten
NEVER = float("-inf")


class Patience:
    """How long to wait after a loss: longer each time that an improvement failed."""

    __slots__ = ("_factor", "_first", "_interval", "_longest", "fell_at", "rose", "until")

    def __init__(self, first: float, *, factor: float, longest: float) -> None:
        self.rose = NEVER  # when there was an improvement, if it has not failed yet
        self.until = NEVER  # wait until then
        self.fell_at = NEVER
        self._first = self._interval = first
        self._factor = factor
        self._longest = longest

    def fell(self, now: float) -> bool:
        """There was a loss; returns whether it is not the consequence of another."""
        first = self.rose != NEVER or now - self.fell_at > FAILURE_TIME
        if now - self.rose < FAILURE_TIME:
            self._interval = min(self._factor * self._interval, self._longest)
        elif self.rose != NEVER or now - self.fell_at > FORGIVENESS:
            # An improvement has lasted, or there was none for long: what failed before is over.
            self._interval = self._first
        self.rose = NEVER  # however many losses follow, one improvement has failed
        self.fell_at = now
        self.until = now + self._interval
        return first
