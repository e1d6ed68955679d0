"""Which depacketizer a codec needs."""

from collections.abc import Callable

from recorder.media.av1 import Av1Depacketizer
from recorder.media.frame import Depacketizer
from recorder.media.h264 import H264Depacketizer
from recorder.media.vp8 import Vp8Depacketizer
from recorder.media.vp9 import Vp9Depacketizer
from sfu.wire.parameters import Codec

_DEPACKETIZERS: dict[str, Callable[[], Depacketizer]] = {
    "VP8": Vp8Depacketizer,
    "VP9": Vp9Depacketizer,
    "H264": H264Depacketizer,
    "AV1": Av1Depacketizer,
}


def depacketizer(codec: Codec) -> Depacketizer | None:
    """A new one for pictures of `codec`; None for a codec that cannot be recorded."""
    make = _DEPACKETIZERS.get(codec.name)
    return make() if make is not None else None
