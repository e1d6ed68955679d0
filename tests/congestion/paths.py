"""The paths that tests hold the estimator to, and `benchmarks.scenarios` measures."""

import math
import random

from tests.congestion.virtual_path import RenoFlow, VirtualPath


def stepping(seed: int) -> VirtualPath:
    """The capacity goes down at 30 s, and up at 60 s."""
    return VirtualPath(
        capacity=lambda t: 3e6 if t < 30 else 600e3 if t < 60 else 2e6, goal=3e6, seed=seed
    ).run(90)


def losing(seed: int, loss: float) -> VirtualPath:
    """Packets are lost at random."""
    return VirtualPath(capacity=2.5e6, delay=0.05, loss=loss, goal=3e6, seed=seed).run(60)


def silent(seed: int) -> VirtualPath:
    """Nothing comes for half a second, every ten seconds."""
    path = VirtualPath(capacity=2.5e6, goal=3e6, seed=seed)
    path.drop = lambda t: t > 10 and t % 10 < 0.5
    return path.run(60)


def jittery(seed: int) -> VirtualPath:
    """± 30 ms for each packet by itself, so that neighbours overtake each other."""
    return VirtualPath(
        capacity=2.5e6, jitter=0.06, reorder=0.03, media=lambda e, _: 1.7e6, goal=2e6, seed=seed
    ).run(120)


def beside_tcp(seed: int, queue: float) -> VirtualPath:
    """A greedy TCP flow joins at 15 s, before a queue of so many seconds."""
    path = VirtualPath(capacity=3e6, goal=3e6, queue=queue, seed=seed)
    RenoFlow(path, start=15)
    return path.run(90)


def wandering(seed: int) -> tuple[VirtualPath, float]:
    """As of a cellular link: a random walk of 12 % each 0.1 s, between 0.2 and 8 Mbit/s.

    Returns:
        The path, and bit/s that it carried from 5 s on, in the mean.
    """
    rng = random.Random(seed)
    capacity = [2e6]
    for _ in range(1300):
        home = 1 + 0.02 * math.log(2e6 / capacity[-1])
        step = capacity[-1] * math.exp(rng.gauss(0, 0.12)) * home
        capacity.append(min(max(step, 200e3), 8e6))
    path = VirtualPath(
        capacity=lambda t: capacity[int(t * 10)], goal=4e6, queue=2.0, seed=seed
    ).run(120)
    return path, sum(capacity[50:1200]) / 1150
