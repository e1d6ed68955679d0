"""Short clips, encoded as browsers do: frames as a track's reader gives them out."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from recorder.values import EncodedFrame, TrackInfo
from sfu.wire.parameters import AV1, OPUS, VP8, VP9, Codec, h264
from tests.support.scheduling import usual_scheduling

H264 = h264("constrained-baseline", 1)
VIDEO = (VP8, VP9, AV1, H264)
FPS = 30
RECORDING = "RC_1"
TRACK = TrackInfo("TR_1", "PA_1", "ann", "video", "camera")
RATE = 48_000  # Hz
OPUS_FRAME = 960  # samples

_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "AV1": ("libsvtav1", {"preset": "11", "svtav1-params": "pred-struct=1:rc=2"}),
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
}


@cache
@usual_scheduling()
def pictures(
    codec: Codec, *, count: int = 60, width: int = 320, height: int = 180, noise: int = 0
) -> tuple[EncodedFrame, ...]:
    """Pictures of a bar that moves, from time 0 on, with a key frame every second.

    Args:
        codec: One of `VIDEO`.
        count: How many.
        width: Pixels.
        height: Pixels.
        noise: Amplitude; makes the files larger.
    """
    name, options = _ENCODERS[codec.name]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = width, height
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, FPS)
    context.framerate = Fraction(FPS)
    context.gop_size = FPS
    context.bit_rate = 3_000_000 if noise else 300_000
    context.thread_count = 1  # libvpx's threads would spin
    context.options = options
    random = np.random.default_rng(1)
    packets = []
    for number in range(count):
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        picture[:height] = 40 + random.integers(0, noise + 1, (height, width), np.uint8)
        bar = number * 4 % width
        picture[:height, bar : bar + 8] = 220
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        packets += context.encode(frame)
    packets += context.encode(None)
    return tuple(
        EncodedFrame(
            bytes(packet),
            number / FPS,
            codec,
            packet.is_keyframe,
            width=width if packet.is_keyframe else 0,
            height=height if packet.is_keyframe else 0,
            extradata=_extradata(codec, bytes(packet)) if packet.is_keyframe else b"",
        )
        for number, packet in enumerate(packets)
    )


@cache
def sound(seconds: float = 2.0, *, onset: float = 1.0) -> tuple[EncodedFrame, ...]:
    """A tone that begins at `onset`, after silence, as Opus that knows of its delay."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate = RATE
    context.layout = "stereo"
    context.format = "s16"
    context.time_base = Fraction(1, RATE)
    packets = []
    for number in range(round(seconds * RATE / OPUS_FRAME)):
        time = (number * OPUS_FRAME + np.arange(OPUS_FRAME)) / RATE
        tone = (np.sin(time * 2 * np.pi * 440) * 12_000 * (time >= onset)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2).reshape(1, -1), "s16", "stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = number * OPUS_FRAME, Fraction(1, RATE)
        packets += context.encode(frame)
    assert context.extradata is not None
    return tuple(
        EncodedFrame(
            bytes(packet),
            number * OPUS_FRAME / RATE,
            OPUS,
            True,
            duration=OPUS_FRAME / RATE,
            extradata=context.extradata,
        )
        for number, packet in enumerate(packets)
    )


def moved(frames: Sequence[EncodedFrame], seconds: float) -> list[EncodedFrame]:
    """The same, later."""
    return [replace(frame, time=frame.time + seconds) for frame in frames]


def turned(frames: Sequence[EncodedFrame], rotation: int) -> list[EncodedFrame]:
    """The same, from a camera that is held so."""
    return [replace(frame, rotation=rotation) for frame in frames]


def _extradata(codec: Codec, data: bytes) -> bytes:
    if codec.name == "H264":
        units = [unit for unit in re.split(b"\0\0\0?\1", data) if unit and unit[0] & 31 in (7, 8)]
        return b"".join(b"\0\0\0\1" + unit for unit in units)
    if codec.name == "AV1":  # temporal delimiter, then the sequence header, with one-byte sizes
        assert data[:3] == b"\x12\0\x0a"
        return data[2 : 4 + data[3]]
    return b""
