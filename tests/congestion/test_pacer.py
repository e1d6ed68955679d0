import pytest

from sfu.congestion.pacer import BURST, FACTOR, MAX_QUEUE_TIME, BurstPacer


def drain(pacer: BurstPacer, size: int, *, estimate: float, begin: float = 5.0) -> list[float]:
    """When each packet of 1200 bytes leaves that comes at `begin`."""
    now, left, departures = begin, size, []
    while left > 0:
        budget = pacer.budget(now=now, estimate=estimate, queued=left)
        while left > 0 and budget > 0:
            packet = min(1200, left)
            pacer.spent(packet)
            budget -= packet
            left -= packet
            departures.append(now)
        if left:
            when = pacer.next_time()
            assert when is not None
            assert when > now, "it must not be asked in vain"
            now = when
    return departures


def test_frames_of_usual_size_leave_at_once():
    pacer = BurstPacer()
    for i in range(100):
        begin = 5 + i / 30
        assert set(drain(pacer, 7000, estimate=2e6, begin=begin)) == {begin}


def test_what_is_sent_at_more_than_the_paced_rate_is_not_all_sent_at_once():
    pacer = BurstPacer()
    left = [drain(pacer, 20_000, estimate=1e6, begin=5 + i / 30)[-1] - i / 30 for i in range(10)]
    assert left[0] == 5.0
    assert left[-1] > 5.05


def test_a_key_frame_is_spread_at_the_paced_rate():
    departures = drain(BurstPacer(), 200_000, estimate=4e6)
    rest = 200_000 - 50_000  # what 40 ms of 10 Mbit/s are leaves at once
    assert departures.count(5.0) == pytest.approx(50_000 / 1200, abs=1.5)
    assert departures[-1] - 5.0 == pytest.approx(8 * rest / (FACTOR * 4e6), rel=0.1)
    assert len(set(departures)) < 40, "a wake-up is worth several packets"


def test_nothing_waits_longer_than_the_bound_on_a_slow_path():
    departures = drain(BurstPacer(), 200_000, estimate=100e3)
    assert 0.3 < departures[-1] - 5.0 <= MAX_QUEUE_TIME


def test_the_burst_is_there_again_after_a_pause():
    pacer = BurstPacer()
    drain(pacer, 30_000, estimate=1e6)
    assert pacer.budget(now=9.0, estimate=1e6) == BURST


def test_before_the_first_question_there_is_no_time_to_ask_again():
    assert BurstPacer().next_time() is None
