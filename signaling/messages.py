"""Every message of the signaling protocol, as a type; PROTOCOL.md tells what they are for.

A message is a JSON object whose `type` is the name of its class in snake_case. Fields that we do
not know are ignored, so that a newer client can talk to an older server.
"""

import re
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sfu.config import Discreet, IceServer
from sfu.errors import ParseError, RemoteError

PROTOCOL_VERSION = 1

Kind = Literal["audio", "video"]
Source = Literal["camera", "microphone", "screen_share", "screen_share_audio", "unknown"]
Target = Literal["publisher", "subscriber"]

RequestId = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # the integers that JavaScript has exactly
OfferNumber = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Pixels = Annotated[int, Meta(ge=0, le=65535)]

ErrorName = Literal[
    "already_joined",
    "bad_request",
    "codec_unsupported",
    "conflict",
    "internal_error",
    "limit_reached",
    "malformed",
    "negotiation_failed",
    "not_allowed",
    "not_joined",
    "participant_not_found",
    "rate_limited",
    "resume_failed",
    "room_full",
    "room_not_found",
    "server_full",
    "server_shutdown",
    "too_large",
    "too_many_tracks",
    "track_not_found",
    "unauthorized",
]
ERROR_NAMES: tuple[str, ...] = get_args(ErrorName)

DisconnectReason = Literal[
    "duplicate_identity",
    "removed",
    "room_deleted",
    "server_shutdown",
    "left",
    "media_lost",
    "signaling_timeout",
]
DISCONNECT_REASONS: tuple[str, ...] = get_args(DisconnectReason)

SubscriptionReason = Literal["", "muted", "codec_unsupported", "unsubscribed", "limit_reached"]
SUBSCRIPTION_REASONS: tuple[str, ...] = get_args(SubscriptionReason)


def snake_case(name: str) -> str:
    """`TrackAdded` → `track_added`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Shared(Struct, frozen=True, kw_only=True):
    """Base of the objects that messages carry."""


class PermissionsInfo(Shared, frozen=True, kw_only=True):
    """What a participant may do; `can_publish_sources` is null where any source may be used."""

    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool
    can_publish_sources: tuple[Source, ...] | None
    can_update_own_metadata: bool
    hidden: bool
    recorder: bool


class TrackInfo(Shared, frozen=True, kw_only=True):
    """A published track.

    `width` and `height` are 0 where they are unknown, `mime_type` is empty until media flows.
    """

    sid: str
    kind: Kind
    source: Source
    name: str
    muted: bool
    width: Pixels
    height: Pixels
    mime_type: str


class ParticipantInfo(Shared, frozen=True, kw_only=True):
    """A participant with its published tracks; `joined_at` is in Unix seconds."""

    sid: str
    identity: str
    name: str
    metadata: str
    attributes: dict[str, str]
    permissions: PermissionsInfo
    joined_at: float
    tracks: tuple[TrackInfo, ...]


class RoomInfo(Shared, frozen=True, kw_only=True):
    """A room; `created_at` is in Unix seconds, `num_participants` leaves hidden ones out."""

    sid: str
    name: str
    metadata: str
    created_at: float
    num_participants: int


class ServerInfo(Shared, frozen=True, kw_only=True):
    """The server's own description."""

    version: str


class CandidateInit(Shared, frozen=True, kw_only=True, rename="camel"):
    """An ICE candidate as browsers write it (W3C RTCIceCandidateInit)."""

    candidate: str = ""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None


class OfferedTrack(Shared, frozen=True, kw_only=True):
    """Which track of which participant one m-line of a subscriber offer carries, as sids."""

    participant: str
    track: str


class Request(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """Base of what a client sends; the reply repeats `id` where it is given."""

    id: RequestId | UnsetType = UNSET


class Join(Discreet, Request, frozen=True, kw_only=True):
    """Enter a room as a new participant; answered by `joined`."""

    secrets = frozenset({"token"})

    token: str = ""
    room: str = ""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = {}
    auto_subscribe: bool = True
    version: int = PROTOCOL_VERSION


class Resume(Discreet, Request, frozen=True, kw_only=True):
    """Go on as the participant that one was before the WebSocket was lost; answered by `joined`."""

    secrets = frozenset({"secret", "token"})

    sid: str
    secret: str
    token: str = ""


class AddTrack(Request, frozen=True, kw_only=True):
    """Announce a track before the offer that carries it; answered by `track_added`."""

    kind: Kind
    source: Source = "unknown"
    name: str = ""
    width: Pixels = 0
    height: Pixels = 0
    muted: bool = False
    cid: str = ""


class RemoveTrack(Request, frozen=True, kw_only=True):
    """End a track of one's own."""

    track: str


class PublisherOffer(Request, frozen=True, kw_only=True):
    """Offer to send media; `tracks` maps mid to track sid; answered by `publisher_answer`."""

    sdp: str
    tracks: dict[str, str] = {}


class SubscriberAnswer(Request, frozen=True, kw_only=True):
    """Answer the `subscriber_offer` with the same number."""

    offer: OfferNumber
    sdp: str


class Trickle(Request, frozen=True, kw_only=True):
    """Tell an ICE candidate, or null for the last; accepted and not needed."""

    target: Target
    candidate: CandidateInit | None = None


class RestartIce(Request, frozen=True, kw_only=True):
    """Ask for new ICE credentials of the subscriber connection; a `subscriber_offer` follows."""

    target: Literal["subscriber"] = "subscriber"


class Mute(Request, frozen=True, kw_only=True):
    """Mute or unmute a track of one's own."""

    track: str
    muted: bool


class Subscribe(Request, frozen=True, kw_only=True):
    """Receive these tracks."""

    tracks: list[str]


class Unsubscribe(Request, frozen=True, kw_only=True):
    """Receive these tracks no more."""

    tracks: list[str]


class UpdateSelf(Request, frozen=True, kw_only=True):
    """Change one's own description; attributes are merged, an empty value deletes one."""

    name: str | None = None
    metadata: str | None = None
    attributes: dict[str, str] | None = None


class SendData(Request, frozen=True, kw_only=True):
    """Send a message to these identities, to everyone where there are none."""

    payload: bytes
    topic: str = ""
    destinations: list[str] = []
    reliable: bool = True


class Leave(Request, frozen=True, kw_only=True):
    """Leave the room for good; the server closes the connection after its reply."""


class Ping(Request, frozen=True, kw_only=True):
    """Measure the way; answered by `pong`."""


ClientMessage = (
    Join
    | Resume
    | AddTrack
    | RemoveTrack
    | PublisherOffer
    | SubscriberAnswer
    | Trickle
    | RestartIce
    | Mute
    | Subscribe
    | Unsubscribe
    | UpdateSelf
    | SendData
    | Leave
    | Ping
)


class Event(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """Base of what the server sends."""


class Reply(Event, frozen=True, kw_only=True):
    """Base of what answers a request; `id` is the request's, left out where it had none."""

    id: RequestId | UnsetType = UNSET


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
    | Pong
    | ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUnpublished
    | TrackUpdated
    | SubscriberOffer
    | SubscriptionChanged
    | Data
    | MediaState
    | RoomUpdated
    | Disconnected
)

CLIENT_MESSAGES: tuple[type[Request], ...] = get_args(ClientMessage)
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

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


class _Head(Struct):
    """As much of a bad request as a reply to it needs."""

    id: RequestId | UnsetType = UNSET


_head_decoder = msgspec.json.Decoder(_Head)


def decode(text: str | bytes) -> ClientMessage:
    """Read what a client sent.

    Raises:
        ParseError: It is not JSON ("malformed").
        RemoteError: It is JSON and not a message that we know ("bad_request").
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise RemoteError(f"Not a message of this protocol: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ParseError(f"Not JSON: {error}.") from None


def request_id(text: str | bytes) -> int | UnsetType:
    """The `id` of a message that `decode` refused, as far as it can be read."""
    try:
        return _head_decoder.decode(text).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UNSET


def encode(message: Request | Event) -> str:
    """Write a message as JSON text."""
    return _encoder.encode(message).decode()
