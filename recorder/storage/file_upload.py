"""One file that grows, and an object that becomes its copy while it does."""

import hashlib
from pathlib import Path

from recorder.storage.base import Store, StoredObject, Upload

PART_SIZE = 8 * 1024 * 1024  # bytes; S3 wants 5 MiB at least
MAX_PARTS = 10_000
GROWTH = 1.25  # of the part size, every so many parts: 10,000 of them are more than a terabyte
GROWS_EVERY = 500
UNSETTLED = 4 * 1024 * 1024  # bytes at the end of a growing file whose writer may go back to them


class FileUpload:
    """Sends the parts of a file as they are settled.

    Writers go back to the beginning of their files when they close them, so the first part is sent
    last; and whatever else has changed since it was sent is sent again, so that in the end the
    object is what the file is, byte for byte.

    Args:
        store: Where to.
        path: The file.
        key: The object.

    Attributes:
        sent: Bytes of the file that the store has.
    """

    def __init__(self, store: Store, path: Path, key: str) -> None:
        self.sent = 0
        self._store = store
        self._path = path
        self._key = key
        self._upload: Upload | None = None
        self._digests: dict[int, bytes] = {}  # number of a part → SHA-256 of what was sent

    def follow(self) -> bool:
        """Send the next part that is settled; False where there is none yet.

        Raises:
            StoreError: It did not arrive; call again.
            OSError: The file cannot be read.
        """
        size = self._path.stat().st_size
        number = len(self._digests) + 2  # the first part is left for the end
        start, end = part_span(number)
        if number > MAX_PARTS or end + UNSETTLED > size:
            return False
        self._send(number, self._read(start, end))
        return True

    def finish(self) -> StoredObject:
        """The file is closed: send the rest, and make the object.

        Raises:
            StoreError: Not all arrived; call again.
            OSError: The file cannot be read.
        """
        size = self._path.stat().st_size
        if size <= PART_SIZE:
            self.abort()
            stored = self._store.put(self._key, self._read(0, size))
            self.sent = size
            return stored
        number = 1
        while (span := part_span(number))[0] < size:
            data = self._read(span[0], min(span[1], size))
            if self._digests.get(number) != hashlib.sha256(data).digest():
                self._send(number, data)
            number += 1
        assert self._upload is not None
        stored = self._upload.finish()
        self._upload = None
        return stored

    def abort(self) -> None:
        """Forget what was sent.

        Raises:
            StoreError: The store did not.
        """
        upload, self._upload = self._upload, None
        self._digests.clear()
        self.sent = 0
        if upload is not None:
            upload.abort()

    def _send(self, number: int, data: bytes) -> None:
        if self._upload is None:
            self._upload = self._store.open_upload(self._key)
        self._upload.put(number, data)
        self.sent += 0 if number in self._digests else len(data)
        self._digests[number] = hashlib.sha256(data).digest()

    def _read(self, start: int, end: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def part_span(number: int) -> tuple[int, int]:
    """Where a part begins and ends in its file; parts of very long files are larger."""
    start, size, first = 0, PART_SIZE, 1
    while number >= first + GROWS_EVERY:
        start += GROWS_EVERY * size
        first += GROWS_EVERY
        size = int(size * GROWTH)
    start += (number - first) * size
    return start, start + size
