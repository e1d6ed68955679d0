"""Which recordings are on their way to the store, and what keeps them from it."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from recorder.catalogue import Catalogue
from recorder.files.disk import describe_error
from recorder.storage.uploader import FIRST_PAUSE, LAST_PAUSE, MARKER, UploadStatus
from recorder.storekeeper import Storekeeper
from recorder.tasks import Tasks
from sfu.config import Config
from sfu.errors import LocalError

log = structlog.get_logger(__name__)


class Uploads:
    """Brings recordings into the store. Belongs to one event loop.

    Args:
        config: Where the store is.
        root: Folder of all recordings, absolute.
        told: Called with the folder of a recording of which `warning` may say something else now.
    """

    def __init__(self, config: Config, root: Path, told: Callable[[str], None]) -> None:
        self._store = Storekeeper(config, root, told=self._hear, gone=self._go_on)
        self._catalogue = Catalogue(root)
        self._told = told
        self._errors: dict[str, str] = {}
        self._wanted: set[str] = set()  # folders that the store's process has to hear of
        self._tasks = Tasks()
        self._closing = asyncio.Event()
        self._pause = FIRST_PAUSE  # s before the process is started again

    def resume(self) -> None:
        """Go on with what an earlier server has not finished."""
        self._tasks.spawn(self._start())

    def bring(self, folder: str) -> None:
        """Bring a recording there, which may only just begin."""
        self._wanted.add(folder)
        self._tasks.spawn(self._bring(folder))

    def warning(self, folder: str) -> str:
        """Why a recording is not there yet, in words; empty when all is well."""
        return self._errors.get(folder, "")

    async def url(self, key: str) -> str:
        """Where anyone can read an object for an hour; empty where there is none.

        Raises:
            LocalError: "internal_error": the store does not do it.
        """
        return await self._store.url(key)

    async def delete(self, folder: str) -> None:
        """Remove a recording from there; raises as `url`."""
        self._wanted.discard(folder)
        await self._store.delete(folder)
        self._errors.pop(folder, None)

    async def close(self) -> None:
        """End; what is not stored is so after the next start."""
        self._closing.set()
        await self._tasks.join()
        await self._store.close()

    async def _bring(self, folder: str) -> None:
        pause = FIRST_PAUSE
        while folder in self._wanted and not self._closing.is_set():
            try:
                # Marked here, so that it is found whatever becomes of the process.
                await asyncio.to_thread((self._catalogue.root / folder / MARKER).touch)
                await self._store.add(folder)
            except FileNotFoundError:  # it failed before there was a folder, or is deleted
                break
            except (LocalError, OSError) as error:
                reason = describe_error(error) if isinstance(error, OSError) else error.message
                self._hear(UploadStatus(folder, "waiting", 0, reason))
            else:
                break
            await self._wait(pause)
            pause = min(pause * 2, LAST_PAUSE)
        self._wanted.discard(folder)

    def _go_on(self) -> None:
        """The store's process has died."""
        pause, self._pause = self._pause, min(self._pause * 2, LAST_PAUSE)
        log.error("the store's process has died", again_in=pause)
        self._tasks.spawn(self._start_again(pause))

    async def _start_again(self, pause: float) -> None:
        await self._wait(pause)
        if not self._closing.is_set() and await asyncio.to_thread(self._catalogue.is_waiting):
            await self._start()

    async def _start(self) -> None:
        try:
            await self._store.start()
        except LocalError as error:
            log.error("recordings cannot be stored", reason=error.message)
            await self._wait(LAST_PAUSE)
            if not self._closing.is_set():
                self.resume()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _hear(self, upload: UploadStatus) -> None:
        if upload.error:
            self._errors[upload.folder] = f"not stored yet: {upload.error}"
        else:
            self._errors.pop(upload.folder, None)
            self._pause = FIRST_PAUSE
        if upload.state == "stored":
            log.info("recording stored", folder=upload.folder, bytes=upload.sent)
        self._told(upload.folder)
