"""What one participant receives: its bandwidth, shared among its subscriptions, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sfu.config import Config
from sfu.forward.allocation import Allocation, Decision, Demand, Layer, Off
from sfu.forward.allocator import Allocator
from sfu.forward.forwarder import HIGHEST
from sfu.room.bandwidth import MAXIMUM, Bandwidth
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import Change, LayerStatus, MediaStatus, TrackStatus
from sfu.room.wishes import on_the_wire, priority_of, useful_layers
from sfu.timers import Timer, Timers

if TYPE_CHECKING:
    from sfu.room.events import Quality
    from sfu.room.subscription import Slot, Subscription, Subscriptions
    from sfu.room.trace import Trace
    from sfu.room.track import Track

INTERVAL = 0.25  # s between two looks at the tracks' layers, while something could be better
IDLE_INTERVAL = 1.0  # s, while everybody has what it wants
AMPLE = 1.3  # estimate / need from which on nothing has to be decided
AMPLE_START = 5e6  # bit/s from which on a track may begin with its highest layer
HISTORY_TIME = 60.0  # s of decisions that are kept
HISTORY_SIZE = 64  # decisions of one track that are kept
TRUST = 400_000.0  # bit/s of video, or one picture: before anything is known of the path
ALL = TrackSettings()
UNCARRIED = {
    "negotiating": "paused: it is being negotiated",
    "muted": "paused: its publisher has muted it",
    "codec_unsupported": "failed: the client cannot decode its codec",
    "unsubscribed": "failed: the client has stopped its m-line",
    "limit_reached": "paused: there are as many m-lines as there may be",
}


class _Record:
    """What was decided on one subscription."""

    __slots__ = ("decision", "history", "layers", "wanted")

    def __init__(self) -> None:
        self.decision: Decision | None = None
        self.layers: tuple[LayerStatus, ...] = ()
        self.wanted: LayerStatus | None = None
        self.history: deque[Change] = deque(maxlen=HISTORY_SIZE)


class Reception:
    """Decides which layers a participant gets, and remembers why.

    Decisions follow the estimate, the client's wishes and the layers that there are. While the
    estimate is ample they cost next to nothing.

    Attributes:
        trace: Records what is decided, and on what grounds; None for nothing.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        timers: Timers,
        config: Config,
        wall_offset: float,
        on_wish: Callable[[Track, int | None, float], None],
    ) -> None:
        """Nothing is received yet.

        Args:
            subscriptions: What is wanted, and the m-lines that carry it.
            timers: For the next look.
            config: `congestion_control`.
            wall_offset: Unix seconds less monotonic seconds.
            on_wish: Called with a track, the highest spatial layer of it that is of use (None for
                none) and the time, when that changes.
        """
        self.trace: Trace | None = None
        self._subscriptions = subscriptions
        self._timers = timers
        self._config = config
        self._wall_offset = wall_offset
        self._on_wish = on_wish
        self._settings: dict[str, TrackSettings] = {}
        self._excluded: frozenset[str] = frozenset()
        self._settled: set[str] = set()  # of these, those that are paused: nothing is to decide
        self._allocator = Allocator()
        self._allocation: Allocation | None = None
        self._records: dict[str, _Record] = {}
        self._wishes: dict[Track, int | None] = {}
        self._seen: tuple[object, ...] = ()
        self._timer: Timer | None = None
        self._bandwidth: Bandwidth | None = None

    def use(self, bandwidth: Bandwidth | None) -> None:
        """Media goes over this transport from now on."""
        if self._bandwidth is not None:
            self._bandwidth.on_change = _ignore
            self._bandwidth.trace = None
        self._bandwidth = bandwidth
        if bandwidth is not None:
            bandwidth.trace = self.trace
            bandwidth.on_change = self.update

    def close(self, *, now: float) -> None:
        """Nothing is received any more, and nothing is wanted."""
        self.use(None)
        if self.trace is not None:
            self.trace.close(now=now)
        if self._timer:
            self._timer.cancel()
            self._timer = None
        for track in self._wishes:
            self._on_wish(track, None, now)
        self._wishes = {}

    # -- wishes

    def set_settings(self, track_sid: str, settings: TrackSettings, *, now: float) -> None:
        """How the client shows this track."""
        self._settings[track_sid] = settings
        self._settled.discard(track_sid)
        if self.trace is not None:
            self.trace.wish(track_sid, settings, now=now)
        self.changed(now)

    def exclude(self, track_sids: frozenset[str], *, now: float) -> None:
        """These tracks are not among those of the last speakers."""
        if track_sids != self._excluded:
            self._excluded = track_sids
            self._settled &= track_sids
            self.changed(now)

    def renew(self, now: float) -> None:
        """Other m-lines carry the tracks: decide on all of them."""
        self._settled.clear()
        self.changed(now)

    def changed(self, now: float) -> None:
        """Something changed that counts: decide anew, once for all that changes at this time."""
        self._seen = ()
        self._arm(now)

    # -- deciding

    def update(self, now: float) -> None:
        """Decide what is sent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        settled = self._settled
        carried = [
            s
            for s in self._subscriptions
            if s.slot and s.slot.forwarder and s.track.sid not in settled
        ]
        if not carried:
            self._forget((), now)
            return
        estimate = self._estimate(carried, now)
        seen = tuple([(s, s.track.layout(now=now)) for s in carried])
        allocation = self._allocation
        if (
            allocation is None
            or seen != self._seen
            or allocation.total < allocation.wanted
            or estimate < AMPLE * allocation.wanted
        ):
            self._seen = seen
            allocation = self._allocate(carried, estimate, now)
        bandwidth = self._bandwidth
        ample = allocation.total >= allocation.wanted
        if bandwidth is not None:
            bandwidth.relax(ample and bandwidth.estimator.estimate >= AMPLE * allocation.wanted)
        if bandwidth is not None and (not ample or estimate > bandwidth.estimator.estimate):
            forwarders = [s.slot.forwarder for s in carried if s.slot and s.slot.forwarder]
            goal = max(allocation.goal, AMPLE * allocation.total)
            bandwidth.probe(goal, forwarders, now=now)
        when = now + (IDLE_INTERVAL if ample else INTERVAL)
        if allocation.next_time is not None:
            when = min(when, max(allocation.next_time, now + 0.01))
        self._arm(when)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when <= when:
                return
            self._timer.cancel()
        self._timer = self._timers.call_at(when, self._look)

    def _look(self, now: float) -> None:
        self._timer = None
        self.update(now)

    def _estimate(self, carried: list[Subscription], now: float) -> float:
        """Bit/s to share."""
        bandwidth = self._bandwidth
        if bandwidth is None or not self._config.congestion_control:
            return MAXIMUM
        estimate = bandwidth.estimator.estimate
        if bandwidth.fresh(now=now) and not bandwidth.congested:
            # A picture comes first; whether the path takes it shows in the feedback.
            audio = video = largest = 0.0
            for subscription in carried:
                track = subscription.track
                layers = track.layers(now=now)
                lowest = on_the_wire(track.kind, layers[0].bitrate) if layers else 0
                if track.kind == "audio":
                    audio += lowest
                else:
                    video += lowest
                    largest = max(largest, lowest)
            estimate = max(estimate, 1.2 * (audio + min(video, max(TRUST, largest))))
        return estimate

    def _allocate(self, carried: list[Subscription], estimate: float, now: float) -> Allocation:
        demands = [self._demand(subscription, now) for subscription in carried]
        bandwidth = self._bandwidth
        congested = bandwidth is not None and bandwidth.congested
        allocation = self._allocator.allocate(
            demands,
            estimate=estimate,
            now=now,
            congested=congested,
            carried=bandwidth.estimator.carried if bandwidth is not None else 0.0,
        )
        self._allocation = allocation
        if self.trace is not None:
            self.trace.allocation(
                demands,
                [self._records[s.track.sid].layers for s in carried],
                allocation,
                estimate=estimate,
                estimated=bandwidth.estimator.estimate if bandwidth is not None else 0.0,
                congested=congested,
                now=now,
            )
        known = bandwidth is not None and self._config.congestion_control and bandwidth.fed
        for subscription, decision in zip(carried, allocation.decisions, strict=True):
            self._apply(subscription, decision, round(estimate) if known else None, now)
        self._forget(carried, now)
        return allocation

    def _demand(self, subscription: Subscription, now: float) -> Demand:
        track = subscription.track
        settings = self._settings.get(track.sid, ALL)
        record = self._records.get(track.sid)
        if record is None:
            record = self._records[track.sid] = _Record()
        off: Off = ""
        if track.muted:
            off = "muted"
        elif settings.paused:
            off = "paused_by_client"
        elif not settings.visible and track.kind == "video":
            off = "hidden"
        elif track.sid in self._excluded:
            off = "last_n"
        layers = record.layers = tuple(track.layers(now=now))
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
            wish = track.spatial_for(settings, layer.spatial)
        if self._wishes.get(track, -1) != wish:
            self._wishes[track] = wish
            self._on_wish(track, wish, now)

    def _apply(
        self, subscription: Subscription, decision: Decision, estimate: int | None, now: float
    ) -> None:
        track, slot = subscription.track, subscription.slot
        assert slot is not None
        assert slot.forwarder is not None
        record = self._records[track.sid]
        if decision.cause == "last_n":
            self._settled.add(track.sid)
        layer = decision.layer
        target: tuple[int, int] | None = None
        if layer is not None:
            # The best there is stays the best there is, whatever comes.
            best = record.layers[-1]
            top = (layer.spatial, layer.temporal) == (best.spatial, best.temporal)
            highest = max(point.temporal for point in record.layers)
            target = (
                layer.spatial,
                HIGHEST if top or layer.temporal == highest else layer.temporal,
            )
        elif decision.cause == "not_live":
            # From its first packet on; which layers there are is known a moment later.
            ample = estimate is None or estimate >= AMPLE_START
            target = (HIGHEST if ample else 0, HIGHEST)
        if slot.forwarder.target != target:
            track.fanout.aim(slot.forwarder, target, now=now)
        self._tell(subscription, decision)
        before = record.decision
        record.decision = decision
        if before is None or (before.cause, before.layer and _point(before.layer)) != (
            decision.cause,
            layer and _point(layer),
        ):
            chosen = next((p for p in record.layers if _is(p, layer)), None)
            record.history.append(
                Change(now + self._wall_offset, chosen, decision.cause, decision.reason, estimate)
            )

    def _tell(self, subscription: Subscription, decision: Decision) -> None:
        """Change what is told of the subscription, where this decision changes it."""
        if subscription.state == "failed" or decision.cause == "muted":
            return
        if decision.layer is None and decision.cause not in ("not_live", "wanted"):
            self._subscriptions.change(subscription, "paused", _cause(decision), decision.reason)
        else:
            self._subscriptions.change(subscription, "active", "")

    def _forget(self, carried: object, now: float) -> None:
        """Keep no record of what is not received any more."""
        living = {s.track.sid for s in self._subscriptions}
        for kept in (self._records, self._settings):
            for sid in kept.keys() - living:
                del kept[sid]
        for track in [track for track in self._wishes if track.sid not in living]:
            del self._wishes[track]
            self._on_wish(track, None, now)
        if not carried:
            self._allocation = None

    # -- telling

    def status(self, *, quality: Quality, now: float) -> MediaStatus:
        """What is received now and was in the last minute, and why."""
        tracks = []
        for subscription in self._subscriptions:
            record = self._records.get(subscription.track.sid)
            tracks.append(self._track_status(subscription, record, now))
        allocation, bandwidth = self._allocation, self._bandwidth
        wanted = round(allocation.wanted) if allocation else 0
        if bandwidth is None:
            return MediaStatus(None, "none", 0.0, 0.0, 0.0, 0, wanted, quality, tuple(tracks))
        estimator = bandwidth.estimator
        return MediaStatus(
            estimate=round(estimator.estimate) if bandwidth.fed else None,
            mode=estimator.mode if bandwidth.fed else "none",
            round_trip=estimator.round_trip,
            loss=estimator.loss,
            queue_delay=estimator.queue_delay,
            sending=round(bandwidth.sending(now=now)),
            wanted=wanted,
            quality=quality,
            tracks=tuple(tracks),
        )

    def video(self) -> tuple[float, float]:
        """Bit/s of all video that is wanted, and of what was chosen of it."""
        wanted = chosen = 0.0
        for subscription in self._subscriptions:
            record = self._records.get(subscription.track.sid)
            if subscription.track.kind == "video" and record is not None and record.decision:
                decision = record.decision
                wanted += decision.wants
                chosen += decision.layer.bitrate if decision.layer is not None else 0.0
        return wanted, chosen

    def _track_status(
        self, subscription: Subscription, record: _Record | None, now: float
    ) -> TrackStatus:
        track = subscription.track
        settings = self._settings.get(track.sid, ALL)
        if subscription.state == "failed" or record is None or record.decision is None:
            # Nothing was decided: there is no m-line for it, or not one that can carry it.
            cause = subscription.reason or "negotiating"
            layers = record.layers if record is not None else ()
            return TrackStatus(
                track, settings, layers, None, None, None, cause, UNCARRIED[cause], ()
            )
        since = now + self._wall_offset - HISTORY_TIME
        decision = record.decision
        cause, reason = _cause(decision), decision.reason
        if track.gated:
            cause, reason = "last_n", "paused: others are louder"
        return TrackStatus(
            track=track,
            settings=settings,
            layers=record.layers,
            wanted=record.wanted,
            chosen=next((p for p in record.layers if _is(p, decision.layer)), None),
            current=_current(subscription.slot, record.layers),
            cause=cause,
            reason=reason,
            history=tuple(change for change in record.history if change.at >= since),
        )


def _ignore(now: float) -> None:
    """Nobody shares the estimate."""


def _cause(decision: Decision) -> str:
    """As clients are told."""
    return "paused" if decision.cause == "paused_by_client" else decision.cause


def _point(layer: Layer) -> tuple[int, int]:
    return layer.spatial, layer.temporal


def _is(point: LayerStatus, layer: Layer | None) -> bool:
    return layer is not None and (point.spatial, point.temporal) == _point(layer)


def _current(slot: Slot | None, layers: tuple[LayerStatus, ...]) -> LayerStatus | None:
    """The layer that is being sent, of those that there are."""
    current = slot.forwarder.current if slot and slot.forwarder else None
    if current is None:
        return None
    spatial, temporal = current
    return next(
        (p for p in reversed(layers) if p.spatial == spatial and p.temporal <= temporal), None
    )
