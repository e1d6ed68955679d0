import pytest

from sfu.congestion.receive_rate import HEADROOM, MAXIMUM, MINIMUM, START, ReceiveRate


def test_a_sender_that_fills_its_bound_may_send_more():
    rate = ReceiveRate()
    bounds = [rate.update(rate.bitrate, 0.0) for _ in range(5)]
    assert bounds[0] == HEADROOM * START
    assert bounds == sorted(bounds)
    assert bounds[-1] > 5 * START


def test_sending_little_lowers_nothing():
    rate = ReceiveRate()
    rate.update(4_000_000, 0.0)
    assert rate.update(20_000, 0.0) == 6_000_000
    assert rate.update(0, 0.0) == 6_000_000


def test_loss_lowers_it_below_what_arrives():
    rate = ReceiveRate()
    rate.update(2_000_000, 0.0)
    assert rate.update(1_000_000, 0.2) == pytest.approx(900_000)
    assert rate.update(1_000_000, 0.0) == pytest.approx(1_500_000), "and it recovers"


@pytest.mark.parametrize(("less", "more"), [(0.021, 0.03), (0.03, 0.06), (0.06, 0.1), (0.1, 0.5)])
def test_more_loss_lowers_it_more(less, more):
    bounds = []
    for loss in (less, more):
        rate = ReceiveRate()
        rate.update(2_000_000, 0.0)
        bounds.append(rate.update(1_000_000, loss))
    assert bounds[0] > bounds[1]


@pytest.mark.parametrize("received", [1, 1e3, 1e9, 1e15])
@pytest.mark.parametrize("loss", [0.0, 0.05, 1.0])
def test_it_stays_within_its_bounds(received, loss):
    rate = ReceiveRate()
    for _ in range(100):
        assert MINIMUM <= rate.update(received, loss) <= MAXIMUM
