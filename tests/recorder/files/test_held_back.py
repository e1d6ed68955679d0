"""What a file has of a track that pauses."""

import shutil
from pathlib import Path

import pytest

from recorder.files.description import StreamInfo
from recorder.files.segment_writer import SegmentWriter
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import VP8
from tests.recorder.files.clips import VIDEO, pictures, sound
from tests.recorder.files.probe import decode, ffprobe, packets

CLIPS = {**{codec.name: pictures(codec) for codec in VIDEO}, "opus": sound()}


class Writing:
    def __init__(self, path: Path, clip: tuple[EncodedFrame, ...], format: Format = "mkv") -> None:
        self.path = path
        self.writer = SegmentWriter(path, StreamInfo.of(clip[0]), format=format, start=0.0)

    def pause(self) -> None:
        for _ in range(5):
            self.writer.sync()

    def torn(self) -> Path:
        """What a kill would leave."""
        return Path(shutil.copy(self.path, self.path.with_name("torn.mkv")))


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("count", [1, 2, 17, 29, 30, 31, 50])
def test_all_that_came_before_a_pause_is_in_the_file(tmp_path: Path, name: str, count: int) -> None:
    clip = CLIPS[name]
    writing, whole = Writing(tmp_path / "a.mkv", clip), Writing(tmp_path / "b.mkv", clip)
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


@pytest.mark.parametrize("name", CLIPS)
def test_nothing_of_it_is_left_when_the_track_goes_on(tmp_path: Path, name: str) -> None:
    clip = CLIPS[name]
    writing, whole = Writing(tmp_path / "a.mkv", clip), Writing(tmp_path / "b.mkv", clip)
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


@pytest.mark.parametrize("name", CLIPS)
def test_a_kill_after_the_pause_costs_nothing_before_it(tmp_path: Path, name: str) -> None:
    clip = CLIPS[name]
    writing = Writing(tmp_path / "a.mkv", clip)
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


def test_a_track_that_goes_on_is_written_once(tmp_path: Path) -> None:
    clip = pictures(VP8)
    writing = Writing(tmp_path / "a.mkv", clip)
    for frame in clip:
        writing.writer.write(frame)
        writing.writer.sync()
        assert writing.path.stat().st_size == writing.writer.bytes
    writing.writer.close()
