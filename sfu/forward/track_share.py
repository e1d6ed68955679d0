"""One video track among those that share a subscriber's bandwidth."""

from collections.abc import Sequence

from sfu.forward.allocation import Demand, Layer
from sfu.forward.patience import NEVER, Patience

REST = 2.0  # s between two improvements of a track: its effect must show in the estimate first
FIRST_HOLD = 1.0  # s after a track went down until it may go up again
MAX_HOLD = 16.0  # s; what this grows to while improvements of the track fail
STICKINESS = 0.8  # what a track has counts as this much cheaper than what another would gain
DEFAULT_PIXELS = 320 * 180  # where the size in which a track is shown is unknown


class TrackShare:
    """What is known of one video track: its demand, its present share, and its past."""

    __slots__ = (
        "demand",
        "failed",
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
        "rested",
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
        self.patience = Patience(FIRST_HOLD, factor=2.0, longest=MAX_HOLD)
        self.rest_until = NEVER
        self.failed = (-1, -1)  # what it had when it went down, not counting what followed

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
        self.returns = now >= self.patience.fell_at + FIRST_HOLD
        self.rested = now >= self.rest_until
        self.free = self.rested and now >= self.patience.until
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
        # However often it failed, a pause is no longer than it must be, and what is less than what
        # failed is not held back: what is too much for all tracks together is known.
        layer = self.layers[index]
        if index == 0:
            free = self.returns
        elif (layer.spatial, layer.temporal) < self.failed:
            free = self.returns and self.rested
        else:
            free = self.free
        return firm if free else NEVER

    def settle(self, now: float) -> int:
        """Note what it was given; returns -1 for less than it had, 1 for more, else 0."""
        change = 0
        if self.index < self.has:
            change = -1
            if self.patience.fell(now):
                failed = self.layers[self.has]
                self.failed = (failed.spatial, failed.temporal)
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

    def importance(self) -> tuple[int, int, int, bool, int]:
        """Sorts the tracks that get their lowest layer first to the front."""
        demand = self.demand
        return self.rank, -demand.priority, -demand.pixels, self.has < 0, self.position

    def step(self) -> tuple[int, float, int, "TrackShare"]:
        """Sorts its next improvement among those of others; positions are unique."""
        index = self.index + 1
        need = self.layers[index].bitrate / self.weight
        return self.rank, need * STICKINESS if index <= self.has else need, self.position, self

    def times(self) -> tuple[float, float, float]:
        """When it may go up again, as far as it depends on itself."""
        patience = self.patience
        return patience.until, self.rest_until, patience.fell_at + FIRST_HOLD
