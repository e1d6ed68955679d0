"""One writer for the folder of a recording, even while servers come and go."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

FILE_NAME = ".lock"


class FolderBusyError(OSError):
    """Another process writes there."""


class FolderLock:
    """Held by the process that writes a recording; it ends with that, however that ends.

    Args:
        folder: Of the recording; it exists.

    Raises:
        FolderBusyError: Another process holds it.
        OSError: The folder is not there, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise FolderBusyError(f"{folder} is being written by another process") from None

    def release(self) -> None:
        """Let others write."""
        os.close(self._descriptor)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
