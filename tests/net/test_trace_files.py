"""Traces reach the disk in order, privately, and give way when the disk has trouble."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sfu.errors import LocalError
from sfu.net import trace_files
from sfu.net.trace_files import TraceFiles


def opened(directory: Path, **options: int) -> TraceFiles:
    files = TraceFiles(str(directory), **options)
    files.open()
    return files


def sink(files: TraceFiles, sid: str) -> Callable[[bytes], bool]:
    write = files.sink(sid)
    assert write is not None
    return write


def test_pieces_of_several_traces_are_written_in_order(tmp_path: Path) -> None:
    files = opened(tmp_path / "a" / "b")
    one, two = sink(files, "PA_one"), sink(files, "PA_two")
    for number in range(100):
        assert one(b"%02d" % number)
        assert two(b"x")
    files.close()
    (first,) = (tmp_path / "a" / "b").glob("*-PA_one.trace")
    (second,) = (tmp_path / "a" / "b").glob("*-PA_two.trace")
    assert first.read_bytes() == b"".join(b"%02d" % number for number in range(100))
    assert second.read_bytes() == b"x" * 100


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = opened(tmp_path / "traces")
        sink(files, "PA_x")(b"x")
        files.close()
    finally:
        os.umask(before)
    (path,) = (tmp_path / "traces").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("sid", ["../../etc/passwd", "/etc/x", "a\0b", "..", "x" * 1000, "ü/ö"])
def test_no_name_leaves_the_directory(tmp_path: Path, sid: str) -> None:
    files = opened(tmp_path / "traces")
    sink(files, sid)(b"x")
    files.close()
    assert [path.name for path in tmp_path.iterdir()] == ["traces"]
    (path,) = (tmp_path / "traces").iterdir()
    assert path.suffix == ".trace"
    assert len(path.name) < 100


def test_nothing_to_write_is_no_file(tmp_path: Path) -> None:
    files = opened(tmp_path)
    sink(files, "PA_x")
    files.close()
    assert not list(tmp_path.iterdir())


def test_a_link_that_lies_there_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfu.net.trace_files.time.strftime", lambda *_: "now")
    directory = tmp_path / "traces"
    directory.mkdir()
    (directory / "now-PA_x.trace").symlink_to(tmp_path / "target")
    files = opened(directory)
    with capture_logs():
        sink(files, "PA_x")(b"x")
        files.close()
    assert files.stopped
    assert not (tmp_path / "target").exists()


def test_a_full_disk_ends_all_traces_with_one_line(tmp_path: Path) -> None:
    files = opened(tmp_path, min_free=1 << 62)
    one, two = sink(files, "PA_one"), sink(files, "PA_two")
    with capture_logs() as logs:
        one(b"x")
        two(b"x")
        files.close()
    assert [line["event"] for line in logs] == ["traces stop"]
    assert "full" in files.stopped
    assert not one(b"x")
    assert files.sink("PA_three") is None
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_disk_ends_them_too(tmp_path: Path) -> None:
    files = opened(tmp_path / "traces")
    write = sink(files, "PA_x")
    (tmp_path / "traces").rmdir()
    with capture_logs() as logs:
        for _ in range(3):
            write(b"x")
        files.close()
    assert [line["reason"] for line in logs] == ["No such file or directory"]


def test_a_disk_that_falls_behind_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_files, "MAX_PENDING", 10)
    files = opened(tmp_path)
    write = sink(files, "PA_x")
    with capture_logs() as logs:
        assert not write(b"x" * 11)
        assert not write(b"x")
        files.close()
    assert [line["reason"] for line in logs] == ["the disk is too slow"]


def test_a_directory_that_cannot_be_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=r"trace: cannot write to .*: file exists"):
        TraceFiles(str(tmp_path / "file")).open()
    with pytest.raises(LocalError, match="not a directory"):
        TraceFiles(str(tmp_path / "file" / "below")).open()
