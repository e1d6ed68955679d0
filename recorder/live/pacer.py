"""Which pictures of a live composite are made, so that it keeps up; sans-IO."""

import math

SHARE = 0.7  # of the time that may be spent on pictures; sound and packets need the rest
SMOOTHING = 0.1  # of one picture in what pictures cost
LATEST = 0.5  # s behind which the pictures between are left out at once


class Pacer:
    """Numbers pictures, and leaves some out evenly where all would take too long.

    Args:
        fps: Pictures per second that are wanted.

    Attributes:
        dropped: Pictures that were left out.
    """

    def __init__(self, fps: int) -> None:
        self.dropped = 0
        self._fps = fps
        self._next = 0
        self._cost = 0.0

    @property
    def stride(self) -> int:
        """Every how manieth picture is made."""
        return max(1, math.ceil(self._cost * self._fps / SHARE))

    def next(self, until: float, *, hurry: bool = True) -> int | None:
        """The number of the next picture to make; None when none is due.

        Args:
            until: Seconds from the beginning of the composite, up to which pictures are due.
            hurry: Whether those are left out that should have been made long ago.
        """
        newest = math.floor(until * self._fps)
        if newest < self._next:
            return None
        if hurry and newest - self._next > LATEST * self._fps:
            self._skip(newest - self._next)
        number = self._next
        self._next += 1
        return number

    def made(self, seconds: float) -> None:
        """The picture is made, and took so long."""
        self._cost += SMOOTHING * (seconds - self._cost)
        self._skip(self.stride - 1)

    def _skip(self, count: int) -> None:
        self._next += count
        self.dropped += count
