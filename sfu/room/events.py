"""What happens in a room, told to each participant's listener.

    RoomEvent
     ├─ ParticipantJoined, ParticipantUpdated, ParticipantLeft
     ├─ TrackPublished, TrackUnpublished, TrackUpdated
     ├─ SubscriptionChanged, NegotiationNeeded, MediaStateChanged
     ├─ DataReceived, ChannelMessage
     └─ RoomUpdated, Disconnected

Media never travels as events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sfu.room.participant import Participant
    from sfu.room.room import Room
    from sfu.room.track import Track

SubscriptionState = Literal["active", "paused", "failed"]
MediaTarget = Literal["publisher", "subscriber"]
MediaState = Literal["connected", "failed", "closed"]


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
        reason: "", "muted", "codec_unsupported", "unsubscribed" or "limit_reached".
    """

    track: Track
    state: SubscriptionState
    reason: str


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
    | DataReceived
    | ChannelMessage
    | RoomUpdated
    | Disconnected
)
