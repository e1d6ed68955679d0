"""Which layers a participant gets follows its wishes at once, and always has a reason."""

from collections.abc import Callable

import pytest

from sfu.errors import LocalError
from sfu.room.events import LayersWanted, MediaReport, SubscriptionChanged
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import TrackStatus
from sfu.room.track import Track
from tests.support.scenario import Scenario
from tests.support.story import Story

WIDE = 8_000_000  # bit/s: whatever is wanted goes through
REACTION = 0.1  # s that a wish may take
KEY_FRAME = 0.6  # s; a layer begins with a key frame, which is asked for


def scenario(seconds: float = 20, capacity: float = WIDE) -> Scenario:
    return Scenario(Story(seconds=seconds, capacity=capacity))


def camera(told: Scenario) -> Track:
    return told.publishers[0].tracks["v"]


def video(told: Scenario) -> TrackStatus:
    status = told.member.participant.media(now=told.time.now)
    (found,) = [track for track in status.tracks if track.track is camera(told)]
    return found


def show(told: Scenario, settings: TrackSettings) -> Callable[[], None]:
    def do() -> None:
        sid = camera(told).sid
        told.member.participant.set_track_settings(sid, settings, now=told.time.now)

    return do


def test_the_size_in_which_a_track_is_shown_decides_on_its_layer() -> None:
    told = scenario(21)
    sizes = {layer.rid: (layer.width, layer.height) for layer in told.story.layers}
    chosen: list[str] = []
    for number, rid in enumerate(("q", "h", "f")):
        width, height = sizes[rid]
        told.at(5 + 5 * number, show(told, TrackSettings(width=width, height=height)))
        told.at(5 + 5 * number + KEY_FRAME, lambda: chosen.append(_rid(video(told).chosen)))
    figures = told.run()
    assert chosen == ["q", "h", "f"]
    assert figures.video.share("q", 5 + KEY_FRAME, 10) > 0.99
    assert figures.video.share("h", 10 + KEY_FRAME, 15) > 0.99
    assert figures.video.share("f", 15 + KEY_FRAME) > 0.99
    assert not figures.video.freezes(0.5)
    assert not figures.video.receiver.corrupt


def _rid(layer: object) -> str:
    return getattr(layer, "rid", "")


def test_a_layer_that_the_client_names_is_what_it_gets() -> None:
    told = scenario(12)
    told.at(5, show(told, TrackSettings(width=1280, height=720, layer=0)))
    figures = told.run()
    assert figures.video.share("q", 5 + KEY_FRAME) > 0.99


@pytest.mark.parametrize(
    ("settings", "cause"),
    [(TrackSettings(visible=False), "hidden"), (TrackSettings(paused=True), "paused")],
)
def test_what_is_not_shown_is_not_sent_and_comes_back(settings: TrackSettings, cause: str) -> None:
    told = scenario(14)
    counts: list[int] = []
    causes: list[str] = []

    def count() -> None:
        (slot,) = [s for s in told.member.participant.subscriptions.slots if s.kind == "video"]
        assert slot.forwarder
        counts.append(slot.forwarder.stats().packets)

    told.at(5, show(told, settings))
    told.at(5 + REACTION, count)
    told.at(9, lambda: causes.append(video(told).cause))
    told.at(9, count)
    told.at(9.01, show(told, TrackSettings()))
    figures = told.run()
    assert counts[0] == counts[1]
    assert causes == [cause]
    states = [
        (event.state, event.reason)
        for event in told.member.heard(SubscriptionChanged)
        if isinstance(event, SubscriptionChanged) and event.track is camera(told)
    ]
    assert ("paused", cause) in states
    assert states[-1] == ("active", "")
    assert figures.video.share("f", 9 + 2 * KEY_FRAME) > 0.95


def test_why_something_is_reduced_is_told_in_words_and_remembered() -> None:
    told = scenario(20, capacity=900_000)
    found: list[TrackStatus] = []
    told.at(19, lambda: found.append(video(told)))
    told.run()
    (status,) = found
    assert status.wanted
    assert status.chosen
    assert status.wanted.rid == "f"
    assert status.chosen.rid == "h"
    assert status.cause == "bandwidth"
    assert "kb/s available, the next layer needs" in status.reason
    assert [layer.rid for layer in status.layers] == ["q", "h", "f"]
    assert any(change.chosen and change.chosen.rid == "h" for change in status.history)
    assert all(change.reason for change in status.history)


def test_settings_are_for_tracks_that_one_receives() -> None:
    told = scenario()
    with pytest.raises(LocalError, match="do not receive"):
        told.member.participant.set_track_settings("TR_none", TrackSettings(), now=told.time.now)


def test_publishers_hear_which_layers_nobody_wants_and_at_once_what_is_wanted_again() -> None:
    told = scenario(16)
    sent: dict[float, tuple[str, ...]] = {}
    sender = told.publishers[0].camera
    width, height = told.story.layers[0].width, told.story.layers[0].height
    told.at(5, show(told, TrackSettings(width=width, height=height)))
    for moment in (5.5, 9.0, 9.3):
        told.at(moment, lambda moment=moment: sent.update({moment: sender.sending}))
    told.at(9.01, show(told, TrackSettings(width=1280, height=720)))
    figures = told.run()
    assert sent[5.5] == ("q", "h", "f"), "sizes change often: it waits a little"
    assert sent[9.0] == ("q",)
    assert sent[9.3] == ("q", "h", "f")
    assert figures.video.share("f", 11) > 0.95
    (alice,) = told.publishers
    wanted = [e for e in alice.member.heard(LayersWanted) if isinstance(e, LayersWanted)]
    assert [[layer.active for layer in event.layers] for event in wanted] == [
        [False, False, False],  # nobody was there yet
        [True, True, True],
        [True, False, False],
        [True, True, True],
    ]
    assert not told.member.heard(LayersWanted)


def test_who_watches_hears_every_second() -> None:
    told = scenario(10)
    participant = told.member.participant
    told.at(3, lambda: participant.watch_media(True, now=told.time.now))
    told.at(6.5, lambda: participant.watch_media(False, now=told.time.now))
    told.run()
    reports = [e for e in told.member.heard(MediaReport) if isinstance(e, MediaReport)]
    assert len(reports) == 4
    last = reports[-1].status
    assert last.mode == "transport_cc"
    assert last.estimate
    assert last.sending > 1_000_000
    assert {track.cause for track in last.tracks} == {"wanted"}
