"""What the allocator was asked and what it said, put together from what had changed each time."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from benchmarks.traces.reader import Recording, Records
from benchmarks.traces.timeline import Point, Timeline
from sfu.forward.allocation import Decision, Demand, Layer
from sfu.room.trace_format import GONE

Row = tuple[Any, ...]


class Demands:
    """The demands as of the last allocation that was taken.

    Attributes:
        names: Sid, kind and source of each track.
    """

    def __init__(self, recording: Recording) -> None:
        tables = recording.tables
        self.names: dict[int, tuple[str, str, str]] = {
            number: (sid.decode(), kind.decode(), source.decode())
            for number, sid, kind, source in tables["track"].tolist()
        }
        self._layers = _by_number(tables["layer"])
        self._demands = _by_number(tables["demand"])
        self._decisions = _by_number(tables["decision"])
        self._offered: dict[int, list[Layer]] = {}
        self._present: dict[int, tuple[int, Demand]] = {}  # position, demand

    def take(self, number: int, recorded: Timeline, *, now: float) -> set[int]:
        """Take what changed with this allocation; what was decided goes to `recorded`.

        Returns:
            Tracks that are no longer carried.
        """
        for track, rows in groupby(self._layers.get(number, ()), itemgetter(1)):
            self._offered[track] = [
                Layer(spatial, temporal, need)
                for _, _, _, spatial, temporal, _, _, _, need in rows
                if need >= 0
            ]
            if track in self._present:
                self._replace(track)
        gone = set()
        for row in self._demands.get(number, ()):
            position, track = row[1:3]
            if position == GONE:
                self._present.pop(track, None)
                recorded.drop(track, now=now)
                gone.add(track)
            else:
                self._present[track] = position, self._demand(row)
        for _, track, spatial, temporal, cause, available in self._decisions.get(number, ()):
            point = None if spatial < 0 else (spatial, temporal)
            decision = self._decision(track, point, cause.decode(), available)
            recorded.choose(track, decision, now=now)
        return gone

    def ordered(self) -> list[Demand]:
        """In the order in which the allocator had them."""
        return [demand for _, demand in sorted(self._present.values(), key=itemgetter(0))]

    def _demand(self, row: Row) -> Demand:
        _, _, track, priority, wanted, off, spatial, temporal, pixels = row
        _, kind, source = self.names[track]
        return Demand(
            key=track,
            kind=kind,  # type: ignore[arg-type]
            source=source,
            priority=priority,
            layers=self._offered.get(track, []),
            wanted=None if wanted < 0 else wanted,
            off=off.decode(),
            current=None if spatial < 0 else (spatial, temporal),
            pixels=int(pixels),
        )

    def _replace(self, track: int) -> None:
        """Give a demand its new layers."""
        position, old = self._present[track]
        self._present[track] = (
            position,
            Demand(
                old.key,
                old.kind,
                old.source,
                old.priority,
                self._offered[track],
                old.wanted,
                old.off,
                old.current,
                old.pixels,
            ),
        )

    def _decision(self, track: int, point: Point | None, cause: Any, available: float) -> Decision:
        """A recorded decision with what its sentence needs."""
        layers = self._offered.get(track, [])
        demand = self._present[track][1]
        index = next(
            (i for i, one in enumerate(layers) if (one.spatial, one.temporal) == point), -1
        )
        layer = layers[index] if index >= 0 else None
        if cause != "bandwidth":
            wants = layer.bitrate if layer else 0.0
            return Decision(track, layer, cause, wants, None, available)
        top = min(demand.wanted or 0, len(layers) - 1)
        following = layers[min(index + 1, top)]
        return Decision(track, layer, cause, layers[top].bitrate, following, available)


def _by_number(table: Records) -> dict[int, list[Row]]:
    """The rows of each allocation."""
    rows: Iterable[Row] = table.tolist()
    return {number: list(group) for number, group in groupby(rows, itemgetter(0))}
