"""Plays a recording through the real estimator and the real allocator again, in its own time.

What the participant's client told is played as it came. It answers to what was sent then, so a
replay shows what other settings would have made of the same evidence, not what else would have
been sent: an estimate that rises further than the recorded one did is not put to the test.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.traces.demands import Demands
from benchmarks.traces.reader import Recording
from benchmarks.traces.timeline import Timeline
from sfu.congestion.estimator import BandwidthEstimator
from sfu.forward.allocation import Allocation
from sfu.forward.allocator import Allocator
from sfu.room import bandwidth, reception
from sfu.wire.rtcp import TransportFeedback, parse_compound

LATE = 0.03  # s; a busy server is so late with its timers: until then its own decision may come
NEVER = float("inf")

Row = tuple[Any, ...]


@dataclass
class Replay:
    """A recording, and what came of it this time.

    Attributes:
        recorded: What was said then.
        replayed: What is said now.
        tracks: Sid, kind and source of each track.
    """

    recorded: Timeline = field(default_factory=Timeline)
    replayed: Timeline = field(default_factory=Timeline)
    tracks: Mapping[int, tuple[str, str, str]] = field(default_factory=dict)


def replay(recording: Recording, *, start: float | None = None) -> Replay:
    """Play it.

    Args:
        recording: The recording.
        start: Bit/s that new estimators begin with; None for what they began with.
    """
    return _Player(recording, start).play()


class _Player:
    """Does what `Bandwidth` and `Reception` do, with what was recorded."""

    def __init__(self, recording: Recording, start: float | None) -> None:
        self._recording = recording
        self._start = start
        self._result = Replay()
        self._sizes = _Slices(recording.tables["size"]["size"].tolist())
        self._octets = _Slices(recording.tables["octet"]["octet"].tobytes())
        self._estimator = BandwidthEstimator(unlimited=True)
        self._clusters: dict[int, int] = {}  # ids of probes: recorded → ours
        self._demands = Demands(recording)
        self._allocator = Allocator()
        self._last: Allocation | None = None
        self._floor = 0.0  # bit/s that were shared though the estimate was lower
        self._due = NEVER
        self._told = 0.0
        self._told_at = float("-inf")

    def play(self) -> Replay:
        result, recording = self._result, self._recording
        result.tracks = self._demands.names
        handlers: Mapping[str, Callable[[Row], None]] = {
            "path": self._path,
            "sent": self._sent,
            "feedback": self._feedback,
            "remb": self._remb,
            "report": self._report,
            "check": self._check,
            "probe": self._probe,
            "sample": self._sample,
            "allocation": self._decide_as_recorded,
        }
        for name, row in _in_order(recording, handlers):
            while self._due + LATE < row[1]:
                self._decide(self._due)
            handlers[name](row)
        result.recorded.end = result.replayed.end = recording.end
        return result

    # -- the path

    def _path(self, row: Row) -> None:
        _, _, start, minimum, maximum = row
        if self._start is not None and start < maximum:
            start = self._start
        self._estimator = BandwidthEstimator(
            start=start, minimum=minimum, maximum=maximum, unlimited=True
        )
        self._clusters.clear()

    def _sent(self, row: Row) -> None:
        _, now, first, count, cluster = row
        sizes = self._sizes.take(count)
        self._estimator.sent(first, sizes, now=now, cluster=self._clusters.get(cluster, 0))

    def _feedback(self, row: Row) -> None:
        _, now, count = row
        for packet in parse_compound(bytes(self._octets.take(count))):
            assert isinstance(packet, TransportFeedback)
            self._estimator.receive_feedback(packet, now=now)
        self._notice(now)

    def _remb(self, row: Row) -> None:
        _, now, bitrate = row
        self._estimator.receive_remb(bitrate, now=now)
        self._notice(now)

    def _report(self, row: Row) -> None:
        _, now, lost, round_trip, sending = row
        self._estimator.receive_report(lost, round_trip, sending=sending, now=now)
        self._notice(now)

    def _check(self, row: Row) -> None:
        _, now = row
        if self._estimator.get_timer() is not None:
            self._estimator.handle_timer(now=now)
        self._notice(now)

    def _probe(self, row: Row) -> None:
        """Ask for a probe where one was sent: nobody would answer to others."""
        _, now, goal, sending, cluster, _ = row
        wanted = self._estimator.probe(goal=goal if cluster else 0.0, sending=sending, now=now)
        if cluster and wanted is not None:
            self._clusters[cluster] = wanted.id

    def _sample(self, row: Row) -> None:
        now, estimate = row[1:3]
        self._result.recorded.estimates.append((now, estimate))
        self._result.replayed.estimates.append((now, self._estimator.estimate))

    def _notice(self, now: float) -> None:
        """Decide anew soon, unless the estimate is ample or hardly another."""
        estimate = self._estimator.estimate
        if abs(estimate - self._told) <= bandwidth.NOTICE * self._told or (
            now - self._told_at < bandwidth.CHECK_INTERVAL and estimate > self._told
        ):
            return
        self._told, self._told_at = estimate, now
        last = self._last
        if last is not None and (last.total < last.wanted or self._scarce(last)):
            self._due = min(self._due, now)

    # -- the choices

    @property
    def _congested(self) -> bool:
        return self._estimator.state == "overusing"

    def _shared(self) -> float:
        floor = self._floor
        if self._congested and floor < bandwidth.MAXIMUM:
            floor = 0.0  # it was given on trust, which a full path does not have
        return max(self._estimator.estimate, floor)

    def _scarce(self, allocation: Allocation) -> bool:
        return self._shared() < reception.AMPLE * allocation.wanted

    def _decide_as_recorded(self, row: Row) -> None:
        number, now, estimate, estimated = row[:4]
        self._floor = estimate if estimate > estimated else 0.0
        for track in self._demands.take(number, self._result.recorded, now=now):
            self._result.replayed.drop(track, now=now)
        self._decide(now)

    def _decide(self, now: float) -> None:
        allocation = self._last = self._allocator.allocate(
            self._demands.ordered(),
            estimate=self._shared(),
            now=now,
            congested=self._congested,
            carried=self._estimator.carried,
        )
        for decision in allocation.decisions:
            assert isinstance(decision.key, int)
            self._result.replayed.choose(decision.key, decision, now=now)
        self._due = NEVER
        if allocation.total < allocation.wanted:
            self._due = now + reception.INTERVAL
        elif self._scarce(allocation):
            self._due = now + reception.IDLE_INTERVAL
        if allocation.next_time is not None:
            self._due = min(self._due, max(allocation.next_time, now + 0.01))


class _Slices:
    """A long row of elements, taken piece by piece."""

    def __init__(self, elements: Sequence[int]) -> None:
        self._elements = elements
        self._position = 0

    def take(self, count: int) -> Sequence[int]:
        self._position += count
        return self._elements[self._position - count : self._position]


def _in_order(recording: Recording, names: Mapping[str, object]) -> Iterator[tuple[str, Row]]:
    """Records of these tables with their tables' names, as they were recorded."""
    tables = [[(row[0], name, row) for row in recording.tables[name].tolist()] for name in names]
    for _, name, row in heapq.merge(*tables):
        yield name, row
