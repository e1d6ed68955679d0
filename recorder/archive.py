"""The recordings that have ended: found, repaired, stored, given out and deleted."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import structlog
from msgspec import structs

from recorder.announcer import Announcer
from recorder.catalogue import Catalogue
from recorder.files.disk import describe_error
from recorder.files.manifest_file import ManifestError
from recorder.recording import RecordedFile, Recording
from recorder.storage.retention import Kept, expired
from recorder.tasks import Task, Tasks, cancel
from recorder.uploads import Uploads
from recorder.values import Storage
from sfu.config import Config
from sfu.errors import LocalError

TIDY_INTERVAL = 3600.0  # s between two looks at what has been kept for long enough
MAX_FAILURES = 100  # kept of those that failed before they had a folder: nothing else tells of them

log = structlog.get_logger(__name__)


class Repairs(Protocol):
    """What finishes recordings that nobody has finished: `recorder.repairs.Repairs`."""

    async def run(self, root: Path, told: Callable[[str], None]) -> None:
        """Repair all that are not ended; `told` gets the folder of each, relative to the root."""


class Archive:
    """Keeps what there is on the disk and in the store. Belongs to one event loop.

    Args:
        config: The settings about recordings.
        announcer: Told of what was repaired, and of trouble with the store.
        repairs: Run by `open`, where something is unfinished.
        clock: Unix seconds on the server's clock.
    """

    def __init__(
        self,
        config: Config,
        announcer: Announcer,
        *,
        repairs: Repairs,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._announcer = announcer
        self._repairs = repairs
        self._clock = clock
        # Relative to where the server was started, for good.
        self._catalogue = Catalogue(Path(config.recordings_dir).absolute())
        self._uploads = Uploads(config, self.root, self._uploaded) if config.s3_bucket else None
        self._kept: dict[str, Recording] = {}
        self._failures: list[str] = []
        self._tasks = Tasks()
        self._tidy_lock = asyncio.Lock()
        self._repairing: Task | None = None
        self._tidying: Task | None = None

    @property
    def root(self) -> Path:
        """The folder of all recordings, absolute; it need not exist."""
        return self._catalogue.root

    async def open(self) -> None:
        """Learn what was recorded before; what is unfinished is repaired meanwhile."""
        for recording in await asyncio.to_thread(self._catalogue.load):
            self._kept[recording.id] = recording
        self._tasks.spawn(self._drop_live([one for one in self._kept.values() if one.ended]))
        if not all(recording.ended for recording in self._kept.values()):
            self._repairing = asyncio.create_task(self._repairs.run(self.root, self._repaired))
        if self._uploads is not None and await asyncio.to_thread(self._catalogue.is_waiting):
            self._uploads.resume()
        if self._config.recording_days or self._config.recording_bytes:
            self._tidying = asyncio.create_task(self._tidy_now_and_then())

    async def close(self) -> None:
        """End what is still being done."""
        await cancel(self._repairing)
        await cancel(self._tidying)
        await self._tasks.join()
        if self._uploads is not None:
            await self._uploads.close()

    # -- what there is

    def get(self, recording_id: str) -> Recording | None:
        """The recording with this id, if it is one of ours."""
        return self._kept.get(recording_id)

    def all(self) -> Iterable[Recording]:
        """All recordings."""
        return self._kept.values()

    async def files(self, recording: Recording) -> list[RecordedFile]:
        """The files of a recording, as far as its manifest tells of them by now.

        Raises:
            LocalError: "internal_error": its manifest cannot be read.
        """
        try:
            return await asyncio.to_thread(self._catalogue.files, recording)
        except (OSError, ManifestError) as error:
            raise LocalError(
                f"The manifest cannot be read: {_reason(error)}.", name="internal_error"
            ) from error

    async def path(self, recording: Recording, name: str) -> Path | None:
        """Where a file of a recording is on this machine; None where there is no such file."""
        return await asyncio.to_thread(self._catalogue.path, recording, name)

    async def url(self, recording: Recording, name: str) -> str:
        """Where anyone can read a file that is in the store, for an hour; empty without one.

        Raises:
            LocalError: "internal_error": the store does not answer, or as for `files`.
        """
        files = await self.files(recording)
        if self._uploads is None or name not in (file.name for file in files):
            return ""
        return await self._uploads.url(f"{recording.folder}/{name}")

    def warning(self, recording: Recording) -> str:
        """Why the store does not have it, in words; empty when all is well."""
        return "" if self._uploads is None else self._uploads.warning(recording.folder)

    # -- what is done with it

    def keep(self, recording: Recording) -> None:
        """A recording has ended."""
        self._kept[recording.id] = recording
        self._tasks.spawn(self._settle(recording))
        if recording.state == "failed" and not recording.status.bytes:
            self._failures.append(recording.id)
            if len(self._failures) > MAX_FAILURES:
                self._kept.pop(self._failures.pop(0), None)

    def store(self, recording: Recording, storage: Storage | None) -> None:
        """Bring a recording that has a folder to where it is to be kept, while it grows.

        Args:
            recording: It may have only just begun.
            storage: Where; None for the server's setting.
        """
        if self._uploads is not None and (storage or self._config.recording_storage) == "s3":
            self._uploads.bring(recording.folder)

    async def delete(self, recording: Recording) -> None:
        """Delete a recording with all its files, wherever they are.

        Raises:
            LocalError: "conflict": its folder is none of a recording; "internal_error": the disk
                or the store failed.
        """
        if self._uploads is not None:
            await self._uploads.delete(recording.folder)  # first: the manifest here tells of it
        try:
            await asyncio.to_thread(self._catalogue.delete, recording)
        except OSError as error:
            raise LocalError(
                f"The recording cannot be deleted: {describe_error(error)}.", name="internal_error"
            ) from error
        self._kept.pop(recording.id, None)

    async def tidy(self) -> None:
        """Delete what has been kept for as long as the settings say."""
        async with self._tidy_lock:
            await self._tidy()

    # -- inside

    async def _tidy(self) -> None:
        ended = [one for one in self._kept.values() if one.ended]
        ids = expired(
            [Kept(one.id, one.ended_at or one.started_at, one.status.bytes) for one in ended],
            now=self._clock(),
            days=self._config.recording_days,
            most=self._config.recording_bytes,
        )
        for recording_id in ids:
            recording = self._kept.get(recording_id)
            if recording is not None:
                try:
                    await self.delete(recording)
                except LocalError as error:  # the next look tries it again
                    log.warning("recording not deleted", id=recording_id, reason=error.message)

    async def _settle(self, recording: Recording) -> None:
        """What is to be done when a recording has ended."""
        await self._drop_live([recording])
        await self.tidy()

    async def _drop_live(self, recordings: Iterable[Recording]) -> None:
        for recording in recordings:
            try:
                await asyncio.to_thread(self._catalogue.delete_live, recording)
            except OSError as error:  # the next start tries it again
                reason = describe_error(error)
                log.warning("live segments not deleted", id=recording.id, reason=reason)

    async def _tidy_now_and_then(self) -> None:
        while True:
            await self.tidy()
            await asyncio.sleep(TIDY_INTERVAL)

    def _uploaded(self, folder: str) -> None:
        """The store has a recording, or has not."""
        for recording in self._kept.values():
            warning = self.warning(recording)
            if recording.folder == folder and recording.status.warning != warning:
                status = structs.replace(recording.status, warning=warning)
                self._kept[recording.id] = recording = structs.replace(recording, status=status)
                self._announcer.tell(recording)
                return

    def _repaired(self, folder: str) -> None:
        """A recording that was unfinished when we started is finished now."""
        self._tasks.spawn(self._learn(folder))

    async def _learn(self, folder: str) -> None:
        with contextlib.suppress(OSError, ManifestError):
            recording = await asyncio.to_thread(self._catalogue.read, folder)
            self._kept[recording.id] = recording
            self._announcer.tell(recording)
            if recording.ended:
                await self._settle(recording)


def _reason(error: OSError | ManifestError) -> str:
    return describe_error(error) if isinstance(error, OSError) else str(error)
