"""A trace is handed on in whole pieces, in bounds, and only when there is something to tell."""

from io import BytesIO

import numpy as np
import pytest

from sfu.congestion.estimator import BandwidthEstimator
from sfu.room import trace as trace_module
from sfu.room.media_settings import TrackSettings
from sfu.room.trace import INTERVAL, SAMPLE_INTERVAL, Trace
from sfu.room.trace_format import TABLES
from sfu.wire.rtcp import TransportFeedback, parse_compound
from tests.support.story import Story
from tests.support.traced import TracedScenario


class Sink:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.takes = True

    def __call__(self, data: bytes) -> bool:
        self.pieces.append(data)
        return self.takes

    def blocks(self) -> list[np.ndarray]:  # type: ignore[type-arg]
        file = BytesIO(b"".join(self.pieces))
        found = []
        while file.tell() < len(file.getvalue()):
            found.append(np.load(file))
        return found

    def table(self, name: str) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for block in self.blocks():
            assert block.dtype.names is not None
            if block.dtype.names[0] == name:
                rows += block.tolist()
        return rows


def traced() -> tuple[Trace, Sink]:
    sink = Sink()
    return Trace(sink, {"room": "r"}, now=0.0), sink


def test_pieces_come_in_time_and_the_last_at_the_end() -> None:
    trace, sink = traced()
    trace.check(now=0.5)
    assert not sink.pieces
    trace.check(now=INTERVAL)
    assert len(sink.pieces) == 1
    assert sink.table("check") == [(1, 0.5)]
    trace.close(now=3.0)
    assert sink.table("check") == [(1, 0.5), (2, INTERVAL)]
    assert sink.table("end") == [(1, INTERVAL), (2, 3.0)]
    trace.check(now=9.0)
    trace.close(now=9.0)
    assert len(sink.pieces) == 2


def test_nothing_to_tell_is_nothing_written() -> None:
    trace, sink = traced()
    trace.close(now=100.0)
    assert not sink.pieces


def test_bursts_and_feedback_have_their_elements() -> None:
    trace, sink = traced()
    feedback = TransportFeedback(1, 2, 65530, 5, 7, (1, None, 300, -2, None) * 3)
    trace.sent(1 << 40, (1200, 1199, 60), 3, now=0.1)
    trace.sent((1 << 40) + 3, (65535,), 0, now=0.1)
    trace.feedback(feedback, now=0.2)
    trace.close(now=1.0)
    assert sink.table("sent") == [(1, 0.1, 1 << 40, 3, 3), (2, 0.1, (1 << 40) + 3, 1, 0)]
    assert sink.table("size") == [(1200,), (1199,), (60,), (65535,)]
    octets = bytes(octet for (octet,) in sink.table("octet"))  # type: ignore[misc]
    assert sink.table("feedback") == [(3, 0.2, len(octets))]
    assert parse_compound(octets) == [feedback]


def test_absurd_wishes_are_bounded() -> None:
    trace, sink = traced()
    trace.wish("x" * 99, TrackSettings(width=1 << 70, height=-1, priority=999, layer=999), now=0.0)
    trace.wish("TR_a", TrackSettings(), now=0.0)
    trace.close(now=1.0)
    first, second = sink.table("wish")
    assert first[2:] == (b"x" * 20, 1, 0, (1 << 32) - 1, 0, 0.0, 255, 127, -1)
    assert second[2:] == (b"TR_a", 1, 0, 0, 0, 0.0, 0, -1, -1)


def test_samples_are_not_more_than_feedback() -> None:
    trace, sink = traced()
    estimator = BandwidthEstimator(start=500_000)
    for step in range(10):
        trace.sample(estimator, now=step * SAMPLE_INTERVAL / 4)
    trace.close(now=1.0)
    found = sink.table("sample")
    assert [row[1] for row in found] == pytest.approx([0.0, 0.1, 0.2])
    assert found[0][2] == 500_000
    assert found[0][4] == float("inf")  # no bound by loss


def test_a_trace_ends_when_it_is_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_SIZE", 20_000)
    trace, sink = traced()
    for number in range(100_000):
        trace.sent(number * 2, (1200, 1200), 0, now=number * 0.01)
    assert trace.closed
    assert 20_000 <= sum(map(len, sink.pieces)) < 40_000
    assert len(sink.table("size")) == 2 * len(sink.table("sent"))


def test_a_sink_that_takes_no_more_ends_it() -> None:
    trace, sink = traced()
    sink.takes = False
    for second in range(20):
        trace.check(now=float(second))
    assert trace.closed
    assert len(sink.pieces) == 1


def test_what_happens_is_counted_through() -> None:
    scenario = TracedScenario(Story(seconds=6, capacity=8e5))
    sink = Sink()
    sink.pieces = [scenario.record()]
    parts = ("layer", "demand", "decision")  # have the number of their allocation
    others = ("head", "size", "octet", "track", "end", *parts)
    numbers = [row[0] for name in TABLES if name not in others for row in sink.table(name)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))  # type: ignore[type-var]
    allocations = {row[0] for row in sink.table("allocation")}
    for name in parts:
        assert {row[0] for row in sink.table(name)} <= allocations
        assert sink.table(name)
    for name in TABLES:
        times = [row[1] for row in sink.table(name)] if "time" in TABLES[name] else []
        assert times == sorted(times)  # type: ignore[type-var]


def test_without_a_trace_nothing_is_recorded() -> None:
    scenario = TracedScenario(Story(seconds=2))
    assert all(
        publisher.member.participant.reception.trace is None for publisher in scenario.publishers
    )
