"""Which frames can be decoded, and how long the picture stood still."""

import pytest

from benchmarks.load.frames import FrameChain, FrameTimes


def test_gaps_are_counted_by_their_length() -> None:
    times = FrameTimes()
    for moment in (10.0, 10.03, 10.3, 10.33, 11.0):
        times.add(1, moment)
    assert times.count == 5
    assert times.first == 10.0
    assert times.totals(11.1) == (2, 1, pytest.approx(0.27 + 0.67))


def test_a_freeze_that_lasts_is_counted_before_it_ends_and_not_twice() -> None:
    times = FrameTimes()
    times.add(1, 10.0)
    assert times.totals(10.1) == (0, 0, 0)
    assert times.totals(10.3) == (1, 0, pytest.approx(0.3))
    assert times.totals(10.6) == (1, 1, pytest.approx(0.6))
    times.add(1, 10.6)
    assert times.totals(10.6) == (1, 1, pytest.approx(0.6))


def test_pauses_of_the_publisher_and_ends_are_no_freezes() -> None:
    times = FrameTimes()
    times.add(1, 10.0)
    times.excuse(2.0, 12.0)
    times.add(1, 12.0)
    times.end()
    assert times.totals(20.0) == (0, 0, 0)


def test_a_freeze_before_a_pause_stays_one() -> None:
    times = FrameTimes()
    times.add(1, 10.0)
    times.excuse(2.0, 13.0)
    assert times.totals(13.0) == (1, 1, pytest.approx(1.0))


def test_nothing_is_decodable_before_a_key_frame() -> None:
    chain = FrameChain()
    chain.end_frames(3, 1.0)
    assert chain.times.count == 0
    chain.start_key_frame()
    chain.end_frames(1, 1.1)
    chain.end_frames(1, 1.2)
    assert chain.times.count == 2
    assert chain.times.first == 1.1


def test_frames_behind_a_hole_wait_for_its_repair() -> None:
    chain = FrameChain()
    chain.start_key_frame()
    chain.lose(10, 12)
    chain.end_frames(2, 1.0)
    chain.repair(10, 1.1)
    assert chain.blocked
    assert chain.times.count == 0
    chain.repair(11, 1.2)
    assert not chain.blocked
    assert chain.times.count == 2
    assert chain.times.first == 1.2


def test_after_giving_up_only_a_key_frame_helps() -> None:
    chain = FrameChain()
    chain.start_key_frame()
    chain.lose(10, 12)
    chain.give_up()
    chain.repair(10, 1.0)
    chain.repair(11, 1.0)
    chain.end_frames(1, 1.0)
    assert chain.times.count == 0
    chain.start_key_frame()
    chain.end_frames(1, 1.1)
    assert chain.times.count == 1


def test_what_is_missing_after_a_late_key_frame_still_matters() -> None:
    chain = FrameChain()
    chain.start_key_frame([12])
    chain.end_frames(1, 1.0)
    assert chain.times.count == 0
    chain.repair(12, 1.1)
    assert chain.times.count == 1
