import errno
import os
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath

import pytest

from recorder.files.chronicle import Chronicle
from recorder.files.disk import STEPS, DiskFile, DiskFullError, DiskGuard, disk_error
from recorder.files.manifest import Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.muxer import PIECE
from recorder.files.track_writer import TrackWriter
from recorder.values import Format, RecordingRequest
from sfu.wire.parameters import VP8, VP9, Codec
from tests.recorder.files.clips import FPS, RECORDING, TRACK, pictures
from tests.recorder.files.probe import decode, ffprobe, packets


@pytest.mark.parametrize(("codec", "format"), [(VP8, "mkv"), (VP9, "mp4")])
def test_a_full_disk_ends_a_file_that_can_be_played(
    small_disk: Path, codec: Codec, format: Format
) -> None:
    file = ManifestFile(small_disk / FILE_NAME)
    chronicle = Chronicle.begin("RC_1", "lobby", RecordingRequest(), by="ann", time=0)
    file.save(chronicle.manifest)
    segments: list[Segment] = []
    writer = TrackWriter(
        small_disk,
        PurePosixPath("ann"),
        format=format,
        started_at=0,
        segments=segments,
        recording=RECORDING,
        track=TRACK,
    )
    clip = pictures(codec, noise=60)
    written = 0

    def write_on() -> None:
        nonlocal written
        while True:
            frame = clip[written % len(clip)]
            assert writer.write(replace(frame, time=written / FPS))
            written += 1

    with pytest.raises(DiskFullError) as raised:
        write_on()
    writer.close()

    path = small_disk / f"ann.{format}"
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(path)
    found = packets(path)
    assert [data for _, data in found] == [clip[n % len(clip)].data for n in range(len(found))]
    assert written - len(found) <= PIECE * FPS + 1
    assert len(decode(path)) == len(found)
    assert ffprobe(path)
    assert segments[0].bytes == path.stat().st_size

    # The manifest can still tell of it.
    with (small_disk / "others").open("wb", 0) as others:
        assert others.write(bytes(2**23)) < 2**23  # as much as there is space for
    chronicle.finish("no space left", time=written / FPS)
    chronicle.end("failed")
    file.save(chronicle.manifest)
    assert file.load().state == "failed"
    assert sorted(one.name for one in small_disk.iterdir()) == [path.name, FILE_NAME, "others"]


def test_a_file_for_which_there_is_no_space_is_not_begun(small_disk: Path) -> None:
    fill(small_disk / "others", shutil.disk_usage(small_disk).free)
    segments: list[Segment] = []
    writer = TrackWriter(
        small_disk,
        PurePosixPath("people/ann"),
        format="mkv",
        started_at=0,
        segments=segments,
        recording=RECORDING,
        track=TRACK,
    )

    with pytest.raises(DiskFullError):
        writer.write(pictures(VP8)[0])
    writer.close()

    assert segments == []
    assert not list(small_disk.glob("people/*"))


def test_a_disk_warns_before_it_is_full(small_disk: Path) -> None:
    free = shutil.disk_usage(small_disk).free
    guard = DiskGuard(small_disk, free // 3)

    assert guard.check().free == free
    assert guard.check().warning == ""
    fill(small_disk / "half", free // 2)
    assert guard.check().warning == (
        "only 2 MiB are left on the disk: the recording ends at 1.33 MiB"
    )
    fill(small_disk / "more", free // 4)
    with pytest.raises(DiskFullError):
        guard.check()


def test_a_disk_that_fills_slowly_warns_a_few_times(small_disk: Path) -> None:
    guard = DiskGuard(small_disk, shutil.disk_usage(small_disk).free // 3)
    warnings: list[str] = []

    def fill_up() -> None:
        for number in count():
            fill(small_disk / str(number), 8192)
            warnings.append(guard.check().warning)

    with pytest.raises(DiskFullError):
        fill_up()

    assert len(warnings) > 200
    assert 5 < len(set(warnings)) <= STEPS + 2


def test_after_an_error_a_file_takes_no_more(small_disk: Path) -> None:
    file = DiskFile(small_disk / "a")
    fill(small_disk / "others", shutil.disk_usage(small_disk).free - 8192)

    file.write(bytes(4096))
    file.write(bytes(8192))
    assert isinstance(file.error, DiskFullError)
    (small_disk / "others").unlink()
    file.write(bytes(4096))

    assert isinstance(file.error, DiskFullError)
    file.truncate(4096)
    file.close()
    assert (small_disk / "a").stat().st_size == 4096


def test_errors_name_the_file() -> None:
    error = disk_error(OSError(errno.EIO, os.strerror(errno.EIO)), Path("/a/b"))

    assert str(error) == "[Errno 5] Input/output error: '/a/b'"
    assert str(disk_error(OSError(errno.EDQUOT, ""), Path("b"))) == "[Errno 28] no space left: 'b'"


def fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
