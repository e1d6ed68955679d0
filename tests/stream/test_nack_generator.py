import random
from itertools import pairwise

import pytest

from sfu.stream.nack_generator import (
    FIRST_DELAY,
    INITIAL_RTT,
    MAX_AGE,
    MAX_DELAY,
    MAX_TRACKED,
    MAX_TRIES,
    MIN_INTERVAL,
    NackGenerator,
)


def test_nothing_is_missing_at_first():
    nack = NackGenerator()
    assert nack.next_time() is None
    assert nack.missing(now=5.0) == []


def test_a_loss_is_asked_for_after_the_time_that_reordering_takes():
    nack = NackGenerator()
    assert nack.add(10, 12, now=1.0)
    assert nack.next_time() == 1.0 + FIRST_DELAY
    assert nack.missing(now=1.0 + FIRST_DELAY / 2) == []
    assert nack.missing(now=1.0 + FIRST_DELAY) == [10, 11]


def test_a_reordered_packet_is_never_asked_for():
    nack = NackGenerator()
    nack.add(10, 11, now=1.0)
    assert nack.forget(10)
    assert not nack.forget(10)
    assert nack.next_time() is None
    assert nack.missing(now=2.0) == []
    assert nack.given_up == 0


def test_tries_are_a_round_trip_apart_and_grow_further_apart():
    nack = NackGenerator(rtt=0.1)
    nack.add(1, 2, now=0.0)
    times = []
    while (when := nack.next_time()) is not None:
        if nack.missing(now=when):
            times.append(when)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[0] == pytest.approx(0.1)
    assert gaps == sorted(gaps)
    assert nack.given_up == 1
    assert times[-1] <= MAX_AGE + FIRST_DELAY


def test_a_short_round_trip_does_not_make_it_ask_twice_within_a_frame():
    nack = NackGenerator(rtt=0.001)
    nack.add(1, 2, now=0.0)
    nack.missing(now=FIRST_DELAY)
    assert nack.next_time() == pytest.approx(FIRST_DELAY + MIN_INTERVAL)


def test_it_gives_up_after_the_last_try():
    nack = NackGenerator(rtt=0.0)
    nack.add(1, 2, now=0.0)
    tries = 0
    while (when := nack.next_time()) is not None:
        tries += len(nack.missing(now=when))
    assert tries == MAX_TRIES
    assert nack.given_up == 1
    assert len(nack) == 0


def test_it_gives_up_on_what_is_too_old_even_if_it_was_never_called_in_time():
    nack = NackGenerator()
    nack.add(1, 3, now=0.0)
    assert nack.missing(now=MAX_AGE + 0.1) == []
    assert nack.given_up == 2
    assert nack.next_time() is None


def test_it_gives_up_on_what_nobody_can_use_any_more():
    nack = NackGenerator()
    nack.add(10, 14, now=0.0)
    assert nack.missing(now=1.0, oldest=12) == [12, 13]
    assert nack.given_up == 2


def test_it_tells_the_newest_that_it_gave_up_on():
    nack = NackGenerator()
    assert nack.newest_given_up == -1
    nack.add(10, 14, now=0.0)
    nack.missing(now=1.0, oldest=12)
    assert nack.newest_given_up == 11
    nack.missing(now=MAX_AGE + 0.1)
    assert nack.newest_given_up == 13


def test_an_outage_is_not_repaired():
    nack = NackGenerator()
    nack.add(0, 3, now=0.0)
    assert not nack.add(5, 5 + MAX_TRACKED, now=0.1)
    assert nack.given_up == 3 + MAX_TRACKED
    assert len(nack) == 0
    assert nack.next_time() is None
    assert nack.add(3000, 3001, now=0.2)


def test_when_there_is_too_much_what_is_before_the_key_frame_goes_first():
    nack = NackGenerator(limit=10)
    nack.add(100, 106, now=0.0)
    nack.key_frame = 103
    assert nack.add(200, 205, now=0.1)
    assert nack.missing(now=0.2) == [103, 104, 105, 200, 201, 202, 203, 204]
    assert nack.given_up == 3


@pytest.mark.parametrize("limit", [1, 64, 5000])
def test_the_limit_holds(limit):
    nack = NackGenerator(limit=limit)
    bound = min(limit, MAX_TRACKED)
    assert nack.add(0, bound, now=0.0)
    assert len(nack) == bound
    assert not nack.add(bound + 1, bound + 2, now=0.0)


def test_the_round_trip_is_learned_from_repairs_that_answer_one_request():
    nack = NackGenerator(rtt=0.1)
    for index in range(0, 2000, 2):
        nack.add(index, index + 1, now=index)
        nack.missing(now=index + FIRST_DELAY)
        assert nack.repaired(index, now=index + FIRST_DELAY + 0.25)
    assert nack.rtt == pytest.approx(0.25)
    nack.add(5000, 5001, now=5000.0)
    nack.missing(now=5000.1)
    nack.missing(now=5001.0)
    assert nack.repaired(5000, now=5001.0)  # which of the two requests was answered?
    assert nack.rtt == pytest.approx(0.25)
    assert not nack.repaired(5000, now=5002.0)


def test_clear_gives_up_on_all():
    nack = NackGenerator()
    nack.add(1, 6, now=0.0)
    nack.clear()
    assert len(nack) == 0
    assert nack.given_up == 5
    assert nack.next_time() is None


@pytest.mark.parametrize("seed", range(20))
def test_every_loss_ends_repaired_or_given_up(seed):
    rng = random.Random(seed)
    nack = NackGenerator(rtt=rng.uniform(0.0, 0.5))
    now = 0.0
    index = 0
    lost: set[int] = set()
    gone = repaired = 0
    asked: dict[int, int] = {}
    for _ in range(3000):
        now += rng.expovariate(200)
        gap = rng.choice((0, 0, 0, 0, 1, 2, 30))
        if gap:
            gone += gap
            if nack.add(index, index + gap, now=now):
                lost.update(range(index, index + gap))
            else:
                assert len(nack) == 0
        index += gap + 1
        due = nack.missing(now=now)
        assert due == sorted(due)
        for number in due:
            assert number in lost
            asked[number] = asked.get(number, 0) + 1
            assert asked[number] <= MAX_TRIES
        for _ in range(6):
            if lost:
                number = rng.choice(sorted(lost)[-40:])
                lost.discard(number)
                repaired += nack.repaired(number, now=now)
        lost = {number for number in lost if number in nack}
        assert len(nack) == len(lost) <= MAX_TRACKED
        assert (nack.next_time() is None) == (len(nack) == 0)
        assert repaired + nack.given_up + len(nack) == gone
    while (when := nack.next_time()) is not None:
        now = max(now, when)
        nack.missing(now=now)
    assert repaired + nack.given_up == gone
    assert repaired > gone / 2


def test_on_a_path_that_reorders_it_waits_longer_and_forgets_that():
    nack = NackGenerator()
    nack.add(10, 11, now=1.0)
    assert nack.missing(now=1.0 + FIRST_DELAY) == [10], "too soon, as it turns out"
    assert nack.late(10, now=1.03, answers=False)
    nack.add(20, 21, now=2.0)
    assert nack.missing(now=2.03) == []
    assert nack.late(20, now=2.03, answers=False)
    for index in range(30, 330):
        nack.add(index, index + 1, now=3.0 + index)
        nack.repaired(index, now=3.1 + index)
    nack.add(400, 401, now=1000.0)
    assert nack.next_time() == pytest.approx(1000.0 + FIRST_DELAY, abs=0.001)


def test_no_reordering_makes_it_wait_for_long():
    nack = NackGenerator()
    nack.add(10, 11, now=1.0)
    nack.late(10, now=1.9, answers=False)
    nack.add(20, 21, now=2.0)
    assert nack.next_time() == pytest.approx(2.0 + MAX_DELAY)


def test_what_may_be_an_answer_tells_nothing_of_reordering():
    nack = NackGenerator()
    nack.add(10, 11, now=1.0)
    nack.missing(now=1.0 + FIRST_DELAY)
    assert nack.late(10, now=1.04, answers=True)
    assert nack.delay == pytest.approx(FIRST_DELAY)


def test_another_connections_round_trip_counts_until_a_repair_was_timed():
    nack = NackGenerator()
    assert nack.rtt == INITIAL_RTT
    nack.note_round_trip(0.3)
    assert nack.rtt == 0.3
    nack.add(1, 2, now=0.0)
    nack.missing(now=FIRST_DELAY)
    nack.repaired(1, now=FIRST_DELAY + 0.05)
    assert nack.rtt == pytest.approx(0.05)
    nack.note_round_trip(0.3)
    assert nack.rtt == pytest.approx(0.05)
