"""Session descriptions (RFC 8866, RFC 8829) as values, typed as far as negotiation reads them."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from sfu.wire.parameters import Fingerprint, IceParameters

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True, slots=True)
class RtpMap:
    """One `a=rtpmap`: encoding name as written, clock rate in Hz, audio channels (1 if untold)."""

    name: str
    clock_rate: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class ExtMap:
    """One `a=extmap` (RFC 8285 8): local id, URI, and the direction from the writer's side."""

    id: int
    uri: str
    direction: Direction = "sendrecv"


@dataclass(frozen=True, slots=True)
class Rid:
    """One `a=rid` (RFC 8851): a restricted stream of a simulcast, from the writer's side.

    Attributes:
        id: As in `a=simulcast` and in header extensions.
        direction: "send" or "recv".
        restrictions: (name, value), such as ("max-width", "640"), as they stand in the text.
    """

    id: str
    direction: Literal["send", "recv"]
    restrictions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    """One `a=ssrc-group` (RFC 5576 4.2): semantics such as "FID" or "SIM", and its SSRCs."""

    semantics: str
    ssrcs: tuple[int, ...]


@dataclass(slots=True)
class MediaSection:
    """One m-section, with what the session level says for it; read-only once parsed.

    Attributes:
        kind: "audio", "video", "application" or whatever else stands in the m-line.
        port: Port of the m-line; 0 means rejected, unless `bundle_only`.
        protocol: For example "UDP/TLS/RTP/SAVPF".
        formats: The m-line's formats: payload types, or "webrtc-datachannel".
        mid: Identification; "" when there is none.
        direction: From the writer's side.
        ice: Credentials; None unless both halves are there.
        fingerprints: Those of the section, else those of the session.
        setup: `a=setup` role; "" when there is none.
        rtp_maps: Payload type → encoding.
        parameters: Payload type → format parameters, names in lower case; a bare word has value "".
        sources: SSRC → its attributes (RFC 5576), in the order of the text.
        simulcast: The streams in the `send` half of `a=simulcast`, in order; each is the RIDs of
            its alternatives, the preferred one first (RFC 8853 5.1).
        sctp_port: None when there is none.
        max_message_size: Bytes, 0 for any; the default is RFC 8841's.
        feedback_lines: Payload type or "*" → RTCP feedback; `feedback` puts them together.
        direction_told: Whether the section itself has a direction.
    """

    kind: str
    port: int = 9
    protocol: str = ""
    formats: tuple[str, ...] = ()
    mid: str = ""
    direction: Direction = "sendrecv"
    username_fragment: str = ""
    password: str = field(default="", repr=False)
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str = ""
    rtcp_mux: bool = False
    rtcp_reduced_size: bool = False
    bundle_only: bool = False
    extmap_allow_mixed: bool = False
    rtp_maps: dict[int, RtpMap] = field(default_factory=dict)
    parameters: dict[int, dict[str, str]] = field(default_factory=dict)
    extensions: tuple[ExtMap, ...] = ()
    sources: dict[int, dict[str, str]] = field(default_factory=dict)
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    rids: tuple[Rid, ...] = ()
    simulcast: tuple[tuple[str, ...], ...] = ()
    sctp_port: int | None = None
    max_message_size: int = 65536
    feedback_lines: dict[str, set[str]] = field(default_factory=dict)
    direction_told: bool = False

    @property
    def ice(self) -> IceParameters | None:
        """ICE credentials, when both halves are there."""
        if self.username_fragment and self.password:
            return IceParameters(self.username_fragment, self.password)
        return None

    @property
    def rejected(self) -> bool:
        """Whether the m-line is off (RFC 9143 6: port 0 with bundle-only is not)."""
        return self.port == 0 and not self.bundle_only

    def feedback(self, payload_type: int) -> set[str]:
        """RTCP feedback of one payload type, wildcard lines included, as "nack pli"."""
        wildcard = self.feedback_lines.get("*", set())
        return wildcard | self.feedback_lines.get(str(payload_type), set())

    def inherit(self, session: "MediaSection") -> None:
        """Take over what only the session level says."""
        if not self.username_fragment and not self.password:
            self.username_fragment, self.password = session.username_fragment, session.password
        self.fingerprints = self.fingerprints or session.fingerprints
        self.setup = self.setup or session.setup
        self.extensions = self.extensions or session.extensions
        self.extmap_allow_mixed |= session.extmap_allow_mixed
        if not self.direction_told:
            self.direction = session.direction


@dataclass(slots=True)
class SessionDescription:
    """A whole description; read-only once parsed.

    Attributes:
        version: Version of the `o=` line, 0 when it is not a number.
        media: The m-sections in order.
        bundle: Mids of the first BUNDLE group; None when there is no such group.
        ice_lite: Whether the writer is an ICE-lite agent.
        mixed: Whether extmap-allow-mixed stands at session level.
    """

    media: tuple[MediaSection, ...] = ()
    version: int = 0
    bundle: tuple[str, ...] | None = None
    ice_lite: bool = False
    mixed: bool = False
