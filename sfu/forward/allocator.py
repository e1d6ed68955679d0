"""How a subscriber's bandwidth is shared among its tracks."""

from collections import deque
from collections.abc import Hashable, Sequence
from heapq import heapify, heappop, heappush

from sfu.forward.allocation import Allocation, Cause, Decision, Demand
from sfu.forward.patience import NEVER, Patience
from sfu.forward.track_share import TrackShare

HEADROOM = 1.15  # estimate / need at which an improvement is made at once
STABLE_TIME = 1.5  # s that the estimate must have had room for an improvement, without headroom
TOLERANCE = 0.05  # share by which what is sent may pass the estimate for a short time…
GRACE = 0.2  # s; … two feedback intervals: so short an excess fits into the queues
CARRIED_TIME = 1.5  # s; so long what still goes through is not given up: a key frame has passed
CARRIED_SHARE = 0.9  # of what is sent: both are measured over a few frames
KEPT_SHARE = 0.95  # of what still goes through: sending so much, a short queue goes away
TRIAL_FACTOR = 2.0  # times as long after each failure: what was too much is tried again …
MAX_TRIAL_HOLD = 32.0  # s; … as rarely, where it is as much as was too much before …
BEYOND = 1.3  # … and the estimate not so many times that


class Allocator:
    """Shares one subscriber's estimate among its tracks.

    Audio comes first and is sent even beyond the estimate. Then every video track gets its lowest
    layer, screen shares first, the others by priority and size. What is left goes to improvements,
    layer by layer: screen shares up to what is wanted of them, then always to the track that will
    have the fewest bit/s for its priority and pixels. What does not fit is passed over, so that a
    cheaper improvement of another track uses the room.

    Viewers notice changes more than layers, so what a track has it keeps more easily than another
    gains it. An improvement needs an estimate with `HEADROOM`, or one that had room for it for
    `STABLE_TIME`; an excess within `TOLERANCE` is borne for `GRACE`, unless there is congestion,
    and what evidently goes through for `CARRIED_TIME`, most of it for longer. When an improvement
    fails, the total that was too much is tried again later each time, unless the estimate goes far
    `BEYOND` it; less than that is not held back. A track that becomes wanted starts at once, and
    none takes the room that a more important one will begin with in a moment.
    """

    def __init__(self) -> None:
        self._tracks: dict[Hashable, TrackShare] = {}
        self._lows: deque[tuple[float, float]] = deque()  # (time, estimate), ascending in both
        self._excess_since = NEVER  # more has been sent than the estimate since then
        self._ceiling = 0.0  # bit/s that were too much, the last time
        self._patience = Patience(STABLE_TIME, factor=TRIAL_FACTOR, longest=MAX_TRIAL_HOLD)

    def allocate(
        self,
        demands: Sequence[Demand],
        *,
        estimate: float,
        now: float,
        congested: bool = False,
        carried: float = 0.0,
    ) -> Allocation:
        """Decide on all tracks; to be called with each new estimate, wish or set of layers.

        Args:
            demands: All tracks of the subscriber; keys that are missing are forgotten.
            estimate: bit/s that the path to the subscriber takes.
            now: Monotonic seconds.
            congested: Whether delay or loss tells that the path takes less than is sent now:
                nothing is borne then but what is carried, and nothing is added.
            carried: bit/s that evidently go through now, whatever the estimate is; 0 where that is
                not known.
        """
        audio = 0.0
        wanted = 0.0
        tracks: list[TrackShare] = []
        before = self._tracks
        self._tracks = known = {}
        for position, demand in enumerate(demands):
            if demand.wanted is None or demand.off or not demand.layers:
                continue
            top = demand.layers[min(demand.wanted, len(demand.layers) - 1)]
            wanted += top.bitrate
            if demand.kind == "audio":
                audio += top.bitrate
                continue
            track = before.get(demand.key) or TrackShare(demand.current)
            known[demand.key] = track
            track.begin(demand, position, now)
            tracks.append(track)
        sent = audio + sum([t.layers[t.has].bitrate for t in tracks if t.has >= 0])
        held, firm = self._limits(sent, estimate, carried, congested, now)
        total = self._share(tracks, audio, wanted, held, firm)
        changes = [track.settle(now) for track in tracks]
        if -1 in changes:
            if self._patience.fell(now):
                self._ceiling = sent
        elif 1 in changes:
            self._patience.rose = now
        return Allocation(
            decisions=tuple(
                [self._decide(demand, estimate - total, total, now) for demand in demands]
            ),
            total=total,
            wanted=wanted,
            goal=self._goal(tracks, total, now),
            next_time=self._next_time(tracks, now),
        )

    def _limits(
        self,
        sent: float,
        estimate: float,
        carried: float,
        congested: bool,
        now: float,
    ) -> tuple[float, float]:
        """The totals up to which layers may be kept, and up to which they may be added."""
        lows = self._lows
        while lows and lows[-1][1] >= estimate:
            lows.pop()
        lows.append((now, estimate))
        while lows[0][0] <= now - STABLE_TIME:
            lows.popleft()
        firm = estimate / HEADROOM
        if sent > estimate:
            if self._excess_since == NEVER:
                self._excess_since = now
            since = self._excess_since
            held = estimate
            through = sent * CARRIED_SHARE <= carried
            short = sent * (1 - TOLERANCE) <= estimate and now < since + GRACE
            near = through and sent * CARRIED_SHARE <= estimate
            if (not congested and (short or near)) or (through and now < since + CARRIED_TIME):
                held = sent
            elif through:
                # A little less, and its queue goes away: what is left is another excess.
                held = max(estimate, KEPT_SHARE * carried)
                self._excess_since = now
        else:
            self._excess_since = NEVER
            held = estimate
            firm = max(firm, lows[0][1])
        if now < self._patience.until and estimate < BEYOND * self._ceiling:
            firm = min(firm, KEPT_SHARE * self._ceiling)
        return held, min(firm, sent) if congested else firm

    def _share(
        self, tracks: list[TrackShare], audio: float, wanted: float, held: float, firm: float
    ) -> float:
        """Set the index of all tracks; returns the total."""
        if wanted <= firm and all(t.free or t.has == t.top for t in tracks):
            for track in tracks:
                track.index = track.top
            return wanted
        total = audio
        waiting = 0.0  # bit/s kept free for tracks that are more important, but begin later
        steps: list[tuple[int, float, int, TrackShare]] = []
        for track in sorted(tracks, key=TrackShare.importance):
            lowest = track.layers[0].bitrate
            cost = total + lowest
            limit = track.limit(0, held, firm)
            if cost > limit and cost <= held:
                waiting += lowest
            elif cost <= limit if track.has >= 0 else cost + waiting <= limit:
                total = cost
                track.index = 0
                if track.top > 0:
                    steps.append(track.step())
        heapify(steps)
        while steps:
            track = heappop(steps)[3]
            index = track.index + 1
            cost = total + track.layers[index].bitrate - track.layers[index - 1].bitrate
            if cost <= track.limit(index, held, firm):
                total = cost
                track.index = index
                if index < track.top:
                    heappush(steps, track.step())
        return total

    def _decide(self, demand: Demand, spare: float, total: float, now: float) -> Decision:
        """The decision on one demand, where `spare` bit/s are left over."""
        layers = demand.layers
        if demand.wanted is None or demand.off or not layers:
            off: Cause = demand.off or ("hidden" if layers else "not_live")
            return Decision(demand.key, None, off, 0.0, None, 0.0)
        top = index = min(demand.wanted, len(layers) - 1)
        if demand.kind != "audio":
            index = self._tracks[demand.key].index
        layer = layers[index] if index >= 0 else None
        available = max(0.0, spare + layer.bitrate if layer else spare)
        wants = layers[top].bitrate
        if index == top:
            return Decision(demand.key, layer, "wanted", wants, None, available)
        step = layers[index + 1]
        failed = self._has_failed(total + step.bitrate - (layer.bitrate if layer else 0.0), now)
        return Decision(demand.key, layer, "bandwidth", wants, step, available, failed)

    def _goal(self, tracks: list[TrackShare], total: float, now: float) -> float:
        """The estimate at which the cheapest improvement is made.

        To the highest wanted frame rate of the next spatial layer: probing for each temporal layer
        would be many small changes in place of one.
        """
        least = None
        for track in tracks:
            if track.index < track.top:
                layers = track.layers
                goal = track.index + 1
                while goal < track.top and layers[goal + 1].spatial == layers[goal].spatial:
                    goal += 1
                cost = layers[goal].bitrate
                if track.index >= 0:
                    cost -= layers[track.index].bitrate
                if least is None or cost < least:
                    least = cost
        if least is None:
            return total
        beyond = BEYOND * self._ceiling if self._has_failed(total + least, now) else 0.0
        return max((total + least) * HEADROOM, beyond)

    def _has_failed(self, total: float, now: float) -> bool:
        """Whether as much was too much a short time ago."""
        return now < self._patience.until and total > KEPT_SHARE * self._ceiling

    def _next_time(self, tracks: list[TrackShare], now: float) -> float | None:
        short = [track for track in tracks if track.index < track.top]
        times = [self._excess_since + GRACE, self._excess_since + CARRIED_TIME]
        if short:
            times.append(self._patience.until)
            if len(self._lows) > 1:
                times.append(self._lows[0][0] + STABLE_TIME)
            for track in short:
                times += track.times()
        return min([time for time in times if time > now], default=None)
