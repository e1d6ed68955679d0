import random

import pytest

from sfu.congestion.history import KEEP, MAX_BURSTS, AckedBurst, SentHistory
from sfu.wire.twcc import MAX_STATUSES, REFERENCE_PERIOD, TransportFeedback

TICKS_PER_UNIT = 256


def feedback(
    base: int, deltas: tuple[int | None, ...], *, reference: int = 100
) -> TransportFeedback:
    return TransportFeedback(1, 2, base & 0xFFFF, reference % REFERENCE_PERIOD, 0, deltas)


def at(arrival: float) -> tuple[int, int]:
    """Reference time and first delta for an arrival, seconds."""
    return divmod(round(arrival * 4000), TICKS_PER_UNIT)


def history(*bursts: tuple[int, list[int], float]) -> SentHistory:
    sent = SentHistory()
    for first, sizes, now in bursts:
        sent.sent(first, sizes, now=now)
    return sent


def test_a_burst_that_came_is_told_with_its_first_and_last_arrival():
    sent = history((10, [100, 200, 300], 1.0))
    result = sent.take(feedback(10, (4, 8, 12)), now=1.1)
    assert result.bursts == [
        AckedBurst(1.0, 600, 3, 0, pytest.approx(6.401), pytest.approx(6.406), 0)
    ]
    assert (result.size, result.received, result.lost, result.in_flight) == (600, 3, 0, 0)


def test_bursts_come_in_the_order_of_sending_with_what_was_lost():
    sent = history((0, [100] * 4, 1.0), (4, [50] * 4, 1.033), (8, [10] * 4, 1.066))
    result = sent.take(feedback(2, (0, None, 4, None, None, 8, 2)), now=1.2)
    assert [(b.size, b.packets, b.lost) for b in result.bursts] == [
        (100, 1, 1),
        (100, 2, 2),
        (10, 1, 0),
    ]
    assert result.in_flight == 30


def test_the_two_halves_of_a_burst_may_come_in_two_feedbacks():
    sent = history((0, [100, 200, 300, 400], 1.0))
    first = sent.take(feedback(0, (0, 1)), now=1.1)
    second = sent.take(feedback(2, (9, 1)), now=1.2)
    assert [(b.size, b.packets) for b in first.bursts + second.bursts] == [(300, 2), (700, 2)]
    assert (first.in_flight, second.in_flight) == (700, 0)


def test_a_repeated_feedback_tells_nothing_new():
    sent = history((0, [100] * 4, 1.0), (4, [100] * 4, 1.01))
    told = feedback(0, (0, None, 3, 4, 5, 6, 7, 8))
    assert sent.take(told, now=1.1).received == 7
    again = sent.take(told, now=1.2)
    assert (again.bursts, again.received, again.lost) == ([], 0, 0)
    assert sent.refused == 0


def test_a_packet_told_as_lost_that_comes_late_is_recovered():
    sent = history((0, [100, 100, 100], 1.0))
    assert sent.take(feedback(0, (0, None, 4)), now=1.1).lost == 1
    late = sent.take(feedback(1, (200, 4)), now=1.2)
    assert (late.received, late.recovered, late.lost) == (1, 1, 0)


def test_numbers_wrap():
    sent = history((65_530, [100] * 10, 1.0), (65_540, [100] * 10, 1.01))
    result = sent.take(feedback(65_530, (0,) * 20), now=1.1)
    assert [b.packets for b in result.bursts] == [10, 10]


def test_the_reference_time_wraps():
    sent = SentHistory()
    previous = None
    for i in range(10):
        now = 1.0 + i * 0.064
        sent.sent(i, [100], now=now)
        result = sent.take(feedback(i, (0,), reference=REFERENCE_PERIOD - 5 + i), now=now)
        assert result.received == 1
        if previous is not None:
            assert result.bursts[0].first_arrival - previous == pytest.approx(0.064)
        previous = result.bursts[0].first_arrival


@pytest.mark.parametrize(
    "told",
    [
        feedback(4, (0,)),
        feedback(0, (0, 0, 0, 0, 0)),
        feedback(30_000, (0, 1, 2)),
        feedback(0, ()),
        feedback(65_000, (1,) * MAX_STATUSES),
        feedback(0, (0, 32_767, 32_767, 0)),
    ],
    ids=["not sent", "more than sent", "forgotten", "empty", "everything", "hours between"],
)
def test_what_cannot_be_is_refused_and_counted(told: TransportFeedback):
    sent = history((0, [100] * 4, 1.0))
    result = sent.take(told, now=1.1)
    assert result.bursts == []
    assert result.in_flight == 400
    assert sent.refused == 1
    assert sent.take(feedback(0, (1, 1, 1, 1)), now=1.2).received == 4


def test_a_time_line_that_jumps_costs_one_feedback_and_begins_anew():
    sent = SentHistory()
    restarts = []
    for i in range(6):
        now = 1.0 + i * 0.1
        sent.sent(i, [100], now=now)
        reference, delta = at(now + (1000 if i >= 3 else 0))
        result = sent.take(feedback(i, (delta,), reference=reference), now=now)
        restarts.append((result.restarted, result.received))
    assert restarts == [(True, 1), (False, 1), (False, 1), (True, 0), (False, 1), (False, 1)]
    assert sent.refused == 1


def test_what_is_kept_is_bounded():
    sent = SentHistory()
    for i in range(3 * MAX_BURSTS):
        sent.sent(i, [100], now=1.0)
    assert len(sent._bursts) == MAX_BURSTS
    sent.sent(3 * MAX_BURSTS, [100], now=1.01 + KEEP)
    assert len(sent._bursts) == 1


@pytest.mark.parametrize("seed", range(20))
def test_every_packet_is_told_once_whatever_is_repeated_reordered_or_forged(seed: int):
    rng = random.Random(seed)
    sent = SentHistory()
    number = rng.choice([0, 65_500])
    told_size = recovered = lost = 0
    total = 0
    for i in range(200):
        now = 1.0 + i * 0.01
        sizes = [rng.randint(50, 1200) for _ in range(rng.randint(1, 9))]
        sent.sent(number, sizes, now=now)
        number += len(sizes)
        total += sum(sizes)
        base = number - rng.randint(1, 40)
        length = rng.randint(1, 50)
        reference, delta = at(now)
        deltas = (delta, *(rng.choice([0, 3, None]) for _ in range(length)))
        result = sent.take(feedback(base, deltas, reference=reference), now=now)
        assert sum(b.size for b in result.bursts) == result.size
        assert sum(b.packets for b in result.bursts) == result.received
        assert [b.send_time for b in result.bursts] == sorted(b.send_time for b in result.bursts)
        assert all(b.first_arrival <= b.last_arrival for b in result.bursts)
        assert 0 <= result.in_flight <= total
        told_size += result.size
        recovered += result.recovered
        lost += result.lost
    assert 0 < told_size <= total
    assert recovered <= lost
    assert sent.refused > 0
