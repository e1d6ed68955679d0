"""What the server sends: replies to requests, and news."""

from typing import Literal, get_args

from sfu.config import Discreet, IceServer
from signaling.messages.base import (
    DisconnectReason,
    ErrorName,
    Event,
    OfferNumber,
    Reply,
    SubscriptionReason,
    Target,
)
from signaling.messages.media import MediaInfo, Quality, SpeakerInfo, WantedLayer
from signaling.messages.objects import (
    OfferedTrack,
    ParticipantInfo,
    RoomInfo,
    ServerInfo,
    TrackInfo,
)
from signaling.messages.recordings import RecordingInfo, RoomRecordingInfo


class Ok(Reply, frozen=True, kw_only=True):
    """The request was done and there is nothing more to tell."""


class Error(Reply, frozen=True, kw_only=True):
    """The request was refused; `error` is for programs, `message` for people."""

    error: ErrorName
    message: str


class Joined(Discreet, Reply, frozen=True, kw_only=True):
    """You are in the room: everything that there is to know about it now."""

    secrets = frozenset({"resume_secret"})

    participant: ParticipantInfo
    room: RoomInfo
    participants: tuple[ParticipantInfo, ...]
    recordings: tuple[RoomRecordingInfo, ...]
    ice_servers: tuple[IceServer, ...]
    grace_period: float
    server: ServerInfo
    resume_secret: str
    resumed: bool


class TrackAdded(Reply, frozen=True, kw_only=True):
    """The track exists; `cid` is the client's own name for it, repeated."""

    track: TrackInfo
    cid: str


class PublisherAnswer(Reply, frozen=True, kw_only=True):
    """The answer to a `publisher_offer`."""

    sdp: str


class RecordingStarted(Reply, frozen=True, kw_only=True):
    """The recording begins; `recording_changed` tells what comes of it."""

    recording: RecordingInfo


class RecordingList(Reply, frozen=True, kw_only=True):
    """Recordings of the room, the newest first."""

    recordings: tuple[RecordingInfo, ...]


class Pong(Reply, frozen=True, kw_only=True):
    """The server's clock, in Unix seconds."""

    time: float


class ParticipantJoined(Event, frozen=True, kw_only=True):
    """Somebody joined."""

    participant: ParticipantInfo


class ParticipantUpdated(Event, frozen=True, kw_only=True):
    """The description of somebody, perhaps yourself, changed."""

    participant: ParticipantInfo


class ParticipantLeft(Event, frozen=True, kw_only=True):
    """Somebody left; their tracks are gone with them."""

    participant: str
    identity: str
    reason: DisconnectReason


class TrackPublished(Event, frozen=True, kw_only=True):
    """Somebody published a track."""

    participant: str
    track: TrackInfo


class TrackUnpublished(Event, frozen=True, kw_only=True):
    """Somebody ended a track."""

    participant: str
    track: str


class TrackUpdated(Event, frozen=True, kw_only=True):
    """A track, perhaps one of your own, was muted, unmuted or described anew."""

    participant: str
    track: TrackInfo


class SubscriberOffer(Event, frozen=True, kw_only=True):
    """The server offers what to receive; `tracks` maps mid to what the m-line carries."""

    offer: OfferNumber
    sdp: str
    tracks: dict[str, OfferedTrack]


class SubscriptionChanged(Event, frozen=True, kw_only=True):
    """A track that you receive began, paused or failed to flow, and why."""

    track: str
    state: Literal["active", "paused", "failed"]
    reason: SubscriptionReason
    detail: str


class SpeakersChanged(Event, frozen=True, kw_only=True):
    """Who speaks now, the dominant speaker first."""

    speakers: tuple[SpeakerInfo, ...]


class ConnectionQuality(Event, frozen=True, kw_only=True):
    """How good the connection of somebody, perhaps your own, is from now on."""

    participant: str
    quality: Quality
    score: float


class LayersWanted(Event, frozen=True, kw_only=True):
    """Which layers of a track of your own somebody wants."""

    track: str
    layers: tuple[WantedLayer, ...]


class MediaReport(Event, frozen=True, kw_only=True):
    """What you receive and why, once a second for those who watch."""

    status: MediaInfo


class Data(Event, frozen=True, kw_only=True):
    """A message from a participant; from the server itself where `participant` is empty."""

    participant: str
    identity: str
    topic: str
    payload: bytes
    reliable: bool


class MediaState(Event, frozen=True, kw_only=True):
    """One of your two peer connections, as the server sees it."""

    target: Target
    state: Literal["connected", "failed", "closed"]
    reason: str


class RoomUpdated(Event, frozen=True, kw_only=True):
    """The room's description changed."""

    room: RoomInfo


class RecordingChanged(Event, frozen=True, kw_only=True):
    """A recording of the room began, came on or ended."""

    recording: RoomRecordingInfo


class Disconnected(Event, frozen=True, kw_only=True):
    """You are out of the room, and why; the server closes the connection after it."""

    reason: DisconnectReason
    message: str


ServerMessage = (
    Ok
    | Error
    | Joined
    | TrackAdded
    | PublisherAnswer
    | RecordingStarted
    | RecordingList
    | Pong
    | ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUnpublished
    | TrackUpdated
    | SubscriberOffer
    | SubscriptionChanged
    | SpeakersChanged
    | ConnectionQuality
    | LayersWanted
    | MediaReport
    | Data
    | MediaState
    | RoomUpdated
    | RecordingChanged
    | Disconnected
)

SERVER_MESSAGES: tuple[type[Event], ...] = get_args(ServerMessage)

# What a WebSocket is closed with when it was not the client that closed it (RFC 6455 7.4.2: 4000 to
# 4999 are ours). A lost or restarted server gives 1001 or 1006, a message above the bound 1009.
CLOSE_CODES: dict[str, int] = {
    "left": 1000,
    "duplicate_identity": 4001,
    "removed": 4002,
    "room_deleted": 4003,
    "server_shutdown": 4004,
    "media_lost": 4005,
    "signaling_timeout": 4006,
    "resumed_elsewhere": 4007,
    "rate_limited": 4008,
}
