"""What happens in a room, told to each participant's listener.

    RoomEvent
     ├─ ParticipantJoined, ParticipantUpdated, ParticipantLeft
     ├─ TrackPublished, TrackUnpublished, TrackUpdated
     ├─ SubscriptionChanged, NegotiationNeeded, MediaStateChanged
     ├─ SpeakersChanged, ConnectionQualityChanged, LayersWanted, MediaReport
     ├─ DataReceived, ChannelMessage
     └─ RoomUpdated, RecordingChanged, Disconnected

Media never travels as events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sfu.room.media_status import MediaStatus
    from sfu.room.participant import Participant
    from sfu.room.room import Room
    from sfu.room.track import Track

SubscriptionState = Literal["active", "paused", "failed"]
MediaTarget = Literal["publisher", "subscriber"]
MediaState = Literal["connected", "failed", "closed"]
Quality = Literal["excellent", "good", "poor", "lost"]


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Someone else came in."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantUpdated:
    """Name, metadata, attributes or permissions of someone, perhaps oneself, changed."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Someone else is gone; `reason` is one of the disconnect reasons."""

    participant: Participant
    reason: str


@dataclass(frozen=True, slots=True)
class TrackPublished:
    """Someone else announced a track; media may follow later."""

    participant: Participant
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUnpublished:
    """A track of someone else ended."""

    participant: Participant
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUpdated:
    """Mute state, size or codec of a track, perhaps one's own, changed."""

    participant: Participant
    track: Track


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """Whether and why a subscribed track flows.

    Attributes:
        track: The track.
        state: "active", "paused" or "failed".
        reason: "", "muted", "codec_unsupported", "unsubscribed", "limit_reached", "bandwidth",
            "hidden", "paused", "last_n" or "not_live".
        detail: The same for people, with figures where there are some.
    """

    track: Track
    state: SubscriptionState
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NegotiationNeeded:
    """What the participant receives has changed: it needs an offer. Changes are coalesced."""


@dataclass(frozen=True, slots=True)
class MediaStateChanged:
    """A transport of the participant connected, failed or closed.

    Attributes:
        target: Which of its two transports.
        state: "connected", "failed" or "closed".
        reason: Empty, or why in a few words.
    """

    target: MediaTarget
    state: MediaState
    reason: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """Someone who speaks; `level` is 0 to 1, the loudest is 1."""

    participant: Participant
    level: float


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """Who speaks now, the dominant speaker first; nobody when it is empty."""

    speakers: tuple[Speaker, ...]


@dataclass(frozen=True, slots=True)
class ConnectionQualityChanged:
    """How good someone's connection is; `score` is a mean opinion score, 1 to 5."""

    participant: Participant
    quality: Quality
    score: float


@dataclass(frozen=True, slots=True)
class LayerWanted:
    """Whether anybody wants an encoding.

    Attributes:
        rid: Of the simulcast layer, empty where there is only one.
        active: Whether it is wanted at all.
        spatial: The highest of its spatial layers that is; None for all, or where it has but one.
    """

    rid: str
    active: bool
    spatial: int | None = None


@dataclass(frozen=True, slots=True)
class LayersWanted:
    """Told to a track's publisher: what nobody wants need not be encoded."""

    track: Track
    layers: tuple[LayerWanted, ...]


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What the participant gets and why; told once a second to those who watch."""

    status: MediaStatus


@dataclass(frozen=True, slots=True)
class DataReceived:
    """A data message; `sender` is None for one of the server itself or of someone hidden."""

    sender: Participant | None
    payload: bytes
    topic: str
    reliable: bool


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """Text that the participant itself sent over one of its data channels.

    Attributes:
        text: The message, undecoded.
        reliable: Whether it came on the reliable channel.
    """

    text: str
    reliable: bool


@dataclass(frozen=True, slots=True)
class RoomUpdated:
    """The room's own data changed."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomRecording:
    """What everyone in a room may know of a recording of it.

    Attributes:
        id: "RC_…".
        mode: "tracks" or "composite".
        state: "starting", "active", "finishing", "complete" or "failed".
        started_by: Identity of who started it, empty for the server itself.
        started_at: Unix seconds.
        error: What went wrong, in words; empty when all is well.
    """

    id: str
    mode: str
    state: str
    started_by: str
    started_at: float
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more is recorded, nor written."""
        return self.state in ("complete", "failed")


@dataclass(frozen=True, slots=True)
class RecordingChanged:
    """A recording of the room began, came on or ended; told to everyone in it."""

    recording: RoomRecording


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The participant itself is out of the room; nothing follows.

    Attributes:
        reason: "duplicate_identity", "removed", "room_deleted", "server_shutdown", "left",
            "media_lost" or "signaling_timeout".
    """

    reason: str


RoomEvent = (
    ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUnpublished
    | TrackUpdated
    | SubscriptionChanged
    | NegotiationNeeded
    | MediaStateChanged
    | SpeakersChanged
    | ConnectionQualityChanged
    | LayersWanted
    | MediaReport
    | DataReceived
    | ChannelMessage
    | RoomUpdated
    | RecordingChanged
    | Disconnected
)
