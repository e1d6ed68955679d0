"""Composites in virtual time: what browsers send in, one file out."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folders import folder_of
from recorder.link.messages import RecordingOrder
from recorder.live.composite_recording import CompositeRecording
from recorder.values import ParticipantInfo, RecordedPacket, RecordingRequest, Reference, TrackInfo
from sfu.wire.parameters import VP8
from tests.recorder.flash_and_beep import (
    HEIGHT,
    RATE,
    WIDTH,
    beeps,
    flashes,
    rises,
    when_it_beeps,
    when_it_flashes,
)
from tests.recorder.link.orders import UNIX, order
from tests.recorder.media.packetizer import FPS, audio_packets, video_packets

START = 1000.0  # monotonic, of the recording
DELAY = 0.04  # s from capture to us


class Playing:
    """A composite that is fed in virtual time.

    Attributes:
        now: Monotonic seconds.
        wishes: Sids of which key frames were asked for.
    """

    def __init__(self, order: RecordingOrder, *, resume: bool = False, now: float = START) -> None:
        self.order = order
        self.now = now
        self.recording = CompositeRecording(
            order, wall_offset=UNIX, resume=resume, clock=lambda: self.now
        )
        self.wishes: list[str] = []

    def join(self, name: str) -> None:
        one = ParticipantInfo(f"PA_{name}", name, name.title())
        self.recording.add_participant(one, time=UNIX + self.now)
        for kind, source in (("video", "camera"), ("audio", "microphone")):
            track = TrackInfo(f"TR_{name}_{kind}", f"PA_{name}", name, kind, source)
            self.recording.add_track(track, time=UNIX + self.now)

    def play(
        self, name: str, captured: float, seconds: int, *, skew: float = 0.0, lost: float = 0.0
    ) -> None:
        """Flashes and beeps, from when on, whose clock runs that much fast, with so much loss."""
        video, audio = video_packets(VP8, flashes(seconds)), audio_packets(beeps(seconds))
        stretch = 1 / (1 + skew)
        events = [
            (captured + number * stretch / FPS, "video", packets)
            for number, packets in enumerate(video)
        ]
        events += [
            (captured + number * stretch * 0.02, "audio", [packet])
            for number, packet in enumerate(audio)
        ]
        random = np.random.default_rng(1)
        reported = {"video": -1.0, "audio": -1.0}
        for sent, kind, packets in sorted(events, key=lambda event: event[:2]):
            sid = f"TR_{name}_{kind}"
            self.run_to(sent + DELAY)
            if sent - reported[kind] >= 1.0:  # as a tap does
                reported[kind] = sent
                first: RecordedPacket = packets[0]
                known = Reference(first.ssrc, UNIX + sent, first.timestamp, True)
                self.recording.refer(sid, known)
            kept = [packet for packet in packets if random.random() >= lost]
            if kept:
                self.recording.receive(sid, kept, now=sent + DELAY)

    def run_to(self, when: float) -> None:
        while self.now + 0.2 <= when + 1e-6:
            self.now += 0.2
            self.recording.tick(now=self.now)
            self.wishes += self.recording.take_key_frame_wishes()

    def stop(self, reason: str = "stopped") -> Manifest:
        self.recording.stop(reason, now=self.now)
        return ManifestFile(folder_of(self.order) / FILE_NAME).load()


def composite_order(root: Path, **request: object) -> RecordingOrder:
    fields = {"width": WIDTH, "height": HEIGHT, "fps": FPS, "layout": "speaker", **request}
    return order(root, request=RecordingRequest("composite", **fields))


def events(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """When it flashes and when it beeps, seconds in the file."""
    return when_it_flashes(path), when_it_beeps(path)


def only_file(manifest: Manifest, wanted: RecordingOrder) -> Path:
    assert manifest.composite is not None
    (segment,) = manifest.composite.segments
    return folder_of(wanted) / segment.file


def test_pictures_and_sound_are_in_step_where_they_were_captured(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path)
    playing = Playing(wanted)
    playing.join("ann")
    playing.play("ann", START + 0.5, 6)
    manifest = playing.stop()
    assert (manifest.state, manifest.errors) == ("complete", [])
    path = only_file(manifest, wanted)
    flash, beep = events(path)
    expected = 0.5 + np.arange(6)
    assert flash == pytest.approx(expected, abs=0.02)
    assert beep == pytest.approx(expected, abs=0.02)
    assert np.abs(flash - beep).max() <= 0.02
    (segment,) = manifest.composite.segments
    assert segment.codecs == ["H264", "MPEG4-GENERIC"]
    assert segment.bytes == path.stat().st_size
    assert segment.duration == pytest.approx(manifest.duration, abs=0.1)
    assert (segment.width, segment.height) == (WIDTH, HEIGHT)
    assert segment.sha256
    assert playing.recording.status().dropped == 0
    assert playing.recording.status().state == "complete"


def test_loss_and_a_clock_that_is_fast_leave_them_in_step(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path)
    playing = Playing(wanted)
    playing.join("ann")
    playing.play("ann", START + 0.25, 12, skew=0.002, lost=0.05)
    flash, beep = events(only_file(playing.stop(), wanted))
    assert len(beep) == 12
    assert beep[-1] == pytest.approx(0.25 + 11 / 1.002, abs=0.018)  # 22 ms by a clock not followed
    pairs = [(f, beep[np.abs(beep - f).argmin()]) for f in flash]
    offsets = sorted(abs(f - b) for f, b in pairs)
    assert len(offsets) >= 8  # others fell into gaps
    assert sum(offset <= 0.02 for offset in offsets) >= 0.8 * len(offsets)
    assert offsets[-1] <= 0.02 + 1 / FPS, "a picture that was lost is one picture late"
    assert "TR_ann_video" in playing.wishes


def test_an_empty_room_gives_a_file_of_the_right_length(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path)
    playing = Playing(wanted)
    playing.run_to(START + 3)
    manifest = playing.stop("room_ended")
    with av.open(str(only_file(manifest, wanted))) as container:
        assert sum(1 for _ in container.decode(video=0)) == pytest.approx(90, abs=2)


def test_a_mix_alone(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path, layout="audio", format="webm")
    playing = Playing(wanted)
    playing.join("ann")
    playing.play("ann", START + 0.5, 3)
    path = only_file(playing.stop(), wanted)
    assert path.suffix == ".webm"
    with av.open(str(path)) as container:
        assert not container.streams.video
        loud = []
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray()[0])
            loud += [(frame.time + n / RATE, wave[n]) for n in range(0, frame.samples, 12)]
    assert rises(loud, 0.1, 0.5) == pytest.approx([0.5, 1.5, 2.5], abs=0.02)


def test_another_process_goes_on_in_a_new_file(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path)
    before = Playing(wanted)
    before.run_to(START + 4)
    before.recording._folder._lock.release()  # as when its process dies
    after = Playing(wanted, resume=True, now=START + 6)
    after.run_to(START + 9)
    manifest = after.stop()
    assert manifest.state == "complete"
    first, second = manifest.composite.segments
    assert (first.start, second.start) == (0.0, pytest.approx(6.0, abs=0.01))
    assert second.duration == pytest.approx(3.0, abs=0.1)
    assert len({first.file, second.file}) == 2
    for other in before.recording._everywhere():
        other.close()


def test_a_machine_that_is_too_slow_loses_pictures_and_no_sound(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path)
    spent = itertools.count()
    playing = Playing(wanted)
    # Each look at the clock is 30 ms later: a picture costs as much.
    playing.recording._composer._clock = lambda: next(spent) * 0.03
    playing.join("ann")
    playing.play("ann", START + 0.5, 6)
    status = playing.recording.status()
    manifest = playing.stop()
    assert 0 < status.dropped < 6 * FPS
    _, beep = events(only_file(manifest, wanted))
    assert beep == pytest.approx(0.5 + np.arange(6), abs=0.02)


def test_hls_and_file_come_of_one_encoding(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path, hls=True)
    playing = Playing(wanted)
    playing.join("ann")
    playing.play("ann", START + 0.5, 4)  # less than may wait for a slow disk
    manifest = playing.stop()
    folder = folder_of(wanted)
    flash, beep = events(folder / "hls" / "live.m3u8")
    in_file, _ = events(only_file(manifest, wanted))
    assert flash - in_file == pytest.approx(np.full(4, flash[0] - in_file[0]), abs=0.01)
    assert np.abs(flash - beep).max() <= 0.03
    (hls,) = playing.recording.status().outputs
    assert (hls.url, hls.state, hls.dropped) == ("hls", "ended", 0)


def test_an_output_that_fails_leaves_the_file_alone(tmp_path: Path) -> None:
    wanted = composite_order(tmp_path, outputs=("rtmp://127.0.0.1:1/live/key",))
    playing = Playing(wanted)
    playing.run_to(START + 3)
    manifest = playing.stop()
    (output,) = playing.recording.status().outputs
    assert output.url == "rtmp://127.0.0.1:1/live"
    assert "cannot be reached" in output.error
    assert manifest.state == "complete"
    assert manifest.composite.segments[0].duration == pytest.approx(3.0, abs=0.1)


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must name an application and a key"):
        Playing(composite_order(tmp_path, outputs=("rtmp://127.0.0.1/live",)))
