"""Tells publishers which layers nobody wants, so that they need not encode them."""

from collections.abc import Callable, Hashable

from sfu.room.events import LayersWanted, LayerWanted
from sfu.room.track import Track
from sfu.timers import Timer, Timers

STOP_DELAY = 2.0  # s that nobody must want a layer: tiles change their size, people come and go
NOTHING, ALL = -1, 8  # below and above the spatial layers that there may be


class Dynacast:
    """The wishes for one track's layers, and what its publisher was told of them.

    A layer is wanted where somebody could show it, whether or not the paths take it at the moment.
    What is wanted again is told at once; what is not wanted any more when it stayed so for two
    seconds. Of a stream with spatial layers of its own (SVC), the highest one is told.
    """

    def __init__(
        self,
        track: Track,
        *,
        timers: Timers,
        tell: Callable[[LayersWanted], None],
    ) -> None:
        """All layers are taken to be encoded.

        Args:
            track: The track.
            timers: For what is not wanted any more.
            tell: Called with what the publisher is to know.
        """
        self._track = track
        self._timers = timers
        self._tell = tell
        self._wishes: dict[Hashable, int] = {}
        self._told: tuple[LayerWanted, ...] | None = None
        self._timer: Timer | None = None

    def wish(self, subscriber: Hashable, spatial: int | None, *, now: float) -> None:
        """The highest layer that this subscriber could use; None for none at all."""
        if spatial is None:
            self._wishes.pop(subscriber, None)
        else:
            self._wishes[subscriber] = spatial
        self.update(now)

    def update(self, now: float) -> None:
        """Tell what changed, now or later."""
        wanted = self._wanted()
        if wanted == self._told or (
            self._told is None and all(_reach(one) == ALL for one in wanted)
        ):
            self._cancel()
            return
        told = {one.rid: _reach(one) for one in self._told or ()}
        unknown = ALL if self._told is None else NOTHING
        if any(_reach(one) > told.get(one.rid, unknown) for one in wanted):
            self._cancel()
            self._send(wanted)
        elif self._timer is None:
            self._timer = self._timers.call_at(now + STOP_DELAY, self._stop)

    def repeat(self) -> None:
        """Tell again what was told last, to a publisher that may have missed it."""
        if self._told is not None:
            self._send(self._told)

    def close(self) -> None:
        """The track has ended."""
        self._cancel()
        self._wishes = {}

    def _wanted(self) -> tuple[LayerWanted, ...]:
        highest = max(self._wishes.values(), default=NOTHING)
        encodings = self._track.encodings
        rids = encodings.rids or ("",)
        if len(rids) == 1:
            some = 0 <= highest < encodings.spatial_layers - 1
            return (LayerWanted(rids[0], highest >= 0, highest if some else None),)
        return tuple(LayerWanted(rid, spatial <= highest) for spatial, rid in enumerate(rids))

    def _stop(self, now: float) -> None:
        del now
        self._timer = None
        wanted = self._wanted()
        if wanted != self._told:
            self._send(wanted)

    def _send(self, wanted: tuple[LayerWanted, ...]) -> None:
        self._told = wanted
        self._tell(LayersWanted(self._track, wanted))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _reach(layer: LayerWanted) -> int:
    """How far up the stream is wanted."""
    if not layer.active:
        return NOTHING
    return ALL if layer.spatial is None else layer.spatial
