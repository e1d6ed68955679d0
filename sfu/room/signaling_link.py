"""How a participant hears of its room, also when its signaling breaks and comes back."""

from collections.abc import Callable

from sfu.room.events import NegotiationNeeded, RoomEvent
from sfu.timers import Timer, Timers

NEGOTIATION_DELAY = 0.05  # s; who publishes a camera and a microphone makes one offer of them

Listener = Callable[[RoomEvent], None]


class SignalingLink:
    """Tells one listener at a time what happens.

    Nobody hears while signaling is lost; if that lasts for the grace period, it is given up. Needs
    to negotiate are told once for all that come together.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        timers: Timers,
        grace_period: float,
        on_timeout: Callable[[float], None],
    ) -> None:
        """The participant is joining: needs to negotiate are told as soon as it has.

        Args:
            listener: Hears what happens.
            timers: For what is told later.
            grace_period: Seconds that signaling may be lost.
            on_timeout: Called with the time when it was lost for longer.
        """
        self._listener: Listener | None = listener
        self._timers = timers
        self._grace_period = grace_period
        self._on_timeout = on_timeout
        self._joining = True
        self._grace_timer: Timer | None = None
        self._negotiation_timer: Timer | None = None

    @property
    def lost(self) -> bool:
        """Whether nobody hears, for now."""
        return self._listener is None

    def settle(self) -> None:
        """All that was there when it joined is subscribed to: later needs are coalesced."""
        self._joining = False

    def notify(self, event: RoomEvent) -> None:
        """Tell the listener, where there is one."""
        if self._listener is not None:
            self._listener(event)

    def negotiation_needed(self, now: float) -> None:
        """What the participant receives has changed."""
        if self._negotiation_timer is None:
            self._negotiation_timer = self._timers.call_at(
                now if self._joining else now + NEGOTIATION_DELAY, self._negotiate
            )

    def _negotiate(self, now: float) -> None:
        del now
        self._negotiation_timer = None
        self.notify(NegotiationNeeded())

    def detach(self, *, now: float) -> None:
        """Signaling was lost: the grace period begins, unless it has."""
        self._listener = None
        if self._grace_timer is None:
            self._grace_timer = self._timers.call_at(now + self._grace_period, self._on_timeout)

    def attach(self, listener: Listener) -> None:
        """Signaling is back, or another connection takes over."""
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None
        self._listener = listener

    def close(self) -> None:
        """The participant has left."""
        self._listener = None
        for timer in (self._grace_timer, self._negotiation_timer):
            if timer is not None:
                timer.cancel()
