"""Paths that are shared: by another flow, by many tracks, by the users of a cell."""

import pytest

from tests.scenarios import stories
from tests.support.scenario import tell

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_phone_on_the_move_keeps_its_picture(seed: int) -> None:
    figures = tell(stories.cellular(seed))
    video, bottleneck = figures.video, figures.bottleneck
    assert bottleneck.queue_delay(100) < 1.0
    assert video.freeze_ratio() <= 0.02
    assert video.paused_share() <= 0.02
    assert video.use(bottleneck, 0, 120, audio=True) >= 0.5
    assert figures.audio_loss() < 0.01
    assert not video.receiver.corrupt


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("capacity", "temporal_layers", "least"), [(2_000_000, 1, 0.25), (3_000_000, 3, 0.2)]
)
def test_nobody_starves_beside_downloads(
    capacity: float, temporal_layers: int, least: float, seed: int
) -> None:
    """Everyone has a quarter of each turn, as far as there are layers for it.

    At 3 Mb/s the middle layer is a fifth of the path with all its frames, and what comes next is
    two fifths: the large one with every other frame. A turn has some of both. Where losses of the
    download's last overflow take the large one away, it is the fifth that is left for a while, so a
    turn may have less than a quarter; all turns together have more.
    """
    story = stories.shared(seed, capacity, temporal_layers)
    figures = tell(story)
    bottleneck = figures.bottleneck
    ours = [bottleneck.share(since, until) for since, until in story.cross]
    assert min(ours) >= least
    assert sum(ours) / len(ours) >= 0.25
    for since, until in story.cross:
        assert bottleneck.share(since, until, flow="tcp") >= 0.25
    # Between the turns, the queue is ours again, and short.
    assert bottleneck.queue_delay(95, 45, 60) < 0.1
    assert figures.audio_loss() < 0.02
    assert not figures.video.receiver.corrupt
