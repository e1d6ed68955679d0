"""What session descriptions say, as values, and how the tester reads those of servers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sfu.errors import ParseError
from sfu.transport.address import Address
from sfu.wire.parameters import DtlsRole, Fingerprint, IceParameters
from sfu.wire.sdp import Direction, MediaSection, SessionDescription, parse_sdp

CODECS = ("vp8", "h264", "opus")
MAX_SIZE = 1 << 20  # bytes of a description; one of 500 m-lines
MAX_MEDIA_SECTIONS = 1024
MAX_CANDIDATES = 8  # addresses that are tried; load goes to servers that are near

_SETUP: dict[str, DtlsRole] = {"active": "server", "passive": "client", "actpass": "client"}


class DescriptionError(Exception):
    """The server's description cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """What a description says about our transport."""

    ice: IceParameters
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class RemoteEnd:
    """What the server's description says about its transport.

    Attributes:
        role: The DTLS role that is left for us.
        lite: Whether it sends no checks of its own.
    """

    ice: IceParameters
    fingerprints: tuple[Fingerprint, ...]
    addresses: tuple[Address, ...]
    role: DtlsRole
    lite: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One m-line that we offer.

    Attributes:
        codecs: Of those in `CODECS`, all of one kind.
        ssrc: Of what we send; 0 on lines that receive, and with simulcast.
        rtx_ssrc: Of its retransmissions; 0 without.
        rids: Of the simulcast encodings, the smallest first.
    """

    mid: str
    direction: Direction
    codecs: tuple[str, ...]
    ssrc: int = 0
    rtx_ssrc: int = 0
    rids: tuple[str, ...] = ()
    cname: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """What a payload type means: a codec, or the retransmission of another payload type."""

    codec: str
    clock_rate: int
    retransmits: int | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both descriptions together say about one m-line.

    Attributes:
        payload_types: Codec → payload type.
        rtx: Payload type → that of its retransmissions.
        extensions: URI → id.
        rids: Encodings that the server takes; empty for one stream without rid.
        ssrcs: Of what the server sends, as far as it tells.
        rtx_ssrcs: Retransmission SSRC → the SSRC that it repairs, of these.
    """

    mid: str
    kind: str
    direction: Direction
    payload_types: Mapping[str, int]
    rtx: Mapping[int, int]
    extensions: Mapping[str, int]
    rids: tuple[str, ...]
    ssrcs: tuple[int, ...] = ()
    rtx_ssrcs: Mapping[int, int] = field(default_factory=dict)


def kind(codec: str) -> str:
    """Whether a codec is for "audio" or for "video"."""
    return "audio" if codec == "opus" else "video"


def read(text: str) -> SessionDescription:
    """Parse the server's description.

    Raises:
        DescriptionError: When it is none.
    """
    try:
        return parse_sdp(text, max_size=MAX_SIZE, max_media_sections=MAX_MEDIA_SECTIONS)
    except ParseError as error:
        raise DescriptionError(f"The server's description is malformed: {error.message}") from error


def remote_end(described: SessionDescription, text: str) -> RemoteEnd:
    """The server's transport, of its first living m-line.

    Args:
        described: The description, parsed.
        text: The same, for the candidates.

    Raises:
        DescriptionError: Without credentials, fingerprint or a UDP candidate.
    """
    section = next((each for each in described.media if not each.rejected), None)
    if section is None:
        raise DescriptionError("The server rejected all media of the offer.")
    if section.ice is None or not section.fingerprints:
        raise DescriptionError("The server's description lacks ICE credentials or a fingerprint.")
    addresses = tuple(dict.fromkeys(_addresses(text)))[:MAX_CANDIDATES]
    if not addresses:
        raise DescriptionError("The server's description has no UDP candidate.")
    role = _SETUP.get(section.setup, "client")
    return RemoteEnd(section.ice, section.fingerprints, addresses, role, described.ice_lite)


def agreed(described: SessionDescription) -> list[Agreed]:
    """What the server's answer or offer says about each living audio or video line."""
    return [
        agreed_line(section)
        for section in described.media
        if not section.rejected and section.kind in ("audio", "video")
    ]


def formats(lines: Iterable[Agreed]) -> dict[int, Format]:
    """Payload type → meaning; BUNDLE makes it one for all lines."""
    table: dict[int, Format] = {}
    for line in lines:
        for codec, payload_type in line.payload_types.items():
            rate = 48000 if codec == "opus" else 90000
            table[payload_type] = Format(codec, rate)
            if payload_type in line.rtx:
                table[line.rtx[payload_type]] = Format(codec, rate, payload_type)
    return table


def agreed_line(section: MediaSection) -> Agreed:
    """What one audio or video line says."""
    payload_types: dict[str, int] = {}
    rtx: dict[int, int] = {}
    for text in section.formats:
        rtp_map = section.rtp_maps.get(int(text)) if text.isdigit() else None
        if rtp_map is None:
            continue
        parameters = section.parameters.get(int(text), {})
        name = rtp_map.name.lower()
        if name == "rtx" and parameters.get("apt", "").isdigit():
            rtx[int(parameters["apt"])] = int(text)
        elif name in CODECS and (name != "h264" or _plays(parameters)):
            payload_types.setdefault(name, int(text))
    return Agreed(
        mid=section.mid,
        kind=section.kind,
        direction=section.direction,
        payload_types=payload_types,
        rtx=rtx,
        extensions={each.uri: each.id for each in section.extensions},
        rids=tuple(rid.id for rid in section.rids if rid.direction == "recv"),
        ssrcs=tuple(section.sources),
        rtx_ssrcs={
            group.ssrcs[1]: group.ssrcs[0]
            for group in section.ssrc_groups
            if group.semantics == "FID" and len(group.ssrcs) == 2
        },
    )


def _plays(parameters: Mapping[str, str]) -> bool:
    """Whether a variant of H.264 is the one that clips are in: (constrained) baseline, mode 1."""
    profile = parameters.get("profile-level-id", "42e01f").lower()
    return parameters.get("packetization-mode") == "1" and profile.startswith("42")


def _addresses(text: str) -> Iterable[Address]:
    for line in text.splitlines():
        if not line.startswith("a=candidate:"):
            continue
        fields = line.removeprefix("a=candidate:").split()
        if len(fields) < 8 or fields[1] != "1" or fields[2].lower() != "udp":
            continue
        # mDNS names are for browsers at home, and a link-local address needs the name of the link.
        if fields[4].endswith(".local") or fields[4].startswith("fe80:") or not fields[5].isdigit():
            continue
        yield Address(fields[4], int(fields[5]))
