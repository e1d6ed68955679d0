"""What a subscriber wants of a track, and what a publisher says of its layers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How one subscriber shows one track.

    Attributes:
        visible: Whether it is shown at all; what is hidden is not sent.
        width: Device pixels in which it is shown, 0 for unknown.
        height: Likewise.
        fps: Frames per second that are enough, 0 for all.
        priority: 1 to 255, the higher the sooner it gets a better layer; 0 leaves it to its source.
        layer: Spatial layer to get, 0 the lowest; None leaves it to the size.
        temporal: Highest temporal layer to get; None leaves it to `fps`.
        paused: Whether to send nothing for the time being.
    """

    visible: bool = True
    width: int = 0
    height: int = 0
    fps: float = 0.0
    priority: int = 0
    layer: int | None = None
    temporal: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One simulcast layer as its publisher announces it.

    Attributes:
        rid: Its RTP stream id (RFC 8851).
        width: Pixels, 0 for unknown.
        height: Likewise.
        bitrate: Bit/s at most, 0 for unknown.
    """

    rid: str = ""
    width: int = 0
    height: int = 0
    bitrate: int = 0


ENOUGH = 0.85  # of the shown size that a layer must have: a little upscaling nobody sees


def fills(width: int, height: int, settings: TrackSettings) -> bool:
    """Whether a picture of this size is large enough for how it is shown.

    Tracks are shown in their own proportions: one side that fits is enough, turned phones too.
    """
    if not width or not height:
        return False
    long, short = max(width, height), min(width, height)
    wide, low = max(settings.width, settings.height), min(settings.width, settings.height)
    return long >= ENOUGH * wide or (low > 0 and short >= ENOUGH * low)
