import math
import random
from collections.abc import Callable

import pytest

from sfu.congestion.history import AckedBurst, FeedbackResult
from sfu.congestion.loss import LossBound


class Sender:
    """Sends what the bound and the delay-based estimate allow, in packets of 1200 bytes."""

    def __init__(self, loss: Callable[[float], float], *, estimate: float = 2e6, seed: int = 1):
        self.bound = LossBound()
        self.estimate = estimate
        self.queue = 0.0
        self.now = 1000.0
        self.rates: list[float] = []
        self._loss = loss
        self._random = random.Random(seed)

    def run(self, seconds: float) -> "Sender":
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            rate = min(self.estimate, self.bound.bound)
            packets = max(round(rate * 0.1 / 9600), 1)
            share = self._loss(rate)
            came = sum(self._random.random() >= share for _ in range(packets))
            lost = packets - came
            bursts = [AckedBurst(self.now - 0.1, came * 1200, came, lost, 1.0, 1.1, 0)]
            self.bound.update(
                FeedbackResult(bursts, came * 1200, came, lost, 0, 0, False),
                estimate=self.estimate,
                acknowledged=rate * (1 - share),
                queue=self.queue,
                round_trip=0.1,
                now=self.now,
            )
            self.rates.append(min(self.estimate, self.bound.bound))
        return self


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_small_random_loss_is_no_reason(loss: float, seed: int):
    sender = Sender(lambda _: loss, seed=seed).run(60)
    assert min(sender.rates) == 2e6
    assert sender.bound.loss == pytest.approx(loss, abs=0.04)


@pytest.mark.parametrize("loss", [0.12, 0.2])
def test_loss_that_stays_when_less_is_sent_is_the_paths_own(loss: float):
    sender = Sender(lambda _: loss).run(60)
    assert min(sender.rates) >= 0.6 * 2e6
    assert sender.rates[100:].count(2e6) > 0.9 * len(sender.rates[100:])
    assert sender.bound.inherent == pytest.approx(loss, abs=0.06)


def test_loss_that_goes_away_when_less_is_sent_is_congestion():
    """A policer: what is above 1 Mbit/s is lost, and nothing is ever delayed."""
    sender = Sender(lambda rate: max(1 - 1e6 / rate, 0.0)).run(60)
    late = sorted(sender.rates[100:])
    assert sender.rates[30] < 1.3e6
    assert late[0] > 0.85e6
    assert late[len(late) // 2] < 1.15e6
    assert late[-1] < 1.3e6


def test_with_a_queue_less_loss_is_enough_to_react():
    def drop(rate: float) -> float:
        return max(1 - 1.88e6 / rate, 0.0)  # 6 % at first

    without = Sender(drop).run(20)
    with_queue = Sender(drop)
    with_queue.queue = 0.2
    with_queue.run(20)
    assert min(without.rates) == 2e6
    assert min(with_queue.rates) < 1.9e6


def test_the_bound_is_lifted_when_the_loss_ends():
    sender = Sender(lambda rate: max(1 - 0.5e6 / rate, 0.0)).run(10)
    assert sender.rates[-1] < 1e6
    sender._loss = lambda _: 0.0
    sender.run(20)
    assert sender.bound.bound == math.inf


def test_a_probe_lifts_the_bound_when_it_was_not_set_lately():
    sender = Sender(lambda rate: max(1 - 0.5e6 / rate, 0.0)).run(4)
    before = sender.bound.bound
    sender.bound.prove(1.5e6, now=sender.now)
    assert sender.bound.bound == before < 1e6
    sender.bound.prove(1.5e6, now=sender.now + 6)
    assert sender.bound.bound == 1.5e6
    sender.bound.prove(1e6, now=sender.now + 6)
    assert sender.bound.bound == 1.5e6


def feed(bound: LossBound, bursts: list[AckedBurst], now: float, recovered: int = 0) -> None:
    came, lost = sum(b.packets for b in bursts), sum(b.lost for b in bursts)
    bound.update(
        FeedbackResult(bursts, came * 1200, came, lost, recovered, 0, False),
        estimate=2e6,
        acknowledged=1.5e6,
        queue=0.0,
        round_trip=0.1,
        now=now,
    )


def test_an_outage_is_no_congestion():
    bound = LossBound()
    for i in range(200):
        now = 1000 + i * 0.1
        away = [AckedBurst(now - 0.6 + j / 30, 0, 0, 8, 0, 0, 0) for j in range(15)]
        here = [AckedBurst(now - 0.1 + j / 30, 9600, 8, 0, 1, 1, 0) for j in range(3)]
        feed(bound, away + here if i % 20 == 10 else here, now)
        assert bound.bound == math.inf
    assert bound.loss == 0


def test_what_only_came_late_was_not_lost():
    bound = LossBound()
    for i in range(200):
        bursts = [AckedBurst(1.0 + i * 0.1, 9600, 24, 3, 1, 1, 0)]
        feed(bound, bursts, 1000 + i * 0.1, recovered=3 if i else 0)
    assert bound.loss < 0.03
    assert bound.bound == math.inf


def test_few_packets_wait_for_more():
    bound = LossBound()
    for i in range(9):
        feed(bound, [AckedBurst(1.0 + i, 0, 0, 1, 0, 0, 0)], 1000 + i)
    assert (bound.loss, bound.bound) == (0.0, math.inf)
