"""The trace of one participant: all that its estimator and its allocator saw, and what they said.

`sfu.room.trace_format` says how it is written.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from struct import pack

from sfu.congestion.estimator import BandwidthEstimator
from sfu.congestion.probe import ProbeCluster
from sfu.forward.allocation import Allocation, Demand, Layer
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import LayerStatus
from sfu.room.trace_format import GONE, MODES, STATES, TABLES, VERSION
from sfu.room.trace_tables import Table, npy_block
from sfu.wire.twcc import TransportFeedback

INTERVAL = 2.0  # s; what a crash may cost, while headers stay below a tenth of a block
SAMPLE_INTERVAL = 0.1  # s between two samples at least: as often as most feedback comes
MAX_SIZE = 64 << 20  # bytes of one trace: some three hours of a subscriber to one camera

_BYTE, _WORD, _LONG = 0xFF, 0xFFFF, 0xFFFFFFFF


class Trace:
    """Packs what happens and hands it on in large pieces, up to `MAX_SIZE` in all.

    Nothing is handed on before there is something to tell.

    Attributes:
        closed: Whether nothing is recorded any more.
    """

    __slots__ = (
        "_demands",
        "_due",
        "_head",
        "_layers",
        "_order",
        "_said",
        "_sampled_at",
        "_size",
        "_tables",
        "_tracks",
        "_write",
        "closed",
    )

    def __init__(
        self, write: Callable[[bytes], bool], about: Mapping[str, object], *, now: float
    ) -> None:
        """Nothing is recorded yet.

        Args:
            write: Takes the next bytes of the trace; False when it can take no more.
            about: What the head says, as JSON has it.
            now: Monotonic seconds.
        """
        self.closed = False
        self._write = write
        self._tables = {name: Table(fields) for name, fields in TABLES.items()}
        self._head = json.dumps(
            {"version": VERSION, **about, "states": STATES, "modes": MODES}
        ).encode()
        self._order = 0
        self._size = 0
        self._due = now + INTERVAL
        self._sampled_at = float("-inf")
        self._tracks: dict[Hashable, int] = {}
        self._demands: dict[int, tuple[float | bytes, ...]] = {}
        self._layers: dict[int, tuple[Sequence[LayerStatus], Sequence[Layer]]] = {}
        self._said: dict[int, tuple[tuple[int, int], str]] = {}

    def _next(self, now: float) -> int:
        """The number of the next record."""
        if now >= self._due:
            self._flush(now)
        self._order += 1
        return self._order

    def _flush(self, now: float) -> None:
        self._due = now + INTERVAL
        self._tables["end"].add(self._order, now)
        parts = [table.take() for table in self._tables.values()]
        if not self._size:
            parts.insert(0, npy_block(f"[('head', '|S{len(self._head)}')]", 1, self._head))
        data = b"".join(parts)
        self._size += len(data)
        if not self._write(data) or self._size >= MAX_SIZE:
            self.closed = True

    def close(self, *, now: float) -> None:
        """Hand on what waits; nothing is recorded any more."""
        if not self.closed and self._order:
            self._flush(now)
        self.closed = True

    # -- the path

    def path(self, *, start: float, minimum: float, maximum: float, now: float) -> None:
        """An estimator begins."""
        if not self.closed:
            self._tables["path"].add(self._next(now), now, start, minimum, maximum)

    def sent(self, first: int, sizes: Sequence[int], cluster: int, *, now: float) -> None:
        """See `BandwidthEstimator.sent`."""
        if not self.closed:
            count = len(sizes)
            self._tables["sent"].add(self._next(now), now, first, count, cluster)
            self._tables["size"].data += pack(f"<{count}H", *sizes)

    def feedback(self, feedback: TransportFeedback, *, now: float) -> None:
        """See `BandwidthEstimator.receive_feedback`."""
        if not self.closed:
            data = bytes(feedback)
            self._tables["feedback"].add(self._next(now), now, len(data))
            self._tables["octet"].data += data

    def remb(self, bitrate: float, *, now: float) -> None:
        """See `BandwidthEstimator.receive_remb`."""
        if not self.closed:
            self._tables["remb"].add(self._next(now), now, bitrate)

    def report(self, lost: float, round_trip: float, sending: float, *, now: float) -> None:
        """See `BandwidthEstimator.receive_report`."""
        if not self.closed:
            self._tables["report"].add(self._next(now), now, lost, round_trip, sending)

    def check(self, *, now: float) -> None:
        """See `BandwidthEstimator.handle_timer`."""
        if not self.closed:
            self._tables["check"].add(self._next(now), now)

    def probe(
        self, goal: float, sending: float, cluster: ProbeCluster | None, *, now: float
    ) -> None:
        """See `BandwidthEstimator.probe`."""
        if not self.closed:
            id_, bitrate = (cluster.id, cluster.bitrate) if cluster else (0, 0.0)
            self._tables["probe"].add(self._next(now), now, goal, sending, id_, bitrate)

    def sample(self, estimator: BandwidthEstimator, *, now: float) -> None:
        """Note the estimator's state, unless that was done a moment ago."""
        if self.closed or now - self._sampled_at < SAMPLE_INTERVAL:
            return
        self._sampled_at = now
        sample = estimator.sample()
        codes = {"state": STATES.index(sample.state), "mode": MODES.index(sample.mode)}
        values: dict[str, float] = {**sample._asdict(), **codes}
        self._tables["sample"].add(self._next(now), now, *values.values())

    # -- the choices

    def wish(self, sid: str, settings: TrackSettings, *, now: float) -> None:
        """A client says how it shows a track."""
        if not self.closed:
            self._tables["wish"].add(
                self._next(now),
                now,
                sid.encode(),
                settings.visible,
                settings.paused,
                _bounded(settings.width, _LONG),
                _bounded(settings.height, _LONG),
                settings.fps,
                _bounded(settings.priority, _BYTE),
                _small(settings.layer),
                _small(settings.temporal),
            )

    def allocation(
        self,
        demands: Sequence[Demand],
        layers: Sequence[Sequence[LayerStatus]],
        allocation: Allocation,
        *,
        estimate: float,
        estimated: float,
        congested: bool,
        now: float,
    ) -> None:
        """The allocator has decided.

        Args:
            demands: What it was asked.
            layers: Of each demand, with their sizes.
            allocation: What it said.
            estimate: Bit/s that it could share.
            estimated: Bit/s that the estimator said.
            congested: As the allocator was told.
            now: Monotonic seconds.
        """
        if self.closed:
            return
        order = self._next(now)
        self._tables["allocation"].add(
            order,
            now,
            estimate,
            estimated,
            congested,
            allocation.total,
            allocation.wanted,
            allocation.goal,
        )
        present = set()
        pairs = zip(demands, layers, allocation.decisions, strict=True)
        for position, (demand, points, decision) in enumerate(pairs):
            track = self._track(demand)
            present.add(track)
            spatial, temporal = demand.current or (-1, -1)
            row: tuple[float | bytes, ...] = (
                position,
                track,
                _bounded(demand.priority, _BYTE),
                _small(demand.wanted),
                demand.off.encode(),
                _small(spatial),
                _small(temporal),
                float(demand.pixels),
            )
            if row != self._demands.get(track):
                self._demands[track] = row
                self._tables["demand"].add(order, *row)
            if (points, demand.layers) != self._layers.get(track):
                self._layers[track] = points, demand.layers
                self._add_layers(order, track, points, demand.layers)
            layer = decision.layer
            said = (layer.spatial, layer.temporal) if layer else (-1, -1)
            if (said, decision.cause) != self._said.get(track):
                self._said[track] = said, decision.cause
                self._tables["decision"].add(
                    order, track, *said, decision.cause.encode(), decision.available
                )
        for track in self._demands.keys() - present:
            del self._demands[track], self._said[track]
            self._layers.pop(track, None)
            self._tables["demand"].add(order, GONE, track, 0, -1, b"", -1, -1, 0.0)

    def _track(self, demand: Demand) -> int:
        """The number of a track; its name is recorded once."""
        track = self._tracks.get(demand.key)
        if track is None:
            track = self._tracks[demand.key] = len(self._tracks)
            self._tables["track"].add(
                track, str(demand.key).encode(), demand.kind.encode(), demand.source.encode()
            )
        return track

    def _add_layers(
        self, order: int, track: int, points: Sequence[LayerStatus], offered: Sequence[Layer]
    ) -> None:
        add = self._tables["layer"].add
        needs = {(layer.spatial, layer.temporal): layer.bitrate for layer in offered}
        for point in points:
            add(
                order,
                track,
                len(points),
                point.spatial,
                point.temporal,
                _bounded(point.width, _WORD),
                _bounded(point.height, _WORD),
                _bounded(point.bitrate, _LONG),
                needs.get((point.spatial, point.temporal), -1.0),
            )
        if not points:
            add(order, track, 0, 0, 0, 0, 0, 0, -1.0)


def _small(value: int | None) -> int:
    """As a signed byte; -1 for None."""
    return -1 if value is None else max(-1, min(value, 0x7F))


def _bounded(value: int, most: int) -> int:
    """What a field can hold: clients may wish for anything."""
    return max(0, min(value, most))
