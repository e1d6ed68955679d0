"""The recordings on the disk, found by their manifests. Everything here waits for the disk."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from recorder.files.manifest_file import FILE_NAME, ManifestError, ManifestFile
from recorder.live.hls import HLS_FOLDER
from recorder.recording import RecordedFile, Recording
from recorder.storage.uploader import MARKER
from sfu.errors import LocalError


class Catalogue:
    """All recordings below one folder.

    Args:
        root: The folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def load(self) -> list[Recording]:
        """All recordings whose manifests can be read."""
        found = []
        for folder in self._folders():
            try:
                found.append(self.read(folder.relative_to(self.root).as_posix()))
            except (OSError, ManifestError):
                continue  # somebody else's file of that name, or one that is just being deleted
        return found

    def read(self, folder: str) -> Recording:
        """The recording in a folder.

        Args:
            folder: Relative to the root.

        Raises:
            OSError: There is no manifest, or it cannot be read.
            ManifestError: It is no manifest.
        """
        return Recording.of(ManifestFile(self.root / folder / FILE_NAME).load(), folder)

    def is_waiting(self) -> bool:
        """Whether something has not arrived in the store yet."""
        return any((folder / MARKER).exists() for folder in self._folders())

    def files(self, recording: Recording) -> list[RecordedFile]:
        """Its files by name, the manifest last; none before there is a manifest.

        Raises:
            ManifestError: The manifest is damaged.
            OSError: The disk failed.
        """
        folder = self.root / recording.folder
        try:
            manifest = ManifestFile(folder / FILE_NAME).load()
            size = (folder / FILE_NAME).stat().st_size
        except FileNotFoundError:
            return []
        files = sorted(map(RecordedFile.of, manifest.segments()), key=lambda file: file.name)
        return [*files, RecordedFile(FILE_NAME, size)]

    def path(self, recording: Recording, name: str) -> Path | None:
        """Where one of its files is; None where there is no such file here.

        Args:
            recording: Whose.
            name: As a client gave it: what the manifest does not name is no file of it, but for
                HLS while the recording goes on.
        """
        live = not recording.ended and PurePosixPath(name).parts[:1] == (HLS_FOLDER,)
        try:
            if not live and name not in (file.name for file in self.files(recording)):
                return None
        except (OSError, ManifestError):
            return None
        folder = (self.root / recording.folder).resolve()
        try:
            path = (folder / name).resolve(strict=True)
        except (OSError, ValueError):  # not there, too long, or with a zero byte
            return None
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or not path.is_relative_to(folder) or not path.is_file():
            return None
        return path

    def delete_live(self, recording: Recording) -> None:
        """Remove the segments of its HLS: what has ended is watched in its files.

        Raises:
            OSError: The disk failed.
        """
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.root / recording.folder / HLS_FOLDER)

    def delete(self, recording: Recording) -> None:
        """Remove its folder, and those above it that are empty then.

        Raises:
            LocalError: "conflict": that is no folder of a recording below the root.
            OSError: The disk failed; what is left can be deleted again.
        """
        root = self.root.resolve()
        folder = self.root / recording.folder
        inside = folder.resolve().is_relative_to(root) and folder.resolve() != root
        if folder.is_symlink() or not inside:
            raise LocalError(f"{recording.folder} is no folder of a recording.", name="conflict")
        if not folder.exists():
            return
        if not (folder / FILE_NAME).is_file() and any(folder.iterdir()):
            raise LocalError(f"{recording.folder} has no manifest.", name="conflict")
        for child in list(folder.iterdir()):
            if child.name == FILE_NAME:
                continue  # last: while it is there, the folder is known to be a recording
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
        (folder / FILE_NAME).unlink(missing_ok=True)
        while folder.resolve() != root:
            try:
                folder.rmdir()
            except OSError:
                return  # others are in it
            folder = folder.parent

    def _folders(self) -> Iterator[Path]:
        """Folders with a manifest; what is below them is theirs."""
        for folder, folders, files in os.walk(self.root):
            if FILE_NAME in files:
                folders.clear()
                yield Path(folder)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
