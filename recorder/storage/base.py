"""What a store of objects can do for recordings; all of it blocks, and may be called in threads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """A store did not do what it was asked for; the message says why, and names no secret."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a store.

    Attributes:
        key: Its name, with "/".
        bytes: Its size.
        etag: What tells its content, as far as the store says: MD5, or that of the parts' MD5s
            with "-" and their number.
    """

    key: str
    bytes: int
    etag: str


class Upload(Protocol):
    """An object that is written in parts, in any order; it is there when it is finished."""

    def put(self, number: int, data: bytes) -> None:
        """Send a part, or send it again.

        Args:
            number: 1 to 10,000.
            data: At least 5 MiB, but for the last part.

        Raises:
            StoreError: It did not arrive whole.
        """

    def finish(self) -> StoredObject:
        """Make the object of the parts.

        Raises:
            StoreError: The store did not; or what it has is something else.
        """

    def abort(self) -> None:
        """Forget what was sent."""


class Store(Protocol):
    """A place for objects.

    Raises from any call:
        StoreError: It cannot be reached, or refuses.
    """

    def put(self, key: str, data: bytes) -> StoredObject:
        """Write a small object at once."""

    def open_upload(self, key: str) -> Upload:
        """Begin to write an object."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Its bytes from `start` to before `end`, in pieces."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin so."""

    def stat(self, key: str) -> StoredObject | None:
        """What is there; None where there is nothing."""

    def url(self, key: str, *, expires: float) -> str:
        """Where anyone can read it for so many seconds."""

    def abort_uploads(self, prefix: str) -> int:
        """Forget uploads to such keys that nobody finishes any more; how many there were."""
