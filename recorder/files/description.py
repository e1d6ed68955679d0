"""Tells PyAV what a stream is that it has not encoded.

PyAV takes a stream's parameters from an encoder, which we do not have, or from a stream that it
reads. So we write the shortest Matroska file (RFC 9559) that says it all, in memory, and have PyAV
read that: header, one track, its first frame. From the frame FFmpeg learns the rest, such as the
pixel format that MP4 wants to know.
"""

import io
import struct
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from recorder.values import EncodedFrame
from sfu.wire.parameters import Codec

NANOSECONDS = 10**9
OPUS_RATE = 48_000  # Hz: the clock of Opus, whatever was encoded (RFC 7845 5.1)

CODEC_IDS = {  # RFC 9559 and the registry of Matroska codec mappings
    "VP8": "V_VP8",
    "VP9": "V_VP9",
    "AV1": "V_AV1",
    "H264": "V_MPEG4/ISO/AVC",
    "opus": "A_OPUS",
}


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a file's header says of the one stream in it.

    Attributes:
        codec: Of the frames.
        width: Pixels; 0 for sound.
        height: Pixels; 0 for sound.
        channels: Of sound; 0 for pictures.
        extradata: As in `EncodedFrame`.
        rotation: Degrees by which to turn the picture clockwise.
    """

    codec: Codec
    width: int = 0
    height: int = 0
    channels: int = 0
    extradata: bytes = b""
    rotation: int = 0

    @classmethod
    def of(cls, frame: EncodedFrame) -> "StreamInfo":
        """What the stream is that begins with this key frame."""
        if frame.codec.kind == "video":
            return cls(
                frame.codec, frame.width, frame.height, 0, frame.extradata, frame.rotation % 360
            )
        # RFC 7845 5.1: version, channel count, pre-skip …
        channels = frame.extradata[9] if len(frame.extradata) > 9 else frame.codec.channels
        return cls(frame.codec, channels=channels, extradata=frame.extradata)

    @property
    def pre_skip(self) -> int:
        """Samples at 48 kHz that come out of an Opus decoder before the first one that went in."""
        if self.codec.name != "opus" or len(self.extradata) < 12:
            return 0
        return int.from_bytes(self.extradata[10:12], "little")


def compatible(stream: StreamInfo, frame: EncodedFrame) -> bool:
    """Whether the frame can go on in a file whose header says `stream`.

    VP8 and VP9 tell a new size in the frame itself, as does AV1 within the bounds of its sequence
    header. A header is for good: whatever changes it needs another file.
    """
    if frame.codec != stream.codec:
        return False
    if not frame.key_frame or not frame.extradata:
        return frame.codec.kind == "audio" or frame.rotation % 360 == stream.rotation
    return frame.extradata == stream.extradata and StreamInfo.of(frame).rotation == stream.rotation


def describe(
    stream: StreamInfo, frame: EncodedFrame
) -> tuple[InputContainer, VideoStream | AudioStream]:
    """A stream that PyAV accepts as a template, and the container that must live as long.

    Args:
        stream: What to describe.
        frame: Its first key frame.

    Raises:
        ValueError: No codec that we record.
    """
    try:
        codec_id = CODEC_IDS[stream.codec.name]
    except KeyError:
        raise ValueError(f"{stream.codec.name} cannot be recorded") from None
    video = stream.codec.kind == "video"
    track = (
        _number(0xD7, 1)  # TrackNumber
        + _number(0x73C5, 1)  # TrackUID
        + _number(0x83, 1 if video else 2)  # TrackType
        + _element(0x86, codec_id.encode())  # CodecID
        + _element(0xE0 if video else 0xE1, _video(stream) if video else _audio(stream))
    )
    if stream.extradata:
        track += _element(0x63A2, stream.extradata)  # CodecPrivate
    if stream.pre_skip:
        track += _number(0x56AA, stream.pre_skip * NANOSECONDS // OPUS_RATE)  # CodecDelay
    key_block = b"\x81\0\0\x80" + frame.data  # track 1, time 0, a key frame
    segment = (
        _element(0x1549A966, _number(0x2AD7B1, 10**6))  # Info: TimestampScale of 1 ms
        + _element(0x1654AE6B, _element(0xAE, track))  # Tracks: TrackEntry
        + _element(0x1F43B675, _number(0xE7, 0) + _element(0xA3, key_block))  # Cluster
    )
    header = _element(0x1A45DFA3, _element(0x4282, b"matroska"))  # EBML: DocType
    data = io.BytesIO(header + _element(0x18538067, segment))
    container = av.open(data, "r", format="matroska")
    template = container.streams[0]
    assert isinstance(template, VideoStream | AudioStream)
    return container, template


def _video(stream: StreamInfo) -> bytes:
    size = _number(0xB0, stream.width) + _number(0xBA, stream.height)  # PixelWidth, PixelHeight
    if not stream.rotation:
        return size
    # PoseRoll turns counter-clockwise, from -180 to 180 degrees.
    roll = -stream.rotation if stream.rotation <= 180 else 360 - stream.rotation
    # Projection: ProjectionType rectangular, ProjectionPoseRoll
    return size + _element(0x7670, _number(0x7671, 0) + _float(0x7675, roll))


def _audio(stream: StreamInfo) -> bytes:
    return _float(0xB5, OPUS_RATE) + _number(0x9F, stream.channels)  # SamplingFrequency, Channels


def _element(identifier: int, body: bytes) -> bytes:
    """An EBML element (RFC 8794) whose length takes eight bytes."""
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))


def _float(identifier: int, value: float) -> bytes:
    return _element(identifier, struct.pack(">d", value))
