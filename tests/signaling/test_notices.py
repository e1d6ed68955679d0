"""Events of a real room about the quality of media, as its clients are told of them."""

from sfu.room import events
from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import Change, LayerStatus, MediaStatus, Sample, TrackStatus
from sfu.room.participant import Participant
from sfu.room.track import Track
from tests.support.sessions import Message, SessionClient, SessionServer

LOW = LayerStatus(spatial=0, temporal=1, rid="q", width=320, height=180, bitrate=150_000, fps=14.96)
HIGH = LayerStatus(spatial=2, temporal=0, rid="f", width=1280, height=720, bitrate=1_700_000)


class Pair:
    """Two in a room, of whom one publishes."""

    def __init__(self) -> None:
        self.server = SessionServer()
        self.ann, self.bob = self.server.join("ann"), self.server.join("bob")
        added = self.ann.request("add_track", kind="video", source="camera")
        self.sid: str = added["track"]["sid"]

    def participant(self, identity: str) -> Participant:
        room = self.server.rooms.get("room")
        assert room is not None
        return room.participant(identity)

    @property
    def track(self) -> Track:
        return self.participant("ann").tracks[self.sid]

    def told(self, client: SessionClient, identity: str, event: events.RoomEvent) -> Message:
        """The one message that this event becomes."""
        before = len(client.sent)
        self.participant(identity).notify(event)
        (message,) = client.sent[before:]
        return message


def test_speakers() -> None:
    pair = Pair()
    ann, bob = pair.participant("ann"), pair.participant("bob")
    speakers = (events.Speaker(bob, 0.75), events.Speaker(ann, 0.5))
    assert pair.told(pair.ann, "ann", events.SpeakersChanged(speakers)) == {
        "type": "speakers_changed",
        "speakers": [
            {"participant": bob.sid, "level": 0.75},
            {"participant": ann.sid, "level": 0.5},
        ],
    }
    silence = pair.told(pair.ann, "ann", events.SpeakersChanged(()))
    assert silence == {"type": "speakers_changed", "speakers": []}


def test_connection_quality() -> None:
    pair = Pair()
    ann = pair.participant("ann")
    event = events.ConnectionQualityChanged(ann, "poor", 2.5)
    assert pair.told(pair.bob, "bob", event) == {
        "type": "connection_quality",
        "participant": ann.sid,
        "quality": "poor",
        "score": 2.5,
    }


def test_layers_that_are_wanted() -> None:
    pair = Pair()
    layers = (events.LayerWanted("q", active=True, spatial=1), events.LayerWanted("f", False))
    assert pair.told(pair.ann, "ann", events.LayersWanted(pair.track, layers)) == {
        "type": "layers_wanted",
        "track": pair.sid,
        "layers": [
            {"rid": "q", "active": True, "spatial": 1},
            {"rid": "f", "active": False, "spatial": None},
        ],
    }


def test_why_a_subscription_changed() -> None:
    pair = Pair()
    event = events.SubscriptionChanged(pair.track, "paused", "bandwidth", "240 kb/s available")
    assert pair.told(pair.bob, "bob", event) == {
        "type": "subscription_changed",
        "track": pair.sid,
        "state": "paused",
        "reason": "bandwidth",
        "detail": "240 kb/s available",
    }


def test_report_of_everything() -> None:
    pair = Pair()
    status = MediaStatus(
        estimate=800_000,
        mode="transport_cc",
        round_trip=0.05,
        loss=0.25,
        queue_delay=0.125,
        sending=150_000,
        wanted=1_700_000,
        quality="good",
        tracks=(
            TrackStatus(
                track=pair.track,
                settings=TrackSettings(width=1280, height=720, priority=9, layer=2),
                layers=(LOW, HIGH),
                wanted=HIGH,
                chosen=LOW,
                current=None,
                cause="bandwidth",
                reason="reduced: 800 kb/s available, the next layer needs 1,700",
                history=(Change(1.5, HIGH, None, "hidden", "not shown", None),),
            ),
        ),
        estimates=(Sample(1.5, None), Sample(2.5, 800_000)),
    )
    low = {
        "spatial": 0,
        "temporal": 1,
        "rid": "q",
        "width": 320,
        "height": 180,
        "bitrate": 150_000,
        "fps": 15.0,
    }
    high = {
        "spatial": 2,
        "temporal": 0,
        "rid": "f",
        "width": 1280,
        "height": 720,
        "bitrate": 1_700_000,
        "fps": 0.0,
    }
    assert pair.told(pair.bob, "bob", events.MediaReport(status)) == {
        "type": "media_report",
        "status": {
            "estimate": 800_000,
            "mode": "transport_cc",
            "round_trip": 0.05,
            "loss": 0.25,
            "queue_delay": 0.125,
            "sending": 150_000,
            "wanted": 1_700_000,
            "quality": "good",
            "tracks": [
                {
                    "track": pair.sid,
                    "participant": pair.participant("ann").sid,
                    "identity": "ann",
                    "kind": "video",
                    "source": "camera",
                    "settings": {
                        "visible": True,
                        "width": 1280,
                        "height": 720,
                        "fps": 0.0,
                        "priority": 9,
                        "layer": 2,
                        "temporal": None,
                        "paused": False,
                    },
                    "layers": [low, high],
                    "wanted": high,
                    "chosen": low,
                    "current": None,
                    "cause": "bandwidth",
                    "reason": "reduced: 800 kb/s available, the next layer needs 1,700",
                    "history": [
                        {
                            "at": 1.5,
                            "wanted": high,
                            "chosen": None,
                            "cause": "hidden",
                            "reason": "not shown",
                            "estimate": None,
                        }
                    ],
                }
            ],
            "estimates": [{"at": 1.5, "estimate": None}, {"at": 2.5, "estimate": 800_000}],
        },
    }
