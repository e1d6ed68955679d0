"""What a forwarder is aimed at, and what is remembered, follows from the decisions alone."""

import itertools

import pytest

from sfu.forward.allocation import Decision, Layer
from sfu.forward.forwarder import HIGHEST
from sfu.room.decision_record import (
    HISTORY_STEP,
    HISTORY_TIME,
    SAMPLE_INTERVAL,
    DecisionRecord,
    EstimateRecord,
)
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import Change, LayerStatus
from sfu.room.subscription import Subscription
from tests.support.virtual_room import VirtualServer

POINTS = tuple(
    LayerStatus(spatial, temporal, "qhf"[spatial], 320 << spatial, 180 << spatial, 100_000)
    for spatial in range(3)
    for temporal in range(3)
)


def record() -> DecisionRecord:
    made = DecisionRecord()
    made.layers = POINTS
    return made


def wanted(spatial: int, temporal: int) -> Decision:
    return Decision("TR_a", Layer(spatial, temporal, 1e5), "wanted", 1e5, None, 1e6)


NOT_LIVE = Decision("TR_a", None, "not_live", 0.0, None, 1e6)
HIDDEN = Decision("TR_a", None, "hidden", 0.0, None, 1e6)


@pytest.mark.parametrize(
    ("decision", "target"),
    [
        (wanted(2, 2), (2, HIGHEST)),
        (wanted(0, 2), (0, HIGHEST)),
        (wanted(1, 1), (1, 1)),
        (HIDDEN, None),
    ],
)
def test_who_gets_all_frames_gets_those_of_layers_that_come_later_too(
    decision: Decision, target: tuple[int, int] | None
) -> None:
    assert record().target(decision, ample=True) == target


def test_a_track_begins_with_its_best_layer_where_the_path_is_wide() -> None:
    assert DecisionRecord().target(NOT_LIVE, ample=True) == (HIGHEST, HIGHEST)
    assert DecisionRecord().target(NOT_LIVE, ample=False) == (0, HIGHEST)


def changes(noted: DecisionRecord, *, at: float) -> tuple[Change, ...]:
    server = VirtualServer()
    alice = server.join("alice").participant
    track = alice.add_track(kind="video", source="camera", now=0.0)
    subscription = Subscription(track, state="active")
    return noted.status(subscription, TrackSettings(), at=at).history


def history(noted: DecisionRecord, *, at: float) -> list[tuple[float, str]]:
    return [
        (change.at, change.chosen.rid if change.chosen else "") for change in changes(noted, at=at)
    ]


def test_only_what_differs_from_the_last_decision_is_remembered() -> None:
    noted = record()
    for at, decision in enumerate((wanted(0, 2), wanted(0, 2), wanted(2, 2), HIDDEN, HIDDEN)):
        noted.note(decision, None, at=at)
    assert history(noted, at=5.0) == [(0, "q"), (2, "f"), (3, "")]


def test_another_wish_is_remembered_though_the_choice_stays() -> None:
    noted = record()
    lower = Decision("TR_a", Layer(1, 2, 1e5), "bandwidth", 2e5, Layer(2, 2, 2e5), 1e5)
    for at, best in enumerate((POINTS[8], POINTS[8], POINTS[5], None)):
        noted.wanted = best
        noted.note(lower, 150_000, at=10.0 + at)
    found = changes(noted, at=20.0)
    assert [(change.at, change.wanted) for change in found] == [
        (10.0, POINTS[8]),
        (12.0, POINTS[5]),
        (13.0, None),
    ]
    assert {change.chosen for change in found} == {POINTS[5]}
    assert {change.estimate for change in found} == {150_000}


def test_a_voice_that_others_drown_is_told_as_such() -> None:
    noted = record()
    noted.note(wanted(0, 2), None, at=1.0)
    noted.note(NOT_LIVE, None, at=2.0, gated=True)
    noted.note(NOT_LIVE, None, at=4.0)
    assert [(change.at, change.cause) for change in changes(noted, at=5.0)] == [
        (1.0, "wanted"),
        (2.0, "last_n"),
        (4.0, "not_live"),
    ]


def test_causes_have_the_names_that_clients_know() -> None:
    noted = record()
    noted.note(Decision("TR_a", None, "paused_by_client", 0.0, None, 1e6), None, at=1.0)
    assert [change.cause for change in changes(noted, at=2.0)] == ["paused"]


def test_a_minute_of_decisions_is_told_with_what_was_in_force_when_it_began() -> None:
    noted = record()
    noted.note(HIDDEN, None, at=0.0)
    noted.note(wanted(0, 2), None, at=2.0)
    noted.note(wanted(2, 2), None, at=9.0)
    assert history(noted, at=HISTORY_TIME + 1) == [(0.0, ""), (2.0, "q"), (9.0, "f")]
    assert history(noted, at=HISTORY_TIME + 3) == [(2.0, "q"), (9.0, "f")]
    assert history(noted, at=2 * HISTORY_TIME) == [(9.0, "f")]


def test_however_fast_decisions_change_the_minute_is_whole_and_bounded() -> None:
    noted = record()
    for number in range(2000):
        noted.note(wanted(number % 2, 2), None, at=number / 20)
    found = history(noted, at=1999 / 20)
    assert len(found) <= 2 * HISTORY_TIME / HISTORY_STEP + 2
    assert found[0][0] <= 1999 / 20 - HISTORY_TIME, "what was in force when it began"
    assert found[-1] == (1999 / 20, "h"), "the last one counts"
    times = [at for at, _ in found]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) <= HISTORY_STEP


def test_estimates_of_a_minute_are_kept_one_each_second() -> None:
    kept = EstimateRecord()
    for number in range(2000):
        kept.note(number, at=number / 20)
    found = kept.samples(at=1999 / 20)
    times = [sample.at for sample in found]
    assert times[0] == pytest.approx(1999 / 20 - HISTORY_TIME, abs=1)
    assert times[-1] == pytest.approx(1999 / 20, abs=1)
    assert all(
        SAMPLE_INTERVAL <= later - earlier <= 1.05 for earlier, later in itertools.pairwise(times)
    )
    assert [sample.estimate for sample in found] == [round(20 * at) for at in times]
