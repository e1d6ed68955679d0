"""Media files whose packets are played as they are, where they are what WebRTC carries."""

import re
from collections.abc import Iterator
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from benchmarks.load.encoding import FILE_LENGTH, MediaError
from sfu.wire.payload.h264 import IDR

OPUS_FRAME = 20  # ms; of what the publisher sends, and what browsers do
OPUS_DURATIONS = (  # ms by the upper 5 bits of the first byte (RFC 6716 3.1)
    *(10, 20, 40, 60) * 3,
    *(10, 20) * 2,
    *(2.5, 5, 10, 20) * 4,
)
BASELINE = ("Baseline", "Constrained Baseline")  # of H.264: what every browser decodes

_START_CODE = re.compile(b"\x00\x00\x01(.)", re.DOTALL)


def frame_rate(source: Path) -> float | None:
    """Frames a second of a file's video; None where it has no video or does not say.

    Raises:
        MediaError: The file cannot be read.
    """
    try:
        with av.open(str(source)) as container:
            stream = next(iter(container.streams.video), None)
            rate = stream.average_rate if stream is not None else None
            return float(rate) if rate else None
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{source} cannot be read: {error.strerror}.") from error


def copy_video(codec: str, source: Path, *, fps: float) -> list[tuple[bytes, bool]] | None:
    """A file's frames, and whether each is a key frame; None where they must be encoded anew.

    They are taken as they are when they are in this codec (H.264 in the baseline profile), come
    one after the other at this rate, and begin with a key frame.

    Raises:
        MediaError: The file cannot be read.
    """
    frames: list[tuple[bytes, bool]] = []
    first: float | None = None
    for packet in _packets(source, codec, "video"):
        if packet.pts is None or packet.time_base is None:
            return None
        moment = float(packet.pts * packet.time_base)
        first = moment if first is None else first
        if abs(moment - first - len(frames) / fps) > 0.5 / fps:
            return None  # another rate, a rate that changes, or pictures in another order
        data = bytes(packet)
        key = packet.is_keyframe if codec == "vp8" else _has_idr(data)
        frames.append((data, key))
        if len(frames) >= FILE_LENGTH * fps:
            break
    return frames if frames and frames[0][1] else None


def copy_audio(source: Path) -> list[bytes] | None:
    """A file's Opus packets, of 20 ms each; None where its sound must be encoded anew.

    Raises:
        MediaError: The file cannot be read.
    """
    sound: list[bytes] = []
    for packet in _packets(source, "opus", "audio"):
        data = bytes(packet)
        if not data:
            continue
        if data[0] & 3 or OPUS_DURATIONS[data[0] >> 3] != OPUS_FRAME:
            return None
        sound.append(data)
        if len(sound) >= FILE_LENGTH * 1000 / OPUS_FRAME:
            break
    return sound or None


def _packets(source: Path, codec: str, kind: str) -> Iterator["Packet[Stream]"]:
    """Packets of the file's first stream of this kind, if it is in this codec."""
    try:
        with av.open(str(source)) as container:
            stream = next((each for each in container.streams if each.type == kind), None)
            if stream is None or stream.codec_context is None or stream.codec_context.name != codec:
                return
            convert = None
            if codec == "h264":
                if not isinstance(stream, VideoStream) or stream.codec_context.has_b_frames:
                    return
                if stream.profile not in BASELINE:
                    return
                convert = BitStreamFilterContext("h264_mp4toannexb", stream)
            for packet in container.demux(stream):
                if packet.size:
                    yield from convert.filter(packet) if convert is not None else (packet,)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{source} cannot be read: {error.strerror}.") from error


def _has_idr(data: bytes) -> bool:
    return any(found[1][0] & 0x1F == IDR for found in _START_CODE.finditer(data))
