from itertools import pairwise

import pytest

from sfu.congestion.ramp import Ramp


def test_it_goes_on_while_the_bound_follows():
    ramp = Ramp()
    estimate, now = 300e3, 0.0
    while ramp.update(goal=2e6, estimate=estimate, bound=1.5 * estimate, loss=0.0, now=now):
        assert estimate < ramp.rate <= 2e6
        estimate, now = max(estimate, ramp.rate), now + 0.25
    assert estimate == 2e6
    assert now < 5
    assert ramp.failures == 0


def test_it_ends_where_nothing_is_gained_and_waits_longer_each_time():
    ramp = Ramp()
    begun = []
    for tick in range(400):
        before = ramp.rate
        rate = ramp.update(goal=2e6, estimate=500e3, bound=510e3, loss=0.0, now=tick / 4)
        if rate and not before:
            begun.append(tick / 4)
    gaps = [b - a for a, b in pairwise(begun)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 3 * gaps[0]
    assert ramp.failures >= 3


@pytest.mark.parametrize(("bound", "loss"), [(700e3, 0.0), (1e6, 0.06)])
def test_a_full_path_ends_it_at_once(bound: float, loss: float):
    ramp = Ramp()
    assert ramp.update(goal=2e6, estimate=600e3, bound=1e6, loss=0.0, now=0.0)
    assert ramp.update(goal=2e6, estimate=600e3, bound=bound, loss=loss, now=0.25) == 0


def test_nothing_is_tried_without_a_goal_or_while_packets_are_lost():
    ramp = Ramp()
    assert ramp.update(goal=500e3, estimate=600e3, bound=1e6, loss=0.0, now=0.0) == 0
    assert ramp.update(goal=2e6, estimate=600e3, bound=1e6, loss=0.1, now=1.0) == 0
