"""Which layers a participant gets follows its wishes at once, and always has a reason."""

from collections.abc import Callable

import pytest

from sfu.config import Config
from sfu.errors import LocalError
from sfu.room.events import LayersWanted, MediaReport, SubscriptionChanged
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import TrackStatus
from sfu.room.subscription import Slot
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


def test_wishes_are_honoured_within_a_tenth_of_a_second() -> None:
    wishes = {
        TrackSettings(width=320, height=180): ("q", 2),
        TrackSettings(width=640, height=360): ("h", 2),
        TrackSettings(visible=False): ("", -1),
        TrackSettings(layer=1): ("h", 2),
        TrackSettings(temporal=0): ("f", 0),
        TrackSettings(width=640, height=360, fps=15): ("h", 1),
        TrackSettings(paused=True): ("", -1),
        TrackSettings(layer=0, fps=7): ("q", 0),
        TrackSettings(): ("f", 2),
    }
    story = Story(seconds=12, capacity=WIDE, temporal_layers=3)
    told = Scenario(story, config=Config(dynacast=False))  # all layers are there at any time
    chosen: list[tuple[str, int]] = []
    aimed: list[tuple[int, int] | None] = []
    (slot,) = [s for s in _slots(told) if s.kind == "video"]

    def look() -> None:
        layer = video(told).chosen
        chosen.append((layer.rid, layer.temporal) if layer else ("", -1))
        assert slot.forwarder
        aimed.append(slot.forwarder.target)

    for number, settings in enumerate(wishes):
        told.at(3 + number, show(told, settings))
        told.at(3 + number + REACTION, look)
    told.run()
    assert chosen == list(wishes.values())
    names = ["q", "h", "f"]
    for target, (rid, temporal) in zip(aimed, chosen, strict=True):
        if target is None:
            assert not rid
        else:
            assert target[0] >= names.index(rid)
            assert target[1] == temporal or temporal == 2


def _slots(told: Scenario) -> list[Slot]:
    told.take()
    return list(told.member.participant.subscriptions.slots)


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
    assert any(change.wanted and change.wanted.rid == "f" for change in status.history)


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
    for moment in (5.5, 9.0, 9.2):  # the last one less than 200 ms after the wish
        told.at(moment, lambda moment=moment: sent.update({moment: sender.sending}))
    told.at(9.01, show(told, TrackSettings(width=1280, height=720)))
    figures = told.run()
    assert sent[5.5] == ("q", "h", "f"), "sizes change often: it waits a little"
    assert sent[9.0] == ("q",)
    assert sent[9.2] == ("q", "h", "f")
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
    assert [sample.estimate is not None for sample in last.estimates].count(True) >= 5
    assert last.estimates[-1].at - last.estimates[0].at > 4, "since it came, not since it watches"


def test_the_best_live_layer_is_sent_while_better_ones_stall() -> None:
    """Senders short of CPU stop their largest encodings, and begin them again, as they like."""
    told = scenario(20)
    camera_of = told.publishers[0].camera
    told.at(6, lambda: camera_of.set_wanted({"q", "h"}))
    told.at(10, lambda: camera_of.set_wanted({"q"}))
    told.at(14, lambda: camera_of.set_wanted({"q", "h", "f"}))
    figures = told.run()
    assert figures.video.share("f", 4, 6) > 0.95
    assert figures.video.share("h", 7.5, 10) > 0.95
    assert figures.video.share("q", 11.5, 14) > 0.95
    assert figures.video.share("f", 17) > 0.95
    assert not figures.video.freezes(1.2, 3), "it takes 0.6 s to see that nothing comes"
    assert not figures.video.receiver.corrupt
