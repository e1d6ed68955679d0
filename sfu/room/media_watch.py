"""Tells a participant what it receives and why, once a second as long as it wants to know."""

from collections.abc import Callable

from sfu.room.events import MediaReport
from sfu.room.media_status import MediaStatus
from sfu.timers import Timer, Timers

INTERVAL = 1.0  # s


class MediaWatch:
    """Reports from time to time."""

    def __init__(
        self,
        look: Callable[[float], MediaStatus],
        *,
        timers: Timers,
        tell: Callable[[MediaReport], None],
    ) -> None:
        """Nothing is told before `begin`.

        Args:
            look: Takes the time, and returns what is received then.
            timers: For the next report.
            tell: Called with each.
        """
        self._look = look
        self._timers = timers
        self._tell = tell
        self._timer: Timer | None = None

    def begin(self, now: float) -> None:
        """Tell at once, and each second from then on."""
        self.close()
        self._report(now)

    def close(self) -> None:
        """Tell no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _report(self, now: float) -> None:
        self._timer = self._timers.call_at(now + INTERVAL, self._report)
        self._tell(MediaReport(self._look(now)))
