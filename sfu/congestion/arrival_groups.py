"""Groups of packets that were sent together, as the delay-based estimator sees them.

draft-ietf-rmcat-gcc-02 section 5.2, with one change: our bursts are whole frames, and how long the
last packet of a frame takes says how large the frame is before it says how long the queue is. So a
group stands for the one of its bursts that came quickest, by its first packet: what that waited for
is what was in the queue before the frame.
"""

from typing import NamedTuple

from sfu.congestion.history import AckedBurst

SPAN = 0.005  # s; what is sent within it is one group (gcc-02 5.2: burst_time)
MAX_JOINED = 0.1  # s; what arrives in a heap longer than that is not one heap of a radio link


class ArrivalGroup(NamedTuple):
    """Some bursts.

    Attributes:
        send_time: Of the burst that came quickest, our seconds.
        arrival: Of its first packet, the receiver's seconds.
        size: Bytes of all of them.
    """

    send_time: float
    arrival: float
    size: int


class ArrivalGroups:
    """Collects acknowledged bursts into groups; a group is whole when a later one begins."""

    __slots__ = ("_arrival", "_delay", "_first_arrival", "_first_send", "_last", "_send", "_size")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again, with arrival times that need not fit to those before."""
        self._first_send: float | None = None
        self._send = self._arrival = self._delay = 0.0
        self._first_arrival = self._last = 0.0
        self._size = 0

    def add(self, burst: AckedBurst) -> ArrivalGroup | None:
        """Add a burst of which something came; returns the group that it ended.

        A burst that is older than the group is left out: it was lost at first, or overtaken.
        """
        send, arrival = burst.send_time, burst.first_arrival
        first_send = self._first_send
        ended = None
        if first_send is not None:
            if send < first_send:
                return None
            delay = arrival - send
            if send - first_send <= SPAN or (
                # It waited in a radio link, say, until that sent all that it had at once.
                delay < self._delay
                and arrival - self._last <= SPAN
                and arrival - self._first_arrival < MAX_JOINED
            ):
                if delay < self._delay:
                    self._send, self._arrival, self._delay = send, arrival, delay
                self._last = max(self._last, burst.last_arrival)
                self._size += burst.size
                return None
            ended = ArrivalGroup(self._send, self._arrival, self._size)
        self._first_send = self._send = send
        self._first_arrival = self._arrival = arrival
        self._delay = arrival - send
        self._last = burst.last_arrival
        self._size = burst.size
        return ended
