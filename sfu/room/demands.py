"""What one participant wants of the tracks that it receives, as the allocator is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sfu.forward.allocation import Demand, Layer, Off
from sfu.forward.forwarder import HIGHEST
from sfu.room.media_settings import TrackSettings
from sfu.room.wishes import on_the_wire, priority_of, useful_layers

if TYPE_CHECKING:
    from sfu.room.decision_record import DecisionRecord
    from sfu.room.media_status import LayerStatus
    from sfu.room.subscription import Subscription
    from sfu.room.track import Track

TRUST = 400_000.0  # bit/s of video, or one picture: before anything is known of the path
SHOWN = TrackSettings()  # until the client says how


class Demands:
    """Makes demands of a client's settings and the layers that there are.

    Whoever publishes is told which layer of its track is of use, be it live or not.

    Attributes:
        excluded: Sids of the tracks that are not among those of the last speakers.
    """

    def __init__(self, on_wish: Callable[[Track, int | None, float], None]) -> None:
        """Everything is shown, in a size that is not known.

        Args:
            on_wish: Called with a track, the highest spatial layer of it that is of use (None for
                none) and the time, when that changes.
        """
        self.excluded: frozenset[str] = frozenset()
        self._on_wish = on_wish
        self._settings: dict[str, TrackSettings] = {}
        self._wishes: dict[Track, int | None] = {}

    def settings(self, track_sid: str) -> TrackSettings:
        """How the client shows this track."""
        return self._settings.get(track_sid, SHOWN)

    def set_settings(self, track_sid: str, settings: TrackSettings) -> None:
        """The client shows this track so from now on."""
        self._settings[track_sid] = settings

    def demand(self, subscription: Subscription, record: DecisionRecord, now: float) -> Demand:
        """What the allocator is asked for a subscription that an m-line carries.

        The layers that there are, and the one that is wanted of them, go into its record.
        """
        track = subscription.track
        settings = self._settings.get(track.sid, SHOWN)
        off: Off = ""
        if track.muted:
            off = "muted"
        elif settings.paused:
            off = "paused_by_client"
        elif not settings.visible and track.kind == "video":
            off = "hidden"
        elif track.sid in self.excluded:
            off = "last_n"
        layers = record.layers = tuple(track.points.get(now))
        useful = useful_layers(layers, settings, source=track.source) if layers else ()
        record.wanted = useful[-1] if useful and not off else None
        self._wish(track, record.wanted, off, settings, now)
        slot = subscription.slot
        assert slot is not None
        assert slot.forwarder is not None
        return Demand(
            key=track.sid,
            kind=track.kind,
            source=track.source,
            priority=priority_of(track.source, settings),
            layers=[
                Layer(
                    layer.spatial,
                    layer.temporal,
                    on_the_wire(track.kind, layer.bitrate, layer.fps),
                )
                for layer in useful
            ],
            wanted=len(useful) - 1 if record.wanted else None,
            off=off,
            current=slot.forwarder.current,
            pixels=settings.width * settings.height,
        )

    def _wish(
        self, track: Track, layer: LayerStatus | None, off: Off, settings: TrackSettings, now: float
    ) -> None:
        """Tell the publisher's side which layer is of use, also while it does not come."""
        if off:
            wish = None
        elif settings.layer is not None:
            wish = settings.layer
        elif layer is None or not (settings.width or settings.height):
            wish = HIGHEST
        else:
            wish = track.encodings.spatial_for(settings, layer.spatial)
        if self._wishes.get(track, -1) != wish:
            self._wishes[track] = wish
            self._on_wish(track, wish, now)

    def retain(self, track_sids: set[str], *, now: float) -> None:
        """No other tracks than these are received any more."""
        for sid in self._settings.keys() - track_sids:
            del self._settings[sid]
        for track in [track for track in self._wishes if track.sid not in track_sids]:
            del self._wishes[track]
            self._on_wish(track, None, now)

    def close(self, *, now: float) -> None:
        """Nothing is wanted any more."""
        for track in self._wishes:
            self._on_wish(track, None, now)
        self._wishes = {}


def starting_rate(tracks: Iterable[Track], *, now: float) -> float:
    """Bit/s that are tried on a path of which nothing is known.

    A picture comes first; whether the path takes it shows in the feedback.
    """
    audio = video = largest = 0.0
    for track in tracks:
        layers = track.points.get(now)
        lowest = on_the_wire(track.kind, layers[0].bitrate) if layers else 0
        if track.kind == "audio":
            audio += lowest
        else:
            video += lowest
            largest = max(largest, lowest)
    return 1.2 * (audio + min(video, max(TRUST, largest)))
