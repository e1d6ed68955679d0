"""Uploads go on, whatever becomes of the process that does them."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from recorder.storage.uploader import MARKER
from recorder.uploads import Uploads
from sfu.config import Config
from tests.recorder.test_manager import keep
from tests.support.polling import until

FOLDER = "room/RC_old"


def uploads_to_nowhere(root: Path) -> Uploads:
    """To a store that refuses all connections."""
    config = Config(
        recordings_dir=str(root),
        s3_bucket="bucket",
        s3_endpoint="http://127.0.0.1:1",
        s3_region="us-east-1",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    return Uploads(config, root, lambda _: None)


def process_id(uploads: Uploads) -> int:
    """Of the store's process; 0 where there is none."""
    process = uploads._store._process
    return 0 if process is None else process.pid


async def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    keep(tmp_path, FOLDER)
    uploads = uploads_to_nowhere(tmp_path)
    uploads.bring(FOLDER)
    await until(lambda: process_id(uploads) and not uploads._wanted, "it is told", deadline=60)
    first = process_id(uploads)
    os.kill(first, signal.SIGKILL)
    await until(lambda: process_id(uploads) not in (0, first), "there is another", deadline=60)
    await until(lambda: uploads.warning(FOLDER), "it goes on with the upload", deadline=120)
    await uploads.close()
    assert process_id(uploads) == 0


async def test_nothing_is_started_again_where_nothing_waits(tmp_path: Path) -> None:
    folder = keep(tmp_path, FOLDER)
    uploads = uploads_to_nowhere(tmp_path)
    uploads.bring(FOLDER)
    await until(lambda: process_id(uploads) and not uploads._wanted, "it is told", deadline=60)
    (folder / MARKER).unlink()
    os.kill(process_id(uploads), signal.SIGKILL)
    await until(lambda: uploads._store._process is None, "it is noticed")
    await uploads._tasks.join()
    assert process_id(uploads) == 0
    await uploads.close()


async def test_what_cannot_be_told_is_marked_and_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = keep(tmp_path, FOLDER)
    uploads = uploads_to_nowhere(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", "/nowhere")
        uploads.bring(FOLDER)
        await until(lambda: uploads.warning(FOLDER), "it cannot be told")
        assert (folder / MARKER).exists()
    await until(lambda: process_id(uploads) and not uploads._wanted, "it is told", deadline=60)
    await uploads.close()


async def test_a_recording_without_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    uploads = uploads_to_nowhere(tmp_path)
    uploads.bring("room/RC_none")
    await asyncio.wait_for(uploads._tasks.join(), 30)
    assert uploads.warning("room/RC_none") == ""
    await uploads.close()
