"""Timers without a clock: what wants to be called, and when."""

import heapq
from collections.abc import Callable
from itertools import count


def reraise(error: Exception) -> None:
    """What is done about a bug where nobody said otherwise: in tests, it must show."""
    raise error


class Timer:
    """One pending call; `cancel` is idempotent."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[float], None]) -> None:
        self.when = when
        self.callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Make sure that the callback is never called."""
        self.callback = None

    @property
    def active(self) -> bool:
        """Whether the call is still to come."""
        return self.callback is not None


class Timers:
    """A heap of pending calls, driven by whoever owns the clock.

    Times are monotonic seconds. A callback gets `now` and may set new timers; one that is already
    due when it is set runs in the next `handle_timer`, so a callback cannot starve the others.

    Attributes:
        on_earlier: Called when `get_timer` has become earlier than it was; set by the shell.
        on_error: Called with what a callback raised, which only a bug can make it do; the others
            still run. The default raises it again; the shell logs it.
    """

    def __init__(self) -> None:
        self.on_earlier: Callable[[], None] = lambda: None
        self.on_error: Callable[[Exception], None] = reraise
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def call_at(self, when: float, callback: Callable[[float], None]) -> Timer:
        """Call `callback(now)` at `when` or as soon after it as the owner drives us."""
        timer = Timer(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        if self._heap[0][2] is timer:
            self.on_earlier()
        return timer

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called next; None for never."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def handle_timer(self, *, now: float) -> None:
        """Run all that is due."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            callback = timer.callback
            if callback is not None:
                timer.callback = None
                try:
                    callback(now)
                except Exception as error:
                    self.on_error(error)
