"""Session descriptions of the tester: what it offers, how it answers, what it reads in others'."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sfu.errors import ParseError
from sfu.transport.address import Address
from sfu.wire.parameters import DtlsRole, Extension, Fingerprint, IceParameters
from sfu.wire.sdp import Direction, MediaSection, SessionDescription, parse_sdp

CODECS = ("vp8", "h264", "opus")
MAX_SIZE = 1 << 20  # bytes of a description; one of 500 m-lines
MAX_MEDIA_SECTIONS = 1024
MAX_CANDIDATES = 8  # addresses that are tried; load goes to servers that are near

_PAYLOAD_TYPES = {"opus": 111, "vp8": 96, "h264": 102}
_RTX = {"vp8": 97, "h264": 103}
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_ENCODINGS = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000"}
_PARAMETERS = {"opus": "minptime=10;useinbandfec=1", "h264": _H264}
_MID_ID, _RID_ID = 4, 10
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


def offer(lines: Iterable[Line], local: LocalEnd) -> str:
    """Write an offer."""
    lines = tuple(lines)
    text = _session(local, [line.mid for line in lines], "actpass")
    for line in lines:
        formats: list[int] = []
        for codec in line.codecs:
            formats += [_PAYLOAD_TYPES[codec], *_rtx_of(codec)]
        text += _media(kind(line.codecs[0]), formats, line.mid, line.direction)
        for codec in line.codecs:
            text += _format(codec, _PAYLOAD_TYPES[codec], _RTX.get(codec))
        text += _sources(line)
    return _joined(text)


def answer(described: SessionDescription, local: LocalEnd) -> str:
    """Answer an offer of the server: receive all that it sends in codecs that we know."""
    living = [section for section in described.media if not section.rejected]
    text = _session(local, [section.mid for section in living], "active")
    for section in described.media:
        if section.kind == "application":
            text += [f"m=application 0 {section.protocol} {' '.join(section.formats)}"]
            text += ["c=IN IP4 0.0.0.0", f"a=mid:{section.mid}", "a=inactive"]
            continue
        told = _agreed(section)
        sends = section.direction in ("sendonly", "sendrecv") and bool(told.payload_types)
        formats = []
        for payload_type in told.payload_types.values():
            formats.append(payload_type)
            if payload_type in told.rtx:
                formats.append(told.rtx[payload_type])
        if not formats:
            formats = [int(each) for each in section.formats if each.isdigit()][:1]
        text += _media(section.kind, formats, section.mid, "recvonly" if sends else "inactive")
        if section.rejected:
            text[-_MEDIA_LINES] = text[-_MEDIA_LINES].replace(" 9 ", " 0 ", 1)
        for codec, payload_type in told.payload_types.items():
            text += _format(codec, payload_type, told.rtx.get(payload_type))
    return _joined(text)


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
        _agreed(section)
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


def _agreed(section: MediaSection) -> Agreed:
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


def _session(local: LocalEnd, mids: Sequence[str], setup: str) -> list[str]:
    return [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
        f"a=ice-ufrag:{local.ice.username_fragment}",
        f"a=ice-pwd:{local.ice.password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        f"a=setup:{setup}",
    ]


_MEDIA_LINES = 6


def _media(kind: str, formats: Sequence[int], mid: str, direction: str) -> list[str]:
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]


def _rtx_of(codec: str) -> list[int]:
    return [_RTX[codec]] if codec in _RTX else []


def _format(codec: str, payload_type: int, rtx: int | None) -> list[str]:
    lines = [f"a=rtpmap:{payload_type} {_ENCODINGS[codec]}"]
    if codec in _PARAMETERS:
        lines.append(f"a=fmtp:{payload_type} {_PARAMETERS[codec]}")
    if kind(codec) == "video":
        lines += [f"a=rtcp-fb:{payload_type} {each}" for each in ("nack", "nack pli", "ccm fir")]
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={payload_type}"]
    return lines


def _sources(line: Line) -> list[str]:
    if line.direction != "sendonly":
        return []
    lines = [f"a=msid:{line.cname or '-'} {line.cname}-{line.mid}"]
    if line.rids:
        lines += [f"a=extmap:{_MID_ID} {Extension.MID}", f"a=extmap:{_RID_ID} {Extension.RID}"]
        lines += [f"a=rid:{rid} send" for rid in line.rids]
        return [*lines, f"a=simulcast:send {';'.join(line.rids)}"]
    if line.rtx_ssrc:
        lines.append(f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}")
    ssrcs = [line.ssrc, line.rtx_ssrc] if line.rtx_ssrc else [line.ssrc]
    return lines + [f"a=ssrc:{ssrc} cname:{line.cname}" for ssrc in ssrcs]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
