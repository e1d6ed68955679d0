"""What a subscriber's settings for a track mean for its layers."""

from collections.abc import Sequence

from sfu.room.media_settings import TrackSettings, fills
from sfu.room.media_status import LayerStatus
from sfu.wire.parameters import Kind

FULL_RATE = 30.0  # frames/s that all temporal layers together are taken to have
# Who shares a screen wants it read; faces come after it.
SOURCE_PRIORITY = {"screen_share": 200}
DEFAULT_PRIORITY = 100
OVERHEAD = 20  # bytes that each packet is longer on the wire: SRTP's tag, transport-wide numbers
AUDIO_PACKETS = 50  # a second
VIDEO_PACKET = 1000  # bytes on average, besides the last one of each frame


def useful_layers(
    layers: Sequence[LayerStatus], settings: TrackSettings
) -> tuple[LayerStatus, ...]:
    """Those that are worth choosing from, the cheapest first; the last is what is wanted.

    That is the smallest spatial layer that fills the size in which the track is shown, or the one
    that the subscriber names; of its temporal layers as many as give the frame rate. Below it, none
    that costs as much as a better one.

    Args:
        layers: All that there are, at least one, in the order of `Track.layers`.
        settings: The subscriber's.
    """
    spatial = max(layer.spatial for layer in layers)
    if settings.layer is not None:
        spatial = max(min(spatial, settings.layer), layers[0].spatial)
    elif settings.width or settings.height:
        fitting = [layer.spatial for layer in layers if fills(layer.width, layer.height, settings)]
        spatial = min(fitting, default=spatial)
    temporal = _temporal(layers, settings)
    useful: list[LayerStatus] = []
    for layer in reversed(layers):
        if (
            layer.spatial <= spatial
            and (layer.temporal <= temporal or layer.temporal == 0)
            and (not useful or layer.bitrate < useful[-1].bitrate)
        ):
            useful.append(layer)
    return tuple(useful[::-1]) or (layers[0],)


def _temporal(layers: Sequence[LayerStatus], settings: TrackSettings) -> int:
    top = max(layer.temporal for layer in layers)
    if settings.temporal is not None:
        return min(top, settings.temporal)
    if settings.fps > 0:
        while top and settings.fps <= FULL_RATE / 2:  # each layer doubles the rate
            settings = TrackSettings(fps=settings.fps * 2)
            top -= 1
    return top


def priority_of(source: str, settings: TrackSettings) -> int:
    """1 to 255: the subscriber's, or what is usual for such a source."""
    return settings.priority or SOURCE_PRIORITY.get(source, DEFAULT_PRIORITY)


def on_the_wire(kind: Kind, bitrate: float) -> int:
    """Bit/s that a stream takes as the estimate counts it, of the bit/s that came of it."""
    packets = AUDIO_PACKETS if kind == "audio" else FULL_RATE / 2 + bitrate / 8 / VIDEO_PACKET
    return round(bitrate + 8 * OVERHEAD * packets)
