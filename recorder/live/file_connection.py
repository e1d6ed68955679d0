"""A composite's file, written as an output is: in a thread of its own, behind a bounded queue."""

import time
from itertools import count
from pathlib import Path

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.files.disk import describe_error
from recorder.files.manifest import Segment
from recorder.files.muxer import Muxer
from recorder.live.output import OutputError
from recorder.values import Format

SYNC_INTERVAL = 0.5  # s between two times that the file is made to survive a power cut
RTP_NAMES = {"h264": "H264", "vp8": "VP8", "vp9": "VP9", "opus": "opus", "aac": "MPEG4-GENERIC"}


class FileConnection:
    """A `Connection` to one new file.

    Attributes:
        path: Of the file.
        segment: Its entry for the manifest, kept up to date.
        error: Why it ended too early; None while all is well.
    """

    established = True

    def __init__(
        self,
        folder: Path,
        format: Format,
        streams: EncodedStreams,
        *,
        start: float,
        size: tuple[int, int],
    ) -> None:
        """Create it.

        Args:
            folder: Of the recording.
            format: "mp4", "webm" or "mkv".
            streams: What is written.
            start: Seconds from the recording's start that are time 0 of the streams.
            size: Width and height, pixels.

        Raises:
            OSError: It cannot be created.
        """
        self.error: OSError | None = None
        self._muxer, self.path = _create(folder, format)
        self._streams = streams.add_to(self._muxer.container)
        codecs = [RTP_NAMES[name] for name in streams.codecs]
        width, height = size if streams.video is not None else (0, 0)
        self.segment = Segment(
            self.path.name, format, codecs, round(start, 6), width=width, height=height
        )
        self._synced_at = time.monotonic()

    def write(self, packet: EncodedPacket) -> None:
        """Write one packet."""
        try:
            self._muxer.mux(packet.for_stream(self._streams[packet.kind]))
        except OSError as error:
            raise self._failed(error) from None
        except ValueError:
            return  # one packet that the container cannot take
        self.segment.bytes = self._muxer.bytes
        end = float((packet.pts + packet.duration) * packet.time_base)
        self.segment.duration = max(self.segment.duration, round(end, 6))
        self.poll()

    def poll(self) -> None:
        """Keep safe what is written."""
        if time.monotonic() - self._synced_at < SYNC_INTERVAL:
            return
        self._synced_at = time.monotonic()
        try:
            self._muxer.sync()
        except OSError as error:
            raise self._failed(error) from None

    def close(self, *, finish: bool) -> None:  # noqa: ARG002 - a file is closed in any case
        """Write the end."""
        try:
            self._muxer.close()
        except OSError as error:
            raise self._failed(error) from None
        finally:
            self.segment.bytes = self._muxer.bytes

    def _failed(self, error: OSError) -> OutputError:
        self.error = self.error or error
        return OutputError(f"The file cannot be written: {describe_error(error)}.", permanent=True)


def _create(folder: Path, format: Format) -> tuple[Muxer, Path]:
    """The first of `composite.mp4`, `composite-2.mp4` … that is not there yet."""
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        path = folder / f"composite{suffix}.{format}"
        try:
            return Muxer(path, format), path
        except FileExistsError:
            continue
    raise AssertionError
