"""Reading recorded files back: the same frames at the same times, whatever codec and container."""

from dataclasses import replace
from pathlib import Path

import pytest

from recorder.compose.decoders import VideoDecoder
from recorder.compose.recorded_tracks import RecordedTrack
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import AV1, VP8, VP9, Codec
from tests.recorder.compose.clips import Recording
from tests.recorder.files.clips import H264, moved, pictures, sound, turned

FORMATS: list[tuple[Codec, Format]] = [
    (VP8, "mkv"),
    (VP8, "webm"),
    (VP9, "mkv"),
    (VP9, "mp4"),
    (AV1, "mkv"),
    (AV1, "mp4"),
    (H264, "mkv"),
    (H264, "mp4"),
]


def read(folder: Path, *segments: list[EncodedFrame], format: Format = "mkv") -> RecordedTrack:
    """Write each as a file of one track, and open that."""
    recording = Recording(folder, 10.0)
    source = "camera" if segments[0][0].codec.kind == "video" else "microphone"
    for number, frames in enumerate(segments):
        recording.add_track(f"ann{number}", source, frames, format=format)
    first, *others = recording.manifest.tracks
    for other in others:
        first.segments += other.segments
    return RecordedTrack(folder, first)


@pytest.mark.parametrize(("codec", "format"), FORMATS)
def test_pictures_are_read_and_can_be_shown(tmp_path: Path, codec: Codec, format: Format) -> None:
    written = moved(pictures(codec, count=40), 1.234)
    found = read(tmp_path / "room", written, format=format).read(10.0)
    assert [frame.key_frame for frame in found] == [frame.key_frame for frame in written]
    for one, other in zip(found, written, strict=True):
        assert abs(one.time - other.time) < 0.0011, "Matroska has milliseconds"
    decoder = VideoDecoder()
    shown = [decoder.decode(frame) for frame in found]
    assert all(shown)
    bars = [int(picture.to_ndarray()[90].argmax()) for picture in shown if picture]
    assert all(abs(bar - number * 4) <= 8 for number, bar in enumerate(bars))


@pytest.mark.parametrize("format", ["mkv", "webm", "mp4"])
def test_sound_has_the_times_of_its_capture(tmp_path: Path, format: Format) -> None:
    written = moved(sound(1.0), 0.5)
    found = read(tmp_path / "room", written, format=format).read(10.0)
    assert [frame.data for frame in found] == [frame.data for frame in written]
    for one, other in zip(found, written, strict=True):
        assert abs(one.time - other.time) < 0.0011


def test_frames_come_as_time_goes_on_and_through_all_files(tmp_path: Path) -> None:
    one, other = pictures(VP8, count=30), moved(pictures(VP8, count=30), 5.0)
    track = read(tmp_path / "room", other, list(one))
    assert len(track.read(0.5)) == 15
    assert len(track.read(0.5)) == 0
    assert len(track.read(5.1)) == 15 + 3
    assert not track.empty
    assert len(track.read(100.0)) == 27
    assert track.empty
    assert abs(track.end - 6.0) < 0.05


def test_turned_pictures_stay_turned(tmp_path: Path) -> None:
    track = read(tmp_path / "room", turned(pictures(VP8, count=5), 90))
    assert {frame.rotation for frame in track.read(1.0)} == {90}


def test_what_is_no_media_is_empty(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    path = recording.add_track("ann", "camera", [replace(f) for f in pictures(VP8, count=5)])
    path.write_bytes(b"not a video" * 100)
    assert RecordedTrack(tmp_path / "room", recording.manifest.tracks[0]).empty
    path.write_bytes(b"")
    assert RecordedTrack(tmp_path / "room", recording.manifest.tracks[0]).empty
