import random

import pytest

from sfu.stream.sequence_tracker import MAX_JUMP, SequenceTracker

NUMBERS = [0, 1, 127, 32767, 32768, 65534, 65535]


@pytest.mark.parametrize("start", NUMBERS)
def test_indexes_go_on_across_the_wrap(start):
    tracker = SequenceTracker()
    for i in range(200_000):
        index = tracker.place((start + i) & 0xFFFF)
        assert index == start + 0x10000 + i
    assert tracker.restarts == 0
    assert tracker.sequence_number(index) == (start + 199_999) & 0xFFFF


@pytest.mark.parametrize("start", NUMBERS)
@pytest.mark.parametrize("distance", [-MAX_JUMP, -100, -1, 0, 1, 2, 100, MAX_JUMP])
def test_gaps_and_late_packets(start, distance):
    tracker = SequenceTracker()
    first = tracker.place(start)
    assert tracker.place((start + distance) & 0xFFFF) == first + distance
    assert tracker.highest == max(first, first + distance)
    assert tracker.place((start + max(distance, 0) + 1) & 0xFFFF) == tracker.highest


@pytest.mark.parametrize("start", NUMBERS)
@pytest.mark.parametrize("jump", [MAX_JUMP + 1, 32767, 32768, 65535 - MAX_JUMP])
def test_two_packets_in_a_row_confirm_a_restart(start, jump):
    tracker = SequenceTracker()
    last = tracker.place(start)
    after = start + jump
    assert tracker.place(after & 0xFFFF) == -1
    assert tracker.restarts == 0
    assert tracker.place((after + 1) & 0xFFFF) == last + 2
    assert tracker.restarts == 1
    assert tracker.place((after + 2) & 0xFFFF) == last + 3
    assert tracker.sequence_number(last + 1) == after & 0xFFFF
    assert tracker.place(after & 0xFFFF) == last + 1


def test_a_stray_packet_changes_nothing():
    tracker = SequenceTracker()
    first = tracker.place(100)
    assert tracker.place(40_000) == -1
    assert tracker.place(101) == first + 1
    assert tracker.place(40_001) == -1, "the packet in between has shown that it was a stray one"
    assert tracker.place(102) == first + 2
    assert tracker.restarts == 0


def test_what_is_from_before_a_restart_is_refused():
    tracker = SequenceTracker()
    last = tracker.place(100)
    tracker.place(40_000)
    tracker.place(40_001)
    assert tracker.place(99) == -1
    assert tracker.place(39_999) == -1, "its index belongs to the old source"
    assert tracker.find(39_999) == -1
    assert tracker.find(40_000) == last + 1


@pytest.mark.parametrize("start", NUMBERS)
def test_find_knows_only_what_is_past(start):
    tracker = SequenceTracker()
    assert tracker.find(start) == -1
    first = tracker.place(start)
    assert tracker.find(start) == first
    assert tracker.find((start - 1) & 0xFFFF) == first - 1
    assert tracker.find((start - MAX_JUMP) & 0xFFFF) == first - MAX_JUMP
    assert tracker.find((start - MAX_JUMP - 1) & 0xFFFF) == -1
    assert tracker.find((start + 1) & 0xFFFF) == -1
    assert tracker.highest == first


@pytest.mark.parametrize("seed", range(20))
def test_any_order_within_bounds_gives_the_true_index(seed):
    rng = random.Random(seed)
    tracker = SequenceTracker()
    start = rng.randrange(65536)
    offset = tracker.place(start) - start
    true = start
    for _ in range(5000):
        step = rng.choice((1, 1, 1, 2, 10, MAX_JUMP))
        true += step
        assert tracker.place(true & 0xFFFF) == true + offset
        back = true - rng.randint(0, MAX_JUMP)
        if back > start:
            assert tracker.place(back & 0xFFFF) == back + offset
        assert tracker.highest == true + offset
        assert tracker.sequence_number(tracker.highest) == true & 0xFFFF
