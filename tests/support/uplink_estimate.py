"""How much a model of a browser believes that a path carries: simple, but it reacts as they do."""

from collections import deque

START = 300_000.0  # bit/s; what browsers begin with
MINIMUM = 30_000.0  # bit/s
WINDOW = 0.5  # s of what arrived that the received rate is measured over
BASE_WINDOW = 20.0  # s in which the least delay is taken for that of an empty path
OVERUSE = 0.06  # s of queue that are too much
BACK_OFF = 0.85  # of the received rate
GROWTH = 0.08  # part of itself a second
START_GROWTH = 1.0  # part of itself a second, until the path was full for the first time
PROVEN = 2.0  # times what is received, as browsers probe
HIGH_LOSS = 0.1  # above it the estimate falls


class UplinkEstimate:
    """Follows the delay and the rate of what arrives, and how much is lost.

    It knows nothing of trend lines or thresholds that adapt: the point is a sender that gives way
    to a full path within some hundred milliseconds, and comes back within seconds.

    Attributes:
        bitrate: The estimate, bit/s.
        cap: What the other end allows (REMB), bit/s.
    """

    def __init__(self, *, start: float = START) -> None:
        self.bitrate = start
        self.cap = float("inf")
        self._arrived: deque[tuple[float, int]] = deque()
        self._arrived_bytes = 0
        self._least: deque[tuple[float, float]] = deque()  # (arrival, delay), delays ascending
        self._last_update: float | None = None
        self._last_back_off = float("-inf")
        self._was_full = False

    def add(self, sent: float, arrived: float, size: int) -> float:
        """Note one packet that arrived; the two clocks need not agree.

        Returns:
            Seconds that it waited in queues.
        """
        self._arrived.append((arrived, size))
        self._arrived_bytes += size
        while self._arrived[0][0] < arrived - WINDOW:
            self._arrived_bytes -= self._arrived.popleft()[1]
        delay = arrived - sent
        least = self._least
        while least and least[-1][1] >= delay:
            least.pop()
        least.append((arrived, delay))
        while least[0][0] < arrived - BASE_WINDOW:
            least.popleft()
        return delay - least[0][1]

    def update(self, queue: float, loss: float, *, now: float) -> None:
        """Move the estimate.

        Args:
            queue: Seconds that packets of late waited.
            loss: Part of them that was lost.
            now: Monotonic seconds.
        """
        elapsed = min(now - self._last_update, 1.0) if self._last_update is not None else 0.0
        self._last_update = now
        received = 8 * self._arrived_bytes / WINDOW
        if queue > OVERUSE or loss > HIGH_LOSS:
            if now - self._last_back_off > 0.3:  # its effect must show first
                self._last_back_off = now
                self._was_full = True
                self.bitrate = max(MINIMUM, min(self.bitrate, BACK_OFF * received))
        elif queue < OVERUSE / 2:
            growth = GROWTH if self._was_full else START_GROWTH
            grown = self.bitrate * (1 + growth * elapsed)
            # What is not sent proves nothing, but for the probes that browsers send.
            self.bitrate = max(self.bitrate, min(grown, PROVEN * received + 100_000))
        self.bitrate = min(self.bitrate, max(self.cap, MINIMUM))
