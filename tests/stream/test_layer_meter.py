"""Bit rates of layers, averaged over seconds."""

import pytest

from sfu.stream.layer_meter import INTERVAL, LIVE_TIME, RATE_TIME, LayerMeter


def feed(
    meter: LayerMeter, begin: float, seconds: float, sizes: dict[tuple[int, int], int]
) -> float:
    """One packet of each size, 20 times a second."""
    for step in range(round(20 * seconds)):
        for (spatial, temporal), size in sizes.items():
            meter.add(size, spatial, temporal, begin + step / 20, begins=True)
    return begin + seconds


def test_each_layer_is_measured_by_itself() -> None:
    meter = LayerMeter()
    now = feed(meter, 100.0, 5, {(0, 0): 1000, (0, 1): 500, (2, 0): 4000})
    rates = meter.rates(now)
    assert rates.keys() == {(0, 0), (0, 1), (2, 0)}
    assert rates[0, 0] == pytest.approx(160_000, rel=0.1)
    assert rates[0, 1] == pytest.approx(80_000, rel=0.1)
    assert rates[2, 0] == pytest.approx(640_000, rel=0.1)


def test_nothing_is_said_before_there_is_something_to_say() -> None:
    meter = LayerMeter()
    assert meter.rates(100.0) == {}
    meter.add(1000, 0, 0, 100.0, begins=True)
    assert meter.rates(100.0 + INTERVAL / 2) == {(0, 0): 0.0}


def test_a_layer_that_falls_silent_is_gone_and_comes_back_as_it_is_then() -> None:
    meter = LayerMeter()
    now = feed(meter, 100.0, 4, {(0, 0): 1000, (1, 0): 1000})
    now = feed(meter, now, LIVE_TIME + 0.1, {(0, 0): 1000})
    assert meter.rates(now).keys() == {(0, 0)}
    now = feed(meter, now, 4, {(0, 0): 1000, (1, 0): 250})
    assert meter.rates(now)[1, 0] == pytest.approx(40_000, rel=0.1)


def test_one_large_frame_is_spread_over_seconds() -> None:
    meter = LayerMeter()
    now = feed(meter, 100.0, 5, {(0, 0): 1000})
    meter.add(30_000, 0, 0, now, begins=False)
    assert meter.rates(now + 0.01)[0, 0] == pytest.approx(160_000 + 80_000, rel=0.15)


def test_after_a_pause_the_time_before_it_counts_no_more() -> None:
    meter = LayerMeter()
    now = feed(meter, 100.0, 3, {(0, 0): 4000})
    now = feed(meter, now + 10, 1, {(0, 0): 1000})
    assert meter.rates(now)[0, 0] == pytest.approx(160_000, rel=0.1)


def test_frames_are_counted_by_their_first_packets() -> None:
    meter = LayerMeter()
    for step in range(150):  # 24 frames a second of three packets each, every second one above
        for packet in range(3):
            meter.add(1000, 0, step % 2, 100 + step / 24, begins=packet == 0)
    rates = meter.frame_rates(100 + 150 / 24)
    assert rates[0, 0] == pytest.approx(12, rel=0.1)
    assert rates[0, 1] == pytest.approx(12, rel=0.1)


def test_a_frame_rate_takes_a_second_to_be_known() -> None:
    meter = LayerMeter()
    now = feed(meter, 100.0, RATE_TIME - 0.2, {(0, 0): 1000})
    assert meter.frame_rates(now) == {(0, 0): 0.0}
    now = feed(meter, now, 1, {(0, 0): 1000})
    assert meter.frame_rates(now)[0, 0] == pytest.approx(20, rel=0.1)
