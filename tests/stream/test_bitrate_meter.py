import random

import pytest

from sfu.stream.bitrate_meter import ACTIVE_TIMEOUT, BitrateMeter


def test_nothing_came():
    meter = BitrateMeter()
    assert meter.bitrate(5.0) == 0
    assert meter.packet_rate(5.0) == 0
    assert not meter.active(5.0)


@pytest.mark.parametrize("start", [0.0, 0.25, 1000.0, 123456.789])
@pytest.mark.parametrize("rate", [10, 50, 1000])
def test_a_steady_stream_is_measured_exactly(start, rate):
    meter = BitrateMeter()
    for i in range(5 * rate):
        meter.add(1000, start + i / rate)
    now = start + 5
    assert meter.bitrate(now) == pytest.approx(8000 * rate, rel=0.11)
    assert meter.packet_rate(now) == pytest.approx(rate, rel=0.11)


def test_a_new_stream_is_measured_over_its_own_time():
    meter = BitrateMeter()
    for i in range(300):
        meter.add(1000, 100.0 + i / 1000)
    assert meter.bitrate(100.3) == pytest.approx(8_000_000, rel=0.02)


def test_the_rate_falls_to_zero_within_a_window():
    meter = BitrateMeter()
    for i in range(1000):
        meter.add(1000, 100.0 + i / 1000)
    assert meter.bitrate(101.5) == pytest.approx(4_000_000, rel=0.01)
    assert meter.bitrate(102.2) == 0
    assert meter.bitrate(1000.0) == 0


def test_reading_changes_nothing():
    meter, other = BitrateMeter(), BitrateMeter()
    for i in range(3000):
        now = 100.0 + i / 1000
        meter.add(100, now)
        other.add(100, now)
        meter.bitrate(now + i % 5)
    assert meter.bitrate(103.0) == other.bitrate(103.0) > 0


def test_a_pause_does_not_dilute_what_comes_after_it():
    meter = BitrateMeter()
    meter.add(1000, 100.0)
    for i in range(200):
        meter.add(1000, 110.0 + i / 1000)
    assert meter.bitrate(110.2) == pytest.approx(8_000_000, rel=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_all_whole_buckets_of_the_last_second_are_counted(seed):
    rng = random.Random(seed)
    meter = BitrateMeter()
    now = 50.0
    packets = []
    for _ in range(5000):
        now += rng.choice((0.0, 0.001, 0.01, 0.05, 0.3))
        size = rng.randint(50, 1200)
        meter.add(size, now)
        packets.append((now, size))
        if now < 52:
            continue
        tick = int(now * 10)
        expected = sum(s for at, s in packets[-2000:] if tick - 10 <= int(at * 10) < tick)
        assert meter.bitrate(now) == 8 * expected


def test_liveness():
    meter = BitrateMeter()
    meter.add(100, 100.0)
    assert meter.active(100.0)
    assert meter.active(100.0 + ACTIVE_TIMEOUT)
    assert not meter.active(100.2 + ACTIVE_TIMEOUT)
