"""Track recordings in virtual time: real bitstreams in, files and a manifest out."""

import struct
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recorder.files.disk import DiskFullError
from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folders import folder_of
from recorder.link.messages import RecordingOrder
from recorder.media.track_reader import TrackReader
from recorder.track_recording import TrackRecording
from recorder.values import ParticipantInfo, RecordingRequest, Reference, TrackInfo
from sfu.wire.parameters import AV1, VP8, VP9
from tests.recorder.files.clips import sound
from tests.recorder.files.probe import decode, ffprobe, packets
from tests.recorder.link.orders import UNIX, order
from tests.recorder.media.packetizer import (
    FPS,
    H264,
    audio_packets,
    encode_audio,
    encode_video,
    video_packets,
)
from tests.recorder.playing import SID, START, Playing


def files(manifest: Manifest, order: RecordingOrder, kind: str) -> list[Path]:
    return [
        folder_of(order) / segment.file
        for track in manifest.tracks
        if track.kind == kind
        for segment in track.segments
    ]


@pytest.mark.parametrize("codec", [VP8, VP9, AV1, H264], ids=lambda codec: codec.name)
def test_what_was_sent_is_in_the_files_in_step(tmp_path, codec):
    wanted = order(tmp_path)
    playing = Playing(wanted)
    playing.add("video")
    playing.add("audio")
    frames, sound = encode_video(codec, 60), encode_audio(100)
    video, audio = video_packets(codec, frames), audio_packets(sound)
    playing.refer(video[0][0], START + 0.5)
    playing.refer(audio[0], START + 0.25, kind="audio")
    playing.play(("video", START + 0.5, 1 / FPS, video), ("audio", START + 0.25, 0.02, audio))
    manifest = playing.stop()
    assert (manifest.state, manifest.end_reason, manifest.errors) == ("complete", "stopped", [])
    (picture_file,) = files(manifest, wanted, "video")
    (sound_file,) = files(manifest, wanted, "audio")
    assert picture_file.name == "ann-camera.mkv"
    assert sound_file.name == "ann-microphone.mkv"
    assert len(decode(picture_file)) == 60
    assert [data for _, data in packets(sound_file)] == list(sound)
    if codec in (VP8, VP9):
        assert [data for _, data in packets(picture_file)] == [frame for frame, _ in frames]
    by_kind = {track.kind: track.segments[0] for track in manifest.tracks}
    assert by_kind["video"].start == pytest.approx(0.5, abs=0.002)
    assert by_kind["audio"].start == pytest.approx(0.25, abs=0.002)
    assert by_kind["audio"].duration == pytest.approx(2.0, abs=0.01)
    assert by_kind["video"].duration == pytest.approx(59 / FPS, abs=0.01)
    assert not any(track.gaps for track in manifest.tracks)
    assert ffprobe(picture_file)["width"] == 320
    status = playing.recording.status()
    assert (status.state, status.tracks, status.gaps) == ("complete", 2, 0)
    assert status.bytes == picture_file.stat().st_size + sound_file.stat().st_size
    assert status.duration == manifest.duration


def test_a_key_frame_is_wished_for_and_loss_becomes_a_gap(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("video")
    playing.run_to(START + 0.2)
    assert playing.wishes == [SID["video"]]
    video = video_packets(VP8, encode_video(VP8, 90))
    playing.refer(video[0][0], START + 0.3)
    before, after = video[:30], video[31:]
    playing.play(("video", START + 0.3, 1 / FPS, [*before, [], *after]))
    manifest = playing.stop()
    (gap,) = manifest.tracks[0].gaps
    assert gap.start == pytest.approx(0.3 + 29 / FPS, abs=0.002)
    assert gap.end == pytest.approx(0.3 + 40 / FPS, abs=0.002)  # of the next key frame
    times = [time for time, _ in packets(files(manifest, playing.order, "video")[0])]
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(11 / FPS, abs=0.002)
    assert playing.recording.status().gaps == 1


@pytest.mark.parametrize("method", ["read", "receive", "refer", "flush"])
def test_a_fault_with_one_track_ends_that_alone(tmp_path, monkeypatch, method):
    playing = Playing(order(tmp_path))
    playing.add("video")
    playing.add("audio")
    video, audio = video_packets(VP8, encode_video(VP8, 60)), audio_packets(encode_audio(100))
    playing.refer(video[0][0], START)
    playing.refer(audio[0], START, kind="audio")
    playing.play(("video", START, 1 / FPS, video[:30]), ("audio", START, 0.02, audio[:50]))

    real = getattr(TrackReader, method)

    def faulty(reader, *args, **named):
        if reader._video:
            raise struct.error("what nobody has thought of")
        return real(reader, *args, **named)

    monkeypatch.setattr(TrackReader, method, faulty)
    playing.refer(video[30][0], START + 1)
    playing.play(("video", START + 1, 1 / FPS, video[30:]), ("audio", START + 1, 0.02, audio[50:]))
    manifest = playing.stop()
    assert manifest.state == playing.recording.status().state == "complete"
    (error,) = manifest.errors
    assert "the camera of ann" in error
    assert playing.recording.status().error == error
    (picture_file,) = files(manifest, playing.order, "video")
    (sound_file,) = files(manifest, playing.order, "audio")
    assert len(decode(picture_file)) >= 20
    assert len(packets(sound_file)) == 100


def test_a_gap_that_the_link_tells_is_not_told_twice(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("video")
    video = video_packets(VP8, encode_video(VP8, 60))
    playing.refer(video[0][0], START)
    playing.play(("video", START, 1 / FPS, video[:20]))
    start, end = UNIX + START + 19 / FPS, UNIX + START + 40 / FPS
    playing.recording.note_gap(SID["video"], start, end)
    playing.play(("video", START + 40 / FPS, 1 / FPS, video[40:]))
    manifest = playing.stop()
    assert len(manifest.tracks[0].gaps) == 1


def test_a_mute_keeps_its_time_and_is_no_gap(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("video")
    playing.add("audio")
    video, audio = video_packets(VP8, encode_video(VP8, 90)), audio_packets(encode_audio(150))
    playing.refer(video[0][0], START)
    playing.refer(audio[0], START, kind="audio")
    playing.play(("video", START, 1 / FPS, video[:30]), ("audio", START, 0.02, audio[:50]))
    playing.run_to(START + 1.2)
    for sid in SID.values():
        playing.recording.set_muted(sid, True, time=UNIX + START + 1.2)
    playing.run_to(START + 2.0)
    for sid in SID.values():
        playing.recording.set_muted(sid, False, time=UNIX + START + 2.0)
    playing.play(
        ("video", START + 2.0, 1 / FPS, video[60:]), ("audio", START + 2.0, 0.02, audio[100:])
    )
    manifest = playing.stop()
    for track in manifest.tracks:
        assert track.gaps == []
        assert [(mute.start, mute.end) for mute in track.mutes] == [(1.2, 2.0)]
        (segment,) = track.segments
        times = [time for time, _ in packets(folder_of(playing.order) / segment.file)]
        assert max(b - a for a, b in pairwise(times)) == pytest.approx(1.02, abs=0.03)
        assert segment.duration == pytest.approx(3.0, abs=0.05)


def test_tracks_come_and_go_and_names_stay_apart(tmp_path):
    playing = Playing(order(tmp_path))
    sound = encode_audio(50)
    for number in range(2):
        sid = f"TR_{number}"
        track = TrackInfo(sid, "PA_ann", "ann", "audio", "microphone")
        playing.recording.add_track(track, time=UNIX + playing.now)
        audio = audio_packets(sound, ssrc=number)
        reference = Reference(number, UNIX + playing.now, audio[0].timestamp, True)
        playing.recording.refer(sid, reference)
        for position, packet in enumerate(audio):
            at = playing.now + position * 0.02
            playing.recording.receive(sid, [packet], now=at)
        playing.run_to(playing.now + 2.0)
        playing.recording.remove_track(sid, time=UNIX + playing.now)
    playing.recording.remove_participant("PA_ann", time=UNIX + playing.now)
    manifest = playing.stop()
    names = [path.name for path in files(manifest, playing.order, "audio")]
    assert names == ["ann-microphone.mkv", "ann-microphone-2.mkv"]
    spans = [(track.published.start, track.published.end) for track in manifest.tracks]
    assert spans == [(0.0, pytest.approx(2.0)), (pytest.approx(2.0), pytest.approx(4.0))]
    for path in files(manifest, playing.order, "audio"):
        assert [data for _, data in packets(path)] == list(sound)


def test_other_formats_and_templates(tmp_path):
    request = RecordingRequest(format="webm", template="{recording}/{source}/{name}")
    playing = Playing(order(tmp_path, request=request))
    playing.add("video")
    video = video_packets(VP8, encode_video(VP8, 30))
    playing.refer(video[0][0], START)
    playing.play(("video", START, 1 / FPS, video))
    (path,) = files(playing.stop(), playing.order, "video")
    assert path == tmp_path / "RC_1" / "camera" / "Ann.webm"
    assert len(decode(path)) == 30


def test_an_empty_room(tmp_path):
    playing = Playing(order(tmp_path))
    playing.run_to(START + 3)
    manifest = playing.stop("room_ended")
    assert (manifest.state, manifest.tracks, manifest.errors) == ("complete", [], [])
    assert manifest.duration == pytest.approx(4.0)
    assert [path.name for path in folder_of(playing.order).glob("[!.]*")] == [FILE_NAME]


def test_a_full_disk_is_told_before_and_kept_apart(tmp_path):
    with pytest.raises(DiskFullError):
        TrackRecording(order(tmp_path, free_space=1 << 62), wall_offset=UNIX)
    playing = Playing(order(tmp_path, "RC_2"))
    playing.add("audio")
    audio = audio_packets(encode_audio(50))
    playing.refer(audio[0], START, kind="audio")
    playing.play(("audio", START, 0.02, audio))
    manifest = playing.stop("no space left")
    assert (manifest.state, manifest.errors) == ("failed", ["no space left"])
    status = playing.recording.status()
    assert status.state == "failed"
    assert status.error == "no space left; kept: 1 files, 1 s"
    (path,) = files(manifest, playing.order, "audio")
    assert len(packets(path)) == 50


@pytest.mark.parametrize("told", [True, False])
def test_another_process_goes_on_in_new_files(tmp_path, told):
    """Whether or not the first one still saved a manifest that tells of its files."""
    wanted = order(tmp_path)
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-m", "tests.recorder.playing", tmp_path], cwd=root, check=True)
    video, audio = video_packets(VP8, encode_video(VP8, 120)), audio_packets(encode_audio(200))
    torn = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    assert torn.state == "active"
    if not told:
        torn.tracks.clear()
        ManifestFile(folder_of(wanted) / FILE_NAME).save(torn)
    playing = Playing(wanted, resume=True, now=START + 2.5)
    playing.add("video")
    playing.add("audio")
    playing.refer(video[80][0], START + 80 / FPS)
    playing.refer(audio[130], START + 2.6, kind="audio")
    playing.play(
        ("video", START + 80 / FPS, 1 / FPS, video[80:]), ("audio", START + 2.6, 0.02, audio[130:])
    )
    manifest = playing.stop()
    assert (manifest.state, manifest.recovered, manifest.errors) == ("complete", True, [])
    assert len(manifest.tracks) == 2
    assert len(manifest.participants) == 1
    for track in manifest.tracks:
        first, second = track.segments
        assert second.file.endswith("-2.mkv")
        assert 2.5 < second.start < 2.8
        assert 1.0 < first.duration < 2.01  # what was buffered is lost: 2 s at most
        assert first.sha256
        assert second.sha256
        (gap,) = track.gaps
        assert gap.start == pytest.approx(first.start + first.duration, abs=0.001)
        assert gap.end == pytest.approx(2.5, abs=0.001)
        for segment in track.segments:
            assert decode(folder_of(wanted) / segment.file)
    assert playing.recording.status().bytes == sum(one.bytes for one in manifest.segments())


def test_one_that_had_ended_is_left_as_it_is(tmp_path):
    playing = Playing(order(tmp_path))
    manifest = playing.stop()
    again = TrackRecording(playing.order, wall_offset=UNIX, resume=True)
    assert again.status().state == "complete"
    again.stop("stopped", now=START + 100)
    assert ManifestFile(folder_of(playing.order) / FILE_NAME).load() == manifest


def test_the_manifest_tells_of_a_file_as_soon_as_there_is_one(tmp_path):
    playing = Playing(order(tmp_path))
    playing.run_to(START + 2.2)  # the manifest was saved a moment ago
    playing.add("video")
    video = video_packets(VP8, encode_video(VP8, 10))
    playing.refer(video[0][0], START + 2.2)
    playing.play(("video", START + 2.2, 1 / FPS, video))
    playing.run_to(playing.now + 0.2)
    saved = ManifestFile(folder_of(playing.order) / FILE_NAME).load()
    assert [segment.file for segment in saved.segments()] == ["ann-camera.mkv"]
    playing.stop()


def test_what_no_file_can_take_before_a_key_frame_is_a_gap(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("video")
    video = video_packets(VP8, encode_video(VP8, 60))  # a key frame each ten
    playing.refer(video[0][0], START)
    turned = [[replace(packet, rotation=90) for packet in unit] for unit in video[23:]]
    playing.play(("video", START, 1 / FPS, [*video[:23], *turned]))
    manifest = playing.stop()
    assert len(manifest.segments()) == 2
    (gap,) = manifest.tracks[0].gaps
    assert gap.start == pytest.approx(23 / FPS, abs=0.002)
    assert gap.end == pytest.approx(30 / FPS, abs=0.002)
    assert playing.recording.status().gaps == 1


def test_sound_is_heard_when_it_was_captured(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("audio")
    audio = audio_packets([frame.data for frame in sound(onset=1.0)])
    playing.refer(audio[0], START + 0.5, kind="audio")
    playing.play(("audio", START + 0.5, 0.02, audio))
    manifest = playing.stop()
    ((segment,),) = (track.segments for track in manifest.tracks)
    first = next(
        piece.time + loud[0] / piece.sample_rate
        for piece in decode(folder_of(playing.order) / segment.file)
        if (loud := np.nonzero(np.abs(piece.to_ndarray()).max(axis=0) > 0.05)[0]).size
    )
    assert segment.start + first == pytest.approx(1.5, abs=2e-3)  # an encoder's delay is 6.5 ms


def test_48_participants(tmp_path):
    playing = Playing(order(tmp_path))
    recording = playing.recording
    video, audio = video_packets(VP8, encode_video(VP8, 15)), audio_packets(encode_audio(25))
    for number in range(48):
        sid = f"PA_{number}"
        recording.add_participant(ParticipantInfo(sid, f"p{number}"), time=UNIX + START)
        for kind, source, first in (
            ("video", "camera", video[0][0]),
            ("audio", "microphone", audio[0]),
        ):
            track = TrackInfo(f"{kind}{number}", sid, f"p{number}", kind, source)
            recording.add_track(track, time=UNIX + START)
            reference = Reference(first.ssrc, UNIX + START, first.timestamp, True)
            recording.refer(track.sid, reference)
    for step in range(25):
        at = START + step * 0.02
        playing.run_to(at)
        for number in range(48):
            recording.receive(f"audio{number}", [audio[step]], now=at)
            if step < 15:
                recording.receive(f"video{number}", video[step], now=at)
    manifest = playing.stop()
    assert (manifest.state, len(manifest.participants), len(manifest.tracks)) == (
        "complete",
        49,
        96,
    )
    assert len({segment.file for segment in manifest.segments()}) == 96
    for kind, count in (("video", 15), ("audio", 25)):
        for path in files(manifest, playing.order, kind):
            assert len(packets(path)) == count


def test_what_was_muted_when_a_process_died_has_no_gap(tmp_path):
    playing = Playing(order(tmp_path))
    playing.add("audio")
    audio = audio_packets(encode_audio(50))
    playing.refer(audio[0], START, kind="audio")
    playing.play(("audio", START, 0.02, audio))
    playing.recording.set_muted(SID["audio"], True, time=UNIX + START + 1.0)
    playing.run_to(START + 5.0)
    playing.recording._folder._lock.release()  # as its end does
    again = Playing(playing.order, resume=True, now=START + 6.0)
    again.add("audio", muted=True)
    manifest = again.stop()
    assert [(mute.start, mute.end) for mute in manifest.tracks[0].mutes] == [(1.0, 7.0)]
    assert manifest.tracks[0].gaps == []
    (segment,) = manifest.segments()
    assert segment.duration == pytest.approx(1.0, abs=0.01)
    playing.recording._tracks[SID["audio"]].writer.close()
