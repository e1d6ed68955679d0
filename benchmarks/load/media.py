"""Clips: media that was encoded and cut into RTP payloads before the test begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.load.description import kind
from benchmarks.load.payloads import STAMP_SIZE, VP8_CONTINUATION, VP8_START

VIDEO_CLOCK, AUDIO_CLOCK = 90_000, 48_000  # Hz
RTP_HEADER_SIZE = 12
RIDS = ("q", "h", "f")  # quarter, half and full size

# What synthetic frames begin with, so that servers take them for frames.
_VP8_KEY_FRAME = b"\x50\x01\x00\x9d\x01\x2a\x80\x02\xe0\x01"  # RFC 6386 9.1; 640 × 480
_VP8_DELTA_FRAME = b"\x51\x01\x00"
_H264_SETS = bytes.fromhex("78 0004 6742c01f 0004 68ce3c80 ffff")  # SPS, PPS, junk as a third
_H264_IDR, _H264_SLICE = b"\x65", b"\x41"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, or 20 ms of sound.

    Attributes:
        payloads: Of its packets. The last has room for the time stamp, `STAMP_SIZE` more bytes.
        key: Whether it can be decoded without those before it.
    """

    payloads: tuple[bytes, ...]
    key: bool


@dataclass(frozen=True, slots=True)
class Encoding:
    """One stream of a clip, played in a loop. The first frame is a key frame."""

    codec: str
    frames: tuple[Frame, ...]
    rid: str = ""

    @property
    def clock_rate(self) -> int:
        """Of its RTP timestamps, Hz."""
        return AUDIO_CLOCK if self.codec == "opus" else VIDEO_CLOCK

    def next_key_frame(self, position: int) -> int:
        """Where the first key frame from `position` on is, perhaps in the next turn."""
        count = len(self.frames)
        return next(
            (position + i) % count for i in range(count) if self.frames[(position + i) % count].key
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """What every publisher of a run plays.

    Attributes:
        tracks: Codec → its encodings: one, or with simulcast one for each rid, smallest first.
    """

    tracks: Mapping[str, Sequence[Encoding]] = field(default_factory=dict)

    @classmethod
    def synthetic(
        cls, codecs: Sequence[str], *, packets_per_frame: int = 1, packet_size: int = 1100
    ) -> "Clip":
        """Frames of so many equal packets, for exact packet loads; no decoder takes them.

        Args:
            codecs: Of the tracks. Audio frames have one packet, whatever `packets_per_frame` is.
            packets_per_frame: For video.
            packet_size: Bytes of RTP, the header of 12 bytes included and the protection not.
        """
        tracks = {}
        for codec in codecs:
            count = 1 if kind(codec) == "audio" else packets_per_frame
            size = packet_size - RTP_HEADER_SIZE
            frames = tuple(_synthetic_frame(codec, count, size, key=key) for key in (True, False))
            # The key frame comes once, and again when it is asked for.
            tracks[codec] = (Encoding(codec, (frames[0], *[frames[1]] * 299)),)
        return cls(tracks)


def _synthetic_frame(codec: str, count: int, size: int, *, key: bool) -> Frame:
    noise = Random(1).randbytes(size)  # nothing on the path may profit from zeros
    payloads = []
    for i in range(count):
        head = _head(codec, first=i == 0, key=key)
        room = size - STAMP_SIZE if i == count - 1 else size
        payloads.append((head + noise)[:room])
    return Frame(tuple(payloads), key or kind(codec) == "audio")


def _head(codec: str, *, first: bool, key: bool) -> bytes:
    if codec == "vp8":
        if first:
            return VP8_START + (_VP8_KEY_FRAME if key else _VP8_DELTA_FRAME)
        return VP8_CONTINUATION
    if codec == "h264":
        if first and key:
            return _H264_SETS
        return _H264_IDR if key else _H264_SLICE
    return b"\x78"  # Opus (RFC 6716 3.1): CELT, full band, 20 ms, one frame
