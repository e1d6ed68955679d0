"""Someone else's download through the same bottleneck: TCP Reno in virtual time (RFC 5681)."""

from functools import partial

from tests.support.bottleneck import Bottleneck
from tests.support.link import VirtualTime

SEGMENT = 1500  # bytes with all headers
INITIAL_WINDOW = 10.0  # segments (RFC 6928)
TIMEOUT = 1.0  # s (RFC 6298 2.4: the least one)


class RenoFlow:
    """Sends as much as its congestion window allows, while it is on.

    Slow start, congestion avoidance, one halving for each window with losses, and a timeout where
    nothing comes back. A loss is noticed one round trip after the packet would have arrived, as
    three duplicate acknowledgements show it.

    Attributes:
        name: Under which the bottleneck counts it.
        window: Congestion window, segments.
        acknowledged: Segments.
        lost: Segments.
    """

    def __init__(
        self, time: VirtualTime, bottleneck: Bottleneck, *, name: str = "tcp", back: float = 0.02
    ) -> None:
        """A flow that is off.

        Args:
            time: Whose clock it runs by.
            bottleneck: What it shares.
            name: Under which the bottleneck counts it.
            back: Seconds that acknowledgements take.
        """
        self.name = name
        self.window = INITIAL_WINDOW
        self.acknowledged = self.lost = 0
        self._time = time
        self._bottleneck = bottleneck
        self._back = back
        self._threshold = float("inf")
        self._flight = 0
        self._recovery_until = float("-inf")  # losses of what was sent before it count once
        self._round_trip = back + bottleneck.delay
        self._last_heard = time.now
        self._on = False
        self._turn = 0

    def start(self) -> None:
        """Begin, or begin anew, with a new connection."""
        self._turn += 1
        self._on = True
        self.window, self._threshold, self._flight = INITIAL_WINDOW, float("inf"), 0
        self._last_heard = self._time.now
        self._send()
        self._watch(self._turn)

    def stop(self) -> None:
        """Send nothing more."""
        self._on = False
        self._turn += 1

    def _send(self) -> None:
        while self._on and self._flight + 1 <= self.window:
            self._flight += 1
            sent, turn = self._time.now, self._turn
            departure = self._bottleneck.pass_through(SEGMENT, flow=self.name)
            if departure is None:
                self._time.call_later(self._round_trip, partial(self._missed, sent, turn))
            else:
                arrival = departure + self._bottleneck.delay + self._back
                self._time.call_at(arrival, partial(self._acknowledge, sent, turn))

    def _acknowledge(self, sent: float, turn: int) -> None:
        if turn != self._turn:
            return
        now = self._time.now
        self._flight -= 1
        self.acknowledged += 1
        self._last_heard = now
        self._round_trip += (now - sent - self._round_trip) / 8
        if self.window < self._threshold:
            self.window += 1
        else:
            self.window += 1 / self.window
        self._send()

    def _missed(self, sent: float, turn: int) -> None:
        if turn != self._turn:
            return
        self._flight -= 1
        self.lost += 1
        if sent >= self._recovery_until:
            self._threshold = self.window = max(self.window / 2, 2.0)
            self._recovery_until = self._time.now
        self._send()

    def _watch(self, turn: int) -> None:
        """Begin with one segment again where nothing has come back for too long."""
        if turn != self._turn:
            return
        if self._time.now - self._last_heard >= max(TIMEOUT, 2 * self._round_trip):
            self._threshold, self.window = max(self.window / 2, 2.0), 1.0
            self._last_heard = self._time.now
            self._send()
        self._time.call_later(0.2, lambda: self._watch(turn))
