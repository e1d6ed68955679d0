"""One track, or a part of it, as one file."""

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.packet import Packet

from recorder.files.description import OPUS_RATE, StreamInfo, describe
from recorder.files.held_back import HeldBack
from recorder.files.held_back_fragment import HeldBackFragment
from recorder.files.muxer import Muxer
from recorder.values import EncodedFrame, Format
from sfu.wire.parameters import Codec

VIDEO_RATE = 90_000  # Hz: of all video in RTP
SHORTEST = 0.001  # s between two pictures: Matroska counts in milliseconds
LAST_PICTURE = 1 / 30  # s that the last one of an MP4 is shown: else players would leave it out

CODECS: dict[Format, frozenset[str]] = {
    "mkv": frozenset({"VP8", "VP9", "AV1", "H264", "opus"}),
    "webm": frozenset({"VP8", "VP9", "AV1", "opus"}),
    "mp4": frozenset({"VP9", "AV1", "H264", "opus"}),
}


def format_for(codec: Codec, wanted: Format) -> Format:
    """The wanted format, or Matroska, which takes everything, where it does not take the codec."""
    return wanted if codec.name in CODECS[wanted] else "mkv"


class SegmentWriter:
    """Writes frames of one stream into a new file, at the times at which they were captured.

    Args:
        path: It must not exist yet.
        stream: What the frames are: `StreamInfo.of` the first one.
        format: One that takes the codec, see `format_for`.
        start: Unix seconds that become time 0 of the file; not after the first frame.
        comment: What its header says of where it belongs.

    Raises:
        OSError: The file cannot be created.
        ValueError: The format does not take the codec.

    Attributes:
        path: Where it is.
        stream: What its header says.
        start: As given; moving it moves what is written from then on, within the file.
        duration: Seconds from the start to the end of the last frame.
    """

    def __init__(
        self, path: Path, stream: StreamInfo, *, format: Format, start: float, comment: str = ""
    ) -> None:
        if stream.codec.name not in CODECS[format]:
            raise ValueError(f"{format} does not take {stream.codec.name}")
        self.path = path
        self.stream = stream
        self.start = start
        self.duration = 0.0
        self._muxer = Muxer(path, format, comment=comment)
        self._rate = OPUS_RATE if stream.codec.kind == "audio" else VIDEO_RATE
        self._time_base = Fraction(1, self._rate)
        self._shortest = round(SHORTEST * self._rate)
        self._last: int | None = None
        self._last_picture = LAST_PICTURE if format == "mp4" else 0.0
        self._held_back = HeldBackFragment() if format == "mp4" else HeldBack(stream)
        # Of the next piece, when the muxer has written one. Matroska's holds back one packet of
        # sound more than that which begins it.
        self._begun = 2 if stream.codec.kind == "audio" and format != "mp4" else 1
        self._syncs = 0  # since the last frame

    @property
    def bytes(self) -> int:
        """Size of the file until now."""
        return self._muxer.bytes

    def write(self, frame: EncodedFrame) -> None:
        """Write a frame; the first is a key frame.

        Raises:
            OSError: The disk failed; `close` keeps what there is.
            ValueError: The frame is broken such that a container cannot take it; others may be
                written.
        """
        if self._last is None:
            container, template = describe(self.stream, frame)
            self._stream = self._muxer.container.add_stream_from_template(template, opaque=True)
            self._stream.time_base = self._time_base
            container.close()
        time = max(0, round((frame.time - self.start) * self._rate)) - self.stream.pre_skip
        if self._last is not None:
            time = max(time, self._last + self._shortest)
        packet: Packet[Any] = Packet(frame.data)
        packet.stream = self._stream
        packet.time_base = self._time_base
        packet.pts = packet.dts = time
        packet.duration = round((frame.duration or self._last_picture) * self._rate)
        packet.is_keyframe = frame.key_frame
        self._last = time
        self._syncs = 0
        size = self._muxer.bytes
        self._muxer.mux(packet)
        self.duration = (time + self.stream.pre_skip) / self._rate + frame.duration
        self._held_back.add(packet)
        if self._muxer.bytes > size:
            self._held_back.keep(self._begun)

    def sync(self) -> None:
        """Have what is written survive a power cut; cheap if nothing is new.

        Where nothing was written since the last time, what the muxer holds back goes to the disk.

        Raises:
            OSError: The disk failed.
        """
        self._syncs += 1
        if self._syncs == 2:
            self._muxer.lay_behind(self._held_back.piece())
        self._muxer.sync()

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: The disk failed; what is in the file is kept.
        """
        self._muxer.close()

    def discard(self) -> None:
        """Remove the file: nothing could be written into it."""
        with contextlib.suppress(OSError):
            self._muxer.close()
        self.path.unlink()
