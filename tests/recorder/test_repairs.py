"""The process that finishes what nobody has finished."""

import asyncio
from pathlib import Path

from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folder_lock import FolderLock
from recorder.repairs import Repairs


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
