"""What a forwarder must know of the payload formats: where a key frame begins, and layers."""

from collections.abc import Callable

from sfu.wire.parameters import Codec
from sfu.wire.payload import av1, h264, opus, vp8, vp9

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
