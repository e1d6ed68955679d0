"""Recordings on their way into a real store, with a bad network in between."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from recorder.files.manifest import Composite, Manifest, Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.storage.base import StoredObject
from recorder.storage.file_upload import PART_SIZE
from recorder.storage.s3 import S3Settings, S3Store
from recorder.storage.uploader import MARKER, Uploader, UploadStatus
from recorder.storekeeper import Wish, _do
from tests.recorder.storage.faulty_proxy import FaultyProxy
from tests.recorder.storage.test_s3 import content, noise
from tests.support.polling import until

FOLDER = "room/RC_1"


class Recorded:
    """A recording in a folder, and what an uploader tells of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / FOLDER
        self.path.mkdir(parents=True)
        self.file = self.path / "composite.mp4"
        self.segment = Segment(self.file.name, "mp4", ["H264"], 0.0)
        self.manifest = Manifest(
            id="RC_1",
            room="room",
            mode="composite",
            started_at=0.0,
            started="1970-01-01T00:00:00Z",
            state="active",
            composite=Composite("grid", 2, 2, 1, [self.segment]),
        )
        self.save()
        self.told: list[UploadStatus] = []

    def save(self) -> None:
        ManifestFile(self.path / FILE_NAME).save(self.manifest)

    def end(self) -> None:
        self.manifest.state = "complete"
        self.save()

    def uploader(self, store: S3Store, *, keep_local: bool = False) -> Uploader:
        return Uploader(store, self.root, keep_local=keep_local, told=self.told.append)

    def stored(self) -> bool:
        return any(status.state == "stored" for status in self.told)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "recordings")


async def test_it_goes_there_while_it_is_made(recorded: Recorded, store: S3Store) -> None:
    data = noise(PART_SIZE * 3)
    uploader = recorded.uploader(store)
    uploader.add(FOLDER)
    recorded.file.write_bytes(data)
    await until(lambda: recorded.told, "a part is there")
    assert recorded.told[0] == UploadStatus(FOLDER, "uploading", PART_SIZE)
    assert list(store.list("")) == []
    recorded.file.write_bytes(b"header" + data[6:])
    recorded.end()
    await until(recorded.stored, "all is there")
    uploader.close()
    assert content(store, f"{FOLDER}/composite.mp4") == b"header" + data[6:]
    assert content(store, f"{FOLDER}/{FILE_NAME}") == (recorded.path / FILE_NAME).read_bytes()
    assert not recorded.file.exists()
    assert (recorded.path / FILE_NAME).exists()
    assert not (recorded.path / MARKER).exists()


async def test_files_stay_where_they_are_wanted(recorded: Recorded, store: S3Store) -> None:
    recorded.file.write_bytes(b"small")
    recorded.end()
    uploader = recorded.uploader(store, keep_local=True)
    uploader.add(FOLDER)
    await until(recorded.stored, "all is there")
    uploader.close()
    assert recorded.file.read_bytes() == b"small"
    assert content(store, f"{FOLDER}/composite.mp4") == b"small"


@pytest.mark.parametrize("fault", ["refuse", "error", "corrupt"])
async def test_nothing_is_removed_before_it_has_arrived(
    recorded: Recorded, store: S3Store, proxy: FaultyProxy, fault: str, fast_retries: None
) -> None:
    data = noise(PART_SIZE + 100)
    recorded.file.write_bytes(data)
    recorded.end()
    proxy.fault = fault
    uploader = recorded.uploader(store)
    uploader.add(FOLDER)
    await until(lambda: recorded.told, "it has failed")
    assert recorded.told[0].state == "waiting"
    assert recorded.told[0].error
    assert recorded.file.read_bytes() == data
    proxy.fault = "none"
    await until(recorded.stored, "all is there", deadline=30)
    uploader.close()
    assert content(store, f"{FOLDER}/composite.mp4") == data
    assert not recorded.file.exists()


async def test_the_next_process_goes_on(recorded: Recorded, store: S3Store) -> None:
    data = noise(PART_SIZE * 3)
    recorded.file.write_bytes(data)
    first = recorded.uploader(store)
    first.add(FOLDER)
    await until(lambda: recorded.told, "a part is there")
    first.close()  # or its machine was switched off
    recorded.end()
    recorded.told.clear()
    second = recorded.uploader(store)
    await until(recorded.stored, "all is there")
    second.close()
    assert content(store, f"{FOLDER}/composite.mp4") == data
    assert store.abort_uploads("") == 0  # what the first had sent is not paid for


async def test_what_is_deleted_meanwhile_leaves_nothing(recorded: Recorded, store: S3Store) -> None:
    recorded.file.write_bytes(noise(PART_SIZE * 3))
    uploader = recorded.uploader(store)
    uploader.add(FOLDER)
    await until(lambda: recorded.told, "a part is there")
    shutil.rmtree(recorded.path)
    await until(recorded.stored, "it has noticed")
    uploader.close()
    assert list(store.list("")) == []
    assert store.abort_uploads("") == 0


def test_closing_does_not_wait_for_a_store_that_is_away(
    recorded: Recorded, store: S3Store, proxy: FaultyProxy, fast_retries: None
) -> None:
    proxy.fault = "refuse"
    recorded.file.write_bytes(b"small")
    recorded.end()
    uploader = recorded.uploader(store)
    uploader.add(FOLDER)
    uploader.close()
    assert recorded.file.exists()
    assert (recorded.path / MARKER).exists()
    assert "uploader" not in {thread.name for thread in threading.enumerate()}


async def test_a_file_that_is_nowhere_is_told_of(recorded: Recorded, store: S3Store) -> None:
    recorded.segment.bytes = 5
    recorded.end()
    uploader = recorded.uploader(store)
    uploader.add(FOLDER)
    await until(lambda: recorded.told, "it has failed")
    assert recorded.told[0].state == "waiting"
    assert recorded.told[0].error.startswith("composite.mp4 is missing here")
    assert (recorded.path / MARKER).exists()
    assert store.stat(f"{FOLDER}/{FILE_NAME}") is None
    store.put(f"{FOLDER}/composite.mp4", b"smal")
    count = len(recorded.told)
    await until(lambda: len(recorded.told) > count, "it has looked again", deadline=30)
    assert recorded.told[-1].state == "waiting", "that is not the whole file"
    store.put(f"{FOLDER}/composite.mp4", b"small")  # as an earlier process would have left it
    await until(recorded.stored, "all is there", deadline=30)
    uploader.close()
    assert store.stat(f"{FOLDER}/{FILE_NAME}") is not None


class SlowStore(S3Store):
    """Finishes what it puts when it is let, as the far end of a slow path."""

    def __init__(self, settings: S3Settings) -> None:
        super().__init__(settings)
        self.busy, self.free = threading.Event(), threading.Event()

    def put(self, key: str, data: bytes) -> StoredObject:
        self.busy.set()
        self.free.wait()
        return super().put(key, data)


async def test_nothing_comes_after_its_deletion(recorded: Recorded, settings: S3Settings) -> None:
    slow = SlowStore(settings)
    recorded.file.write_bytes(b"small")
    recorded.end()
    uploader = recorded.uploader(slow)
    uploader.add(FOLDER)
    await until(slow.busy.is_set, "it is on its way")
    deletion = asyncio.create_task(
        asyncio.to_thread(_do, Wish(1, "delete", FOLDER), slow, uploader)
    )
    await until(lambda: not (recorded.path / MARKER).exists(), "the deletion has begun")
    slow.free.set()
    await deletion
    uploader.close()
    assert list(slow.list("")) == []
    assert not recorded.stored()
