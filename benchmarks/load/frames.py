"""What a viewer would see of one video stream: decodable frames, and the gaps between them."""

from collections.abc import Iterable

SHORT_FREEZE = 0.2  # s
LONG_FREEZE = 0.5  # s


class FrameTimes:
    """Counts decodable frames and freezes, which are long gaps between them.

    Attributes:
        count: Decodable frames.
        first: When the first was, monotonic seconds; 0 before.
        short_freezes: Gaps of over 200 ms.
        long_freezes: Gaps of over 500 ms.
        last: When the newest was.
    """

    __slots__ = (
        "_ended",
        "_frozen_before",
        "count",
        "first",
        "last",
        "long_freezes",
        "short_freezes",
    )

    def __init__(self) -> None:
        self.count = 0
        self.first = 0.0
        self.short_freezes = 0
        self.long_freezes = 0
        self._frozen_before = 0.0  # by gaps that are over
        self.last = 0.0
        self._ended = False

    def add(self, count: int, now: float) -> None:
        """Frames that became decodable now."""
        if not self.count:
            self.first = now
        elif now - self.last > SHORT_FREEZE:
            gap = now - self.last
            self.short_freezes += 1
            self.long_freezes += gap > LONG_FREEZE
            self._frozen_before += gap
        self.count += count
        self.last = now
        self._ended = False

    def excuse(self, pause: float, now: float) -> None:
        """For so many of the last seconds the publisher sent nothing; a freeze before stays one."""
        self.last = min(self.last + pause, now)

    def end(self) -> None:
        """There will be no more frames, and that is no freeze."""
        self._ended = True

    def totals(self, now: float) -> tuple[int, int, float]:
        """Short and long freezes and seconds of both, with the one that lasts now."""
        gap = now - self.last
        if not self.count or self._ended or gap <= SHORT_FREEZE:
            return self.short_freezes, self.long_freezes, self._frozen_before
        long = self.long_freezes + (gap > LONG_FREEZE)
        return self.short_freezes + 1, long, self._frozen_before + gap


class FrameChain:
    """Knows whether frames can be decoded: all packets since the last key frame must be there.

    Packets are known by their index, which never wraps.

    Attributes:
        times: Of the frames that can.
        broken: Whether only a key frame helps, as at the beginning.
    """

    __slots__ = ("_holes", "_waiting", "broken", "times")

    def __init__(self) -> None:
        self.times = FrameTimes()
        self.broken = True
        self._holes: set[int] = set()
        self._waiting = 0  # whole frames behind a hole

    @property
    def blocked(self) -> bool:
        """Whether frames that end now can not be decoded yet."""
        return self.broken or bool(self._holes)

    def lose(self, first: int, end: int) -> None:
        """These packets did not come, so far."""
        if not self.broken:
            self._holes.update(range(first, end))

    def give_up(self) -> None:
        """What did not come will not come."""
        self.broken = True
        self._holes.clear()
        self._waiting = 0

    def start_key_frame(self, missing: Iterable[int] = ()) -> None:
        """A key frame begins: nothing before it matters, but what is missing after it does."""
        self._holes = set(missing)
        self.broken = False
        self._waiting = 0

    def end_frames(self, count: int, now: float) -> None:
        """Frames ended, their last packets being the newest that came."""
        if self._holes:
            self._waiting += count
        elif not self.broken:
            self.times.add(count, now)

    def repair(self, index: int, now: float) -> None:
        """A packet came late."""
        if index in self._holes:
            self._holes.discard(index)
            if not self._holes and self._waiting:
                self.times.add(self._waiting, now)
                self._waiting = 0
