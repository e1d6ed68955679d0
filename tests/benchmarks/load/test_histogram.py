import random

import pytest

from benchmarks.load.histogram import Histogram


def test_of_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(50) is None
    assert Histogram().total == 0


@pytest.mark.parametrize("seconds", [1e-6, 1e-5, 0.00123, 0.5, 1.0, 30.0])
def test_percentile_is_near_the_delay(seconds: float) -> None:
    histogram = Histogram()
    histogram.add(seconds)
    found = histogram.percentile(99)
    assert found == pytest.approx(seconds, rel=0.045)


def test_percentiles_of_many_agree_with_sorting() -> None:
    chance = random.Random(1)
    delays = [chance.lognormvariate(-6, 1) for _ in range(5000)]
    histogram = Histogram()
    for delay in delays:
        histogram.add(delay)
    delays.sort()
    for percent in (1, 50, 95, 99):
        assert histogram.percentile(percent) == pytest.approx(
            delays[len(delays) * percent // 100], rel=0.05
        )


def test_delay_before_it_was_sent_counts_as_none() -> None:
    histogram = Histogram()
    histogram.add(-0.5)
    histogram.add(0.0)
    assert histogram.total == 2
    assert (histogram.percentile(100) or 0) < 2e-6


def test_union_has_all_delays_and_leaves_its_parts_alone() -> None:
    first, second = Histogram(), Histogram()
    first.add(0.001, 3)
    second.add(0.001)
    second.add(0.1)
    union = Histogram.union([first, second])
    assert (union.total, first.total, second.total) == (5, 3, 2)
    assert union.percentile(80) == pytest.approx(0.001, rel=0.05)
    assert union.percentile(81) == pytest.approx(0.1, rel=0.05)
