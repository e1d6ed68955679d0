"""Which recordings are on their way to the store, and what keeps them from it."""

from collections.abc import Callable
from pathlib import Path

import structlog

from recorder.storage.uploader import UploadStatus
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
        self._store = Storekeeper(config, root, self._hear)
        self._told = told
        self._errors: dict[str, str] = {}
        self._tasks = Tasks()

    def resume(self) -> None:
        """Go on with what an earlier server has not finished."""
        self._tasks.spawn(self._store.start())

    def bring(self, folder: str) -> None:
        """Bring a recording there, which may only just begin."""

        async def bring() -> None:
            try:
                await self._store.add(folder)
            except LocalError as error:
                self._hear(UploadStatus(folder, "waiting", 0, error.message))

        self._tasks.spawn(bring())

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
        await self._store.delete(folder)

    async def close(self) -> None:
        """End; what is not stored is so after the next start."""
        await self._tasks.join()
        await self._store.close()

    def _hear(self, upload: UploadStatus) -> None:
        if upload.error:
            self._errors[upload.folder] = f"not stored yet: {upload.error}"
        else:
            self._errors.pop(upload.folder, None)
        if upload.state == "stored":
            log.info("recording stored", folder=upload.folder, bytes=upload.sent)
        self._told(upload.folder)
