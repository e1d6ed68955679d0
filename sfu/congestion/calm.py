"""A glance at feedback, for paths that have more room than anybody uses.

Most subscribers get all that they want most of the time. To find out that nothing has changed, the
whole estimator is not needed: nothing was lost, and the newest packet took no longer than others.
"""

from collections import deque

from sfu.wire.twcc import REFERENCE_PERIOD, REFERENCE_UNIT, TICK, TransportFeedback

MARKS = 128  # bursts whose times of sending are kept: at least a second of video
MAX_DELAY = 0.025  # s above the least delay: jitter of a good path; a queue soon passes it
WANDER = 0.0005  # s by which the least delay may rise with each feedback: clocks drift

_CYCLE = REFERENCE_PERIOD * REFERENCE_UNIT  # ticks until reference times wrap


class CalmWatch:
    """Tells whether a feedback shows a path as it was."""

    __slots__ = ("_least", "_marks")

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque(maxlen=MARKS)
        self._least: float | None = None

    def sent(self, first: int, now: float) -> None:
        """A burst left, whose packets are numbered from `first` (unwrapped) on."""
        self._marks.append((first, now))

    def is_calm(self, feedback: TransportFeedback) -> bool:
        """Whether everything came, and no later than usual."""
        deltas = feedback.deltas
        if not deltas or None in deltas:
            return False
        number = feedback.base_sequence + len(deltas) - 1
        send_time = self._send_time(number)
        if send_time is None:
            return False
        ticks = feedback.reference_time * REFERENCE_UNIT + sum(filter(None, deltas))
        delay = ticks * TICK - send_time
        least = self._least
        if least is None or abs(delay - least) > _CYCLE * TICK / 2:
            self._least = delay
            return False
        self._least = min(delay, least + WANDER)
        return delay - least <= MAX_DELAY

    def _send_time(self, number: int) -> float | None:
        marks = self._marks
        if not marks:
            return None
        newest = marks[-1][0]
        for first, now in reversed(marks):
            # 16 bits, compared around the newest.
            if (number - first) & 0xFFFF < 0x8000:
                return now if newest - first < 0x8000 else None
        return None
