"""Brings recordings into a store while they are made, in a thread of its own.

A folder that is to go there has a marker, which stays until everything has arrived: so whatever
was interrupted is begun again at the next start. Only then, and only where it is not to be kept,
is the local copy removed; the manifest stays, for it tells what is where.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recorder.files.disk import describe_error
from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestError, ManifestFile
from recorder.storage.base import Store, StoreError
from recorder.storage.file_upload import FileUpload

MARKER = ".upload"
INTERVAL = 1.0  # s between looks at what has been written
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0  # s after an error; doubles from one to the next
REMOVE_PATIENCE = 50.0  # s for the part that is being sent when a recording is deleted
FRESH_START = 5  # errors in a row after which an upload begins anew: the store may have dropped it

State = Literal["uploading", "waiting", "stored"]


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """How far a recording is.

    Attributes:
        folder: Relative to the root, with "/".
        state: "uploading"; "waiting" to try again after an error; "stored" when all is there.
        sent: Bytes that the store has.
        error: The last one, in words; empty while all is well.
    """

    folder: str
    state: State
    sent: int
    error: str = ""


class FolderUpload:
    """One recording on its way.

    Args:
        store: Where to.
        root: Of all recordings.
        folder: Of this one, relative to the root; its objects' keys begin so.
        keep_local: Whether its files stay here too.
    """

    def __init__(self, store: Store, root: Path, folder: str, *, keep_local: bool) -> None:
        self.folder = folder
        self._store = store
        self._path = root / folder
        self._keep_local = keep_local
        self._files: dict[str, FileUpload] = {}
        self._stored: set[str] = set()

    @property
    def sent(self) -> int:
        """Bytes that the store has."""
        return sum(file.sent for file in self._files.values())

    def step(self, stop: Callable[[], bool]) -> bool:
        """Send what can be sent now.

        Args:
            stop: Whether to come back soon.

        Returns:
            Whether all is stored.

        Raises:
            StoreError: Something did not arrive; call again.
            OSError: Something cannot be read here.
        """
        manifest = self._manifest()
        if manifest is None:
            deleted = not self._path.exists()
            if deleted:
                self._store.abort_uploads(f"{self.folder}/")
            return deleted
        missing = ""
        for segment in manifest.segments():
            name = segment.file
            key = f"{self.folder}/{name}"
            if name in self._stored:
                continue
            if not (self._path / name).exists():
                if manifest.has_ended and not self._is_stored(key, segment.bytes):
                    missing = missing or name
                continue
            file = self._files.setdefault(name, FileUpload(self._store, self._path / name, key))
            while not stop() and file.follow():
                pass
            if stop():
                return False
            if manifest.has_ended:
                file.finish()
                self._stored.add(name)
        if not manifest.has_ended or stop():
            return False
        if missing:
            raise StoreError(f"{missing} is missing here, and is not in the store.")
        self._store.put(f"{self.folder}/{FILE_NAME}", (self._path / FILE_NAME).read_bytes())
        if not self._keep_local:
            for name in self._stored:
                (self._path / name).unlink(missing_ok=True)
        (self._path / MARKER).unlink(missing_ok=True)
        return True

    def begin_anew(self) -> None:
        """Forget what was sent of files that are not stored.

        Raises:
            StoreError: The store did not.
        """
        for name in self._files.keys() - self._stored:
            del self._files[name]
        self._store.abort_uploads(f"{self.folder}/")

    def _is_stored(self, key: str, size: int) -> bool:
        """Whether an earlier process has brought it; what was never written is nowhere."""
        stored = self._store.stat(key) if size else None
        return not size or (stored is not None and stored.bytes == size)

    def _manifest(self) -> Manifest | None:
        try:
            return ManifestFile(self._path / FILE_NAME).load()
        except (FileNotFoundError, ManifestError):
            return None


@dataclass(slots=True)
class _Job:
    upload: FolderUpload
    due: float = 0.0  # monotonic s
    errors: int = 0


class Uploader:
    """Follows any number of recordings, one after the other."""

    def __init__(
        self,
        store: Store,
        root: Path,
        *,
        keep_local: bool,
        told: Callable[[UploadStatus], None],
    ) -> None:
        """Start the thread, with the recordings that an earlier process has not finished.

        Args:
            store: Where to.
            root: Of all recordings.
            keep_local: Whether files stay here when they are stored.
            told: Called in the thread when there is news of a recording.
        """
        self._store = store
        self._root = root
        self._keep_local = keep_local
        self._told = told
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._working = ""  # the folder that something is sent of
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="uploader", daemon=True)
        self._thread.start()

    def add(self, folder: str) -> None:
        """Bring a recording into the store, which may only just begin.

        Args:
            folder: Relative to the root; it exists.

        Raises:
            OSError: It cannot be marked.
        """
        (self._root / folder / MARKER).touch()
        with self._lock:
            self._add(folder)
        self._wake.set()

    def remove(self, folder: str) -> None:
        """Bring no more of a recording into the store; returns when nothing of it is on its way.

        Args:
            folder: Relative to the root; it need not exist.

        Raises:
            StoreError: Something is being sent, and takes too long.
            OSError: The mark cannot be removed.
        """
        (self._root / folder / MARKER).unlink(missing_ok=True)
        with self._lock:
            self._jobs.pop(folder, None)
            if not self._idle.wait_for(lambda: self._working != folder, REMOVE_PATIENCE):
                raise StoreError("A part is still being sent: delete the recording again later.")

    def close(self) -> None:
        """Stop after the part that is being sent; the rest waits for the next start."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _add(self, folder: str) -> None:
        if folder not in self._jobs:
            upload = FolderUpload(self._store, self._root, folder, keep_local=self._keep_local)
            self._jobs[folder] = _Job(upload)

    def _run(self) -> None:
        for marker in sorted(self._root.rglob(MARKER)):
            folder = marker.parent.relative_to(self._root).as_posix()
            with contextlib.suppress(StoreError):
                self._store.abort_uploads(f"{folder}/")
            with self._lock:
                self._add(folder)
        while not self._closing:
            with self._lock:
                jobs = list(self._jobs.items())
            for folder, job in jobs:
                if not self._closing and time.monotonic() >= job.due and self._begin(folder):
                    self._work(folder, job)
                    with self._lock:
                        self._working = ""
                        self._idle.notify_all()
            self._wake.wait(INTERVAL)
            self._wake.clear()

    def _begin(self, folder: str) -> bool:
        """Whether the recording is still to be stored."""
        with self._lock:
            if folder in self._jobs:
                self._working = folder
            return folder in self._jobs

    def _work(self, folder: str, job: _Job) -> None:
        before = job.upload.sent
        try:
            if job.errors and job.errors % FRESH_START == 0:
                job.upload.begin_anew()
            done = job.upload.step(lambda: self._closing or folder not in self._jobs)
        except (StoreError, OSError) as error:
            if folder not in self._jobs:
                return
            pause = min(FIRST_PAUSE * 2**job.errors, LAST_PAUSE)
            job.errors += 1
            job.due = time.monotonic() + pause
            reason = describe_error(error) if isinstance(error, OSError) else str(error)
            self._told(UploadStatus(folder, "waiting", job.upload.sent, reason))
            return
        if done:
            with self._lock:
                wanted = self._jobs.pop(folder, None)
            if wanted is not None:
                self._told(UploadStatus(folder, "stored", job.upload.sent))
        elif job.upload.sent != before or job.errors:
            self._told(UploadStatus(folder, "uploading", job.upload.sent))
        job.errors = 0
