"""Coming and going, permissions and limits, and who is told of what."""

import pytest

from sfu.config import Config
from sfu.errors import LimitError, LocalError
from sfu.room.events import (
    DataReceived,
    Disconnected,
    NegotiationNeeded,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    RecordingChanged,
    RoomEvent,
    RoomRecording,
    TrackPublished,
    TrackUnpublished,
)
from sfu.room.permissions import Permissions
from tests.support.virtual_room import VirtualServer


def test_everyone_hears_of_who_comes_and_goes() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    bob = server.join("bob")
    (joined,) = alice.heard(ParticipantJoined)
    assert joined.participant is bob.participant
    assert not bob.heard(ParticipantJoined)
    bob.participant.leave(now=server.time.now)
    (left,) = alice.heard(ParticipantLeft)
    assert (left.participant, left.reason) == (bob.participant, "left")
    assert [e.reason for e in bob.heard(Disconnected)] == ["left"]


def test_a_second_join_replaces_the_first_which_is_told_why() -> None:
    server = VirtualServer()
    alice, watcher = server.join("alice"), server.join("watcher")
    again = server.join("alice")
    assert [e.reason for e in alice.heard(Disconnected)] == ["duplicate_identity"]
    assert again.participant.sid != alice.participant.sid
    assert [e.reason for e in watcher.heard(ParticipantLeft)] == ["duplicate_identity"]
    assert watcher.events.index(watcher.heard(ParticipantLeft)[0]) < watcher.events.index(
        watcher.heard(ParticipantJoined)[0]
    )
    assert not again.heard(Disconnected)


def test_a_replacement_is_let_into_a_full_room_and_others_are_not() -> None:
    server = VirtualServer(Config(max_participants=2))
    server.join("alice")
    server.join("bob")
    with pytest.raises(LimitError) as refusal:
        server.join("carol")
    assert refusal.value.name == "room_full"
    server.join("bob")


def test_rooms_are_bounded_and_their_names_checked() -> None:
    server = VirtualServer(Config(max_rooms=1, max_name_size=8))
    server.join("alice")
    with pytest.raises(LimitError) as refusal:
        server.join("bob", room="other")
    assert refusal.value.name == "server_full"
    for name in ("", "x" * 9):
        with pytest.raises(LocalError):
            server.rooms.open(name, now=0.0)


def test_a_room_that_stays_empty_is_closed_and_one_that_fills_again_is_not() -> None:
    server = VirtualServer(Config(empty_timeout=20.0))
    alice = server.join("alice")
    room = alice.participant.room
    alice.participant.leave(now=server.time.now)
    server.time.run(19)
    assert server.rooms.get("room") is room
    server.join("alice")
    server.time.run(100)
    assert server.rooms.get("room") is room
    server.rooms.delete("room", now=server.time.now)
    assert server.rooms.get("room") is None
    server.time.run(100)


def test_deleting_a_room_tells_everyone() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    server.rooms.delete("room", now=server.time.now)
    for member in (alice, bob):
        assert [e.reason for e in member.heard(Disconnected)] == ["room_deleted"]
    with pytest.raises(LocalError) as refusal:
        server.rooms.delete("room", now=server.time.now)
    assert refusal.value.name == "room_not_found"


def test_lost_signaling_is_not_leaving_until_the_grace_time_ends() -> None:
    server = VirtualServer(Config(grace_period=15.0))
    alice, bob = server.join("alice"), server.join("bob")
    alice.participant.detach(now=server.time.now)
    server.time.run(14)
    assert not bob.heard(ParticipantLeft)
    back: list[RoomEvent] = []
    alice.participant.attach(back.append, now=server.time.now)
    server.time.run(60)
    assert not bob.heard(ParticipantLeft)
    bob.participant.update(name="Bob")
    assert [type(event) for event in back] == [ParticipantUpdated]
    alice.participant.detach(now=server.time.now)
    server.time.run(16)
    assert [e.reason for e in bob.heard(ParticipantLeft)] == ["signaling_timeout"]
    with pytest.raises(LocalError) as refusal:
        alice.participant.attach(back.append, now=server.time.now)
    assert refusal.value.name == "resume_failed"


def test_hidden_participants_are_not_seen_and_publish_nothing() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    ghost = server.join("ghost", permissions=Permissions(hidden=True))
    assert not alice.heard(ParticipantJoined)
    assert [p.identity for p in alice.participant.room.visible] == ["alice"]
    with pytest.raises(LocalError) as refusal:
        ghost.participant.add_track(kind="video", source="camera", now=server.time.now)
    assert refusal.value.name == "not_allowed"
    alice.participant.add_track(kind="video", source="camera", now=server.time.now)
    assert ghost.heard(TrackPublished)
    ghost.participant.leave(now=server.time.now)
    assert not alice.heard(ParticipantLeft)


def test_permissions_hold_for_publishing_receiving_and_data() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    track = alice.participant.add_track(kind="audio", source="microphone", now=server.time.now)
    listener = server.join(
        "listener",
        permissions=Permissions(
            can_publish_sources=frozenset({"microphone"}),
            can_publish_data=False,
            can_subscribe=False,
        ),
    )
    now = server.time.now
    assert not len(listener.participant.subscriptions)
    for forbidden in (
        lambda: listener.participant.add_track(kind="video", source="camera", now=now),
        lambda: listener.participant.subscribe([track.sid], now=now),
        lambda: alice.participant.room.send_data(listener.participant, b"hi"),
    ):
        with pytest.raises(LocalError) as refusal:
            forbidden()
        assert refusal.value.name == "not_allowed"
    listener.participant.add_track(kind="audio", source="microphone", now=now)


def test_tracks_are_announced_subscribed_to_and_ended() -> None:
    server = VirtualServer(Config(max_tracks=2))
    alice, bob = server.join("alice"), server.join("bob")
    now = server.time.now
    track = alice.participant.add_track(kind="video", source="camera", name="cam", now=now)
    alice.participant.add_track(kind="audio", source="microphone", now=now)
    with pytest.raises(LimitError) as refusal:
        alice.participant.add_track(kind="video", source="screen_share", now=now)
    assert refusal.value.name == "too_many_tracks"
    assert [e.track.name for e in bob.heard(TrackPublished)] == ["cam", ""]
    assert len(bob.participant.subscriptions) == 2
    assert not bob.heard(NegotiationNeeded)
    server.time.run(0.1)
    assert len(bob.heard(NegotiationNeeded)) == 1, "changes close together are one negotiation"
    carol = server.join("carol")
    server.time.run(0.001)
    assert len(carol.heard(NegotiationNeeded)) == 1, "who joins gets what is there at once"
    alice.participant.remove_track(track.sid, now=server.time.now)
    assert [e.track for e in bob.heard(TrackUnpublished)] == [track]
    assert len(bob.participant.subscriptions) == 1
    with pytest.raises(LocalError) as unknown:
        alice.participant.remove_track(track.sid, now=server.time.now)
    assert unknown.value.name == "track_not_found"


def test_nobody_subscribes_to_its_own_or_to_unknown_tracks() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    track = alice.participant.add_track(kind="audio", now=server.time.now)
    for sid in (track.sid, "TR_none"):
        with pytest.raises(LocalError) as refusal:
            alice.participant.subscribe([sid], now=server.time.now)
        assert refusal.value.name == "track_not_found"


def test_data_goes_to_all_others_or_to_those_named() -> None:
    server = VirtualServer(Config(max_data_size=10))
    alice, bob, carol = (server.join(name) for name in ("alice", "bob", "carol"))
    room = alice.participant.room
    room.send_data(alice.participant, b"all", topic="t")
    room.send_data(alice.participant, b"carol", destinations=["carol", "nobody"], reliable=False)
    room.send_data(None, b"server")
    told = [[(e.payload, e.reliable) for e in m.heard(DataReceived)] for m in (alice, bob, carol)]
    assert told == [
        [(b"server", True)],
        [(b"all", True), (b"server", True)],
        [(b"all", True), (b"carol", False), (b"server", True)],
    ]
    with pytest.raises(LimitError) as refusal:
        room.send_data(alice.participant, b"x" * 11)
    assert refusal.value.name == "too_large"


def test_names_and_attributes_are_merged_told_and_bounded() -> None:
    server = VirtualServer(Config(max_metadata_size=20, max_attributes=2))
    alice, bob = server.join("alice"), server.join("bob")
    alice.participant.update(name="Alice", attributes={"a": "1", "b": "2"})
    alice.participant.update(metadata="m", attributes={"a": "", "c": "3"})
    assert alice.participant.attributes == {"b": "2", "c": "3"}
    assert (alice.participant.name, alice.participant.metadata) == ("Alice", "m")
    assert len(bob.heard(ParticipantUpdated)) == 2
    for change in (
        {"metadata": "x" * 21},
        {"attributes": {"long": "x" * 21}},
        {"attributes": {"d": "4"}},
    ):
        with pytest.raises(LimitError) as refusal:
            alice.participant.update(**change)  # type: ignore[arg-type]
        assert refusal.value.name == "too_large"
    assert alice.participant.attributes == {"b": "2", "c": "3"}


def test_a_participant_may_want_some_tracks_only() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    now = server.time.now
    alice.participant.add_track(kind="audio", now=now)
    room = alice.participant.room
    video_only = room.join(
        identity="v",
        permissions=Permissions(),
        wants=lambda track: track.kind == "video",
        listener=lambda event: None,
        now=now,
    )
    nothing = room.join(
        identity="n",
        permissions=Permissions(),
        auto_subscribe=False,
        listener=lambda event: None,
        now=now,
    )
    alice.participant.add_track(kind="video", now=now)
    assert [s.track.kind for s in video_only.subscriptions] == ["video"]
    assert not len(nothing.subscriptions)


def test_everyone_hears_of_recordings_and_the_room_knows_those_that_go_on() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    hidden = server.join("hidden", permissions=Permissions(hidden=True))
    room = alice.participant.room
    news = [
        RoomRecording("RC_1", "tracks", state, "alice", 1_700_000_000.0)
        for state in ("starting", "active", "failed")
    ]
    for one in news[:2]:
        room.tell_recording(one)
    assert room.recordings == {"RC_1": news[1]}
    room.tell_recording(news[2])
    assert room.recordings == {}
    for member in (alice, hidden):
        assert [event.recording for event in member.heard(RecordingChanged)] == news


def test_a_new_room_is_told_before_anyone_is_in_it() -> None:
    server = VirtualServer()
    opened: list[tuple[str, int]] = []
    server.rooms.on_opened = lambda room: opened.append((room.name, len(room.participants)))
    server.join("alice")
    server.join("bob")
    server.join("carol", room="other")
    assert opened == [("room", 0), ("other", 0)]
