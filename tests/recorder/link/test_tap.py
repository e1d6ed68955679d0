"""Taps on tracks of a virtual room: what reaches a recorder of what publishers send."""

from dataclasses import replace

from recorder.link.link_buffer import HOPELESS, LIMITS, LinkBuffer
from recorder.link.messages import MediaMissed, StopRecording
from recorder.link.room_observer import RoomObserver
from sfu.config import Config
from sfu.room.events import LayersWanted
from sfu.wire.extensions import encode_audio_level
from sfu.wire.ntp import to_ntp
from sfu.wire.parameters import OPUS, VP8
from sfu.wire.rtcp import SenderReport
from tests.recorder.link.listening import Listening
from tests.recorder.link.orders import UNIX, order
from tests.support.media_sender import EXTENSIONS, MediaSender
from tests.support.simulcast_sender import SimulcastSender
from tests.support.virtual_room import Member, Sender, VirtualServer


def observe(server: VirtualServer, listening: Listening) -> RoomObserver:
    room = server.rooms.open("room", now=server.time.now)
    return RoomObserver(
        room,
        order(),
        listening.link,
        clock=lambda: server.time.now,
        on_closed=lambda: None,
        resume=False,
    )


def publish(
    server: VirtualServer, identity: str = "ann", seed: int = 10
) -> tuple[Member, Sender, Sender]:
    """Somebody with a camera and a microphone."""
    member = server.join(identity)
    member.publish(("v", "video", {96: VP8}), ("a", "audio", {111: OPUS}), seed=seed, rtx={97: 96})
    assert member.publisher
    camera = Sender(member.publisher, mid="v", ssrc=seed + 1, rtx=(97, seed + 3))
    voice = Sender(
        member.publisher,
        mid="a",
        ssrc=seed + 2,
        payload_type=111,
        key_frame=b"opus",
        delta_frame=b"opus",
        clock_step=960,
    )
    return member, camera, voice


def track_of(member: Member, kind: str) -> str:
    return next(sid for sid, track in member.participant.tracks.items() if track.kind == kind)


def run(server: VirtualServer, *senders: Sender, frames: int) -> None:
    for number in range(frames):
        for sender in senders:
            if sender.payload_type == 111:
                sender.frame(1)
            else:
                sender.frame(3, key=None if number else True)
        server.time.run(1 / 30)
    server.time.run(0.3)


def test_all_that_is_sent_comes_as_it_was():
    server, listening = VirtualServer(), Listening()
    member, camera, voice = publish(server)
    observe(server, listening)
    run(server, camera, voice, frames=30)
    listening.read()
    video = listening.packets[track_of(member, "video")]
    assert [packet.payload for packet in video] == camera.payloads
    assert [packet.marker for packet in video] == [False, False, True] * 30
    keys = [number for number, packet in enumerate(video) if packet.key_frame]
    assert keys[0] == 0
    assert all(number % 3 == 0 for number in keys)
    assert len(keys) < 5
    assert [packet.index - video[0].index for packet in video] == list(range(90))
    assert {(packet.ssrc, packet.codec) for packet in video} == {(11, VP8)}
    assert len({packet.timestamp for packet in video}) == 30
    audio = listening.packets[track_of(member, "audio")]
    assert [packet.payload for packet in audio] == voice.payloads
    assert {packet.codec for packet in audio} == {OPUS}


def test_what_is_lost_comes_when_it_is_repaired_and_a_recorder_can_ask_for_a_key_frame():
    server, listening = VirtualServer(), Listening()
    member = server.join("ann")
    member.publish(("v", "video", {96: VP8}), rtx={97: 96}, loss=0.1)
    assert member.publisher
    camera = Sender(member.publisher, mid="v", ssrc=11, rtx=(97, 13))
    observer = observe(server, listening)
    run(server, camera, frames=60)
    sid = track_of(member, "video")
    packets = listening.read().packets[sid]
    indexes = [packet.index for packet in packets]
    assert indexes != sorted(indexes)  # some came late
    by_index = {packet.index: packet.payload for packet in packets}
    assert [by_index[i] for i in sorted(by_index)] == camera.payloads[: len(by_index)]
    before = member.publisher.requests()
    observer.request_key_frame(sid)
    server.time.run(1.0)
    assert member.publisher.requests() > before


def test_a_voice_that_nobody_hears_is_recorded():
    server, listening = VirtualServer(Config(audio_top_k=1)), Listening()
    loud, _, shout = publish(server, "loud")
    quiet, _, whisper = publish(server, "quiet", seed=20)
    observe(server, listening)
    shout.level = encode_audio_level(10, voice=True)
    whisper.level = encode_audio_level(60, voice=True)
    for _ in range(100):
        shout.frame(1)
        whisper.frame(1)
        server.time.run(0.02)
    server.time.run(0.3)
    listening.read()
    sid = track_of(quiet, "audio")
    assert quiet.participant.tracks[sid].gated
    assert [packet.payload for packet in listening.packets[sid]] == whisper.payloads
    assert len(listening.packets[track_of(loud, "audio")]) == 100


def test_what_is_muted_is_not_recorded():
    server, listening = VirtualServer(), Listening()
    member, _, voice = publish(server)
    observe(server, listening)
    run(server, voice, frames=10)
    sid = track_of(member, "audio")
    member.participant.set_muted(sid, muted=True, now=server.time.now)
    run(server, voice, frames=10)
    member.participant.set_muted(sid, muted=False, now=server.time.now)
    run(server, voice, frames=10)
    assert [packet.payload for packet in listening.read().packets[sid]] == [
        *voice.payloads[:10],
        *voice.payloads[20:],
    ]


def test_references_are_guesses_until_a_report_comes():
    server, listening = VirtualServer(), Listening()
    member, camera, _ = publish(server)
    observe(server, listening)
    run(server, camera, frames=30)
    sid = track_of(member, "video")
    guesses = listening.read().references[sid]
    assert len(guesses) >= 5
    assert not any(reference.reported for reference in guesses)
    start = server.time.now + UNIX
    assert all(start - 2 < reference.time <= start for reference in guesses)
    # What is sampled now has this timestamp, says a clock that is years behind.
    assert member.publisher
    report = SenderReport(11, to_ntp(1_000_000_000.0), camera.timestamp, 90, 90)
    member.publisher.send_rtcp((report,))
    server.time.run(0.1)
    told = server.time.now + UNIX - 0.1 + 0.02  # it was 20 ms on its way
    stamp = camera.timestamp
    run(server, camera, frames=60)
    reported = [reference for reference in listening.read().references[sid] if reference.reported]
    assert 2 <= len(reported) <= 4
    for reference in reported:
        captured = told + (reference.timestamp - stamp) / 90000
        assert abs(reference.time - captured) < 0.002


class Simulcast:
    """A room with one camera in three layers, and a recorder."""

    def __init__(self, config: Config | None = None) -> None:
        self.server = VirtualServer(config)
        self.listening = Listening()
        self.member = self.server.join("ann")
        self.member.publish(("v", "video", {96: VP8}), rtx={97: 96})
        assert self.member.publisher
        assert self.member.participant.publisher
        (self.sid,) = self.member.participant.tracks
        half = self.member.participant.publisher.publisher
        (section,) = [parameters for parameters, _ in half._table.sections.values()]

        half.configure(
            [replace(section, rids=("q", "h", "f"), extensions=dict(EXTENSIONS))],
            {"v": self.member.participant.tracks[self.sid]},
        )
        self.sender = MediaSender(self.member.publisher, start=3e6)
        self.camera = SimulcastSender(self.sender, mid="v", ssrc=100, seed=1)
        self.observer = observe(self.server, self.listening)
        self.sender.start()

    def ssrcs(self, seconds: float) -> list[int]:
        """Which streams are recorded in this time, in order, each once for each stay."""
        self.server.time.run(seconds)
        packets = self.listening.read().packets[self.sid]
        found = [packet.ssrc for packet in packets]
        packets.clear()
        return [ssrc for i, ssrc in enumerate(found) if not i or found[i - 1] != ssrc]


def test_the_best_layer_that_is_live_is_recorded():
    room = Simulcast()
    assert room.ssrcs(3.0)[-1] == 102
    assert room.ssrcs(2.0) == [102]
    room.camera.set_wanted({"q", "h"})  # as a browser does whose uplink is thin
    assert room.ssrcs(4.0) == [102, 101]
    room.camera.set_wanted({"q"})
    assert room.ssrcs(4.0) == [101, 100]
    room.camera.set_wanted({"q", "h", "f"})
    assert room.ssrcs(4.0)[-1] == 102
    assert room.ssrcs(2.0) == [102]


def test_each_layer_begins_with_a_key_frame():
    room = Simulcast()
    room.ssrcs(3.0)
    room.camera.set_wanted({"q"})
    room.server.time.run(4.0)
    packets = room.listening.read().packets[room.sid]
    first = next(packet for packet in packets if packet.ssrc == 100)
    assert first.key_frame


def test_layers_stay_wanted_while_they_are_recorded():
    room = Simulcast(Config(dynacast=True))
    room.ssrcs(6.0)
    told = room.member.heard(LayersWanted)
    assert not told or all(layer.active for layer in told[-1].layers)
    room.observer.close()
    room.server.time.run(4.0)
    told = room.member.heard(LayersWanted)
    assert not any(layer.active for layer in told[-1].layers)


def test_a_link_that_is_full_costs_video_before_sound_and_tells_what_is_missing():
    server, listening = VirtualServer(), Listening()
    member, camera, voice = publish(server)
    observe(server, listening)
    run(server, camera, voice, frames=10)
    listening.read()
    listening.link.unsent = LIMITS["video"] + 1  # a recorder that stands still
    start = server.time.now + UNIX
    run(server, camera, voice, frames=30)
    listening.link.unsent = 0
    run(server, camera, voice, frames=30)
    end = server.time.now + UNIX
    sid = track_of(member, "video")
    (missed,) = listening.heard(MediaMissed)
    assert start <= missed.start < missed.end <= end
    assert missed.end - missed.start > 1.0
    video = listening.packets[sid]
    hole = next(i for i in range(1, len(video)) if video[i].index != video[i - 1].index + 1)
    assert hole == 30
    assert video[hole].key_frame
    audio = listening.packets[track_of(member, "audio")]
    assert [packet.payload for packet in audio] == voice.payloads


def test_a_tap_that_is_closed_gets_nothing():
    server, listening = VirtualServer(), Listening()
    member, camera, _ = publish(server)
    observer = observe(server, listening)
    run(server, camera, frames=3)
    observer.close()
    listening.read()
    run(server, camera, frames=3)
    assert not listening.link.size
    track = member.participant.tracks[track_of(member, "video")]
    assert not track.fanout._sinks


def test_a_recorder_that_hangs_does_not_fill_the_memory():
    stuck = []
    link = LinkBuffer(lambda: None, lambda: stuck.append(True))
    said = StopRecording("RC_1", "x" * 1_000_000)
    for _ in range(100):
        link.tell(said)
    assert stuck
    assert link.size < HOPELESS + 2_000_000
