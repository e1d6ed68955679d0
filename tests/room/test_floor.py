"""Speakers, last-N and the loudest voices of whole rooms, in virtual time."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from sfu.config import Config
from sfu.forward.allocation import Demand
from sfu.room.decision_record import DecisionRecord
from sfu.room.demands import Demands
from sfu.room.events import SpeakersChanged
from sfu.room.floor import MAX_SPEAKERS
from sfu.room.media_settings import TrackSettings
from sfu.room.permissions import Permissions
from sfu.room.subscription import Subscription
from sfu.room.track import Track
from sfu.wire.extensions import encode_audio_level
from sfu.wire.parameters import OPUS, VP8
from tests.support.virtual_room import Member, Receiver, Sender, VirtualServer

SPEECH = encode_audio_level(25, voice=True)
SILENCE = encode_audio_level(90, voice=False)
LOUD = encode_audio_level(10, voice=True)


class Talk:
    """A room whose members have microphones and, if told so, cameras.

    Attributes:
        server: The room's.
        members: By identity.
        voices: Their audio, by identity.
        cameras: Their video, by identity.
    """

    def __init__(self, identities: Iterable[str], *, video: bool = False, **config: int) -> None:
        self.server = VirtualServer(Config(**config))
        self.members: dict[str, Member] = {}
        self.voices: dict[str, Sender] = {}
        self.cameras: dict[str, Sender] = {}
        for identity in identities:
            self.join(identity, video=video)

    def join(
        self, identity: str, *, video: bool = False, permissions: Permissions | None = None
    ) -> Member:
        number = len(self.members)
        member = self.server.join(identity, permissions=permissions)
        tracks = [("a", "audio", {111: OPUS}), ("v", "video", {96: VP8})][: 1 + video]
        member.publish(*tracks, seed=10 + number)
        assert member.publisher
        self.members[identity] = member
        self.voices[identity] = Sender(
            member.publisher,
            mid="a",
            ssrc=1000 + number,
            payload_type=111,
            key_frame=b"opus",
            delta_frame=b"opus",
            clock_step=960,
        )
        if video:
            self.cameras[identity] = Sender(member.publisher, mid="v", ssrc=2000 + number)
        return member

    def watch(self, identity: str) -> None:
        self.members[identity].receive(seed=200 + len(self.members))

    def run(self, seconds: float, *speaking: str, level: bytes = SPEECH) -> None:
        for turn in range(round(seconds / 0.02)):
            for identity, voice in self.voices.items():
                voice.level = level if identity in speaking else SILENCE
                voice.frame(1, key=False)
            if turn % 2:
                for camera in self.cameras.values():
                    camera.frame()
            self.server.time.run(0.02)

    def track(self, identity: str, kind: str) -> Track:
        (track,) = [
            track
            for track in self.members[identity].participant.tracks.values()
            if track.kind == kind
        ]
        return track

    def seen(self, viewer: str) -> set[str]:
        """Whose cameras flow to this one."""
        participant = self.members[viewer].participant
        return {
            s.track.participant.identity
            for s in participant.subscriptions
            if s.track.kind == "video" and s.state == "active"
        }

    def told(self, listener: str) -> list[list[str]]:
        """Who was said to speak, each time."""
        return [
            [speaker.participant.identity for speaker in event.speakers]
            for event in self.members[listener].heard(SpeakersChanged)
        ]

    def voice_at(self, listener: str, speaker: str) -> Receiver:
        member = self.members[listener]
        (slot,) = [
            slot
            for slot in member.participant.subscriptions.slots
            if slot.subscription and slot.subscription.track is self.track(speaker, "audio")
        ]
        assert member.subscriber
        return Receiver(member.subscriber, slot.identity.ssrc)


# -- speakers


def test_everyone_hears_who_speaks_and_when_they_stop() -> None:
    talk = Talk(["alice", "bob", "carol"])
    talk.run(1)
    assert talk.told("carol") == []
    talk.run(2, "bob")
    assert talk.told("carol")[-1] == ["bob"]
    talk.run(2)
    for listener in talk.members:
        assert talk.told(listener)[0] == ["bob"]
        assert talk.told(listener)[-1] == []


def test_speaking_tells_a_level() -> None:
    talk = Talk(["alice", "bob"])
    talk.run(2, "alice", level=encode_audio_level(20, voice=True))
    event = talk.members["bob"].heard(SpeakersChanged)[-1]
    assert isinstance(event, SpeakersChanged)
    assert event.speakers[0].level == pytest.approx(0.1, rel=0.3)


def test_nobody_looks_at_levels_while_none_come() -> None:
    talk = Talk(["alice"])
    talk.run(1, "alice")
    talk.server.time.run(5)
    floor = talk.members["alice"].participant.room.floor
    assert floor._timer is None
    assert talk.told("alice")[-1] == []


def test_who_falls_silent_at_once_has_stopped() -> None:
    talk = Talk(["alice", "bob"])
    talk.run(2, "alice")
    talk.server.time.run(3)
    assert talk.told("bob")[-1] == []


def test_a_muted_track_is_no_speaker() -> None:
    talk = Talk(["alice", "bob"])
    talk.run(2, "alice")
    track = talk.track("alice", "audio")
    talk.members["alice"].participant.set_muted(track.sid, muted=True, now=talk.server.time.now)
    talk.run(0.5, "alice")
    assert talk.told("bob")[-1] == []
    count = len(talk.told("bob"))
    talk.run(2, "alice")
    assert len(talk.told("bob")) == count


def test_who_leaves_speaks_no_more() -> None:
    talk = Talk(["alice", "bob"])
    talk.run(2, "alice")
    talk.members["alice"].participant.leave(now=talk.server.time.now)
    talk.server.time.run(1)
    assert talk.told("bob")[-1] == []


def test_who_may_not_receive_is_not_told() -> None:
    talk = Talk(["alice"])
    talk.join("microphone", permissions=Permissions(can_subscribe=False))
    talk.run(2, "alice")
    assert talk.told("alice")
    assert not talk.told("microphone")


def test_the_sound_of_a_shared_screen_is_no_speaker() -> None:
    talk = Talk(["alice"])
    bob = talk.server.join("bob")
    bob.publish(("a", "audio", {111: OPUS}), source="screen_share_audio", seed=77)
    assert bob.publisher
    talk.members["bob"] = bob
    talk.voices["bob"] = Sender(bob.publisher, mid="a", ssrc=9, payload_type=111, clock_step=960)
    talk.run(2, "bob")
    assert not talk.told("alice")


@pytest.mark.parametrize("value", [b"\x80\x00\x00", bytes(16), b""])
def test_forged_lengths_are_no_levels(value: bytes) -> None:
    talk = Talk(["alice", "bob"])
    talk.run(2, "alice", level=value)
    assert talk.told("bob") == []


def test_a_choir_is_told_of_in_part() -> None:
    talk = Talk([f"singer{number}" for number in range(MAX_SPEAKERS + 4)])
    talk.run(2, *talk.members)
    assert len(talk.told("singer0")[-1]) == MAX_SPEAKERS


def test_who_comes_or_is_back_is_told_who_speaks() -> None:
    talk = Talk(["alice", "bob"])
    assert not talk.told("bob")
    talk.run(2, "alice")
    dora = talk.server.join("dora")
    assert [len(event.speakers) for event in dora.heard(SpeakersChanged)] == [1]  # type: ignore[attr-defined]
    bob = talk.members["bob"]
    bob.participant.detach(now=talk.server.time.now)
    talk.run(2)
    assert talk.told("bob")[-1] == ["alice"], "nobody hears while signaling is lost"
    bob.participant.attach(bob._hear, now=talk.server.time.now)
    assert talk.told("bob")[-1] == []


# -- cameras


def test_everyone_gets_the_cameras_of_the_last_speakers_alone() -> None:
    talk = Talk("abcde", video=True, last_n=2)
    for viewer in "abcde":
        talk.watch(viewer)
    talk.run(2, "d")
    talk.run(2, "e")
    assert talk.seen("a") == {"d", "e"}
    assert talk.seen("b") == {"d", "e"}
    assert talk.seen("e") == {"d", "a"}, "one's own camera takes no place"
    talk.run(2, "c")
    assert talk.seen("a") == {"c", "e"}


def test_without_last_n_everyone_gets_all() -> None:
    talk = Talk("abcd", video=True)
    talk.watch("a")
    talk.run(3, "d")
    assert talk.seen("a") == {"b", "c", "d"}


def test_those_who_are_left_out_get_nothing_sent_and_are_told_why() -> None:
    talk = Talk("abcd", video=True, last_n=1)
    talk.watch("a")
    talk.run(2, "d")
    participant = talk.members["a"].participant
    status = {
        t.track.participant.identity: t
        for t in participant.media(now=0.0).tracks
        if t.track.kind == "video"
    }
    assert status["b"].cause == "last_n"
    assert status["b"].current is None
    assert status["d"].current is not None
    talk.run(1.5, "b")
    talk.run(1.5)
    assert talk.seen("a") == {"b"}


def test_a_pinned_camera_keeps_its_place_whoever_speaks() -> None:
    talk = Talk("abcd", video=True, last_n=2)
    talk.watch("a")
    pinned = talk.track("b", "video").sid
    alice = talk.members["a"].participant
    alice.set_track_settings(pinned, TrackSettings(priority=200), now=talk.server.time.now)
    talk.run(2, "c")
    talk.run(2, "d")
    assert talk.seen("a") == {"b", "d"}
    alice.set_track_settings(pinned, TrackSettings(), now=talk.server.time.now)
    talk.run(0.5, "d")
    assert talk.seen("a") == {"c", "d"}


def test_a_camera_that_is_not_shown_takes_no_place() -> None:
    talk = Talk("abcd", video=True, last_n=1)
    talk.watch("a")
    talk.run(2, "d")
    hidden = talk.track("d", "video").sid
    alice = talk.members["a"].participant
    alice.set_track_settings(hidden, TrackSettings(visible=False), now=talk.server.time.now)
    talk.run(1, "d")
    assert talk.seen("a") == {"b"}


def test_a_muted_camera_takes_no_place_and_comes_back_into_its_own() -> None:
    talk = Talk("abcd", video=True, last_n=1)
    talk.watch("a")
    talk.run(2, "d")
    dora, track = talk.members["d"].participant, talk.track("d", "video")
    dora.set_muted(track.sid, muted=True, now=talk.server.time.now)
    talk.run(0.5, "d")
    assert talk.seen("a") == {"b"}
    dora.set_muted(track.sid, muted=False, now=talk.server.time.now)
    talk.run(0.5, "d")
    assert talk.seen("a") == {"d"}


def test_a_shared_screen_is_never_left_out() -> None:
    talk = Talk("abc", video=True, last_n=1)
    screen = talk.server.join("screen")
    screen.publish(("v", "video", {96: VP8}), source="screen_share", seed=60)
    assert screen.publisher
    talk.cameras["screen"] = Sender(screen.publisher, mid="v", ssrc=77)
    talk.watch("a")
    talk.run(2, "c")
    assert talk.seen("a") == {"screen", "c"}


def test_who_comes_later_gets_no_more_than_the_others() -> None:
    talk = Talk("abcd", video=True, last_n=1)
    talk.run(2, "c")
    viewer = talk.server.join("viewer")
    talk.members["viewer"] = viewer
    viewer.receive(seed=300)
    talk.run(1, "c")
    assert talk.seen("viewer") == {"c"}


def test_a_change_of_speakers_decides_on_few_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out before and after is not looked at: a large room must bear it."""
    talk = Talk("abcdefghij", video=True, last_n=2)
    talk.watch("a")
    talk.run(2, "b")
    decided: list[str] = []
    demand = Demands.demand

    def count(demands: Demands, about: Subscription, record: DecisionRecord, now: float) -> Demand:
        decided.append(about.track.sid)
        return demand(demands, about, record, now)

    monkeypatch.setattr(Demands, "demand", count)
    talk.run(2, "d")
    left_out = {talk.track(identity, "video").sid for identity in "efghij"}
    assert decided
    assert not left_out & set(decided)


# -- microphones


def test_only_the_loudest_are_sent() -> None:
    talk = Talk("abcdef", audio_top_k=2)
    talk.watch("f")
    talk.run(2, "a", "b")
    open_voices = {i for i in "abcdef" if not talk.track(i, "audio").gated}
    assert open_voices == {"a", "b"}
    client = talk.members["f"].subscriber
    assert client
    client.received.clear()
    talk.run(1, "a", "b")
    assert len({packet.ssrc for packet in client.received}) == 2
    talk.run(1, "c")
    assert not talk.track("c", "audio").gated, "who is silent gives way"


def test_a_pause_of_the_gate_looks_like_silence() -> None:
    talk = Talk("abcd", audio_top_k=1)
    talk.watch("d")
    receiver = talk.voice_at("d", "a")
    talk.run(2, "a")
    talk.run(3, "b")
    assert talk.track("a", "audio").gated
    talk.run(2)
    talk.run(2, "a")
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    stamps = [receiver.packets[number].timestamp for number in numbers]
    steps = [(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)]
    (pause,) = [step for step in steps if step != 960]
    assert pause % 960 == 0
    assert 3.5 < pause / 48000 < 5.5, "the clock went on"


def test_one_that_tells_no_levels_is_always_sent() -> None:
    talk = Talk("abc", audio_top_k=1)
    talk.watch("c")
    receiver = talk.voice_at("c", "b")
    for _ in range(100):
        talk.voices["a"].level, talk.voices["b"].level = SPEECH, b""
        for voice in talk.voices.values():
            voice.frame(1, key=False)
        talk.server.time.run(0.02)
    assert len(receiver.packets) > 90


def test_a_gated_voice_says_why_and_keeps_no_bandwidth() -> None:
    talk = Talk("abc", audio_top_k=1)
    talk.watch("c")
    talk.run(3, "a")
    status = talk.members["c"].participant.media(now=talk.server.time.now)
    (track,) = [t for t in status.tracks if t.track.participant.identity == "b"]
    assert (track.cause, track.reason) == ("last_n", "paused: others are louder")
    assert (track.history[-1].cause, track.history[-1].reason) == (track.cause, track.reason)
    assert status.wanted < 50_000


def test_a_louder_one_takes_the_place_of_another_that_speaks() -> None:
    talk = Talk("abc", audio_top_k=1)
    talk.run(2, "a")
    for _ in range(100):
        for identity, level in (("a", SPEECH), ("b", LOUD), ("c", SILENCE)):
            talk.voices[identity].level = level
            talk.voices[identity].frame(1, key=False)
        talk.server.time.run(0.02)
    assert not talk.track("b", "audio").gated
    assert talk.track("a", "audio").gated
