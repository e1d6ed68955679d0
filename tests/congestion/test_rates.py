"""Acknowledged bit rate and the rate control behind the detector."""

import pytest

from sfu.congestion.acknowledged_bitrate import AcknowledgedBitrate
from sfu.congestion.history import AckedBurst
from sfu.congestion.overuse import State
from sfu.congestion.rate_control import DECREASE, LinkCapacity, RateControl


def received(
    *, frames: int, size: int = 8000, sending: float = 1 / 30, arriving: float | None = None
) -> AcknowledgedBitrate:
    rate = AcknowledgedBitrate()
    for i in range(frames):
        arrival = 50 + i * (sending if arriving is None else arriving)
        rate.add(AckedBurst(1 + i * sending, size, 8, 0, arrival, arrival + 0.01, 0))
        rate.update()
    return rate


def test_the_rate_of_even_frames_is_exact_at_any_time():
    for frames in range(5, 60):
        assert received(frames=frames).bitrate == pytest.approx(8 * 8000 * 30)


def test_one_burst_has_no_rate():
    assert received(frames=1).bitrate is None


def test_a_full_link_shows_its_capacity_beside_what_was_sent():
    recent = received(frames=60, arriving=1 / 15).recent()
    assert recent == pytest.approx((8 * 8000 * 15, 8 * 8000 * 30))


def test_what_was_overtaken_counts_without_turning_time_back():
    rate = received(frames=30)
    before = rate.bitrate
    rate.add(AckedBurst(1.9, 8000, 8, 0, 50.5, 50.51, 0))
    rate.add(AckedBurst(2.0, 8000, 8, 0, 51.0, 51.01, 0))
    assert before is not None
    assert rate.update() == pytest.approx(before, rel=0.1)


def control(start: float = 1e6) -> RateControl:
    return RateControl(start=start, minimum=30_000, maximum=100e6)


def drive(
    rates: RateControl,
    state: State,
    seconds: float,
    *,
    begin: float = 0.0,
    acknowledged: float | None = None,
    recent: tuple[float, float] | None = None,
    queue: float = 0.0,
) -> float:
    """A feedback each 0.1 s; without `acknowledged`, all that may be sent comes."""
    for i in range(1, round(seconds * 10) + 1):
        rates.update(
            state,
            rates.estimate if acknowledged is None else acknowledged,
            recent,
            round_trip=0.1,
            queue=queue,
            now=begin + i / 10,
        )
    return begin + seconds


def test_it_rises_by_8_percent_a_second_while_nothing_is_known():
    rates = control()
    drive(rates, "normal", 10.1)
    assert rates.estimate == pytest.approx(1e6 * (1 + 0.08 / 10) ** 100)


def test_near_a_known_capacity_it_rises_by_a_packet_each_response_time():
    rates = control()
    now = drive(rates, "overusing", 0.1, recent=(0.98e6, 1e6))
    assert rates.estimate == pytest.approx(DECREASE * 1e6)
    drive(rates, "normal", 1.0, begin=now)
    assert 20_000 < rates.estimate - DECREASE * 1e6 < 60_000


def test_it_falls_once_in_a_response_time():
    rates = control()
    drive(rates, "overusing", 0.2, acknowledged=0.95e6, recent=(0.95e6, 1e6))
    assert rates.estimate == pytest.approx(DECREASE * 0.95e6)


def test_far_too_much_is_corrected_at_once_and_by_what_really_comes():
    rates = control(3e6)
    drive(rates, "overusing", 0.1, acknowledged=2.8e6, recent=(0.6e6, 2.8e6), queue=0.2)
    assert rates.estimate < 0.5e6
    deep = rates.estimate
    rates = control(3e6)
    drive(rates, "overusing", 0.1, acknowledged=0.6e6, recent=(0.6e6, 2.8e6), queue=0.0)
    assert deep < rates.estimate == pytest.approx(DECREASE * 0.6e6)


def test_what_nobody_tried_is_not_claimed():
    rates = control()
    drive(rates, "normal", 60, acknowledged=800_000.0)
    assert rates.estimate == pytest.approx(1.5 * 800_000 + 10_000)


def test_sending_little_is_no_reason_to_fall():
    rates = control(2e6)
    drive(rates, "normal", 60, acknowledged=100_000.0)
    assert rates.estimate == 2e6
    drive(rates, "overusing", 0.1, acknowledged=100_000.0, recent=(100_000.0, 100_000.0))
    assert rates.estimate == pytest.approx(DECREASE * 2e6)


def test_a_full_queue_without_a_trend_is_overuse_when_it_overflows():
    rates = control(2e6)
    drive(rates, "normal", 0.1, acknowledged=1e6, recent=(1e6, 2e6), queue=0.3)
    assert rates.estimate < 1e6


def test_a_probe_raises_it_at_once_and_a_full_link_ends_what_nobody_tried():
    rates = control()
    rates.prove(3e6, acknowledged=500e3, full=False)
    assert rates.estimate == 3e6
    rates.prove(2e6, acknowledged=500e3, full=False)
    assert rates.estimate == 3e6, "more was not tried"
    rates.prove(2e6, acknowledged=500e3, full=True)
    assert rates.estimate == 2e6
    rates.prove(1e6, acknowledged=1.5e6, full=True)
    assert rates.estimate == pytest.approx(1.2 * 1.5e6), "what comes anyway is not given up"


def test_it_waits_while_the_queue_empties():
    rates = control()
    drive(rates, "underusing", 10)
    assert rates.estimate == 1e6


def contended() -> tuple[RateControl, float]:
    """Beside another flow, which keeps a queue; 2 Mbit/s came before that."""
    rates = control(2e6)
    now = drive(rates, "normal", 2.0, acknowledged=2e6)
    now = drive(rates, "overusing", 0.1, begin=now, recent=(1.9e6, 2e6), queue=0.15)
    now = drive(rates, "underusing", 0.5, begin=now, recent=(0.9e6, 0.9e6), queue=0.15)
    assert rates.contended
    return rates, now


def test_a_queue_that_sending_less_does_not_clear_is_somebody_elses():
    rates, now = contended()
    low = rates.estimate
    assert low >= 1e6, "as a TCP halves, once"
    now = drive(rates, "overusing", 2.0, begin=now, recent=(1e6, 1e6), queue=0.15)
    assert rates.estimate > 1.5 * low, "and takes its share again"
    high = rates.estimate
    drive(rates, "overusing", 0.1, begin=now, recent=(0.5e6, 1e6), queue=0.15)
    assert rates.estimate < high, "what does not go through is ours"


def test_beside_another_flow_the_losses_of_a_second_count_once():
    rates, now = contended()
    now = drive(rates, "normal", 1.0, begin=now, queue=0.15)
    before = rates.estimate
    rates.yield_to_others(now=now)
    rates.yield_to_others(now=now + 0.5)
    assert rates.estimate == pytest.approx(0.7 * before)
    rates.yield_to_others(now=now + 1.1)
    assert rates.estimate == pytest.approx(0.49 * before)


def test_the_queue_is_ours_again_when_it_was_gone():
    rates, now = contended()
    now = drive(rates, "normal", 1.5, begin=now, queue=0.0)
    assert not rates.contended
    before = rates.estimate
    drive(rates, "overusing", 0.2, begin=now, recent=(0.98e6, 1e6), queue=0.1)
    assert rates.estimate < before


def test_it_stays_within_its_bounds():
    rates = RateControl(start=1e6, minimum=100_000, maximum=2e6)
    drive(rates, "normal", 30)
    assert rates.estimate == 2e6
    drive(rates, "overusing", 5, begin=30, acknowledged=5000.0, recent=(5000.0, 1e6))
    assert rates.estimate == 100_000


def test_the_capacity_knows_what_is_far_from_it():
    capacity = LinkCapacity()
    assert capacity.includes(5.0) == 0
    for _ in range(20):
        capacity.add(1e6)
    assert [capacity.includes(b) for b in (0.5e6, 0.98e6, 1.02e6, 2e6)] == [-1, 0, 0, 1]
