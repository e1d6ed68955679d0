"""What each layer of one stream takes and gives: averages, in which key frames are no changes."""

from collections import deque

INTERVAL = 0.25  # s between two looks
RATE_TIME = 1.0  # s; a slow layer has but a few frames in it
WINDOW = 3.0  # s; a key frame every few seconds or a moment without motion is not another layer
LIVE_TIME = 1.5  # s without a packet after which a layer is gone; still screens send 1 frame/s

Point = tuple[int, int]
"""(spatial layer, temporal layer)."""


class LayerMeter:
    """Rates of bits and frames by spatial and temporal layer, each by itself, without those below.

    In the first seconds of a stream, or after a pause, the window is as long as what was seen.
    """

    __slots__ = ("_frames", "_looks", "_next_look", "_octets", "_seen")

    def __init__(self) -> None:
        self._octets: dict[Point, int] = {}
        self._frames: dict[Point, int] = {}
        self._seen: dict[Point, float] = {}
        self._next_look = float("-inf")
        self._looks: deque[tuple[float, dict[Point, int], dict[Point, int]]] = deque()

    def add(self, size: int, spatial: int, temporal: int, now: float, *, begins: bool) -> None:
        """Count a packet of `size` bytes, which `begins` a frame or goes on with it."""
        if now >= self._next_look:
            self._look(now)
        point = (spatial, temporal)
        octets = self._octets
        octets[point] = octets.get(point, 0) + size
        if begins:
            self._frames[point] = self._frames.get(point, 0) + 1
        self._seen[point] = now

    def _look(self, now: float) -> None:
        looks = self._looks
        if looks and now - looks[-1][0] > LIVE_TIME:
            looks.clear()  # after a pause the time before it says nothing
        looks.append((now, dict(self._octets), dict(self._frames)))
        while now - looks[0][0] > WINDOW:
            looks.popleft()
        self._next_look = now + INTERVAL

    def rates(self, now: float) -> dict[Point, float]:
        """Bit/s of each layer that is alive, headers included; 0 while nothing can be said."""
        live = self._live(now)
        if not live:
            return {}
        begin, before, _ = self._looks[0]
        seconds = now - begin
        if seconds < INTERVAL:
            return dict.fromkeys(live, 0.0)
        return {point: 8 * (self._octets[point] - before.get(point, 0)) / seconds for point in live}

    def frame_rates(self, now: float) -> dict[Point, float]:
        """Frames/s of each layer that is alive; 0 while nothing can be said."""
        live = self._live(now)
        if not live:
            return {}
        begin, _, before = self._looks[0]
        seconds = now - begin
        if seconds < RATE_TIME:
            return dict.fromkeys(live, 0.0)
        frames = self._frames
        return {point: (frames.get(point, 0) - before.get(point, 0)) / seconds for point in live}

    def _live(self, now: float) -> list[Point]:
        return sorted(point for point, seen in self._seen.items() if now - seen <= LIVE_TIME)
