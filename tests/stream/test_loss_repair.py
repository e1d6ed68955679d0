"""What is asked for when packets do not come."""

import pytest

from sfu.stream.keyframe_requester import KeyFrameRequester
from sfu.stream.loss_repair import LossRepair
from sfu.stream.nack_generator import MAX_AGE, NackGenerator


def video(*, nack: bool = True, limit: int = 100) -> tuple[LossRepair, KeyFrameRequester]:
    key_frames = KeyFrameRequester()
    return LossRepair(NackGenerator(limit=limit) if nack else None, key_frames), key_frames


def ask(repair: LossRepair, *, until: float, oldest: int = 0) -> list[int]:
    """Everything that is asked for by then."""
    asked: list[int] = []
    while (when := repair.next_time()) is not None and when <= until:
        asked += repair.due(now=when, oldest=oldest)
    return asked


def test_it_asks_for_what_is_lost_until_it_comes() -> None:
    repair, key_frames = video()
    repair.lost(10, 13, now=1.0)
    assert ask(repair, until=1.02) == [10, 11, 12]
    repair.repaired(10, now=1.05)
    repair.late(12, now=1.05, answers=False)
    again = ask(repair, until=2.0)
    assert set(again) == {11}
    assert repair.asked == 3 + len(again)
    assert not key_frames.wanted
    assert repair.given_up == 0


def test_it_asks_for_a_key_frame_for_what_is_given_up() -> None:
    repair, key_frames = video()
    repair.lost(10, 11, now=1.0)
    ask(repair, until=1.5 + MAX_AGE)
    assert repair.given_up == 1
    assert key_frames.wanted
    repair.begin_key_frame(20)
    assert not key_frames.wanted
    # What is older than the key frame is missed by nobody.
    repair.lost(18, 19, now=5.0)
    ask(repair, until=5.5 + MAX_AGE)
    assert repair.given_up == 2
    assert not key_frames.wanted


@pytest.mark.parametrize("nack", [True, False])
def test_a_source_that_restarts_owes_a_key_frame_and_no_repairs(nack: bool) -> None:
    repair, key_frames = video(nack=nack)
    repair.lost(10, 12, now=1.0)
    repair.restart(now=1.001)
    assert key_frames.wanted
    assert ask(repair, until=3.0) == []


def test_an_outage_is_for_a_key_frame_to_end() -> None:
    repair, key_frames = video(limit=50)
    repair.lost(10, 100, now=1.0)
    assert key_frames.wanted
    assert repair.given_up == 90
    assert repair.next_time() is None


def test_without_repairs_or_key_frames_it_asks_for_nothing() -> None:
    repair, key_frames = video(nack=False)
    repair.lost(10, 1000, now=1.0)
    assert repair.next_time() is None
    assert repair.due(now=9.0, oldest=0) == []
    assert not key_frames.wanted
    audio = LossRepair(NackGenerator(limit=10), None)
    audio.lost(10, 1000, now=1.0)
    audio.restart(now=2.0)
    assert audio.next_time() is None
