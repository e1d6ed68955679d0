"""Paths that are shared: by another flow, by many tracks, by the users of a cell."""

from pathlib import Path

import pytest

from sfu.room.media_settings import TrackSettings
from tests.support.capacity import Capacity
from tests.support.scenario import Scenario, tell
from tests.support.story import Story

TRACE = Path(__file__).parent / "cellular.txt"
SEEDS = (1, 2, 3)
LOWEST = 180_000  # bit/s of a lowest layer on the wire, with room for its key frames


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
def test_audio_goes_on_beside_downloads(seed: int) -> None:
    """A download takes what a delay-based sender gives up, but not the audio."""
    figures = tell(Story(seconds=80, capacity=3_000_000, cross=((20, 40), (60, 80)), seed=seed))
    bottleneck = figures.bottleneck
    for since, until in ((22, 40), (62, 80)):
        assert bottleneck.share(since, until) >= 0.02
        assert bottleneck.share(since, until, flow="tcp") >= 0.25
    assert figures.video.fps(22, 40) > 10
    assert figures.audio_loss() < 0.02


def test_eight_of_twenty_flow_by_priority_and_the_others_know_why_not() -> None:
    story = Story(seconds=20, capacity=8.4 * LOWEST, publishers=20, audio=False)
    scenario = Scenario(story)
    participant = scenario.member.participant
    for number, publisher in enumerate(scenario.publishers):
        participant.set_track_settings(
            publisher.tracks["v"].sid,
            TrackSettings(width=320, height=180, priority=200 if number >= 12 else 50),
            now=scenario.time.now,
        )
    figures = scenario.run()
    important, others = figures.videos[12:], figures.videos[:12]
    assert sum(video.fps(10, 20) > 25 for video in important) >= 7
    # Less than one of the others: now and then one tries the room of the eighth while that waits.
    assert min(video.fps(10, 20) for video in important) > 15
    assert sum(video.fps(10, 20) for video in others) < 30
    status = participant.media(now=scenario.time.now)
    reasons = [t.reason for t in status.tracks if t.cause == "bandwidth"]
    assert 11 <= len(reasons) <= 13
    assert all("the lowest layer needs" in reason for reason in reasons)
