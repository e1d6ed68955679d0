"""What a forwarder is aimed at, and what is remembered, follows from the decisions alone."""

import pytest

from sfu.forward.allocation import Decision, Layer
from sfu.forward.forwarder import HIGHEST
from sfu.room.decision_record import HISTORY_SIZE, HISTORY_TIME, DecisionRecord
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import LayerStatus
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


def history(noted: DecisionRecord, *, at: float) -> list[tuple[float, str]]:
    server = VirtualServer()
    alice = server.join("alice").participant
    track = alice.add_track(kind="video", source="camera", now=0.0)
    subscription = Subscription(track, state="active")
    status = noted.status(subscription, TrackSettings(), at=at)
    return [(change.at, change.chosen.rid if change.chosen else "") for change in status.history]


def test_only_what_differs_from_the_last_decision_is_remembered() -> None:
    noted = record()
    for at, decision in enumerate((wanted(0, 2), wanted(0, 2), wanted(2, 2), HIDDEN, HIDDEN)):
        noted.note(decision, None, at=at)
    assert history(noted, at=5.0) == [(0, "q"), (2, "f"), (3, "")]


def test_a_minute_of_decisions_is_told_and_their_number_bounded() -> None:
    noted = record()
    noted.note(HIDDEN, None, at=0.0)
    noted.note(wanted(0, 2), None, at=2.0)
    assert history(noted, at=HISTORY_TIME + 1) == [(2.0, "q")]
    for number in range(3 * HISTORY_SIZE):
        noted.note(wanted(number % 2, 2), None, at=3.0)
    assert len(history(noted, at=4.0)) == HISTORY_SIZE
