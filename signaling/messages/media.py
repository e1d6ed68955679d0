"""The objects that tell of the quality of media: layers, what was wanted of them, and why not."""

from typing import Annotated, Literal

from msgspec import Meta

from signaling.messages.base import Kind, Pixels, Shared, Source

Rid = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{0,32}$")]  # RFC 8851 10, or none
Bitrate = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # bit/s
FrameRate = Annotated[float, Meta(ge=0, le=1000)]
Priority = Annotated[int, Meta(ge=0, le=255)]
LayerIndex = Annotated[int, Meta(ge=0, le=7)]  # VP9 and AV1 have 3 bits for each kind

Quality = Literal["excellent", "good", "poor", "lost"]
EstimateMode = Literal["transport_cc", "remb", "loss", "none"]
Cause = Literal[
    "wanted",
    "bandwidth",
    "hidden",
    "paused",
    "muted",
    "not_live",
    "last_n",
    "negotiating",
    "codec_unsupported",
    "unsubscribed",
    "limit_reached",
]


class AnnouncedLayer(Shared, frozen=True, kw_only=True):
    """A layer that a track will have: pixels and bit/s at most, 0 where they are unknown."""

    rid: Rid = ""
    width: Pixels = 0
    height: Pixels = 0
    bitrate: Bitrate = 0


AnnouncedLayers = Annotated[tuple[AnnouncedLayer, ...], Meta(max_length=3)]  # as many as we take


class SpeakerInfo(Shared, frozen=True, kw_only=True):
    """Who speaks, as a sid, and how loudly, 0 to 1."""

    participant: str
    level: float


class WantedLayer(Shared, frozen=True, kw_only=True):
    """Whether somebody wants a layer; `rid` is empty where there is only one.

    `spatial` is the highest spatial layer of use of what has several in one stream, null for all.
    """

    rid: str
    active: bool
    spatial: LayerIndex | None = None


class LayerInfo(Shared, frozen=True, kw_only=True):
    """What can be received of a track: a spatial layer at a temporal one, and those below."""

    spatial: int
    temporal: int
    rid: str
    width: int
    height: int
    bitrate: Bitrate
    fps: float


class SettingsInfo(Shared, frozen=True, kw_only=True):
    """What a participant asked for by `track_settings`."""

    visible: bool
    width: Pixels
    height: Pixels
    fps: float
    priority: Priority
    layer: LayerIndex | None
    temporal: LayerIndex | None
    paused: bool


class ChoiceInfo(Shared, frozen=True, kw_only=True):
    """A decision: `at` in Unix seconds; null is for no layer, or an estimate nobody knew."""

    at: float
    wanted: LayerInfo | None
    chosen: LayerInfo | None
    cause: Cause
    reason: str
    estimate: Bitrate | None


class ReceivedTrackInfo(Shared, frozen=True, kw_only=True):
    """What a participant gets of one track, what it could get, and why."""

    track: str
    participant: str
    identity: str
    kind: Kind
    source: Source
    settings: SettingsInfo
    layers: tuple[LayerInfo, ...]
    wanted: LayerInfo | None
    chosen: LayerInfo | None
    current: LayerInfo | None
    cause: Cause
    reason: str
    history: tuple[ChoiceInfo, ...]


class EstimateInfo(Shared, frozen=True, kw_only=True):
    """What a path took: `at` in Unix seconds, null where nobody knew."""

    at: float
    estimate: Bitrate | None


class MediaInfo(Shared, frozen=True, kw_only=True):
    """All that a participant receives, and what its path takes."""

    estimate: Bitrate | None
    mode: EstimateMode
    round_trip: float
    loss: float
    queue_delay: float
    sending: Bitrate
    wanted: Bitrate
    quality: Quality
    tracks: tuple[ReceivedTrackInfo, ...]
    estimates: tuple[EstimateInfo, ...]
