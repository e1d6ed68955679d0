"""Paths that are shared: by another flow, by many tracks, by the users of a cell."""

from pathlib import Path

import pytest

from tests.support.capacity import Capacity
from tests.support.scenario import tell
from tests.support.story import Story

TRACE = Path(__file__).parent / "cellular.txt"
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_phone_on_the_move_keeps_its_picture(seed: int) -> None:
    figures = tell(Story(seconds=120, capacity=Capacity.file(TRACE), queue=3.0, seed=seed))
    video, bottleneck = figures.video, figures.bottleneck
    assert bottleneck.queue_delay(100) < 1.0
    assert video.freeze_ratio() <= 0.02
    assert video.use(bottleneck, 0, 120, audio=True) >= 0.5
    assert figures.audio_loss() < 0.01
    assert not video.receiver.corrupt


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("capacity", "queue", "temporal_layers"), [(2_000_000, 0.3, 1), (3_000_000, 0.3, 3)]
)
def test_nobody_starves_beside_downloads(
    capacity: float, queue: float, temporal_layers: int, seed: int
) -> None:
    """The quarter is one of layers that there are: 0.56 Mb/s is the middle one of all frames."""
    story = Story(
        seconds=80,
        capacity=capacity,
        queue=queue,
        temporal_layers=temporal_layers,
        cross=((20, 40), (60, 80)),
        seed=seed,
    )
    figures = tell(story)
    bottleneck = figures.bottleneck
    # The aim is a quarter in each turn; a turn that begins at a low layer may bring less.
    ours = [bottleneck.share(since, until) for since, until in story.cross]
    assert min(ours) >= 0.1
    assert sum(ours) / len(ours) >= 0.2
    for since, until in story.cross:
        assert bottleneck.share(since, until, flow="tcp") >= 0.25
    # Between the turns, the queue is ours again, and short.
    assert bottleneck.queue_delay(95, 45, 60) < 0.1
    assert figures.audio_loss() < 0.02
    assert not figures.video.receiver.corrupt
