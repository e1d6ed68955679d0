"""Which recordings have been kept for long enough; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

DAY = 86_400.0  # s


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording that has ended.

    Attributes:
        id: "RC_…".
        ended_at: Unix seconds.
        bytes: Of all its files, wherever they are.
    """

    id: str
    ended_at: float
    bytes: int


def expired(recordings: Iterable[Kept], *, now: float, days: int, most: int) -> list[str]:
    """The ids of those that are to be deleted, the oldest first.

    Args:
        recordings: All that have ended; those that run are never deleted.
        now: Unix seconds.
        days: How long they are kept; 0 for ever.
        most: Bytes that all may have together; 0 for any number.
    """
    oldest_first = sorted(recordings, key=lambda one: one.ended_at)
    total = sum(one.bytes for one in oldest_first)
    ids = []
    for one in oldest_first:
        too_old = bool(days) and now - one.ended_at > days * DAY
        too_much = bool(most) and total > most
        if not too_old and not too_much:
            break
        ids.append(one.id)
        total -= one.bytes
    return ids
