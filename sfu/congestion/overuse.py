"""Whether the path is overused: the trend of the delay against an adaptive threshold.

draft-ietf-rmcat-gcc-02 section 5.4, with the figures of libwebrtc.
"""

from typing import Literal

State = Literal["normal", "overusing", "underusing"]

INITIAL_THRESHOLD = 12.5  # of the trend's scale, ms
MIN_THRESHOLD, MAX_THRESHOLD = 6.0, 600.0
RISE, FALL = 0.0087, 0.039  # per ms; quick to become sensitive, slow to become dull
MAX_EXCESS = 15.0  # ms; a trend so far above the threshold is an event, not the path's usual noise
MAX_STEP = 0.1  # s; what a pause counts at most
OVERUSING_TIME = 0.01  # s; the trend must stay above the threshold longer than that
MIN_QUEUE = 0.012  # s; less is no queue that anybody needs to fear, but maybe jitter


class OveruseDetector:
    """Compares trends with the threshold, and adapts the threshold to the path's noise.

    The threshold follows the trend, so that a competing flow that fills queues, or jitter, makes us
    less sensitive instead of starving us.

    Attributes:
        state: What the last trends tell.
        threshold: Of the trend, ms.
    """

    __slots__ = ("_above", "_count", "_previous", "_updated", "state", "threshold")

    def __init__(self) -> None:
        self.state: State = "normal"
        self.threshold = INITIAL_THRESHOLD
        self._above = 0.0  # s that the trend has been above the threshold
        self._count = 0  # trends above it
        self._previous = 0.0
        self._updated: float | None = None

    def update(self, trend: float, interval: float, queue: float, *, at: float) -> State:
        """Judge the trend after one more group.

        Args:
            trend: Of `Trendline`.
            interval: Between the sending of this group and the one before, seconds.
            queue: The delay in queues, seconds.
            at: When the group was sent; monotonic seconds.

        Returns:
            `state`.
        """
        threshold = self.threshold
        if trend > threshold and queue >= MIN_QUEUE:
            # The first one counts half: it began to be so somewhere in between.
            self._above += interval if self._count else interval / 2
            self._count += 1
            if self._above > OVERUSING_TIME and self._count > 1 and trend >= self._previous:
                self._above = 0.0
                self._count = 0
                self.state = "overusing"
        else:
            self._above = 0.0
            self._count = 0
            self.state = "underusing" if trend < -threshold else "normal"
        self._previous = trend
        self._adapt(abs(trend), at)
        return self.state

    def _adapt(self, size: float, at: float) -> None:
        elapsed = 0.0 if self._updated is None else min(max(at - self._updated, 0.0), MAX_STEP)
        self._updated = at
        if size > self.threshold + MAX_EXCESS:
            return
        rate = FALL if size < self.threshold else RISE
        threshold = self.threshold + rate * (size - self.threshold) * elapsed * 1000
        self.threshold = min(max(threshold, MIN_THRESHOLD), MAX_THRESHOLD)
