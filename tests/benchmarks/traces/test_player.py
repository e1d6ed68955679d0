"""A recording played with the settings of its time gives what was decided then; others do not."""

from functools import lru_cache, partial

import numpy as np
import pytest

from benchmarks.traces.overrides import overridden
from benchmarks.traces.player import Replay, replay
from benchmarks.traces.reader import Recording, parse
from benchmarks.traces.timeline import Choice
from sfu.room.media_settings import TrackSettings
from tests.support.capacity import Capacity
from tests.support.story import Story
from tests.support.traced import TracedScenario

STORIES = {
    "a step down and up": Story(
        seconds=24, capacity=Capacity(((0, 3e6), (8, 6e5), (16, 2e6))), temporal_layers=2
    ),
    "too many tracks": Story(seconds=12, capacity=7e5, publishers=6, screens=1),
    "loss and jitter": Story(seconds=12, capacity=1.5e6, loss=0.04, jitter=0.03, loss_back=0.05),
    "no bandwidth for a picture": Story(seconds=12, capacity=120_000),
    "REMB alone": Story(seconds=12, capacity=1e6, feedback="remb"),
    "receiver reports alone": Story(seconds=12, capacity=1e6, feedback="none", loss=0.2),
}


@lru_cache
def recording(name: str) -> Recording:
    return parse(TracedScenario(STORIES[name]).record())


def told(choices: list[Choice]) -> list[Choice]:
    """Without what floating point may round otherwise."""
    return [choice._replace(time=round(choice.time, 6)) for choice in choices]


def check_same(found: Replay) -> None:
    assert found.recorded.choices
    for track in found.tracks:
        recorded, replayed = (
            told(timeline.choices[track]) for timeline in (found.recorded, found.replayed)
        )
        assert replayed == recorded
    np.testing.assert_allclose(  # records have single precision
        np.array(found.replayed.estimates), np.array(found.recorded.estimates), rtol=1e-6
    )


@pytest.mark.parametrize("name", STORIES)
def test_the_same_settings_decide_the_same(name: str) -> None:
    found = replay(recording(name))
    check_same(found)
    assert len(found.replayed.estimates) > 10


def test_stories_are_worth_it() -> None:
    step = replay(recording("a step down and up")).recorded
    camera = max(step.choices, key=lambda track: len(step.choices[track]))
    assert step.changes(camera) >= 2
    many = replay(recording("too many tracks")).recorded
    assert any("bandwidth" in many.pauses(track) for track in many.choices)


def test_wishes_and_mutes_are_played_too() -> None:
    scenario = TracedScenario(Story(seconds=12, capacity=3e6, publishers=2))
    sender = scenario.publishers[0].member.participant
    one, two = (p.tracks["v"].sid for p in scenario.publishers)
    participant, time = scenario.member.participant, scenario.time

    def wish(sid: str, settings: TrackSettings) -> None:
        participant.set_track_settings(sid, settings, now=time.now)

    def mute() -> None:
        sender.set_muted(one, muted=True, now=time.now)

    for at, sid, settings in (
        (3, one, TrackSettings(visible=False)),
        (5, one, TrackSettings(width=320, height=180, priority=255)),
        (6, two, TrackSettings(width=10**12, height=10**12, layer=1000, fps=15)),
    ):
        scenario.at(at, partial(wish, sid, settings))
    scenario.at(7, mute)
    scenario.at(9, lambda: sender.remove_track(one, now=time.now))
    record = parse(scenario.record())
    found = replay(record)
    check_same(found)
    track = next(number for number, (sid, _, _) in found.tracks.items() if sid == one)
    causes = [choice.cause for choice in found.replayed.choices[track]]
    assert {"hidden", "muted"} <= set(causes)
    assert causes[-1] == ""  # no longer carried
    assert record.tables["wish"]["sid"].tolist() == [one.encode(), one.encode(), two.encode()]


def test_other_settings_decide_otherwise() -> None:
    record = recording("a step down and up")
    bold = replay(record, start=5e6)
    assert bold.replayed.estimates[0][1] > 2 * bold.recorded.estimates[0][1]
    with overridden({"allocator.HEADROOM": 8.0}):
        wary = replay(record)
    assert wary.replayed.choices != wary.recorded.choices
    check_same(replay(record))  # and nothing of it stays


def test_what_a_crash_leaves_can_be_played() -> None:
    pieces = TracedScenario(STORIES["a step down and up"])
    data = pieces.record()
    whole = replay(parse(data))
    for size in (len(data) // 2, len(data) - 1, len(pieces.pieces[0])):
        part = parse(data[:size])
        assert part.cut < len(max(pieces.pieces, key=len))
        found = replay(part)
        check_same(found)
        assert found.replayed.estimates == whole.replayed.estimates[: len(found.replayed.estimates)]
