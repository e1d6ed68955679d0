"""What a participant receives now and received lately, and the reason for each choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.room.media_settings import TrackSettings

if TYPE_CHECKING:
    from sfu.room.events import Quality
    from sfu.room.track import Track


@dataclass(frozen=True, slots=True)
class LayerStatus:
    """One operating point of a track.

    Attributes:
        spatial: Spatial layer, 0 the lowest.
        temporal: Highest temporal layer.
        rid: Of the simulcast stream, empty without.
        width: Pixels, 0 while unknown.
        height: Likewise.
        bitrate: Bit/s that it takes, layers below included.
        fps: Frames/s that it has, as measured; 0 while unknown.
    """

    spatial: int
    temporal: int
    rid: str
    width: int
    height: int
    bitrate: int
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """One decision.

    Attributes:
        at: Unix seconds.
        wanted: What it would have got if everything had gone, None for nothing.
        chosen: What was to be sent from then on, None for nothing.
        cause: Stable name: "wanted", "bandwidth", "hidden", "paused", "muted", "not_live",
            "last_n"; before anything is decided, or where nothing can be sent, "negotiating",
            "codec_unsupported", "unsubscribed", "limit_reached".
        reason: In words.
        estimate: Bit/s that were available, None where nobody knew.
    """

    at: float
    wanted: LayerStatus | None
    chosen: LayerStatus | None
    cause: str
    reason: str
    estimate: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What a path took: Unix seconds, and bit/s or None where nobody knew."""

    at: float
    estimate: int | None


@dataclass(frozen=True, slots=True)
class TrackStatus:
    """One subscribed track.

    Attributes:
        track: The track.
        settings: What the subscriber asked for.
        layers: What there is at the moment, the smallest first.
        wanted: What it would get if everything went, None for nothing.
        chosen: What it is to get, None for nothing.
        current: What is being sent: it follows `chosen` at the next occasion.
        cause: See `Change`.
        reason: In words.
        history: Decisions of the last minute, the oldest first: it was in force when that began.
    """

    track: Track
    settings: TrackSettings
    layers: tuple[LayerStatus, ...]
    wanted: LayerStatus | None
    chosen: LayerStatus | None
    current: LayerStatus | None
    cause: str
    reason: str
    history: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class MediaStatus:
    """All that one participant receives.

    Attributes:
        estimate: Bit/s that its path takes, None where nobody knows.
        mode: How that is known: "transport_cc", "remb", "loss", or "none".
        round_trip: Seconds, 0 while unknown.
        loss: 0 to 1.
        queue_delay: Seconds that packets wait on their way.
        sending: Bit/s sent.
        wanted: Bit/s that all wanted layers take.
        quality: Of the connection.
        tracks: What it is subscribed to.
        estimates: Of the last minute, the oldest first, a second or more from each other.
    """

    estimate: int | None
    mode: str
    round_trip: float
    loss: float
    queue_delay: float
    sending: int
    wanted: int
    quality: Quality
    tracks: tuple[TrackStatus, ...]
    estimates: tuple[Sample, ...] = ()
