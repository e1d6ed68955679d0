"""A file that ends somewhere, and a disk that fails while it is read: the two are kept apart."""

import os
from pathlib import Path


class TornFile:
    """A file from which PyAV reads.

    To FFmpeg a disk that fails is the end of a file, or damage in it, and whoever repaired that
    would throw away the rest. So what the disk says is kept here.

    Args:
        path: Of the file.

    Raises:
        OSError: It cannot be opened; from the end of a `with` too, where the disk has failed.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._error: OSError | None = None

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end, and after the disk has failed."""
        if self._error is None:
            try:
                return self._file.read(size) or b""
            except OSError as error:
                self._error = error
        return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as `io.IOBase.seek` does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._file.tell()

    def check(self) -> None:
        """Raise what the disk has failed with."""
        if self._error is not None:
            raise self._error

    def __enter__(self) -> "TornFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.check()
