"""The disk: files whose errors are ours, how much is free, and what survives a power cut."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 2**20  # bytes
STEPS = 8  # warnings between twice the floor and the floor
FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(OSError):
    """There is no space left, or less than the floor.

    Attributes:
        filename: What could not be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ENOSPC, "no space left", str(path))


def disk_error(error: OSError, path: Path) -> OSError:
    """The same error, with the path, as `DiskFullError` where that is what it says."""
    if error.errno in FULL:
        return DiskFullError(path)
    return OSError(error.errno, error.strerror or str(error), str(path))


def describe_error(error: OSError) -> str:
    """What failed, in words that may be told to anyone: without paths."""
    return error.strerror or type(error).__name__


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, as `fsync` does for a file's content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DiskFile:
    """A new file to which PyAV writes.

    PyAV turns what a file object raises into errors of its own, and libavformat goes on writing
    behind a hole when it closes a file after an error. So a failure is kept here, in `error`, and
    whatever comes after it is thrown away.

    Args:
        path: It must not exist yet.

    Raises:
        OSError: It cannot be created; FileExistsError where it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.error: OSError | None = None
        try:
            self._file = open(path, "x+b", buffering=0)  # noqa: SIM115
        except FileExistsError:
            raise
        except OSError as error:
            raise disk_error(error, path) from error
        self._synced = -1
        self._written = 0

    def write(self, data: bytes) -> int:
        """Write all of it, or keep the error."""
        rest = memoryview(data)
        while rest and self.error is None:
            try:
                rest = rest[self._file.write(rest) or 0 :]
            except OSError as error:
                self.error = disk_error(error, self.path)
        self._written += len(data)
        if self.error is None:
            self.size = max(self.size, self._file.tell())
        return len(data)

    def lay_behind(self, data: bytes) -> None:
        """Put something behind the end, which stays where it is: what is written next replaces it.

        Raises:
            OSError: The disk failed.
        """
        try:
            os.pwrite(self._file.fileno(), data, self.size)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._written += len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as `io.IOBase.seek` does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._file.tell()

    def truncate(self, size: int) -> None:
        """Throw away what is behind; frees its space.

        Raises:
            OSError: The disk failed.
        """
        self._file.truncate(size)
        self.size = size

    def sync(self) -> None:
        """Have all that was written survive a power cut, its name too; cheap if nothing is new.

        Raises:
            OSError: The disk failed.
        """
        if self._synced == self._written:
            return
        try:
            os.fdatasync(self._file.fileno())
            if self._synced < 0:
                sync_folder(self.path.parent)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._synced = self._written

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """What is left.

    Attributes:
        free: Bytes that we may still write.
        warning: That it will end soon, in words; empty when all is well.
    """

    free: int
    warning: str


class DiskGuard:
    """Tells early that a disk becomes full.

    Args:
        path: A folder on it.
        floor: Bytes that are left to others and for finishing files.
    """

    def __init__(self, path: Path, floor: int) -> None:
        self._path = path
        self._floor = floor

    def check(self) -> DiskSpace:
        """How much is free now; warns below twice the floor.

        Raises:
            DiskFullError: Less than the floor.
            OSError: The folder is gone.
        """
        free = shutil.disk_usage(self._path).free
        if free < self._floor:
            raise DiskFullError(self._path)
        if free < 2 * self._floor:
            step = max(1, self._floor // STEPS)  # news is only what makes a difference
            left = free // step * step / MEBIBYTE
            return DiskSpace(
                free,
                f"only {left:.3g} MiB are left on the disk: "
                f"the recording ends at {self._floor / MEBIBYTE:.3g} MiB",
            )
        return DiskSpace(free, "")
