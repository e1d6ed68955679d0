"""Requests about the quality of media, in sessions over real rooms."""

from typing import Any

import pytest

from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import TrackStatus
from tests.support.sessions import SessionServer

LAYERS = [
    {"rid": "q", "width": 320, "height": 180, "bitrate": 150_000},
    {"rid": "f", "width": 1280, "height": 720, "bitrate": 1_700_000},
]


class Watched:
    """One who publishes a camera, and one who watches it."""

    def __init__(self) -> None:
        self.server = SessionServer()
        self.ann, self.bob = self.server.join("ann"), self.server.join("bob")
        added = self.ann.request("add_track", kind="video", source="camera", layers=LAYERS)
        self.sid: str = added["track"]["sid"]

    def status(self) -> TrackStatus:
        room = self.server.rooms.get("room")
        assert room is not None
        (status,) = room.participant("bob").media(now=self.server.now()).tracks
        return status


def test_settings_of_a_track_take_the_place_of_earlier_ones() -> None:
    watched = Watched()
    assert watched.status().settings == TrackSettings()
    said: dict[str, Any] = {
        "visible": False,
        "width": 640,
        "height": 360,
        "fps": 7.5,
        "priority": 255,
        "layer": 1,
        "temporal": 2,
        "paused": True,
    }
    assert watched.bob.request("track_settings", track=watched.sid, **said)["type"] == "ok"
    assert watched.status().settings == TrackSettings(**said)
    assert watched.bob.request("track_settings", track=watched.sid, width=320)["type"] == "ok"
    assert watched.status().settings == TrackSettings(width=320)


def test_settings_are_for_tracks_that_one_receives() -> None:
    watched = Watched()
    assert watched.ann.refused("track_settings", track=watched.sid) == "track_not_found"
    assert watched.bob.refused("track_settings", track="TR_none") == "track_not_found"
    assert watched.bob.refused("track_settings", track="") == "track_not_found"
    watched.bob.request("unsubscribe", tracks=[watched.sid])
    assert watched.bob.refused("track_settings", track=watched.sid) == "track_not_found"
    stranger = watched.server.client()
    assert stranger.refused("track_settings", track=watched.sid) == "not_joined"
    assert stranger.refused("watch_media") == "not_joined"


@pytest.mark.parametrize(
    "bad",
    [{"width": -1}, {"height": 1 << 16}, {"priority": 300}, {"fps": -1}, {"layer": 8}],
)
def test_settings_out_of_range_change_nothing(bad: dict[str, Any]) -> None:
    watched = Watched()
    watched.bob.request("track_settings", track=watched.sid, width=320)
    assert watched.bob.refused("track_settings", track=watched.sid, **bad) == "bad_request"
    assert watched.status().settings == TrackSettings(width=320)


def test_reports_come_once_a_second_to_those_who_watch() -> None:
    watched = Watched()
    watched.bob.run(3)
    assert not watched.bob.heard("media_report")
    assert watched.bob.request("watch_media")["type"] == "ok"
    watched.bob.run(5.5)
    reports = watched.bob.heard("media_report")
    assert 5 <= len(reports) <= 6
    (track,) = reports[-1]["status"]["tracks"]
    assert (track["track"], track["identity"]) == (watched.sid, "ann")
    assert not watched.ann.heard("media_report")
    assert watched.bob.request("watch_media", enabled=False)["type"] == "ok"
    before = len(watched.bob.heard("media_report"))
    watched.bob.run(3)
    assert len(watched.bob.heard("media_report")) == before


def test_layers_that_cannot_be() -> None:
    ann = SessionServer().join("ann")
    twice = [{"rid": "q"}, {"rid": "q"}]
    assert ann.refused("add_track", kind="video", layers=twice) == "bad_request"
    assert ann.refused("add_track", kind="audio", layers=[{"rid": "q"}]) == "bad_request"
    assert ann.refused("add_track", kind="video", layers=[{}] * 4) == "bad_request"
    assert ann.request("add_track", kind="video", layers=[{}, {}])["type"] == "track_added"
