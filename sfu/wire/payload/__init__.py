"""What a forwarder must know of the payload formats: key frames, sizes, layers."""

from collections.abc import Callable

from sfu.wire.parameters import Codec
from sfu.wire.payload import av1, h264, opus, vp8, vp9
from sfu.wire.payload.frame import DescribedFrame, FrameInfo, Vp9Frame

_DETECTORS: dict[str, Callable[[bytes], bool]] = {
    "VP8": vp8.is_key_frame,
    "VP9": vp9.is_key_frame,
    "H264": h264.is_key_frame,
    "AV1": av1.is_key_frame,
}


def key_frame_detector(codec: Codec) -> Callable[[bytes], bool]:
    """The function that tells whether a key frame of `codec` begins in an RTP payload.

    It never raises, whatever the payload. Codecs without key frames get one that says no.
    """
    return _DETECTORS.get(codec.name, opus.is_key_frame)


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "VP8": vp8.frame_size,
    "VP9": vp9.frame_size,
    "H264": h264.frame_size,
    "AV1": av1.frame_size,
}


def frame_size_reader(codec: Codec) -> Callable[[bytes], tuple[int, int] | None]:
    """The function that tells (width, height) in pixels where a payload of `codec` has them.

    All of them have them in key frames. It never raises, whatever the payload.
    """
    return _SIZES.get(codec.name, opus.frame_size)


def layer_sizes(frame: FrameInfo | None, payload: bytes) -> tuple[tuple[int, int], ...]:
    """Width and height of each spatial layer in pixels; empty where this key frame has none.

    Args:
        frame: Of the first packet of a key frame.
        payload: Of the same packet.
    """
    if isinstance(frame, DescribedFrame):
        return frame.structure.resolutions
    if isinstance(frame, Vp9Frame):
        descriptor = vp9.parse_descriptor(payload)
        return descriptor.layer_sizes if descriptor else ()
    return ()


def picture_id_widener(codec: Codec) -> Callable[[bytes], bytes] | None:
    """The function that makes room for a picture id of 15 bits; None where there is none to patch.

    The offsets in a projection's patches are those of payloads that went through it.
    """
    return {"VP8": vp8.widen_picture_id, "VP9": vp9.widen_picture_id}.get(codec.name)
