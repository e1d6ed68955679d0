"""The rate at which a subscriber receives, from what its feedback acknowledges."""

from collections import deque

from sfu.congestion.history import AckedBurst

WINDOW = 0.5  # s; 15 frames
SHORT_WINDOW = 0.2  # s; enough to know the rate of a link that is full
MIN_SPAN = 0.1  # s; less tells of a burst, not of a rate
MAX_BURSTS = 1024
PACKET = 1200  # bytes; of a lost packet of whose burst nothing came


class AcknowledgedBitrate:
    """Bytes by arrival time.

    A rate is taken from the first packet of a burst to the first packet of a later one, over what
    came in between. So neither the size of the last frame nor the place of the window's edges
    between frames makes it go up and down, and of a full link it is the capacity.

    Attributes:
        bitrate: Over the last 0.5 s, bit/s; None until it can be told.
    """

    __slots__ = ("_bursts", "_lost", "_size", "bitrate")

    def __init__(self) -> None:
        self.bitrate: float | None = None
        self.reset()

    def reset(self) -> None:
        """Begin again, with arrival times that need not fit to those before."""
        # Arrival, sending, bytes that came, bytes that did not.
        self._bursts: deque[tuple[float, float, int, float]] = deque()
        self._size = 0
        self._lost = 0  # packets of bursts of which nothing came, since the last one

    def add(self, burst: AckedBurst) -> None:
        """Add a burst."""
        if not burst.packets:
            self._lost += burst.lost
            return
        bursts = self._bursts
        arrival, send, size = burst.first_arrival, burst.send_time, burst.size
        self._size += size
        if bursts and arrival < bursts[-1][0]:
            arrival = bursts[-1][0]  # overtaken: it counts, but not as a turn of time
        lost = self._lost * PACKET + burst.lost * size / burst.packets
        self._lost = 0
        bursts.append((arrival, send, size, lost))
        oldest = arrival - WINDOW
        while bursts[0][0] < oldest or len(bursts) > MAX_BURSTS:
            self._size -= bursts.popleft()[2]

    def update(self) -> float | None:
        """Compute `bitrate` and return it; call after the bursts of a feedback were added."""
        bursts = self._bursts
        if len(bursts) > 1:
            span = bursts[-1][0] - bursts[0][0]
            if span >= MIN_SPAN:
                self.bitrate = 8 * (self._size - bursts[-1][2]) / span
        return self.bitrate

    def recent(self) -> tuple[float, float] | None:
        """What came, and what was sent for it, over the last 0.2 s, bit/s each.

        Less coming than was sent is a queue that grows. None when too little came.
        """
        bursts = self._bursts
        if len(bursts) < 3:
            return None
        last_arrival, last_send, _, lost = bursts[-1]
        size = 0
        first_arrival, first_send = last_arrival, last_send
        for i in range(len(bursts) - 2, -1, -1):
            first_arrival, first_send, came, missing = bursts[i]
            size += came
            lost += missing
            if last_arrival - first_arrival >= SHORT_WINDOW:
                break
        if last_arrival - first_arrival < MIN_SPAN or last_send <= first_send:
            return None
        received = 8 * size / (last_arrival - first_arrival)
        return received, 8 * (size + lost) / (last_send - first_send)
