"""One layer of a stream, made to look as if there were no others."""

from sfu.forward.projection.av1 import Av1Projection
from sfu.forward.projection.base import PlainProjection, Projection
from sfu.forward.projection.vp8 import Vp8Projection
from sfu.forward.projection.vp9 import Vp9Projection
from sfu.wire.payload.frame import DescribedFrame, FrameInfo, Vp8Frame, Vp9Frame


def projection_for(frame: FrameInfo | None) -> Projection:
    """A projection for streams of such frames.

    What packets bring counts for more than their codec: Chromium's VP8 has picture ids and layers
    in its payloads only where dependency descriptors were not agreed on.

    Args:
        frame: Of the first packet of a key frame.
    """
    if isinstance(frame, DescribedFrame):
        return Av1Projection()
    if isinstance(frame, Vp8Frame):
        return Vp8Projection()
    if isinstance(frame, Vp9Frame):
        return Vp9Projection()
    return PlainProjection()
