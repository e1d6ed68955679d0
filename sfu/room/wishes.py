"""What a subscriber's settings for a track mean for its layers."""

from collections.abc import Sequence

from sfu.room.media_settings import TrackSettings, fills
from sfu.room.media_status import LayerStatus
from sfu.wire.parameters import Kind

FULL_RATE = 30.0  # frames/s that a source is taken to have until that is measured
ENOUGH_RATE = 0.85  # of a wished frame rate that a layer must have: sources are not exact
FLUID_RATE = 12.0  # frames/s; with fewer a face jerks, and fewer pixels would be better
# Who shares a screen wants it read; faces come after it.
SOURCE_PRIORITY = {"screen_share": 200}
DEFAULT_PRIORITY = 100
OVERHEAD = 20  # bytes that each packet is longer on the wire: SRTP's tag, transport-wide numbers
AUDIO_PACKETS = 50  # a second
VIDEO_PACKET = 1000  # bytes on average, besides the last one of each frame


def useful_layers(
    layers: Sequence[LayerStatus], settings: TrackSettings, *, source: str = "camera"
) -> tuple[LayerStatus, ...]:
    """Those that are worth choosing from, the cheapest first; the last is what is wanted.

    That is the smallest spatial layer that fills the size in which the track is shown, or the one
    that the subscriber names; of its temporal layers as few as give the frame rate. Below it, none
    that costs as much as a better one.

    Which of two is better is what viewers say: more pixels, and among as many, more frames. Of a
    screen always: text must be read, and hardly moves. Of anything else only while it moves: a
    larger picture below `FLUID_RATE` is left out where the source has more, and the smaller one at
    its full rate takes its place.

    Args:
        layers: All that there are, at least one, in the order of `OperatingPoints`.
        settings: The subscriber's.
        source: Of the track.
    """
    spatial = _spatial(layers, settings)
    may_jerk = (
        source == "screen_share"
        or settings.layer is not None
        or settings.temporal is not None
        or 0 < settings.fps < FLUID_RATE
    )
    rates = {layer.spatial: layer for layer in layers}  # the last one of each has all its frames
    most = {one: _temporal(layers, top, settings) for one, top in rates.items() if one <= spatial}
    useful: list[LayerStatus] = []
    for layer in reversed(layers):
        one = layer.spatial
        if one > spatial or layer.temporal > most[one]:
            continue
        if useful and layer.bitrate >= useful[-1].bitrate:
            continue
        larger = one > layers[0].spatial and layer is not rates[one]
        if not (larger and not may_jerk and 0 < layer.fps < FLUID_RATE):
            useful.append(layer)
    return tuple(useful[::-1]) or (layers[0],)


def _spatial(layers: Sequence[LayerStatus], settings: TrackSettings) -> int:
    """The highest spatial layer that is of use."""
    highest = max(layer.spatial for layer in layers)
    if settings.layer is not None:
        return max(min(highest, settings.layer), layers[0].spatial)
    sizes = {layer.spatial: (layer.width, layer.height) for layer in layers}
    if settings.width or settings.height:
        filling = [size for size in sizes.values() if fills(*size, settings)]
        if filling:
            highest = max(one for one, size in sizes.items() if size == filling[0])
    if settings.fps > 0 and all(sizes[highest]):
        # Of this size there may be several, with fewer frames and more.
        same = [layer for layer in layers if sizes[layer.spatial] == sizes[highest]]
        return next((layer.spatial for layer in same if _gives(layer, settings)), highest)
    return highest


def _temporal(layers: Sequence[LayerStatus], top: LayerStatus, settings: TrackSettings) -> int:
    """The lowest temporal layer with all the frames that are wished for, of the layer of `top`."""
    rates = [layer for layer in layers if layer.spatial == top.spatial]
    lowest, highest = rates[0].temporal, top.temporal
    if settings.temporal is not None:
        return max(min(highest, settings.temporal), lowest)
    if settings.fps > 0:
        if top.fps:
            return next((layer.temporal for layer in rates if _gives(layer, settings)), highest)
        full = FULL_RATE
        while highest > lowest and settings.fps <= full / 2:  # each layer doubles the rate
            full /= 2
            highest -= 1
    return highest


def _gives(layer: LayerStatus, settings: TrackSettings) -> bool:
    return layer.fps >= ENOUGH_RATE * settings.fps


def priority_of(source: str, settings: TrackSettings) -> int:
    """1 to 255: the subscriber's, or what is usual for such a source."""
    return settings.priority or SOURCE_PRIORITY.get(source, DEFAULT_PRIORITY)


def on_the_wire(kind: Kind, bitrate: float, fps: float = 0.0) -> int:
    """Bit/s that a stream takes as the estimate counts it, of the bit/s that came of it."""
    frames = fps or FULL_RATE
    packets = AUDIO_PACKETS if kind == "audio" else frames / 2 + bitrate / 8 / VIDEO_PACKET
    return round(bitrate + 8 * OVERHEAD * packets)
