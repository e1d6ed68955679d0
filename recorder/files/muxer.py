"""A container file that is whole up to its last half second, whatever happens to its writer."""

import builtins
import contextlib
from pathlib import Path
from typing import Any, cast

import av
from av.container import Flags, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from recorder.files.disk import DiskFile
from recorder.values import Format

PIECE = 0.5  # s: what the last cluster or fragment holds, and so what a kill can cost
FFMPEG_NAMES: dict[Format, str] = {"mkv": "matroska", "webm": "webm", "mp4": "mp4"}
MATROSKA_OPTIONS = {"cluster_time_limit": str(round(PIECE * 1000))}  # ms
MP4_OPTIONS = {
    # Fragments while it grows; when it is closed, one index for all, as in any MP4.
    "movflags": "hybrid_fragmented+delay_moov+default_base_moof",
    "frag_duration": str(round(PIECE * 1_000_000)),  # µs
    "use_editlist": "1",  # else sound would be late by what decoders of Opus skip
}

# µs that sound waits for pictures, which come in order anyway: seldom ones, at a picture a second,
# would hold it back (of VP8 and VP9 FFmpeg waits nevertheless).
INTERLEAVE = {"max_interleave_delta": "1000"}


class Muxer:
    """Writes streams that are encoded already into one new file.

    Args:
        path: It must not exist yet.
        format: "mkv", "webm" or "mp4".
        comment: What its header says beside what FFmpeg knows.

    Attributes:
        container: To add streams to, from templates, before the first packet.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, path: Path, format: Format, *, comment: str = "") -> None:
        self.path = path
        self._file = DiskFile(path)
        self.container: OutputContainer = av.open(
            self._file,
            "w",
            format=FFMPEG_NAMES[format],
            options=MP4_OPTIONS if format == "mp4" else MATROSKA_OPTIONS,
            container_options=INTERLEAVE,
        )
        if comment:
            self.container.metadata["comment"] = comment
        # A cluster or a fragment goes to the file when it is whole, not when 32 KiB are full.
        self.container.flags |= cast(int, Flags.flush_packets.value)
        self._whole = 0

    @property
    def bytes(self) -> int:
        """Size of the file until now."""
        return self._file.size

    def mux(self, packet: "Packet[Any]") -> None:
        """Write a packet; its `stream`, times and `time_base` are set.

        Raises:
            OSError: The disk failed; nothing can be written any more, `close` keeps what is whole.
            ValueError: The packet is nothing that the container can take.
        """
        try:
            self.container.mux_one(packet)
        except FFmpegError as error:
            raise ValueError(f"cannot be written to {self.path.name}: {error}") from error
        finally:
            self._raise_error()
        self._whole = self._file.size

    def lay_behind(self, piece: builtins.bytes) -> None:
        """Have the file end with this cluster or fragment until more of it is written.

        Raises:
            OSError: The disk failed.
        """
        self._file.lay_behind(piece)

    def sync(self) -> None:
        """Have the clusters and fragments that are whole survive a power cut.

        Raises:
            OSError: The disk failed.
        """
        self._file.sync()

    def close(self) -> None:
        """Write the end: index and duration. After an error, drop what is not whole instead.

        Raises:
            OSError: The disk failed now; what was whole is kept.
        """
        failed = self._file.error is not None
        try:
            with contextlib.suppress(FFmpegError):  # of a file without a stream or a packet
                self.container.close()
            if self._file.error is not None:
                self._file.truncate(self._whole)
            self._file.sync()
            if not failed:
                self._raise_error()
        finally:
            self._file.close()

    def _raise_error(self) -> None:
        if self._file.error is not None:
            raise self._file.error
