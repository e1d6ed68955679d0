"""What one participant receives: its bandwidth, shared among its subscriptions, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sfu.config import Config
from sfu.forward.allocation import Allocation, Decision
from sfu.forward.allocator import Allocator
from sfu.room.bandwidth import MAXIMUM, Bandwidth, ignore
from sfu.room.decision_record import DecisionRecord, EstimateRecord, told_cause
from sfu.room.demands import Demands, starting_rate
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import MediaStatus
from sfu.timers import Timer, Timers

if TYPE_CHECKING:
    from sfu.room.events import Quality
    from sfu.room.subscription import Subscription
    from sfu.room.subscriptions import Subscriptions
    from sfu.room.trace import Trace
    from sfu.room.track import Track

INTERVAL = 0.25  # s between two looks at the tracks' layers, while something could be better
IDLE_INTERVAL = 1.0  # s, while everybody has what it wants
AMPLE = 1.3  # estimate / need from which on nothing has to be decided
AMPLE_START = 5e6  # bit/s from which on a track may begin with its highest layer


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
        self._demands = Demands(on_wish)
        self._settled: set[str] = set()  # excluded and paused: there is nothing to decide
        self._allocator = Allocator()
        self._allocation: Allocation | None = None
        self._records: dict[str, DecisionRecord] = {}
        self._estimates = EstimateRecord()
        self._seen: tuple[object, ...] = ()
        self._timer: Timer | None = None
        self._bandwidth: Bandwidth | None = None

    def use(self, bandwidth: Bandwidth | None) -> None:
        """Media goes over this transport from now on."""
        if self._bandwidth is not None:
            self._bandwidth.on_change = ignore
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
        self._demands.close(now=now)

    # -- wishes

    def set_settings(self, track_sid: str, settings: TrackSettings, *, now: float) -> None:
        """How the client shows this track."""
        self._demands.set_settings(track_sid, settings)
        self._settled.discard(track_sid)
        if self.trace is not None:
            self.trace.wish(track_sid, settings, now=now)
        self.changed(now)

    def exclude(self, track_sids: frozenset[str], *, now: float) -> None:
        """These tracks are not among those of the last speakers."""
        if track_sids != self._demands.excluded:
            self._demands.excluded = track_sids
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
            self._allocation = None
            self._forget(now)
            return
        self._estimates.note(self._known, at=now + self._wall_offset)
        estimate = self._estimate(carried, now)
        seen = tuple([(s, s.track.points.version(now)) for s in carried])
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

    @property
    def _known(self) -> int | None:
        """Bit/s that the path takes, None where nobody knows."""
        bandwidth = self._bandwidth
        return round(bandwidth.estimator.estimate) if bandwidth and bandwidth.fed else None

    def _estimate(self, carried: list[Subscription], now: float) -> float:
        """Bit/s to share."""
        bandwidth = self._bandwidth
        if bandwidth is None or not self._config.congestion_control:
            return MAXIMUM
        estimate = bandwidth.estimator.estimate
        if bandwidth.fresh(now=now) and not bandwidth.congested:
            estimate = max(estimate, starting_rate([s.track for s in carried], now=now))
        return estimate

    def _allocate(self, carried: list[Subscription], estimate: float, now: float) -> Allocation:
        records = [self._record(s.track.sid) for s in carried]
        demand = self._demands.demand
        demands = [demand(s, record, now) for s, record in zip(carried, records, strict=True)]
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
                [record.layers for record in records],
                allocation,
                estimate=estimate,
                estimated=bandwidth.estimator.estimate if bandwidth is not None else 0.0,
                congested=congested,
                now=now,
            )
        known = bandwidth is not None and self._config.congestion_control and bandwidth.fed
        share = round(estimate) if known else None
        decided = zip(carried, records, allocation.decisions, strict=True)
        for subscription, record, decision in decided:
            self._apply(subscription, record, decision, share, now)
        self._forget(now)
        return allocation

    def _record(self, track_sid: str) -> DecisionRecord:
        record = self._records.get(track_sid)
        if record is None:
            record = self._records[track_sid] = DecisionRecord()
        return record

    def _apply(
        self,
        subscription: Subscription,
        record: DecisionRecord,
        decision: Decision,
        estimate: int | None,
        now: float,
    ) -> None:
        track, slot = subscription.track, subscription.slot
        assert slot is not None
        assert slot.forwarder is not None
        if decision.cause == "last_n":
            self._settled.add(track.sid)
        target = record.target(decision, ample=estimate is None or estimate >= AMPLE_START)
        if slot.forwarder.target != target:
            track.fanout.aim(slot.forwarder, target, now=now)
        self._tell(subscription, decision)
        record.note(decision, estimate, at=now + self._wall_offset, gated=track.gated)

    def _tell(self, subscription: Subscription, decision: Decision) -> None:
        """Change what is told of the subscription, where this decision changes it."""
        if subscription.state == "failed" or decision.cause == "muted":
            return
        if decision.layer is None and decision.cause not in ("not_live", "wanted"):
            self._subscriptions.change(
                subscription, "paused", told_cause(decision), decision.reason
            )
        else:
            self._subscriptions.change(subscription, "active", "")

    def _forget(self, now: float) -> None:
        """Keep no record of what is not received any more."""
        living = {s.track.sid for s in self._subscriptions}
        for sid in self._records.keys() - living:
            del self._records[sid]
        self._demands.retain(living, now=now)

    # -- telling

    def status(self, *, quality: Quality, now: float) -> MediaStatus:
        """What is received now and was in the last minute, and why."""
        tracks, at = [], now + self._wall_offset
        for subscription in self._subscriptions:
            sid = subscription.track.sid
            record = self._records.get(sid) or DecisionRecord()
            tracks.append(record.status(subscription, self._demands.settings(sid), at=at))
        allocation, bandwidth = self._allocation, self._bandwidth
        wanted = round(allocation.wanted) if allocation else 0
        if bandwidth is None:
            return MediaStatus(None, "none", 0.0, 0.0, 0.0, 0, wanted, quality, tuple(tracks))
        estimator = bandwidth.estimator
        return MediaStatus(
            estimate=self._known,
            mode=estimator.mode if bandwidth.fed else "none",
            round_trip=estimator.round_trip,
            loss=estimator.loss,
            queue_delay=estimator.queue_delay,
            sending=round(bandwidth.sending(now=now)),
            wanted=wanted,
            quality=quality,
            tracks=tuple(tracks),
            estimates=self._estimates.samples(at=at),
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
