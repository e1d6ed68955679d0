"""How fast the one-way delay rises: a line through the last groups (the "trendline" filter)."""

from collections import deque

WINDOW = 20  # groups; libwebrtc's
SMOOTHING = 0.9  # weight of what was before
GAIN = 4.0  # makes the threshold's scale that of the draft's accumulated delay
MAX_SAMPLES = 60  # the gain grows with the groups seen, up to here
EXACT_EVERY = 256  # groups; then the sums are made anew, so that rounding does not add up


class Trendline:
    """A least-squares line through smoothed delay over arrival time.

    Attributes:
        slope: Seconds of delay for each second; 0 until the window is full.
        trend: The slope on the scale of the overuse detector's threshold, which is that of the
            draft: milliseconds of accumulated delay.
    """

    __slots__ = (
        "_base",
        "_points",
        "_samples",
        "_smoothed",
        "_x",
        "_xx",
        "_xy",
        "_y",
        "slope",
        "trend",
    )

    def __init__(self) -> None:
        self.slope = 0.0
        self.trend = 0.0
        self._points: deque[tuple[float, float]] = deque()
        self._samples = 0
        self._smoothed = 0.0
        self._base = (0.0, 0.0)
        self._x = self._y = self._xx = self._xy = 0.0

    def update(self, arrival: float, delay: float) -> float:
        """Add a group.

        Args:
            arrival: When it came, seconds on any clock.
            delay: One-way delay, seconds, plus any constant.

        Returns:
            `trend`.
        """
        samples = self._samples
        if not samples:
            self._base = (arrival, delay)
        self._samples = samples + 1
        x = arrival - self._base[0]
        y = self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * (delay - self._base[1])
        points = self._points
        points.append((x, y))
        self._x += x
        self._y += y
        self._xx += x * x
        self._xy += x * y
        if len(points) > WINDOW:
            x, y = points.popleft()
            self._x -= x
            self._y -= y
            self._xx -= x * x
            self._xy -= x * y
            if not samples % EXACT_EVERY:
                self._sum_anew()
        n = len(points)
        if n == WINDOW:
            spread = n * self._xx - self._x * self._x
            if spread > 1e-9:  # s²; all of them came at one time otherwise
                self.slope = (n * self._xy - self._x * self._y) / spread
        self.trend = min(self._samples, MAX_SAMPLES) * self.slope * GAIN
        return self.trend

    def _sum_anew(self) -> None:
        shift = self._points[0][0]
        self._base = (self._base[0] + shift, self._base[1])
        self._points = points = deque((x - shift, y) for x, y in self._points)
        self._x = sum(x for x, _ in points)
        self._y = sum(y for _, y in points)
        self._xx = sum(x * x for x, _ in points)
        self._xy = sum(x * y for x, y in points)
