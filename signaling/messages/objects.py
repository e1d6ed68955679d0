"""The objects that messages carry: rooms, those who are in them, and what they publish."""

from signaling.messages.base import Kind, Pixels, Shared, Source


class PermissionsInfo(Shared, frozen=True, kw_only=True):
    """What a participant may do; `can_publish_sources` is null where any source may be used."""

    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool
    can_publish_sources: tuple[Source, ...] | None
    can_update_own_metadata: bool
    hidden: bool
    recorder: bool
    can_record: bool


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
