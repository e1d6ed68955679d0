"""How often packets were sent again, so that nobody can make us send one for ever."""

from collections import OrderedDict

MAX_RESENDS = 5  # of one packet; a path that loses it more often needs a key frame, not more copies
RESEND_INTERVAL = 0.02  # s; the least time between two copies, whatever the round trip is
REMEMBERED = 512  # packets; as many as a NACK-happy client can make us keep count of


class Resends:
    """What was sent again on one m-line.

    Attributes:
        sent: Packets sent again.
        not_found: Packets asked for that could not be.
    """

    __slots__ = ("_counts", "not_found", "sent")

    def __init__(self) -> None:
        self.sent = self.not_found = 0
        self._counts: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def may(self, index: int, round_trip: float, *, now: float) -> bool:
        """Whether this packet may be sent again: not while the last copy is still under way."""
        count, last = self._counts.get(index, (0, 0.0))
        return not count or (count < MAX_RESENDS and now - last >= max(RESEND_INTERVAL, round_trip))

    def note(self, index: int, *, now: float) -> None:
        """It was sent again."""
        self.sent += 1
        counts = self._counts
        counts[index] = (counts.get(index, (0, 0.0))[0] + 1, now)
        counts.move_to_end(index)
        if len(counts) > REMEMBERED:
            counts.popitem(last=False)
