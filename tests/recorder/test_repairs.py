"""The process that finishes what nobody has finished."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.child import PACKAGES, environment
from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folder_lock import FolderLock
from recorder.repairs import Repairs, repair


def leave(folder: Path) -> ManifestFile:
    """What a server leaves that was killed before anything was recorded."""
    folder.mkdir(parents=True)
    file = ManifestFile(folder / FILE_NAME)
    file.save(
        Manifest(
            id=folder.name,
            room="room",
            mode="tracks",
            started_at=1e9,
            started="2001-09-09T01:46:40Z",
            state="active",
        )
    )
    return file


async def test_all_are_repaired_and_told(tmp_path: Path) -> None:
    files = [leave(tmp_path / "room" / "dä y" / f"RC_{number}") for number in range(2)]
    broken = tmp_path / "RC_broken"
    broken.mkdir()
    (broken / FILE_NAME).write_text('{"state": "active"}')
    told: list[str] = []
    await Repairs().run(tmp_path, told.append)
    assert sorted(told) == ["room/dä y/RC_0", "room/dä y/RC_1"]
    for file in files:
        manifest = file.load()
        assert (manifest.state, manifest.recovered) == ("complete", True)


async def test_what_is_still_being_written_is_left_until_it_is_not(tmp_path: Path) -> None:
    file = leave(tmp_path / "RC_1")
    leave(tmp_path / "RC_2")
    lock = FolderLock(tmp_path / "RC_1")
    told: asyncio.Queue[str] = asyncio.Queue()
    repairing = asyncio.create_task(Repairs().run(tmp_path, told.put_nowait))
    assert await asyncio.wait_for(told.get(), 60) == "RC_2"
    assert file.load().state == "active"
    lock.release()
    assert await asyncio.wait_for(told.get(), 60) == "RC_1"
    await asyncio.wait_for(repairing, 60)
    assert file.load().state == "complete"


def test_it_is_looked_at_for_as_long_as_it_takes(tmp_path: Path) -> None:
    file = leave(tmp_path / "RC_1")
    lock = FolderLock(tmp_path / "RC_1")
    told: list[str] = []
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if sum(waited) > 3600:
            lock.release()
        return True

    repair(tmp_path, told.append, wait=wait)
    assert told == ["RC_1"]
    assert file.load().state == "complete"
    assert waited[:6] == [1, 2, 4, 8, 16, 30]
    assert max(waited) == 30


async def test_what_failed_is_failed_after_the_repair(tmp_path: Path) -> None:
    file = leave(tmp_path / "RC_1")
    told: list[str] = []
    await Repairs().run(tmp_path / "RC_1", told.append, failure="it was so bad")
    manifest = file.load()
    assert (manifest.state, manifest.errors) == ("failed", ["it was so bad"])
    assert told == ["."]


def test_it_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    leave(tmp_path / "RC_1")
    leave(tmp_path / "RC_2")
    with (
        FolderLock(tmp_path / "RC_1"),
        subprocess.Popen(
            [sys.executable, "-m", "recorder.repairs", str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"RC_2\n"
        process.stdin.close()
        assert process.wait(60) == 0


def test_processes_find_what_we_find(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, rest in ((None, []), ("", []), ("/a:/b", ["/a", "/b"])):
        if given is None:
            monkeypatch.delenv("PYTHONPATH", raising=False)
        else:
            monkeypatch.setenv("PYTHONPATH", given)
        assert environment()["PYTHONPATH"].split(":") == [str(PACKAGES), *rest]


async def test_it_ends_when_the_server_does(tmp_path: Path) -> None:
    leave(tmp_path / "RC_1")
    leave(tmp_path / "RC_2")
    told: asyncio.Queue[str] = asyncio.Queue()
    with FolderLock(tmp_path / "RC_1"):
        repairing = asyncio.create_task(Repairs().run(tmp_path, told.put_nowait))
        await asyncio.wait_for(told.get(), 60)
        repairing.cancel()
        await asyncio.wait([repairing], timeout=60)
        assert repairing.cancelled()
