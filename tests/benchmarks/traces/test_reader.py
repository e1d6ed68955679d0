"""Only what is a trace is read as one, and of a damaged one what is whole."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from benchmarks.traces.reader import TraceError, parse, read
from sfu.room.media_settings import TrackSettings
from sfu.room.trace import Trace


def trace() -> list[bytes]:
    pieces: list[bytes] = []

    def write(data: bytes) -> bool:
        pieces.append(data)
        return True

    recorder = Trace(write, {"room": "röom"}, now=0.0)
    for second in range(10):
        recorder.wish("TR_a", TrackSettings(width=second), now=float(second))
        recorder.remb(1000.0 * second, now=float(second))
    recorder.close(now=10.0)
    return pieces


def saved(*arrays: np.ndarray) -> bytes:  # type: ignore[type-arg]
    file = BytesIO()
    for array in arrays:
        np.save(file, array)
    return file.getvalue()


def test_everything_is_read() -> None:
    recording = parse(b"".join(trace()))
    assert recording.about["room"] == "röom"
    assert recording.tables["remb"]["bitrate"].tolist() == [1000.0 * n for n in range(10)]
    assert recording.tables["wish"]["width"].tolist() == list(range(10))
    assert (recording.start, recording.end, recording.cut) == (0.0, 10.0, 0)
    assert not len(recording.tables["sent"])


def test_every_cut_leaves_whole_pieces() -> None:
    pieces = trace()
    data = b"".join(pieces)
    ends = [sum(map(len, pieces[: n + 1])) for n in range(len(pieces))]
    for size in range(len(pieces[0]), len(data), 37):
        recording = parse(data[:size])
        whole = max(end for end in ends if end <= size)
        assert recording.cut == size - whole
        assert len(recording.tables["wish"]) == len(recording.tables["remb"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"no trace at all" * 10,
        saved(np.arange(3)),
        saved(np.array([(b"{",)], dtype=[("head", "S9")])),
        saved(np.array([(b"[]",)], dtype=[("head", "S9")])),
        saved(np.array([(b'{"version": 99}',)], dtype=[("head", "S20")])),
        saved(np.empty(0, dtype=[("head", "S20")])),
    ],
)
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(TraceError, match="x: it"):
        read(tmp_path / "x")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(TraceError, match="/nowhere cannot be read: No such file"):
        read("/nowhere")
