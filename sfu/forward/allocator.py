"""How a subscriber's bandwidth is shared among its tracks."""

from collections import deque
from collections.abc import Hashable, Sequence
from heapq import heapify, heappop, heappush

from sfu.forward.allocation import Allocation, Cause, Decision, Demand, Layer

HEADROOM = 1.15  # estimate / need at which an improvement is made at once
STABLE_TIME = 1.5  # s that the estimate must have had room for an improvement, without headroom
TOLERANCE = 0.05  # share by which what is sent may pass the estimate for a short time…
GRACE = 0.2  # s; … two feedback intervals: so short an excess fits into the queues
CARRIED_TIME = 1.5  # s; so long what still goes through is not given up: a key frame has passed
CARRIED_SHARE = 0.9  # of what is sent: both are measured over a few frames
KEPT_SHARE = 0.95  # of what still goes through: sending so much, a short queue goes away
REST = 2.0  # s between two improvements of a track: its effect must show in the estimate first
FIRST_HOLD = 1.0  # s after a track went down until it may go up again
MAX_HOLD = 16.0  # s; what this grows to while improvements of the track fail
TRIAL_FACTOR = 2.0  # times as long after each failure: what was too much is tried again …
MAX_TRIAL_HOLD = 32.0  # s; … as rarely, where it is as much as was too much before …
BEYOND = 1.3  # … and the estimate not so many times that
FAILURE_TIME = 10.0  # s; an improvement that does not last so long has failed
FORGIVENESS = 30.0  # s without going down after which failures are forgotten
STICKINESS = 0.8  # what a track has counts as this much cheaper than what another would gain
DEFAULT_PIXELS = 320 * 180  # where the size in which a track is shown is unknown
NEVER = float("-inf")


class _Patience:
    """How long to wait after a loss: longer each time that an improvement failed."""

    __slots__ = ("_factor", "_first", "_interval", "_longest", "fell_at", "rose", "until")

    def __init__(self, first: float, *, factor: float, longest: float) -> None:
        self.rose = NEVER  # when there was an improvement, if it has not failed yet
        self.until = NEVER  # wait until then
        self.fell_at = NEVER
        self._first = self._interval = first
        self._factor = factor
        self._longest = longest

    def fell(self, now: float) -> bool:
        """There was a loss; returns whether it is not the consequence of another."""
        first = self.rose != NEVER or now - self.fell_at > FAILURE_TIME
        if now - self.rose < FAILURE_TIME:
            self._interval = min(self._factor * self._interval, self._longest)
        elif now - self.fell_at > FORGIVENESS:
            self._interval = self._first
        self.rose = NEVER  # however many losses follow, one improvement has failed
        self.fell_at = now
        self.until = now + self._interval
        return first


class _Track:
    """What is known of one video track: its demand, its present share, and its past."""

    __slots__ = (
        "demand",
        "free",
        "has",
        "index",
        "layer",
        "layers",
        "new",
        "patience",
        "position",
        "rank",
        "rest_until",
        "returns",
        "top",
        "wanted",
        "weight",
    )

    def __init__(self, current: tuple[int, int] | None) -> None:
        self.demand: Demand
        self.layers: Sequence[Layer]
        self.layer = current  # spatial and temporal layer that it was given
        self.new = True  # has not been decided on since it became wanted
        self.wanted = (-1, -1)
        self.patience = _Patience(FIRST_HOLD, factor=2.0, longest=MAX_HOLD)
        self.rest_until = NEVER

    def begin(self, demand: Demand, position: int, now: float) -> None:
        """Take what it needs this time."""
        layers = demand.layers
        assert demand.wanted is not None
        self.demand = demand
        self.layers = layers
        self.position = position
        self.top = top = min(demand.wanted, len(layers) - 1)
        self.rank = 0 if demand.source == "screen_share" else 1
        self.weight = demand.priority * (demand.pixels or DEFAULT_PIXELS)
        self.index = -1
        wanted = (layers[top].spatial, layers[top].temporal)
        if wanted != self.wanted:
            self.wanted = wanted
            self.rest_until = NEVER  # a wish of the client's, not of ours
        self.free = now >= self.patience.until and now >= self.rest_until
        self.returns = now >= self.patience.fell_at + FIRST_HOLD
        self.has = -1 if self.layer is None else self._find(self.layer)

    def _find(self, given: tuple[int, int]) -> int:
        """The index of what it was given, or of the next lower one where that is gone."""
        for index in range(self.top, 0, -1):
            layer = self.layers[index]
            if (layer.spatial, layer.temporal) <= given:
                return index
        return 0

    def limit(self, index: int, held: float, firm: float) -> float:
        """Up to which total the step to this index may be made."""
        if index <= self.has or (self.new and index == 0):
            return held
        # However often it failed, a pause is no longer than it must be: what is too much for all
        # tracks together is known.
        return firm if (self.returns if index == 0 else self.free) else NEVER

    def settle(self, now: float) -> int:
        """Note what it was given; returns -1 for less than it had, 1 for more, else 0."""
        change = 0
        if self.index < self.has:
            change = -1
            self.patience.fell(now)
        elif self.index > self.has and not self.new:
            change = 1
            self.patience.rose = now
            if self.has >= 0:
                self.rest_until = now + REST
        self.new = False
        self.layer = None
        if self.index >= 0:
            layer = self.layers[self.index]
            self.layer = (layer.spatial, layer.temporal)
        return change


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
        self._tracks: dict[Hashable, _Track] = {}
        self._lows: deque[tuple[float, float]] = deque()  # (time, estimate), ascending in both
        self._excess_since = NEVER  # more has been sent than the estimate since then
        self._ceiling = 0.0  # bit/s that were too much, the last time
        self._patience = _Patience(STABLE_TIME, factor=TRIAL_FACTOR, longest=MAX_TRIAL_HOLD)

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
        tracks: list[_Track] = []
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
            track = before.get(demand.key) or _Track(demand.current)
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
        self, tracks: list[_Track], audio: float, wanted: float, held: float, firm: float
    ) -> float:
        """Set the index of all tracks; returns the total."""
        if wanted <= firm and all(t.free or t.has == t.top for t in tracks):
            for track in tracks:
                track.index = track.top
            return wanted
        total = audio
        waiting = 0.0  # bit/s kept free for tracks that are more important, but begin later
        steps: list[tuple[int, float, int, _Track]] = []
        for track in sorted(tracks, key=_importance):
            lowest = track.layers[0].bitrate
            cost = total + lowest
            limit = track.limit(0, held, firm)
            if cost > limit and cost <= held:
                waiting += lowest
            elif cost <= limit if track.has >= 0 else cost + waiting <= limit:
                total = cost
                track.index = 0
                if track.top > 0:
                    steps.append(_step(track))
        heapify(steps)
        while steps:
            track = heappop(steps)[3]
            index = track.index + 1
            cost = total + track.layers[index].bitrate - track.layers[index - 1].bitrate
            if cost <= track.limit(index, held, firm):
                total = cost
                track.index = index
                if index < track.top:
                    heappush(steps, _step(track))
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

    def _goal(self, tracks: list[_Track], total: float, now: float) -> float:
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

    def _next_time(self, tracks: list[_Track], now: float) -> float | None:
        short = [track for track in tracks if track.index < track.top]
        times = [self._excess_since + GRACE, self._excess_since + CARRIED_TIME]
        if short:
            times.append(self._patience.until)
            if len(self._lows) > 1:
                times.append(self._lows[0][0] + STABLE_TIME)
            for track in short:
                times += (track.patience.until, track.rest_until)
                times.append(track.patience.fell_at + FIRST_HOLD)
        return min([time for time in times if time > now], default=None)


def _importance(track: _Track) -> tuple[int, int, int, bool, int]:
    """Sorts the tracks that get their lowest layer first to the front."""
    demand = track.demand
    return track.rank, -demand.priority, -demand.pixels, track.has < 0, track.position


def _step(track: _Track) -> tuple[int, float, int, _Track]:
    """Sorts the next improvement of a track among those of others; positions are unique."""
    index = track.index + 1
    need = track.layers[index].bitrate / track.weight
    return track.rank, need * STICKINESS if index <= track.has else need, track.position, track
