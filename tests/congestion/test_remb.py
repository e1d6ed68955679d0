import math

import pytest

from sfu.congestion.remb import VALID, ReportControl


def control() -> ReportControl:
    return ReportControl(start=600e3, minimum=30e3, maximum=100e6)


def report(rates: ReportControl, loss: float, seconds: int, *, sending: float = 1e9, now: int = 0):
    for i in range(1, seconds + 1):
        rates.receive_report(loss, 0.1, sending, now=float(now + i))


def test_a_remb_is_an_upper_bound():
    rates = control()
    rates.receive_remb(400e3, now=0.0)
    assert rates.estimate == 400e3
    report(rates, 0.0, 8)
    assert rates.estimate == 400e3


def test_a_remb_that_claims_too_much_raises_nothing():
    rates = control()
    rates.receive_remb(1e15, now=0.0)
    assert rates.estimate == 600e3
    report(rates, 0.0, 100, sending=500e3)
    assert rates.estimate == pytest.approx(1.5 * 500e3 + 10e3)


@pytest.mark.parametrize("bitrate", [0.0, -5.0, 1.0])
def test_a_remb_that_claims_nothing_leaves_the_minimum(bitrate: float):
    rates = control()
    rates.receive_remb(bitrate, now=0.0)
    assert rates.estimate == 30e3


def test_a_remb_is_forgotten_when_it_is_not_repeated():
    rates = control()
    rates.receive_remb(100e3, now=0.0)
    report(rates, 0.0, 5, now=round(VALID))
    assert rates.remb == math.inf
    assert rates.estimate > 100e3


def test_little_loss_raises_some_holds_and_much_lowers():
    low, some, much = control(), control(), control()
    report(low, 0.01, 11)
    report(some, 0.05, 10)
    report(much, 0.2, 1)
    assert low.estimate == pytest.approx(600e3 * 1.08**10)
    assert some.estimate == 600e3
    assert much.estimate == pytest.approx(540e3)


def test_reports_within_one_round_trip_lower_it_once():
    rates = control()
    for i in range(5):
        rates.receive_report(0.5, 0.5, 1e6, now=1 + i * 0.1)
    assert rates.estimate == pytest.approx(450e3)


def test_it_stays_above_the_minimum():
    rates = control()
    report(rates, 1.0, 100)
    assert rates.estimate == 30e3


def test_without_a_remb_there_may_be_no_limit_until_loss_shows_one():
    rates = ReportControl(start=600e3, minimum=30e3, maximum=100e6, unlimited=True)
    report(rates, 0.05, 1, sending=500e3)
    assert rates.estimate == 100e6
    report(rates, 0.2, 1, sending=2e6, now=1)
    assert rates.estimate == pytest.approx(1.8e6)
    report(rates, 0.0, 1, sending=1.8e6, now=2)
    assert rates.estimate < 2e6
