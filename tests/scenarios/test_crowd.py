"""One subscriber of many cameras, on a path that takes some of them."""

import pytest

from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import TrackStatus
from tests.scenarios import stories
from tests.support.scenario import Scenario


@pytest.mark.parametrize("seed", [1, 2])
def test_eight_of_twenty_flow_by_priority_and_the_others_know_why_not(seed: int) -> None:
    scenario = Scenario(stories.crowd(seed))
    participant = scenario.member.participant
    for number, publisher in enumerate(scenario.publishers):
        participant.set_track_settings(
            publisher.tracks["v"].sid,
            TrackSettings(width=320, height=180, priority=200 if number >= 12 else 50),
            now=scenario.time.now,
        )
    looks: list[list[TrackStatus]] = []
    for second in range(10, 30):
        scenario.at(
            second, lambda: looks.append([*participant.media(now=scenario.time.now).tracks])
        )
    figures = scenario.run()
    important, others = figures.videos[12:], figures.videos[:12]
    assert min(video.fps(10, 30) for video in important) > 29
    tried = 0
    for tracks in looks:
        flowing = [number for number, track in enumerate(tracks) if track.chosen]
        assert flowing[-8:] == list(range(12, 20))
        assert len(flowing) <= 9
        tried += len(flowing) == 9
        for track in tracks:
            assert track.chosen or "the lowest layer needs" in track.reason
    # Whether a ninth fits is tried now and then, ever more rarely.
    assert tried <= 5
    assert sum(video.fps(10, 30) for video in others) < 8
    assert figures.bottleneck.queue_delay(95, 5) <= 0.15
