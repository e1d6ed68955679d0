"""What one subscriber's tracks need, and what each of them gets: the allocator's values."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from sfu.wire.parameters import Kind

Off = Literal["", "hidden", "paused_by_client", "muted", "not_live", "last_n"]
Cause = Literal["wanted", "bandwidth", "hidden", "paused_by_client", "muted", "not_live", "last_n"]

_SENTENCES = {
    "hidden": "paused: it is not shown",
    "paused_by_client": "paused: the client asked for that",
    "muted": "paused: its publisher has muted it",
    "not_live": "paused: nothing of it arrives from its publisher",
    "last_n": "paused: others have spoken more recently",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One operating point of a track.

    Attributes:
        spatial: Its spatial layer (simulcast stream or SVC layer), 0 is the smallest.
        temporal: Its temporal layer, 0 is the slowest.
        bitrate: bit/s needed to receive it, the layers that it depends on included.
    """

    spatial: int
    temporal: int
    bitrate: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What one track of a subscriber could get and should get.

    Attributes:
        key: Names the track, from one allocation to the next.
        kind: "audio" or "video".
        source: Of the track; "screen_share" comes before everything but audio.
        priority: 1 to 255, the client's wish; more is more important.
        layers: What can be sent now, ascending by bitrate. An operating point that is worth less
            than a cheaper one does not belong here. Bit rates are best averaged over seconds: one
            that jumps with each key frame looks like a network that does.
        wanted: Index of the highest layer that is of use; None where nothing is to be sent. One
            beyond the layers means the last of them.
        off: Why nothing is to be sent, "" where something is.
        current: Spatial and temporal layer that is sent; counts where the allocator has no
            decision of its own to start from.
        pixels: Of the size in which it is shown; 0 where unknown.
    """

    key: Hashable
    kind: Kind
    source: str
    priority: int
    layers: Sequence[Layer]
    wanted: int | None
    off: Off = ""
    current: tuple[int, int] | None = None
    pixels: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What one track gets, and why.

    Attributes:
        key: Of the demand.
        layer: What to send; None for nothing.
        cause: Stable name of the reason: "wanted" where it gets what it wants, "bandwidth" where
            it gets less for want of it, else the demand's `off`.
        wants: bit/s of the wanted layer, 0 where nothing is wanted.
        next: What more bandwidth would give; None where nothing more is wanted.
        available: bit/s that the other tracks leave to this one.
        failed: Whether as much, with what others get, was too much a short time ago.
    """

    key: Hashable
    layer: Layer | None
    cause: Cause
    wants: float
    next: Layer | None
    available: float
    failed: bool = False

    @property
    def reason(self) -> str:
        """A sentence for people, with rates in kb/s."""
        if self.cause == "wanted":
            return f"as wanted: {_kilobits(self.wants)} kb/s"
        if self.cause != "bandwidth":
            return _SENTENCES[self.cause]
        assert self.next is not None
        state, step = ("paused", "lowest") if self.layer is None else ("reduced", "next")
        have, need = _kilobits(self.available), _kilobits(self.next.bitrate)
        sentence = f"{state}: {have} kb/s available, the {step} layer needs {need}"
        if self.available >= self.next.bitrate:
            why = "was too much lately" if self.failed else "to be steady first"
            return f"{sentence}: {why}"
        return sentence


@dataclass(frozen=True, slots=True)
class Allocation:
    """What all tracks get.

    Attributes:
        decisions: One for each demand, in their order.
        total: bit/s of all layers that were chosen, audio included.
        wanted: bit/s of all layers that were wanted.
        goal: bit/s that the estimate must reach for the nearest improvement to be made at once: up
            to there probing has something to gain. `total` where nothing more is wanted.
        next_time: When to allocate again even if nothing changes; None for never.
    """

    decisions: tuple[Decision, ...]
    total: float
    wanted: float
    goal: float
    next_time: float | None


def _kilobits(bitrate: float) -> str:
    return f"{bitrate / 1000:,.0f}"
