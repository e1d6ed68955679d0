"""The round-trip time to one subscriber."""

UNKNOWN = 0.2  # s; before anything is known
VALID = 5.0  # s; what a report told, before that of the feedback is taken again
RISE = 1.05  # each feedback; so about the least one within a second counts
MIN, MAX = 0.001, 3.0  # s; what is told beyond that is no reason to react even later


class RoundTrip:
    """Takes the round trip of receiver reports, or that of feedback, which holds a little more.

    Attributes:
        value: Seconds.
    """

    __slots__ = ("_feedback", "_reported_at", "value")

    def __init__(self) -> None:
        self.value = UNKNOWN
        self._feedback: float | None = None
        self._reported_at = float("-inf")

    def report(self, round_trip: float, *, now: float) -> None:
        """Note what a receiver report gives, seconds; nothing for 0, which means unknown."""
        if round_trip > 0:
            self.value = min(max(round_trip, MIN), MAX)
            self._reported_at = now

    def feedback(self, send_time: float, *, now: float) -> None:
        """Note when the newest packet was sent of which a feedback tells that just came."""
        sample = min(max(now - send_time, MIN), MAX)
        if self._feedback is not None:
            sample = min(sample, self._feedback * RISE)
        self._feedback = sample
        if now - self._reported_at > VALID:
            self.value = sample
