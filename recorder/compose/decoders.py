"""Encoded frames to pictures and samples, by FFmpeg's decoders."""

from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from recorder.values import EncodedFrame
from sfu.wire.parameters import Codec

Samples = NDArray[np.float32]  # (number, 2): left and right, full scale is 1

DECODERS = {"VP8": "vp8", "VP9": "vp9", "H264": "h264", "AV1": "libdav1d", "opus": "opus"}
SAMPLE_RATE = 48000  # Hz


class VideoDecoder:
    """One track's pictures; what cannot be decoded is left out until the next key frame."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self._codec: Codec | None = None
        self._broken = True  # nothing can be shown before a key frame

    @property
    def broken(self) -> bool:
        """Whether a key frame is needed to go on."""
        return self._broken

    def decode(self, frame: EncodedFrame) -> av.VideoFrame | None:
        """The picture of a frame; of several spatial layers the best one."""
        if frame.key_frame and (self._broken or frame.codec != self._codec):
            self._open(frame.codec)
        if self._broken or self._context is None:
            return None
        data = frame.data
        if frame.codec.name == "H264" and frame.extradata and frame.extradata not in data:
            data = frame.extradata + data  # parameter sets that were sent otherwise
        try:
            pictures = self._context.decode(av.Packet(data))
        except av.FFmpegError:
            self._broken = True
            return None
        return pictures[-1] if pictures else None

    def lose(self) -> None:
        """Frames were left out: go on with the next key frame."""
        self._broken = True

    def _open(self, codec: Codec) -> None:
        name = DECODERS.get(codec.name)
        if name is None:
            return
        context = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
        context.thread_count = 1  # tracks share the processors, and no picture is held back
        context.flags |= Flags.low_delay
        if name == "libdav1d":
            context.options = {"max_frame_delay": "1"}
        self._context, self._codec, self._broken = context, codec, False


class AudioDecoder:
    """One track's samples at 48 kHz, in stereo."""

    def __init__(self) -> None:
        self._context = _opus()

    def decode(self, frame: EncodedFrame) -> Samples:
        """The samples of a packet; silence of its duration where it cannot be decoded."""
        try:
            pieces = [_samples(piece) for piece in self._context.decode(av.Packet(frame.data))]
        except av.FFmpegError:
            self._context, pieces = _opus(), []
        if not pieces:
            return np.zeros((round(frame.duration * SAMPLE_RATE), 2), np.float32)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _opus() -> av.AudioCodecContext:
    context = av.CodecContext.create("opus", "r")
    context.sample_rate = SAMPLE_RATE
    cast(Any, context).layout = "stereo"  # mono packets are heard on both sides
    return context


def _samples(frame: av.AudioFrame) -> Samples:
    return np.ascontiguousarray(frame.to_ndarray().T, np.float32)  # planar: (2, number)
