"""We offer what a subscriber may receive, the peer answers (RFC 8829 5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sfu.config import Config
from sfu.wire.parameters import DtlsRole, Kind, SendParameters, TransportParameters
from sfu.wire.sdp import ExtMap, MediaSection, parse_sdp
from signaling.negotiation import description, peer
from signaling.negotiation.codecs import OFFERED, common_formats
from signaling.negotiation.description import LocalTransport, SendSlot
from signaling.negotiation.extensions import OFFERED_IDS, common_extensions, offered_extensions

_PROTOCOL = "UDP/TLS/RTP/SAVPF"
ANSWER_SECTION_SIZE = 8192  # bytes; offers of ours have 5000 for video
# The answer's setup → the DTLS role that is left for us (RFC 5763 5).
_ROLE: dict[str, DtlsRole] = {"active": "server", "": "server", "passive": "client"}


@dataclass(frozen=True, slots=True)
class OfferSection:
    """One m-line of our offers, at one index for good.

    Attributes:
        mid: Its identification.
        kind: "audio" or "video".
        slot: What we send; None for an inactive line, which another track may take later.
        stopped: Whether the peer rejected it. It keeps its place with port 0 until it is recycled
            under a new mid (RFC 8829 5.2.2).
    """

    mid: str
    kind: Kind
    slot: SendSlot | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class OfferResult:
    """What came of an offer.

    Attributes:
        transport: The peer's end; None when it rejected every m-line.
        send: Mid → what the peer takes; None where it takes nothing: an inactive line, one that
            the peer rejected or does not want, or one without a common codec.
        rejected: Mids of the lines that the peer rejected, and that are now to be `stopped`.
    """

    transport: TransportParameters | None
    send: dict[str, SendParameters | None] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()


def offer(
    sections: Sequence[OfferSection],
    local: LocalTransport,
    *,
    session_id: int,
    session_version: int,
) -> str:
    """Write an offer: all our codecs and header extensions in every m-line, always the same.

    Args:
        sections: The m-lines in order; from offer to offer none may leave or change its place.
        local: Our end of the transport; new credentials make it an ICE restart.
        session_id: Of the `o=` line, the same in all offers of a connection.
        session_version: Of the `o=` line, one more in each.
    """
    living = [each.mid for each in sections if not each.stopped]
    lines = description.session_lines(
        session_id=session_id, session_version=session_version, bundle=living, mixed=True
    )
    for section in sections:
        formats = OFFERED[section.kind]
        lines += description.media_line(
            section.kind,
            0 if section.stopped else 9,
            _PROTOCOL,
            description.payload_types(formats),
            section.mid,
        )
        lines += description.transport_lines(local, setup="actpass", candidates=not section.stopped)
        slot = None if section.stopped else section.slot
        lines += description.rtp_lines(
            direction="inactive" if slot is None else "sendonly",
            formats=formats,
            extensions=offered_extensions(section.kind),
            reduced_size=True,
            mixed=False,
            slot=slot,
        )
    return description.text(lines)


def accept_answer(sdp: str, sections: Sequence[OfferSection], config: Config) -> OfferResult:
    """Read the answer to an offer of these sections.

    An answer is as long as its offer makes it: whatever the bounds in `config`, one to an offer of
    ours is not too long.

    Raises:
        ParseError: The answer is malformed.
        RemoteError: "negotiation_failed" when it does not fit the offer.
    """
    answered = parse_sdp(
        sdp,
        max_size=max(config.max_sdp_size, ANSWER_SECTION_SIZE * len(sections)),
        max_media_sections=max(config.max_media_sections, len(sections)),
    )
    peer.require_full_ice(answered)
    if len(answered.media) != len(sections):
        raise peer.failed("The answer does not have the m-lines of the offer.")
    living: dict[str, MediaSection] = {}
    send: dict[str, SendParameters | None] = {}
    rejected: set[str] = set()
    for offered, section in zip(sections, answered.media, strict=True):
        if section.kind != offered.kind or section.mid not in (offered.mid, ""):
            raise peer.failed("The answer does not have the m-lines of the offer.")
        send[offered.mid] = None
        if section.rejected:
            rejected.add(offered.mid)
        elif offered.stopped:
            raise peer.failed("The answer accepts an m-line that was not offered.")
        else:
            living[offered.mid] = section
            if offered.slot is not None:
                send[offered.mid] = _send_parameters(offered, section)
    if not living:
        return OfferResult(None, send, frozenset(rejected))
    tag = next((mid for mid in answered.bundle or () if mid in living), next(iter(living)))
    tagged = living[tag]
    if tagged.setup not in _ROLE:
        raise peer.failed("The answer takes no role in the handshake (a=setup:active).")
    transport = peer.transport_parameters(tagged, _ROLE[tagged.setup], None)
    return OfferResult(transport, send, frozenset(rejected))


def _send_parameters(offered: OfferSection, section: MediaSection) -> SendParameters | None:
    if not section.rtcp_mux:
        raise peer.failed("The answer does not multiplex RTP and RTCP (a=rtcp-mux).")
    if section.direction not in ("recvonly", "sendrecv"):
        return None
    formats = common_formats(section)
    if not formats:
        return None
    section = replace(section, mid=offered.mid)
    agreed = tuple(each for each in common_extensions(section, offered.kind) if _offered(each))
    return peer.send_parameters(section, offered.kind, formats, agreed)


def _offered(extension: ExtMap) -> bool:
    """RFC 8285 5: an answer cannot bring ids of its own."""
    return OFFERED_IDS.get(extension.uri) == extension.id
