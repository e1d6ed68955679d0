"""The manifest on the disk: always whole, the old one or the new."""

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from recorder.files.disk import DiskFullError, disk_error, sync_folder
from recorder.files.manifest import Manifest

FILE_NAME = "manifest.json"
MAX_BYTES = 64 * 2**20  # what we read; the bounds of `Chronicle` keep ours smaller
RESERVE = 2**20  # bytes kept free, so that a manifest can tell of a full disk


class ManifestError(ValueError):
    """A manifest that cannot be read; the message says why."""


class ManifestFile:
    """Keeps a recording's manifest in its folder.

    Args:
        path: Of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = path.with_name(f".{path.name}.new")
        self._reserve = path.with_name(f".{path.name}.reserve")
        self._saved = b""  # digest of what was saved last

    def load(self) -> Manifest:
        """What was saved last.

        Raises:
            OSError: It cannot be read; FileNotFoundError where there is none.
            ManifestError: It is not a manifest, or of a version that we do not know.
        """
        with self.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ManifestError(f"{FILE_NAME} has more than {MAX_BYTES >> 20} MiB")
        try:
            return msgspec.json.decode(data, type=Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ManifestError(f"{FILE_NAME} is not a manifest: {error}") from None

    def save(self, manifest: Manifest) -> None:
        """Replace it at once, such that it survives a power cut; nothing is done without news.

        Raises:
            OSError: The disk failed; the old one is still there.
        """
        encoded = msgspec.json.encode(manifest)
        digest = hashlib.blake2b(encoded).digest()
        if digest == self._saved:
            return
        data = msgspec.json.format(encoded, indent=2)
        try:
            self._write(data)
        except DiskFullError:
            if not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._write(data)
        self._saved = digest
        if manifest.has_ended:
            self._reserve.unlink(missing_ok=True)
        elif not self._reserve.exists():
            self._set_aside()

    def _write(self, data: bytes) -> None:
        try:
            with self._new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._new.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            self._new.unlink(missing_ok=True)
            raise disk_error(error, self.path) from error

    def _set_aside(self) -> None:
        """Take space that is given back when the disk is full; do without where it is already."""
        with contextlib.suppress(OSError), self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE)
