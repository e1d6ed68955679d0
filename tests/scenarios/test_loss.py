"""Paths that lose, delay and reorder: what is repaired, and what is not mistaken for congestion.

The receiver waits 1 s for a frame before it asks for a key frame; browsers wait up to 3 s.
"""

import pytest

from tests.support.bottleneck import Outage
from tests.support.scenario import tell
from tests.support.story import Story

SEEDS = (1, 2, 3)
CAPACITY = 2_500_000  # bit/s


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("loss", "decodable"), [(0.02, 0.995), (0.05, 0.99), (0.1, 0.97)])
def test_random_loss_is_repaired(loss: float, decodable: float, seed: int) -> None:
    figures = tell(
        Story(seconds=40, capacity=CAPACITY, loss=loss, delay=0.05, patience=1.0, seed=seed)
    )
    assert figures.video.decodable() >= decodable
    assert not figures.video.receiver.corrupt
    if loss == 0.02:
        assert figures.estimate(5, 10) >= 0.85 * CAPACITY
        assert figures.video.share("f", 5) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_picture_is_back_soon_after_half_a_second_of_nothing(seed: int) -> None:
    figures = tell(Story(seconds=60, capacity=3_000_000, outage=Outage(10, 0.5), seed=seed))
    video = figures.video
    ends = [period + 0.5 for period in (10, 20, 30, 40, 50)]
    for end in ends:
        assert any(end <= start + gap <= end + 0.3 for start, gap in video.freezes(0.2))
        # What cannot be repaired soon is not waited for: a key frame is on its way by then.
        assert not video.freezes(0.35, end + 0.3, end + 9)
        assert not video.freezes(0.2, end + 0.8, end + 9)
    assert video.share("f", 5) >= 0.95
    assert not video.receiver.corrupt


@pytest.mark.parametrize("seed", SEEDS)
def test_jitter_and_reordering_are_not_congestion(seed: int) -> None:
    """± 30 ms, and 3 % of the packets overtaken."""
    figures = tell(Story(seconds=40, capacity=3_000_000, jitter=0.06, reorder=0.03, seed=seed))
    video = figures.video
    assert video.reached("f") < 10
    assert video.changes(10) == 0
    assert video.share("f", 10) == 1
    assert not video.freezes(0.2)
    assert video.decodable() >= 0.995
    assert not video.receiver.corrupt
