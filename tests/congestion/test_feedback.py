import random
from itertools import pairwise

import pytest

from sfu.congestion.feedback import FULL, HISTORY, INTERVAL, MAX_PENDING, TransportFeedbackGenerator
from sfu.wire.rtcp import parse_compound
from sfu.wire.twcc import TICK, TransportFeedback

NUMBERS = [0, 1, 127, 32767, 32768, 65534, 65535]


def generator() -> TransportFeedbackGenerator:
    return TransportFeedbackGenerator(sender_ssrc=1, media_ssrc=2)


def check(feedbacks: list[TransportFeedback]) -> list[TransportFeedback]:
    """What goes out fits a datagram and is read as it was meant."""
    for feedback in feedbacks:
        data = bytes(feedback)
        assert len(data) <= 1200
        assert parse_compound(data) == [feedback]
        assert feedback.deltas[-1] is not None
    return feedbacks


def lost(feedbacks: list[TransportFeedback]) -> list[int]:
    return [
        (feedback.base_sequence + i) & 0xFFFF
        for feedback in feedbacks
        for i, delta in enumerate(feedback.deltas)
        if delta is None
    ]


def came(feedbacks: list[TransportFeedback]) -> list[int]:
    return [number for feedback in feedbacks for number, _ in feedback.arrivals()]


def test_nothing_is_due_while_nothing_comes():
    feedback = generator()
    assert feedback.next_time() is None
    assert feedback.build(now=5.0) == []


def test_reports_are_100_ms_apart_while_packets_come():
    feedback = generator()
    times = []
    for i in range(1000):
        now = 10 + i * 0.007
        feedback.received(i, now)
        when = feedback.next_time()
        if when is not None and when <= now:
            check(feedback.build(now=now))
            times.append(now)
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) <= INTERVAL + 0.0071
    assert min(gaps) >= INTERVAL - 1e-9


@pytest.mark.parametrize("start", NUMBERS)
def test_arrival_times_are_exact_to_the_tick(start):
    feedback = generator()
    sent = {(start + i) & 0xFFFF: 1000 + i * 0.0037 for i in range(300)}
    for number, now in sent.items():
        feedback.received(number, now)
    (report,) = check(feedback.build(now=1002.0))
    assert report.base_sequence == start
    assert (report.sender_ssrc, report.media_ssrc) == (1, 2)
    for number, ticks in report.arrivals():
        assert ticks * TICK == pytest.approx(sent[number] - TICK / 2, abs=0.51 * TICK)
    assert feedback.next_time() is None
    assert feedback.build(now=1003.0) == []


@pytest.mark.parametrize("start", NUMBERS)
def test_losses_are_told_also_between_two_reports(start):
    feedback = generator()
    number = start
    missing = []
    told = []
    for report in range(20):
        for i in range(10):
            if i in (0, 5, 9) and (report or i):
                missing.append(number & 0xFFFF)
            else:
                feedback.received(number & 0xFFFF, report * 0.1 + i * 0.01)
            number += 1
        told += lost(check(feedback.build(now=report * 0.1 + 0.1)))
    assert told == missing[: len(told)]
    assert len(missing) - len(told) == 1, "the very last one is not known to be lost yet"


def test_duplicates_change_nothing():
    feedback = generator()
    feedback.received(5, 1.0)
    feedback.received(5, 1.05)
    (report,) = feedback.build(now=1.1)
    assert [ticks * TICK for _, ticks in report.arrivals()] == [1.0]
    feedback.received(5, 1.2)
    assert feedback.next_time() is None


def test_a_late_packet_is_reported_again_with_those_after_it():
    feedback = generator()
    for i in (10, 11, 13, 14):
        feedback.received(i, 1.0 + i / 100)
    assert lost(check(feedback.build(now=1.2))) == [12]
    feedback.received(15, 1.21)
    feedback.received(12, 1.22)
    (report,) = check(feedback.build(now=1.3))
    assert report.base_sequence == 12
    assert dict(report.arrivals())[12] * TICK == pytest.approx(1.22)
    assert came([report]) == [12, 13, 14, 15]


def test_reordering_gives_negative_deltas():
    feedback = generator()
    feedback.received(1, 1.0)
    feedback.received(3, 1.01)
    feedback.received(2, 1.05)
    (report,) = check(feedback.build(now=1.1))
    assert [delta for delta in report.deltas[1:] if delta is not None] == [200, -160]


def test_what_is_older_than_the_first_packet_is_reported():
    feedback = generator()
    feedback.received(0, 1.0)
    feedback.received(65535, 1.01)
    assert came(check(feedback.build(now=1.1))) == [65535, 0]


def test_what_is_much_too_late_is_not_reported():
    feedback = generator()
    for i in range(HISTORY + 100):
        if i != 3:
            feedback.received(i, i / 1000)
    feedback.build(now=1.0)
    feedback.received(3, 1.01)
    assert feedback.next_time() is None


def test_a_delta_that_has_no_room_begins_another_report():
    feedback = generator()
    feedback.received(1, 1.0)
    feedback.received(2, 11.0)
    feedback.received(4, 11.1)
    reports = check(feedback.build(now=11.2))
    assert [report.base_sequence for report in reports] == [1, 2]
    assert [report.feedback_count for report in reports] == [0, 1]
    assert [ticks * TICK for r in reports for _, ticks in r.arrivals()] == pytest.approx(
        [1.0, 11.0, 11.1]
    )


def test_many_packets_are_several_reports_without_a_gap_between():
    feedback = generator()
    for i in range(4 * FULL):
        if i % 3:
            feedback.received(i, i / 10000)
    reports = check(feedback.build(now=1.0))
    assert len(reports) > 2
    for one, other in pairwise(reports):
        assert one.base_sequence + len(one.deltas) == other.base_sequence


@pytest.mark.parametrize("jump", [2050, 10_000, 32_767, 40_000, 60_000, 63_000])
def test_a_jump_is_no_loss(jump):
    feedback = generator()
    feedback.received(10, 1.0)
    feedback.received(11, 1.001)
    feedback.received((11 + jump) & 0xFFFF, 1.01)
    feedback.received((12 + jump) & 0xFFFF, 1.011)
    reports = check(feedback.build(now=1.1))
    assert lost(reports) == []
    assert came(reports) == [10, 11, (11 + jump) & 0xFFFF, (12 + jump) & 0xFFFF]
    feedback.received((13 + jump + 30_000) & 0xFFFF, 1.2)
    assert lost(check(feedback.build(now=1.3))) == []


def test_the_feedback_count_and_the_reference_time_wrap():
    feedback = generator()
    period = (1 << 24) * 0.064
    for i in range(300):
        now = period - 10 + i * 0.1
        feedback.received(i, now)
        (report,) = check(feedback.build(now=now))
        assert report.feedback_count == i % 256
        assert report.reference_time == int(now / 0.064) % (1 << 24)


def test_a_shell_that_never_builds_costs_no_more_memory():
    feedback = generator()
    for i in range(3 * MAX_PENDING):
        feedback.received(i & 0xFFFF, i / 100_000)
    reports = check(feedback.build(now=1.0))
    assert came(reports) == list(range(MAX_PENDING))


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_network_is_told_as_it_was(seed):
    """Every packet that came is reported with its time; every other one as lost, or not yet."""
    rng = random.Random(seed)
    feedback = generator()
    start = rng.choice(NUMBERS)
    arrivals: list[tuple[float, int]] = []
    for i in range(10_000):
        if rng.random() > 0.1:
            delay = rng.expovariate(200) + (0.1 if rng.random() < 0.01 else 0.0)
            arrivals.append((i / 500 + 100 + delay, i))
            if rng.random() < 0.02:
                arrivals.append((i / 500 + 100.05, i))
    arrivals.sort()
    first: dict[int, float] = {}
    told: dict[int, float] = {}
    for now, i in arrivals:
        when = feedback.next_time()
        if when is not None and when <= now:
            near = max(first)  # tells which turn of the 16 bits it is
            for report in check(feedback.build(now=when)):
                for number, ticks in report.arrivals():
                    true = near + ((number - start - near + 0x8000) & 0xFFFF) - 0x8000
                    told[true] = ticks * TICK
        first.setdefault(i, now)
        feedback.received((start + i) & 0xFFFF, now)
        assert len(feedback._arrivals) <= 4 * HISTORY
    reported = {i: at for i, at in first.items() if i in told}
    assert len(reported) > 0.99 * len(first)
    for i, at in reported.items():
        assert told[i] == pytest.approx(at - TICK / 2, abs=0.51 * TICK)
    assert set(told) <= set(first)
