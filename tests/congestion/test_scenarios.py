"""The whole estimator over a bottleneck: what a subscriber's path does to its estimate."""

import pytest

from tests.congestion import paths
from tests.congestion.virtual_path import VirtualPath

SEEDS = [1, 2, 3]


@pytest.mark.parametrize("capacity", [300e3, 1e6, 2.5e6, 8e6])
@pytest.mark.parametrize("delay", [0.01, 0.05])
def test_it_converges_with_probes_and_keeps_the_queue_short(capacity: float, delay: float):
    path = VirtualPath(capacity=capacity, delay=delay, goal=1.5 * capacity).run(60)
    assert path.reached(0.85 * capacity) < 3
    assert 0.85 * capacity < path.mean(10, 60) < 1.05 * capacity
    assert path.queue_p95(10, 60) < 0.1
    assert path.throughput(10, 60) > 0.8 * capacity


def test_it_converges_without_probes():
    path = VirtualPath(capacity=2.5e6).run(60)
    assert path.probes == 0
    assert path.reached(0.85 * 2.5e6) < 20
    assert 0.85 * 2.5e6 < path.mean(25, 60) < 1.05 * 2.5e6
    assert path.queue_p95(10, 60) < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_it_follows_the_capacity_down_within_a_second_and_up_within_ten(seed: int):
    path = paths.stepping(seed)
    assert path.fell(700e3, after=30) <= 1.0
    assert path.queue_p95(33, 60) < 0.15  # probes for five times as much are part of it
    assert 0.75 * 600e3 < path.mean(33, 60) < 1.05 * 600e3
    assert path.reached(0.85 * 2e6, after=60) < 10


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("loss", "kept"), [(0.02, 0.85), (0.05, 0.8), (0.1, 0.75)])
def test_it_holds_at_random_loss(loss: float, kept: float, seed: int):
    path = paths.losing(seed, loss)
    assert path.reached(0.85 * 2.5e6) < 10
    assert path.mean(10, 60) > kept * 2.5e6


@pytest.mark.parametrize("seed", SEEDS)
def test_jitter_and_reordering_are_not_overuse(seed: int):
    """± 30 ms for each packet by itself, so that neighbours overtake each other."""
    path = paths.jittery(seed)
    assert path.estimates(10, 120)[0] > 0.85 * 2.5e6
    full = VirtualPath(capacity=2.5e6, jitter=0.06, reorder=0.03, goal=3e6, seed=seed).run(60)
    assert full.reached(0.85 * 2.5e6) < 12
    assert full.mean(12, 60) > 0.8 * 2.5e6


@pytest.mark.parametrize("seed", SEEDS)
def test_half_a_second_of_total_loss_changes_little(seed: int):
    path = paths.silent(seed)
    assert path.mean(10, 60) > 0.85 * 2.5e6
    assert path.estimates(10, 60)[0] > 0.65 * 2.5e6


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("queue", [0.1, 0.2, 0.3])
def test_neither_starves_beside_a_tcp_flow(queue: float, seed: int):
    path = paths.beside_tcp(seed, queue)
    assert path.throughput(20, 90) > 0.25 * 3e6
    assert path.throughput(20, 90, "tcp") > 0.25 * 3e6


def test_sending_little_neither_raises_nor_lowers_it():
    path = VirtualPath(
        capacity=3e6, goal=2e6, media=lambda e, t: 150e3 if t > 10 else e * 0.97
    ).run(60)
    before = path.estimates(8, 10)[0]
    assert path.estimates(12, 60)[0] > 0.8 * before
    assert path.estimates(12, 60)[-1] < 1.3 * 3e6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_capacity_that_wanders_is_followed_without_a_long_queue(seed: int):
    """As of a cellular link: a random walk of 12 % each 0.1 s, between 0.2 and 8 Mbit/s."""
    path, mean = paths.wandering(seed)
    assert max(queue for _, queue in path.queues) < 1.0
    assert path.queue_p95(5, 120) < 0.33
    assert path.throughput(5, 120) > 0.6 * mean
