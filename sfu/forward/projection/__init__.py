"""One layer of a stream, made to look as if there were no others."""

from sfu.forward.projection.av1 import Av1Projection
from sfu.forward.projection.base import PlainProjection, Projection
from sfu.forward.projection.vp8 import Vp8Projection
from sfu.forward.projection.vp9 import Vp9Projection
from sfu.wire.parameters import Codec


def projection_of(codec: Codec, *, dependency_descriptor: bool = False) -> Projection:
    """A projection for streams of `codec`.

    Args:
        codec: Of all streams that it is to be started with.
        dependency_descriptor: Whether that header extension was negotiated with both ends.
    """
    if codec.name == "VP8":
        return Vp8Projection()
    if codec.name == "VP9":
        return Vp9Projection()
    if dependency_descriptor:
        return Av1Projection()
    return PlainProjection()
