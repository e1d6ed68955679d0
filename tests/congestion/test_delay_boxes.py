"""From acknowledged bursts to "overusing": groups, queue delay, trend, detector."""

import random

import pytest

from sfu.congestion.arrival_groups import ArrivalGroup, ArrivalGroups
from sfu.congestion.history import AckedBurst
from sfu.congestion.overuse import INITIAL_THRESHOLD, MIN_THRESHOLD, OveruseDetector
from sfu.congestion.queue_delay import BUCKET, BUCKETS, QueueDelay
from sfu.congestion.trendline import EXACT_EVERY, WINDOW, Trendline


def burst(send: float, arrival: float, last: float | None = None, size: int = 1000) -> AckedBurst:
    return AckedBurst(send, size, 1, 0, arrival, arrival if last is None else last, 0)


def groups(*bursts: AckedBurst) -> list[ArrivalGroup]:
    collector = ArrivalGroups()
    return [group for b in bursts if (group := collector.add(b)) is not None]


def test_bursts_within_5_ms_are_one_group_that_stands_for_the_quickest():
    (group,) = groups(burst(1.0, 5.01), burst(1.004, 5.012), burst(1.02, 5.03))
    assert group == (1.004, 5.012, 2000)


def test_a_heap_of_a_radio_link_is_one_group_by_its_least_delayed_burst():
    held_up = [burst(1.0 + i * 0.01, 5.06 + i * 0.001) for i in range(6)]
    (group,) = groups(*held_up, burst(1.08, 5.1))
    assert group == pytest.approx((1.05, 5.065, 6000))


def test_a_growing_queue_is_no_heap():
    bursts = [burst(1.0 + i * 0.01, 5.0 + i * 0.014) for i in range(6)]
    assert len(groups(*bursts)) == 5


def test_what_was_overtaken_is_left_out():
    assert (
        len(groups(burst(1.0, 5.0), burst(1.03, 5.03), burst(1.01, 5.04), burst(1.06, 5.06))) == 2
    )


def test_how_long_a_frame_takes_says_nothing():
    """Frames of changing size on an idle path: no delay between their first packets."""
    rng = random.Random(1)
    bursts = [burst(i / 30, i / 30 + 0.02, i / 30 + rng.uniform(0.02, 0.05)) for i in range(60)]
    assert {round(g.arrival - g.send_time, 6) for g in groups(*bursts)} == {0.02}


@pytest.mark.parametrize("slope", [-0.2, -0.01, 0.0, 0.003, 0.1, 1.5])
def test_the_slope_of_a_line_is_found(slope: float):
    trendline = Trendline()
    for i in range(10 * WINDOW):
        arrival = 5000 + i / 40
        trendline.update(arrival, 100 + slope * (arrival - 5000))
    assert trendline.slope == pytest.approx(slope, abs=1e-6)
    assert trendline.trend == pytest.approx(slope * 60 * 4, abs=1e-3)


def test_there_is_no_trend_before_the_window_is_full():
    trendline = Trendline()
    assert all(trendline.update(i / 40, i / 10) == 0 for i in range(WINDOW - 1))
    assert trendline.update(WINDOW / 40, WINDOW / 10) > 0


def test_the_sums_stay_exact_for_hours():
    rng = random.Random(1)
    long, fresh = Trendline(), Trendline()
    last = 500 * EXACT_EVERY
    for i in range(last):
        arrival, delay = i / 40, rng.gauss(0.05, 0.005)
        long.update(arrival, delay)
        if i >= last - 400:
            fresh.update(arrival, delay)
    assert long.slope == pytest.approx(fresh.slope, abs=1e-6)


def test_a_queue_is_what_all_packets_wait_for():
    queue = QueueDelay()
    for i in range(100):
        queue.update(i / 40, 100.0, 1000)
    assert queue.delay == 0
    found = [queue.update((100 + i) / 40, 100.08, 1000) for i in range(20)]
    assert found[1] == 0, "two late packets are no queue"
    assert found[-1] == pytest.approx(0.08)
    assert queue.update(3.0, 100.0, 1000) == 0


def test_jitter_is_no_queue():
    rng = random.Random(1)
    queue = QueueDelay()
    found = sorted(queue.update(i / 80, 100 + rng.uniform(0, 0.06), 1000) for i in range(4000))
    assert found[len(found) // 2] < 0.012
    assert found[int(0.95 * len(found))] < 0.025


def test_a_longer_path_is_no_queue_after_a_while():
    queue = QueueDelay()
    for i in range(40 * 5):
        queue.update(i / 40, 100.0, 1000)
    steps = round(40 * BUCKET * (BUCKETS + 1))
    found = [queue.update(5 + i / 40, 100.2, 1000) for i in range(steps)]
    assert found[40] == pytest.approx(0.2)
    assert found[-1] == 0


def detect(*trends: float, queue: float = 0.1) -> tuple[OveruseDetector, list[str]]:
    detector = OveruseDetector()
    states = [
        detector.update(trend, 0.03, queue, at=1 + i * 0.03) for i, trend in enumerate(trends)
    ]
    return detector, [str(state) for state in states]


def test_overuse_takes_two_trends_that_do_not_fall():
    assert detect(20, 21, 22)[1] == ["normal", "overusing", "overusing"]
    assert detect(60, 50, 40)[1] == ["normal", "normal", "normal"]


def test_a_trend_without_a_queue_is_no_overuse():
    assert set(detect(*range(20, 80), queue=0.005)[1]) == {"normal"}


def test_a_falling_trend_is_underuse():
    assert detect(-20, -5)[1] == ["underusing", "normal"]


def test_the_threshold_follows_the_noise_of_the_path():
    quiet, _ = detect(*[0.5] * 200)
    noisy, _ = detect(*[20.0, -20.0] * 200)
    assert quiet.threshold == MIN_THRESHOLD
    assert noisy.threshold == pytest.approx(20.0, abs=1)
    event, _ = detect(200.0, 200.0, 200.0)
    assert event.threshold == INITIAL_THRESHOLD, "one event is not noise"
