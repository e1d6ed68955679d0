"""What a file has of a track that pauses."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from recorder.files.description import StreamInfo
from recorder.files.segment_writer import CODECS, SegmentWriter
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import VP8
from tests.recorder.files.clips import VIDEO, pictures, sound
from tests.recorder.files.probe import decode, ffprobe, packets

CLIPS = {**{codec.name: pictures(codec) for codec in VIDEO}, "opus": sound()}
CASES: list[tuple[str, Format]] = [
    *((name, "mkv") for name in CLIPS),
    *((name, "mp4") for name in CLIPS if name in CODECS["mp4"]),
]


class Writing:
    def __init__(self, path: Path, clip: tuple[EncodedFrame, ...]) -> None:
        self.path = path
        format = cast(Format, path.suffix[1:])
        self.writer = SegmentWriter(path, StreamInfo.of(clip[0]), format=format, start=0.0)

    def pause(self) -> None:
        for _ in range(5):
            self.writer.sync()

    def torn(self) -> Path:
        """What a kill would leave."""
        return Path(shutil.copy(self.path, self.path.with_stem("torn")))


@pytest.mark.parametrize(("name", "format"), CASES)
@pytest.mark.parametrize("count", [1, 2, 17, 29, 30, 31, 50])
def test_all_that_came_before_a_pause_is_in_the_file(
    tmp_path: Path, name: str, format: Format, count: int
) -> None:
    clip = CLIPS[name]
    writing, whole = (
        Writing(tmp_path / f"a.{format}", clip),
        Writing(tmp_path / f"b.{format}", clip),
    )
    for frame in clip[:count]:
        writing.writer.write(frame)
        whole.writer.write(frame)

    writing.pause()

    whole.writer.close()
    found, expected = packets(writing.torn()), packets(whole.path)
    assert [data for _, data in found] == [data for _, data in expected]
    times = [[time for time, _ in one] for one in (found, expected)]
    assert times[0] == pytest.approx(times[1], abs=1.1e-3)  # Matroska counts milliseconds
    assert len(decode(writing.torn())) == len(decode(whole.path))
    writing.writer.close()


@pytest.mark.parametrize(("name", "format"), CASES)
def test_nothing_of_it_is_left_when_the_track_goes_on(
    tmp_path: Path, name: str, format: Format
) -> None:
    clip = CLIPS[name]
    writing, whole = (
        Writing(tmp_path / f"a.{format}", clip),
        Writing(tmp_path / f"b.{format}", clip),
    )
    for number, frame in enumerate(clip):
        if number in (1, 10, 40, 50):
            writing.pause()
        writing.writer.write(frame)
        whole.writer.write(frame)

    writing.pause()
    writing.writer.close()
    whole.writer.close()

    assert packets(writing.path) == packets(whole.path)
    assert writing.path.stat().st_size == whole.path.stat().st_size == writing.writer.bytes
    ffprobe(writing.path)


@pytest.mark.parametrize(("name", "format"), CASES)
def test_a_kill_after_the_pause_costs_nothing_before_it(
    tmp_path: Path, name: str, format: Format
) -> None:
    clip = CLIPS[name]
    writing = Writing(tmp_path / f"a.{format}", clip)
    for frame in clip[:40]:
        writing.writer.write(frame)
    writing.pause()
    before = packets(writing.torn())

    for frame in clip[40:]:
        writing.writer.write(frame)
        found = packets(writing.torn())
        kept = [data for _, data in before[:-1]]  # of sound, the last is written with the next
        assert [data for _, data in found][: len(kept)] == kept
    writing.writer.close()


@pytest.mark.parametrize(("name", "format"), CASES)
@pytest.mark.parametrize("length", [32.0, 40.0, 80.0])
def test_a_pause_may_be_long(tmp_path: Path, name: str, format: Format, length: float) -> None:
    """Longer than the 32.8 s that a block may be behind the beginning of its cluster."""
    first, second = [frame for frame in CLIPS[name] if frame.key_frame][:2]
    writing = Writing(tmp_path / f"a.{format}", CLIPS[name])
    for frame in (replace(first, time=0.0), replace(second, time=length)):
        writing.writer.write(frame)
        writing.pause()
    found = packets(writing.torn())
    assert [time for time, _ in found] == pytest.approx([0, length], abs=0.01)
    writing.writer.close()
    assert [data for _, data in packets(writing.path)] == [data for _, data in found]


def test_a_track_that_goes_on_is_written_once(tmp_path: Path) -> None:
    clip = pictures(VP8)
    writing = Writing(tmp_path / "a.mkv", clip)
    for frame in clip:
        writing.writer.write(frame)
        writing.writer.sync()
        assert writing.path.stat().st_size == writing.writer.bytes
    writing.writer.close()
