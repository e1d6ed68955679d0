"""What was estimated and chosen over time, be it recorded or replayed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sfu.forward.allocation import Decision

Point = tuple[int, int]
"""Spatial and temporal layer."""


class Choice(NamedTuple):
    """What a track gets from some time on.

    Attributes:
        time: Monotonic seconds.
        layer: None for nothing.
        cause: Stable name of the reason; empty where the track is no longer carried.
        reason: In words.
    """

    time: float
    layer: Point | None
    cause: str
    reason: str


class Pause(NamedTuple):
    """How many times and for how long nothing was sent for one cause; the first one's reason."""

    times: int
    seconds: float
    reason: str


@dataclass
class Timeline:
    """Estimates and choices of one participant.

    Attributes:
        end: Monotonic seconds.
        estimates: (time, bit/s), at the same times in the recorded one and the replayed one.
        choices: By track; those that follow each other differ.
    """

    end: float = 0.0
    estimates: list[tuple[float, float]] = field(default_factory=list)
    choices: dict[int, list[Choice]] = field(default_factory=lambda: defaultdict(list))

    def choose(self, track: int, decision: Decision, *, now: float) -> None:
        """Note what was decided, where it is something new."""
        layer = decision.layer
        point = (layer.spatial, layer.temporal) if layer else None
        self._note(track, Choice(now, point, decision.cause, decision.reason))

    def drop(self, track: int, *, now: float) -> None:
        """Note that a track is no longer carried."""
        self._note(track, Choice(now, None, "", ""))

    def _note(self, track: int, choice: Choice) -> None:
        choices = self.choices[track]
        if not choices or choices[-1][1:3] != choice[1:3]:
            choices.append(choice)

    @property
    def mean_estimate(self) -> float:
        """Bit/s, over the time."""
        total = span = 0.0
        for (time, value), (following, _) in pairwise([*self.estimates, (self.end, 0.0)]):
            total += value * (following - time)
            span += following - time
        return total / span if span else 0.0

    def outline(self, track: int) -> list[tuple[float, Point | None, str]]:
        """The choices in what makes a difference: when (ms are enough), what, and why."""
        return [(round(c.time, 3), c.layer, c.cause) for c in self.choices.get(track, ())]

    def changes(self, track: int) -> int:
        """How often a track went to another layer, from or to nothing for want of bandwidth, too.

        Not counted: what the client, the publisher or the speakers caused.
        """
        ours = ("wanted", "bandwidth")
        return sum(
            1
            for before, after in pairwise(self.choices.get(track, ()))
            if before.layer != after.layer and before.cause in ours and after.cause in ours
        )

    def shares(self, track: int) -> Mapping[Point | None, float]:
        """Of the time that a track was carried, the share of each layer."""
        seconds: Counter[Point | None] = Counter()
        for choice, length in self._spans(track):
            if choice.cause:
                seconds[choice.layer] += length  # type: ignore[assignment]
        total = sum(seconds.values())
        return {layer: value / total for layer, value in seconds.items()} if total else {}

    def pauses(self, track: int) -> Mapping[str, Pause]:
        """By cause, for all that is not sent."""
        found: dict[str, Pause] = {}
        for choice, length in self._spans(track):
            if choice.layer is None and choice.cause:
                times, seconds, reason = found.get(choice.cause, Pause(0, 0.0, choice.reason))
                found[choice.cause] = Pause(times + 1, seconds + length, reason)
        return found

    def _spans(self, track: int) -> list[tuple[Choice, float]]:
        choices = self.choices.get(track)
        if not choices:
            return []
        ends = [choice.time for choice in choices[1:]] + [self.end]
        return [(c, max(0.0, end - c.time)) for c, end in zip(choices, ends, strict=True)]
