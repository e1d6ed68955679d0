"""What a subscriber's settings for a track mean for its layers."""

from collections.abc import Sequence

from sfu.room.media_settings import TrackSettings, fills
from sfu.room.media_status import LayerStatus

FULL_RATE = 30.0  # frames/s that all temporal layers together are taken to have
# Who shares a screen wants it read; faces come after it.
SOURCE_PRIORITY = {"screen_share": 200}
DEFAULT_PRIORITY = 100


def wanted_layer(layers: Sequence[LayerStatus], settings: TrackSettings) -> int:
    """The index of the highest layer that is of use; `layers` from the cheapest up, at least one.

    The smallest spatial layer that fills the size in which the track is shown, or the one that the
    subscriber names; of its temporal layers as many as give the frame rate.
    """
    spatial = max(layer.spatial for layer in layers)
    if settings.layer is not None:
        spatial = min(spatial, settings.layer)
    elif settings.width or settings.height:
        fitting = [layer.spatial for layer in layers if fills(layer.width, layer.height, settings)]
        spatial = min(fitting, default=spatial)
    temporal = _temporal(layers, settings)
    index = 0
    for position, layer in enumerate(layers):
        if layer.spatial <= spatial and (layer.temporal <= temporal or layer.temporal == 0):
            index = position
    return index


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
