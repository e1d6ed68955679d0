"""What clients send."""

from typing import Literal, get_args

from msgspec import field

from recorder.values import RecordingRequest
from sfu.config import Discreet
from signaling.messages.base import (
    PROTOCOL_VERSION,
    Kind,
    OfferNumber,
    Pixels,
    Request,
    Source,
    Target,
)
from signaling.messages.media import AnnouncedLayers, FrameRate, LayerIndex, Priority
from signaling.messages.objects import CandidateInit


class Join(Discreet, Request, frozen=True, kw_only=True):
    """Enter a room as a new participant; answered by `joined`."""

    secrets = frozenset({"token"})

    token: str = ""
    room: str = ""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
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
    layers: AnnouncedLayers = ()
    cid: str = ""


class RemoveTrack(Request, frozen=True, kw_only=True):
    """End a track of one's own."""

    track: str


class PublisherOffer(Request, frozen=True, kw_only=True):
    """Offer to send media; `tracks` maps mid to track sid; answered by `publisher_answer`."""

    sdp: str
    tracks: dict[str, str] = field(default_factory=dict)


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


class TrackSettings(Request, frozen=True, kw_only=True):
    """How a track that one receives is shown; takes the place of what was said of it before."""

    track: str
    visible: bool = True
    width: Pixels = 0
    height: Pixels = 0
    fps: FrameRate = 0.0
    priority: Priority = 0
    layer: LayerIndex | None = None
    temporal: LayerIndex | None = None
    paused: bool = False


class WatchMedia(Request, frozen=True, kw_only=True):
    """Be told of `media_report`, or no more."""

    enabled: bool = True


class UpdateSelf(Request, frozen=True, kw_only=True):
    """Change one's own description; attributes are merged, an empty value deletes one."""

    name: str | None = None
    metadata: str | None = None
    attributes: dict[str, str] | None = None


class SendData(Request, frozen=True, kw_only=True):
    """Send a message to these identities, to everyone where there are none."""

    payload: bytes
    topic: str = ""
    destinations: list[str] = field(default_factory=list)
    reliable: bool = True


class StartRecording(Request, frozen=True, kw_only=True):
    """Record the room; answered by `recording_started`."""

    options: RecordingRequest = RecordingRequest()


class StopRecording(Request, frozen=True, kw_only=True):
    """End a recording of the room."""

    recording: str


class ListRecordings(Request, frozen=True, kw_only=True):
    """Ask for the recordings of the room; answered by `recording_list`."""


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
    | TrackSettings
    | WatchMedia
    | UpdateSelf
    | SendData
    | StartRecording
    | StopRecording
    | ListRecordings
    | Leave
    | Ping
)

CLIENT_MESSAGES: tuple[type[Request], ...] = get_args(ClientMessage)
