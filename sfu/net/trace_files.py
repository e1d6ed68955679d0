"""Traces on disk: one file for each participant, written by a thread of their own."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

import structlog

from sfu.errors import LocalError

log = structlog.get_logger(__name__)

MAX_PENDING = 16 << 20  # bytes that wait for the disk: it has fallen behind for good with more
MIN_FREE = 256 << 20  # bytes; the last of a disk are not for traces
CLOSE_TIME = 5.0  # s that a stopping server waits for its disk
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
AGAIN = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class TraceFiles:
    """Writes traces into a directory; when that fails, says so once, and writes no more.

    A file is "<UTC time>-<sid of the participant>.trace", readable by its owner alone, and is made
    when there is something to write.

    Attributes:
        stopped: Why nothing is written any more; empty while all is well.
    """

    def __init__(self, directory: str, *, min_free: int = MIN_FREE) -> None:
        """Nothing is done before `open`.

        Args:
            directory: Where to; made if need be.
            min_free: Bytes that must stay free on its disk.
        """
        self.stopped = ""
        self._directory = Path(directory)
        self._min_free = min_free
        self._queue: SimpleQueue[tuple[Path, bytes] | None] = SimpleQueue()
        self._pending = 0
        self._lock = Lock()  # of `_pending` and `stopped`
        self._known: set[Path] = set()
        self._thread = Thread(target=self._run, name="traces", daemon=True)

    def open(self) -> None:
        """Make sure that files can be written.

        Raises:
            LocalError: They cannot; the message is for the operator.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._problem(error.strerror or str(error)) from error
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise self._problem("permission denied")

    def _problem(self, reason: str) -> LocalError:
        reason = reason[:1].lower() + reason[1:]
        return LocalError(f"trace: cannot write to {self._directory}: {reason}.")

    def sink(self, sid: str) -> Callable[[bytes], bool] | None:
        """What takes the bytes of this participant's trace, and says whether it takes more.

        None when no more traces are written.
        """
        if self.stopped:
            return None
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self._directory / f"{when}-{_UNSAFE.sub('_', sid)[:64]}.trace"
        return lambda data: self._add(path, data)

    def _add(self, path: Path, data: bytes) -> bool:
        with self._lock:
            if self.stopped:
                return False
            self._pending += len(data)
            pending = self._pending
        if pending > MAX_PENDING:
            self._stop("the disk is too slow")
            return False
        self._queue.put((path, data))
        if self._thread.ident is None:
            self._thread.start()
        return True

    def close(self) -> None:
        """Wait until all is written, but not for a disk that hangs; may block."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(CLOSE_TIME)

    # -- in the thread

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            path, data = item
            if not self.stopped:
                try:
                    self._write(path, data)
                except OSError as error:
                    self._stop(error.strerror or str(error))
            with self._lock:
                self._pending -= len(data)

    def _write(self, path: Path, data: bytes) -> None:
        space = os.statvfs(self._directory)
        if space.f_bavail * space.f_frsize < self._min_free:
            self._stop("the disk is nearly full")
            return
        # Opened each time: as many files as participants would be too many to keep open.
        descriptor = os.open(path, AGAIN if path in self._known else NEW, 0o600)
        self._known.add(path)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)

    def _stop(self, reason: str) -> None:
        with self._lock:
            first = not self.stopped
            self.stopped = self.stopped or reason
        if first:
            log.error("traces stop", directory=str(self._directory), reason=reason)
