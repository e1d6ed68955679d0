"""Paths that carry less than is offered: what the subscriber sees, and how long its queue is."""

import pytest

from tests.scenarios import stories
from tests.support.scenario import Scenario, tell
from tests.support.story import Story

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_path_with_room_shows_the_top_layer_soon_and_steadily(seed: int) -> None:
    figures = tell(stories.room(seed))
    video = figures.video
    assert video.reached("f") < 5
    assert video.share("f", 5) >= 0.98
    assert not video.freezes(0.2, 5)
    assert figures.bottleneck.queue_delay(95, 5) < 0.05
    assert figures.audio_loss() == 0
    assert not video.receiver.corrupt


@pytest.mark.parametrize("seed", SEEDS)
def test_the_layer_follows_the_capacity_down_and_up(seed: int) -> None:
    figures = tell(stories.steps(seed))
    video, bottleneck = figures.video, figures.bottleneck
    # Down: the queue of 300 ms is in front of the first frame that fits.
    assert all(rid != "f" for _, _, rid in video.spans(31.2, 60))
    assert not video.freezes(0.49, 5)
    assert len(video.freezes(0.2, 5)) <= 2
    assert not video.paused
    # Up, and all of it: the top layer leaves 5 % of the path.
    assert video.reached("f", 60) < 10
    for since, until in ((5.0, 30.0), (31.5, 60.0), (70.0, 90.0)):
        assert video.use(bottleneck, since, until, audio=True) >= 0.85
    for since in (0, 30, 60):
        assert video.changes(since, since + 30) <= 3
    assert figures.audio_loss() < 0.003
    assert not video.receiver.corrupt


@pytest.mark.parametrize("seed", SEEDS)
def test_a_thin_path_carries_audio_whole_and_the_lowest_layer(seed: int) -> None:
    """250 kb/s for 61 of audio and 172 of video: where a pause comes between, it says why."""
    figures = tell(stories.thin(seed))
    video = figures.video
    assert figures.audio_loss() == 0
    assert video.first_frame() < 0.5
    assert {rid for _, _, rid in video.spans()} == {"q"}
    assert {reason for _, _, reason in video.paused} <= {"bandwidth"}
    assert video.share("q") >= 0.95
    assert not video.freezes(0.5)
    assert figures.bottleneck.queue_delay(95) < 0.2


def test_who_tells_nothing_but_reports_gets_everything_that_is_not_lost() -> None:
    figures = tell(stories.reports())
    assert figures.video.reached("f") < 3
    assert figures.video.share("f", 3) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_who_tells_remb_alone_gets_the_top_layer_too(seed: int) -> None:
    figures = tell(stories.remb(seed))
    video = figures.video
    assert video.reached("f") < 10
    assert video.share("f", 10) >= 0.95
    assert not video.freezes(0.2)
    assert figures.bottleneck.queue_delay(95, 5) < 0.1
    assert figures.audio_loss() == 0


def test_probing_stops_when_there_is_nothing_to_gain() -> None:
    scenario = Scenario(Story(seconds=30, capacity=10_000_000))
    padding: list[int] = []
    for seconds in (1, 10, 29):
        scenario.at(seconds, lambda: padding.append(scenario.receiver.padding))
    figures = scenario.run()
    assert figures.video.share("f", 5) == 1
    assert padding[0] > 0
    assert padding[1] == padding[2]
