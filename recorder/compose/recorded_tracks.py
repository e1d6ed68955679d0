"""Reads the files of recorded tracks, as the frames that were written into them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import av
from av.bitstream import BitStreamFilterContext

from recorder.files.manifest import Segment, Track
from recorder.values import EncodedFrame
from sfu.wire.parameters import AV1, OPUS, VP8, VP9, Codec, h264

CODECS: dict[str, Codec] = {
    "vp8": VP8,
    "vp9": VP9,
    "av1": AV1,
    "h264": h264("constrained-baseline", 1),
    "opus": OPUS,
}
OPUS_RATE = 48000  # Hz


class RecordedTrack:
    """A track's frames in order, taken as time goes on.

    Args:
        folder: Of the recording.
        track: In its manifest.
    """

    def __init__(self, folder: Path, track: Track) -> None:
        self.sid = track.sid
        paths = [(folder / segment.file, segment) for segment in track.segments]
        present = [(path, segment) for path, segment in paths if path.is_file()]
        self.missing = [segment.file for path, segment in paths if not path.is_file()]
        self.end = max((segment.start + segment.duration for _, segment in present), default=0.0)
        self._frames = _read_all(present)
        self._next = next(self._frames, None)

    @property
    def empty(self) -> bool:
        """Whether there is nothing more."""
        return self._next is None

    def read(self, until: float) -> list[EncodedFrame]:
        """Frames before a time; times are seconds from the recording's start."""
        frames = []
        while self._next is not None and self._next.time < until:
            frames.append(self._next)
            self._next = next(self._frames, None)
        return frames


def _read_all(segments: Sequence[tuple[Path, Segment]]) -> Iterator[EncodedFrame]:
    for path, segment in sorted(segments, key=lambda item: item[1].start):
        yield from _read(path, segment)


def _read(path: Path, segment: Segment) -> Iterator[EncodedFrame]:
    """The frames of one file, up to where it cannot be read any more."""
    try:
        with av.open(path) as container:
            stream = cast(Any, container.streams[0])
            codec = CODECS.get(stream.codec_context.codec.canonical_name)
            if codec is None:
                return
            delay = _opus_delay(stream.codec_context.extradata or b"") if codec is OPUS else 0.0
            filters = (
                BitStreamFilterContext("h264_mp4toannexb", stream) if codec.name == "H264" else None
            )
            for packet in container.demux(stream):
                if packet.pts is None or not packet.size:
                    continue
                for piece in filters.filter(packet) if filters else [packet]:
                    time = segment.start + float(piece.pts * stream.time_base) + delay
                    yield EncodedFrame(
                        bytes(piece),
                        time,
                        codec,
                        codec.kind == "audio" or piece.is_keyframe,
                        duration=float((piece.duration or 0) * stream.time_base),
                        rotation=segment.rotation,
                    )
    except (OSError, IndexError, av.FFmpegError):
        return  # what was before is shown


def _opus_delay(head: bytes) -> float:
    """Seconds that the file's times are earlier than those of capture (RFC 7845 5.1, pre-skip)."""
    return int.from_bytes(head[10:12], "little") / OPUS_RATE if len(head) >= 12 else 0.0
