"""Everything that one receive batch brings, written subscriber by subscriber."""

from sfu.forward.lane import Lane
from sfu.timers import Timers
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport

# Packets that are written before they leave, so that the first subscribers do not wait until those
# of the last are encrypted: a fifth less delay for 50 of them, at no cost. A call takes some
# messages still, and finds the packets in the processor's cache.
FLUSH_PACKETS = 128


class Dispatcher:
    """Writes runs transport by transport, so that each subscriber's packets lie together.

    Packets of one size to one address leave in one system call, whichever tracks they belong to:
    that is what makes fifty people's audio as cheap as one person's video.
    """

    def __init__(self, outbox: Outbox, timers: Timers) -> None:
        self.outbox = outbox
        self._timers = timers
        self._waiting: list[Lane] = []

    def lane(self, transport: Transport) -> Lane:
        """The way to one subscriber; one for each transport."""
        return Lane(transport, self.outbox, self._timers, self._waiting)

    def flush(self, *, now: float) -> None:
        """Write everything into the outbox, and tell it when it has enough to be sent."""
        waiting = self._waiting
        written = 0
        for lane in waiting:
            pieces = lane.pieces
            written += len(pieces) * len(pieces[0][0].sizes) if pieces else 0  # about
            lane.flush(now=now)
            if written >= FLUSH_PACKETS:
                written = 0
                self.outbox.on_enough()
        waiting.clear()
