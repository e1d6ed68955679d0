from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from random import Random

import av
import numpy as np
import pytest

from recorder.files.manifest import Segment
from recorder.files.track_writer import TrackWriter
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import AV1, VP8, VP9, Codec
from tests.recorder.files.clips import (
    FPS,
    H264,
    RECORDING,
    TRACK,
    VIDEO,
    moved,
    pictures,
    sound,
    turned,
)
from tests.recorder.files.probe import decode, ffprobe, packets

STARTED = 1_700_000_000.0
NAME = PurePosixPath("ann-camera")


class Recorded:
    def __init__(self, folder: Path, format: Format = "mkv") -> None:
        self.folder = folder
        self.segments: list[Segment] = []
        self.writer = TrackWriter(
            folder,
            NAME,
            format=format,
            started_at=STARTED,
            segments=self.segments,
            recording=RECORDING,
            track=TRACK,
        )

    def write(self, frames: Sequence[EncodedFrame]) -> list[bool]:
        return [self.writer.write(frame) for frame in frames]

    def path(self, index: int = 0) -> Path:
        return self.folder / self.segments[index].file


@pytest.mark.parametrize("format", ["mkv", "webm", "mp4"])
@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.name)
def test_pictures_are_written_as_they_came(tmp_path: Path, codec: Codec, format: Format) -> None:
    recorded = Recorded(tmp_path, format)
    frames = moved(pictures(codec), STARTED + 1.5)

    assert all(recorded.write(frames))
    recorded.writer.close()

    [segment] = recorded.segments
    assert segment.start == 1.5
    assert segment.duration == pytest.approx(59 / FPS, abs=1e-3)
    assert segment.bytes == recorded.path().stat().st_size
    assert (segment.width, segment.height) == (320, 180)
    found = ffprobe(recorded.path())
    assert found["codec_name"] == codec.name.lower()
    assert (found["width"], found["height"]) == (320, 180)
    assert float(found["format"]["duration"]) == pytest.approx(2, abs=0.04)
    times = [time for time, _ in packets(recorded.path())]
    assert times == pytest.approx([frame.time - frames[0].time for frame in frames], abs=6e-4)
    assert len(decode(recorded.path())) == 60
    if codec.name in ("VP8", "VP9"):
        assert [data for _, data in packets(recorded.path())] == [frame.data for frame in frames]


@pytest.mark.parametrize("format", ["mkv", "webm", "mp4"])
def test_sound_is_heard_when_it_was_captured(tmp_path: Path, format: Format) -> None:
    recorded = Recorded(tmp_path, format)
    frames = moved(sound(), STARTED)

    assert all(recorded.write(frames))
    recorded.writer.close()

    assert recorded.segments[0].format == format
    assert [data for _, data in packets(recorded.path())] == [frame.data for frame in frames]
    for frame in decode(recorded.path()):
        assert isinstance(frame, av.AudioFrame)
        loud = np.nonzero(np.abs(frame.to_ndarray()).max(axis=0) > 0.05)[0]
        if loud.size:
            assert frame.time is not None
            assert frame.time + loud[0] / frame.sample_rate == pytest.approx(1, abs=2e-3)
            break
    else:
        pytest.fail("nothing is heard")


def test_vp8_in_mp4_is_written_to_matroska_instead(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, "mp4")
    recorded.write(moved(pictures(VP8), STARTED))
    recorded.writer.close()

    assert recorded.segments[0].format == "mkv"
    assert recorded.path().suffix == ".mkv"
    assert len(decode(recorded.path())) == 60


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    for clip, format in ((pictures(H264), "mkv"), (pictures(H264), "mp4"), (sound(), "mkv")):
        recorded = Recorded(tmp_path, format)
        kept = [frame for frame in moved(clip, STARTED) if not 0.25 < frame.time - STARTED < 1]
        recorded.write(kept)
        recorded.writer.close()

        times = [time for time, _ in packets(recorded.path())]
        expected = [frame.time - STARTED for frame in kept]
        assert times == pytest.approx(expected, abs=8e-3)  # what Opus decoders skip is before 0


def test_another_size_of_vp8_and_vp9_goes_on_in_the_file(tmp_path: Path) -> None:
    for codec in (VP8, VP9):
        recorded = Recorded(tmp_path)
        recorded.write(moved(pictures(codec), STARTED))
        recorded.write(moved(pictures(codec, width=160, height=90), STARTED + 2))
        recorded.writer.close()

        assert len(recorded.segments) == 1
        sizes = [(frame.width, frame.height) for frame in decode(recorded.path())]
        assert sizes == [(320, 180)] * 60 + [(160, 90)] * 60


@pytest.mark.parametrize("codec", [AV1, H264], ids=lambda codec: codec.name)
def test_other_parameters_begin_another_file(tmp_path: Path, codec: Codec) -> None:
    recorded = Recorded(tmp_path)
    recorded.write(moved(pictures(codec), STARTED))
    recorded.write(moved(pictures(codec, width=160, height=90), STARTED + 2))
    recorded.writer.close()

    assert [segment.file for segment in recorded.segments] == ["ann-camera.mkv", "ann-camera-2.mkv"]
    assert [segment.start for segment in recorded.segments] == [0, 2]
    assert [segment.width for segment in recorded.segments] == [320, 160]
    assert [len(decode(recorded.path(index))) for index in (0, 1)] == [60, 60]


def test_another_codec_begins_another_file(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, "webm")
    for number, codec in enumerate((VP8, VP9, H264, VP8)):
        recorded.write(moved(pictures(codec), STARTED + 2 * number))
    recorded.writer.close()

    names = ["ann-camera.webm", "ann-camera-2.webm", "ann-camera.mkv", "ann-camera-3.webm"]
    assert [segment.file for segment in recorded.segments] == names
    assert [segment.codecs for segment in recorded.segments] == [
        ["VP8"],
        ["VP9"],
        ["H264"],
        ["VP8"],
    ]


@pytest.mark.parametrize("format", ["mkv", "mp4"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_are_shown_upright(tmp_path: Path, rotation: int, format: Format) -> None:
    recorded = Recorded(tmp_path, format)
    recorded.write(turned(moved(pictures(H264), STARTED), rotation))
    recorded.writer.close()

    # FFmpeg counts counter-clockwise, and from -180.
    assert decode(recorded.path())[0].rotation % 360 == -rotation % 360
    assert recorded.segments[0].rotation == rotation


def test_a_turn_of_the_camera_begins_another_file_at_a_key_frame(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    clip = pictures(VP8)
    recorded.write(turned(moved(clip[:20], STARTED), 0))

    # Of the 40 that are turned, the first ten depend on pictures of the other file.
    written = recorded.write(turned(moved(clip[20:], STARTED), 90))

    recorded.writer.close()
    assert written == [False] * 10 + [True] * 30
    assert [segment.rotation for segment in recorded.segments] == [0, 90]
    assert recorded.segments[1].start == 1.0
    assert [len(decode(recorded.path(index))) for index in (0, 1)] == [20, 30]


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ann-camera.mkv").write_text("another's")
    first, second = Recorded(tmp_path), Recorded(tmp_path)
    first.write(moved(pictures(VP8), STARTED))
    second.write(moved(pictures(VP9), STARTED))
    first.writer.close()
    second.writer.close()

    assert (tmp_path / "ann-camera.mkv").read_text() == "another's"
    assert first.segments[0].file == "ann-camera-2.mkv"
    assert second.segments[0].file == "ann-camera-3.mkv"
    assert first.segments[0].codecs == ["VP8"]


def test_a_correction_moves_the_start_and_leaves_no_jump_in_the_file(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    clip = moved(pictures(VP8), STARTED + 1)
    recorded.write(clip[:30])
    recorded.writer.correct(-0.125)
    recorded.write(moved(tuple(clip[30:]), -0.125))
    recorded.writer.close()

    assert recorded.segments[0].start == 0.875
    times = [time for time, _ in packets(recorded.path())]
    assert times == pytest.approx([number / FPS for number in range(60)], abs=6e-4)


def test_a_file_begins_with_a_key_frame(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)

    assert recorded.write(moved(pictures(VP8)[1:31], STARTED)) == [False] * 29 + [True]
    recorded.writer.close()

    assert recorded.segments[0].start == 1.0
    assert len(decode(recorded.path())) == 1


def test_a_track_of_one_frame_is_a_file(tmp_path: Path) -> None:
    for clip in (pictures(VP8), sound()):
        recorded = Recorded(tmp_path)
        recorded.write(moved(clip[:1], STARTED))
        recorded.writer.close()

        assert [data for _, data in packets(recorded.path())] == [clip[0].data]


def test_a_track_without_frames_is_no_file(tmp_path: Path) -> None:
    Recorded(tmp_path).writer.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", VIDEO, ids=lambda codec: codec.name)
def test_junk_raises_nothing_and_harms_no_other_file(tmp_path: Path, codec: Codec) -> None:
    random = Random(1)
    for number in range(30):
        recorded = Recorded(tmp_path / str(number), "mp4" if number % 2 else "mkv")
        extradata = random.randbytes(random.randrange(40)) if number % 3 else b""
        for index in range(20):
            junk = EncodedFrame(
                random.randbytes(random.randrange(1, 200)),
                STARTED + index / FPS,
                codec,
                key_frame=index % 5 == 0,
                width=320,
                height=180,
                extradata=extradata if index % 5 == 0 else b"",
            )
            recorded.writer.write(junk)
            if index % 7 == 6:
                for _ in range(3):  # a pause
                    recorded.writer.sync()
        recorded.writer.close()
        files = {path.name for path in (tmp_path / str(number)).glob("*")}
        assert files == {segment.file for segment in recorded.segments}


def test_times_that_stand_still_or_go_back_are_moved_on(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    clip = moved(pictures(VP8), STARTED)
    back = [replace(frame, time=clip[10].time) for frame in clip[11:20]]

    assert all(recorded.write([*clip[:11], *back, *clip[20:]]))
    recorded.writer.close()

    times = [time for time, _ in packets(recorded.path())]
    assert len(times) == 60
    assert all(before < after for before, after in pairwise(times))
    assert times[-1] == pytest.approx(59 / FPS, abs=1e-3)


def test_somebody_who_changes_parameters_all_the_time_fills_a_bounded_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.files.track_writer.MAX_SEGMENTS", 3)
    recorded = Recorded(tmp_path)
    key_frame = moved(pictures(VP8)[:1], STARTED)

    written = [
        recorded.writer.write(turned(tuple(key_frame), 90 * number)[0]) for number in range(5)
    ]
    recorded.writer.close()

    assert written == [True, True, True, False, False]
    assert len(list(tmp_path.iterdir())) == 3
