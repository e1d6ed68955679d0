from pathlib import Path, PurePosixPath

import av
import numpy as np
import pytest

from recorder.files.manifest import Segment
from recorder.files.track_writer import TrackWriter
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import Codec
from tests.recorder.files.clips import FPS, VIDEO, moved, pictures, sound
from tests.recorder.files.probe import decode, ffprobe, packets

STARTED = 1_700_000_000.0
NAME = PurePosixPath("ann-camera")


class Recorded:
    def __init__(self, folder: Path, format: Format = "mkv") -> None:
        self.folder = folder
        self.segments: list[Segment] = []
        self.writer = TrackWriter(
            folder, NAME, format=format, started_at=STARTED, segments=self.segments
        )

    def write(self, frames: list[EncodedFrame]) -> list[bool]:
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
