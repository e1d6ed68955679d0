"""What a recorder is told of a room."""

from recorder.link.messages import (
    ParticipantCame,
    ParticipantGone,
    SpeakersAre,
    StartRecording,
    TextSent,
    TrackCame,
    TrackGone,
    TrackMuted,
)
from recorder.link.room_observer import MAX_TEXT, RoomObserver
from recorder.values import RecordingRequest
from sfu.room.events import TrackUpdated
from sfu.room.permissions import Permissions
from sfu.wire.extensions import encode_audio_level
from sfu.wire.parameters import OPUS
from tests.recorder.link.listening import Listening
from tests.recorder.link.orders import UNIX, order
from tests.support.virtual_room import Sender, VirtualServer


class Observed:
    """A room with an observer."""

    def __init__(self, server: VirtualServer | None = None, **request: object) -> None:
        self.server = server or VirtualServer()
        self.listening = Listening()
        self.closed = 0
        self.order = order(request=RecordingRequest(**request))
        self.observer = RoomObserver(
            self.server.rooms.open("room", now=self.server.time.now),
            self.order,
            self.listening.link,
            clock=lambda: self.server.time.now,
            on_closed=self._close,
            resume=False,
        )

    def _close(self) -> None:
        self.closed += 1

    @property
    def now(self) -> float:
        return self.server.time.now + UNIX

    def heard(self, kind: type) -> list:
        return self.listening.heard(kind)


def test_it_tells_who_and_what_is_there_and_comes_and_goes():
    server = VirtualServer()
    ann = server.join("ann")
    camera = ann.participant.add_track(kind="video", source="camera", muted=True, now=0.0)
    room = Observed(server)
    (start,) = room.heard(StartRecording)
    assert (start.order, start.wall_offset, start.resume) == (room.order, UNIX, False)
    (came,) = room.heard(ParticipantCame)
    assert (came.participant.identity, came.time) == ("ann", room.now)
    (track,) = room.heard(TrackCame)
    info = track.track
    assert (info.sid, info.kind, info.source) == (camera.sid, "video", "camera")
    assert (info.participant, info.identity, info.muted) == (ann.participant.sid, "ann", True)

    bob = server.join("bob")
    voice = bob.participant.add_track(kind="audio", source="microphone", now=0.0)
    screen = bob.participant.add_track(kind="video", source="screen_share", now=0.0)
    assert [one.track.sid for one in room.heard(TrackCame)] == [camera.sid, voice.sid, screen.sid]
    handles = [one.handle for one in room.heard(TrackCame)]
    server.time.run(5.0)
    bob.participant.remove_track(screen.sid, now=server.time.now)
    assert [(one.handle, one.time) for one in room.heard(TrackGone)] == [(handles[2], room.now)]
    bob.participant.leave(now=server.time.now)
    assert [one.handle for one in room.heard(TrackGone)] == [handles[2], handles[1]]
    (gone,) = room.heard(ParticipantGone)
    assert (gone.sid, gone.time) == (bob.participant.sid, room.now)


def test_mutes_are_told_once():
    room = Observed()
    ann = room.server.join("ann").participant
    track = ann.add_track(kind="audio", now=0.0)
    for muted in (False, True, True, False):
        ann.set_muted(track.sid, muted=muted, now=room.server.time.now)
        ann.room.tell(TrackUpdated(ann, track), about=ann)  # as for a new codec
    assert [(one.sid, one.muted) for one in room.heard(TrackMuted)] == [
        (track.sid, True),
        (track.sid, False),
    ]


def test_only_what_is_wanted_is_tapped():
    room = Observed(identities=("bob",))
    for identity in ("ann", "bob"):
        room.server.join(identity).participant.add_track(kind="audio", now=0.0)
    assert [one.track.identity for one in room.heard(TrackCame)] == ["bob"]
    assert len(room.heard(ParticipantCame)) == 2

    server = VirtualServer()
    ann = server.join("ann").participant
    tracks = [ann.add_track(kind="audio", now=0.0) for _ in range(2)]
    room = Observed(server, tracks=(tracks[1].sid,))
    assert [one.track.sid for one in room.heard(TrackCame)] == [tracks[1].sid]


def test_a_composite_of_sound_taps_no_pictures():
    room = Observed(mode="composite", layout="audio")
    ann = room.server.join("ann").participant
    for kind in ("video", "audio"):
        ann.add_track(kind=kind, now=0.0)
    assert [one.track.kind for one in room.heard(TrackCame)] == ["audio"]


def test_a_new_name_is_told_and_nothing_else_that_changes():
    room = Observed()
    ann = room.server.join("ann").participant
    ann.update(name="Anna")
    ann.update(attributes={"hand": "up"})
    told = [one.participant for one in room.heard(ParticipantCame)]
    assert [(one.sid, one.name) for one in told] == [(ann.sid, told[0].name), (ann.sid, "Anna")]


def test_it_is_nobody_and_who_is_hidden_is_not_told_of():
    room = Observed()
    ann = room.server.join("ann")
    room.server.join("spy", permissions=Permissions(can_publish=False, hidden=True))
    assert [one.participant.identity for one in room.heard(ParticipantCame)] == ["ann"]
    assert [p.identity for p in ann.participant.room.participants.values()] == ["ann", "spy"]


def test_texts_to_everyone_are_told():
    room = Observed()
    ann, bob = room.server.join("ann").participant, room.server.join("bob")
    ann.room.send_data(ann, "hällo".encode(), topic="chat")
    ann.room.send_data(ann, b"psst", destinations=["bob"])
    ann.room.send_data(ann, b"\xff\xfe")
    ann.room.send_data(None, b"x" * 10_000)
    said = room.heard(TextSent)
    assert [(one.identity, one.topic, one.text) for one in said] == [
        ("ann", "chat", "hällo"),
        ("", "", "x" * MAX_TEXT),
    ]
    assert len(bob.events) > 3


def test_speakers_are_told():
    room = Observed()
    ann = room.server.join("ann")
    ann.publish(("a", "audio", {111: OPUS}))
    assert ann.publisher
    voice = Sender(ann.publisher, mid="a", ssrc=5, payload_type=111, clock_step=960)
    voice.level = encode_audio_level(20, voice=True)
    for _ in range(100):
        voice.frame(1)
        room.server.time.run(0.02)
    assert room.heard(SpeakersAre)[-1].identities == ("ann",)
    room.server.time.run(5.0)
    assert room.heard(SpeakersAre)[-1].identities == ()


def test_it_ends_with_the_room():
    room = Observed()
    ann = room.server.join("ann").participant
    ann.add_track(kind="audio", now=0.0)
    room.server.rooms.delete("room", now=room.server.time.now)
    assert room.closed == 1
    assert len(room.heard(TrackGone)) == 1
    assert not ann.room.observers


def test_what_an_observer_raises_costs_it_alone():
    server = VirtualServer()
    errors: list[Exception] = []
    server.endpoint.on_error = errors.append
    ann = server.join("ann")

    def broken(_: object) -> None:
        raise RuntimeError("a bug")

    ann.participant.room.observe(broken)
    room = Observed(server)
    server.join("bob")
    server.join("eve")
    assert [str(error) for error in errors] == ["a bug"]
    assert len(room.heard(ParticipantCame)) == 3
