"""The folder of one recording that is being made: its lock, its manifest, its disk."""

import contextlib

from recorder.files.chronicle import Chronicle
from recorder.files.disk import DiskGuard, describe_error
from recorder.files.hashing import hash_segments
from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestError, ManifestFile
from recorder.files.recovery import adopt_files, recover
from recorder.folder_lock import FolderLock
from recorder.folders import make_folder
from recorder.link.messages import RecordingOrder
from recorder.values import State

SAVE_INTERVAL = 2.0  # s between two versions of the manifest
COMPLETE = ("stopped", "room_ended", "server_gone", "server_shutdown")  # not failures


class RecordingFolder:
    """Keeps what a recording has besides its media, from its start to its end.

    One that an earlier process has begun goes on where that one stopped; its files that were left
    open are repaired at the end.

    Args:
        order: What is recorded.
        resume: Whether an earlier process has begun it.

    Raises:
        OSError: The folder cannot be made or written; `DiskFullError`: less is free than must be.

    Attributes:
        path: Of the folder.
        chronicle: What the manifest tells.
        resumed: Whether there was something to go on with.
        due: Whether the manifest cannot wait to be saved: set it when there is a new file.
        warning: That the disk will be full soon, in words; empty when all is well.
    """

    def __init__(self, order: RecordingOrder, *, resume: bool) -> None:
        self.path = make_folder(order, resume=resume)
        self._lock = FolderLock(self.path)
        self._file = ManifestFile(self.path / FILE_NAME)
        self._guard = DiskGuard(self.path, order.free_space)
        self._saved_at = float("-inf")
        self.resumed = False
        self.due = False
        self.warning = ""
        try:
            self.chronicle = self._begin(order, resume=resume)
            if not self.manifest.has_ended:
                self.warning = self._guard.check().warning
                self._file.save(self.manifest)
        except OSError:
            self._lock.release()
            raise

    @property
    def manifest(self) -> Manifest:
        """As it is now."""
        return self.chronicle.manifest

    @property
    def state(self) -> State:
        """Of the manifest."""
        return self.manifest.state

    def tick(self, *, now: float) -> None:
        """Look after the disk and save what is new, if it is time for that.

        Raises:
            OSError: The disk failed; `DiskFullError`: less is free than must be.
        """
        if now - self._saved_at < SAVE_INTERVAL and not self.due:
            return
        self._saved_at = now
        self.due = False
        self.warning = self._guard.check().warning
        self._file.save(self.manifest)

    def finish(self, reason: str, *, time: float) -> None:
        """All files are closed: check them in, and let go of the folder.

        Args:
            reason: Why it ends.
            time: When, Unix seconds.

        Raises:
            OSError: The disk failed: the manifest may say less than there is.
        """
        self.warning = ""  # it has come to pass, or does not matter any more
        chronicle = self.chronicle
        failed = reason not in COMPLETE
        if failed:
            chronicle.add_error(reason)
        try:
            if not self.manifest.has_ended:
                chronicle.finish(reason, time=time)
                self._check_in(failed=failed)
        finally:
            self._lock.release()

    def _check_in(self, *, failed: bool) -> None:
        manifest = self.manifest
        torn = set() if failed else self._torn
        with contextlib.suppress(OSError):  # saving it at the end tells
            self._file.save(manifest)  # all is there; checksums take long, and may be interrupted
        own = [segment for segment in manifest.segments() if segment.file not in torn]
        try:
            hash_segments(self.path, own)
        except OSError as error:
            self.chronicle.add_error(describe_error(error))
        if torn:
            self._file.save(manifest)
            self.chronicle = Chronicle(recover(self.path))
            _trim_gaps(self.manifest)
        else:
            self.chronicle.end("failed" if failed else "complete")
        self._file.save(self.manifest)

    def _begin(self, order: RecordingOrder, *, resume: bool) -> Chronicle:
        self._torn: set[str] = set()
        if resume:
            try:
                manifest = self._file.load()
            except (FileNotFoundError, ManifestError):
                pass  # it died before it had written one
            else:
                self.resumed = True
                chronicle = Chronicle(manifest)
                adopt_files(self.path, chronicle)
                self._torn = {one.file for one in manifest.segments() if not one.sha256}
                return chronicle
        return Chronicle.begin(
            order.id, order.room, order.request, by=order.started_by, time=order.started_at
        )


def _trim_gaps(manifest: Manifest) -> None:
    """Gaps from a death on begin where the repaired files end, which was not known before."""
    for track in manifest.tracks:
        for segment in track.segments:
            end = segment.start + segment.duration
            for gap in track.gaps:
                if gap.end is not None and segment.start <= gap.start < end <= gap.end:
                    gap.start = round(end, 6)
