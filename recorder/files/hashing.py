"""Checksums of files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from recorder.files.manifest import Segment


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, in lower-case hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_segments(folder: Path, segments: Iterable[Segment]) -> None:
    """Fill in what is missing of sizes and checksums, of files that are finished.

    It reads each file, so it is done after all of them have been closed.

    Args:
        folder: Of the manifest.
        segments: Of its files.

    Raises:
        OSError: One cannot be read.
    """
    for segment in segments:
        if not segment.sha256:
            path = folder / segment.file
            segment.bytes = path.stat().st_size
            segment.sha256 = hash_file(path)
