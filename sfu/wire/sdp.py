"""Session descriptions (RFC 8866, RFC 8829) as values: text in, typed m-sections out.

The parser keeps what negotiation needs and skips the attributes that it does not know. What stands
at session level and counts for every m-section (ICE, DTLS, direction, header extensions) is handed
down, so that a reader asks the section alone. Work is linear in the text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from sfu.errors import ParseError
from sfu.wire.parameters import Fingerprint, IceParameters

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

MAX_SIZE = 524_288  # characters; a hundred m-sections of a browser are a third of it
MAX_MEDIA_SECTIONS = 256
MAX_SOURCES = 64  # of one m-section; simulcast with retransmission needs six
MAX_FORMATS = 256  # of one m-line; there are 128 payload types
MAX_EXTENSIONS = 256  # of one m-section
MAX_FEEDBACK = 32  # kinds of RTCP feedback of one payload type
MAX_FINGERPRINTS = 16

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")  # RFC 8866 9: token; the bound is ours
_PROTOCOL = re.compile(r"[0-9A-Za-z/\-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,10}")
# RFC 8839 5.4 has letters, digits, "+" and "/"; peers use more. A colon would split USERNAME.
_ICE_TEXT = re.compile(r"[!-9;-~]{4,256}")
_HASH = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){1,63}")
_SETUP_ROLES = ("actpass", "active", "passive", "holdconn")


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
    """One `a=rid` (RFC 8851): a restricted stream of a simulcast, from the writer's side."""

    id: str
    direction: Literal["send", "recv"]


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
        simulcast: RIDs of the `send` half of `a=simulcast`, in order, alternatives included.
        sctp_port: None when there is none.
        max_message_size: Bytes, 0 for any; the default is RFC 8841's.
        candidates: Number of candidates; an ICE-lite agent learns the rest from checks.
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
    simulcast: tuple[str, ...] = ()
    msid: tuple[str, ...] = ()
    sctp_port: int | None = None
    max_message_size: int = 65536
    candidates: int = 0
    end_of_candidates: bool = False
    _feedback: dict[str, set[str]] = field(default_factory=dict)
    _direction_told: bool = False

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
        wildcard = self._feedback.get("*", set())
        return wildcard | self._feedback.get(str(payload_type), set())


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


def parse_sdp(
    text: str, *, max_size: int = MAX_SIZE, max_media_sections: int = MAX_MEDIA_SECTIONS
) -> SessionDescription:
    """Read a session description.

    Args:
        text: The description; lines may end in CRLF or LF.
        max_size: Bytes that it may have.
        max_media_sections: m-sections that it may have.

    Raises:
        ParseError: When it breaks the grammar where we read it, or a bound.
    """
    lines = _lines(text, max_size)
    if not lines or lines[0] != "v=0":
        raise ParseError("A session description must begin with v=0.")
    return _parse(lines, max_media_sections)


def parse_sdp_fragment(
    text: str, *, max_size: int = MAX_SIZE, max_media_sections: int = MAX_MEDIA_SECTIONS
) -> SessionDescription:
    """Read the body of a trickle request: a description without session lines (RFC 8840 9).

    Raises:
        ParseError: When it breaks the grammar where we read it, or a bound.
    """
    return _parse(_lines(text, max_size), max_media_sections)


def _lines(text: str, max_size: int) -> list[str]:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise ParseError("The session description is not Unicode text.") from error
    if size > max_size:
        raise ParseError(f"The session description is longer than {max_size} bytes.")
    if _CONTROL.search(text):
        raise ParseError("The session description contains control characters.")
    lines = [line.rstrip(" \t\r") for line in text.split("\n")]
    return [line for line in lines if line]


def _parse(lines: list[str], max_media_sections: int) -> SessionDescription:
    session = SessionDescription()
    defaults = section = MediaSection("")
    sections: list[MediaSection] = []
    for line in lines:
        if line[1:2] != "=":
            raise ParseError(f"This line of the session description is malformed: {line[:80]}")
        key, value = line[0], line[2:]
        if key == "a":
            name, _, value = value.partition(":")
            if section is defaults and name in _SESSION_ATTRIBUTES:
                _SESSION_ATTRIBUTES[name](session, value)
            elif name in _ATTRIBUTES:
                try:
                    _ATTRIBUTES[name](section, value)
                except ParseError as error:
                    raise ParseError(f"{error.message} (a={name}:{value[:80]})") from error
        elif key == "m":
            if len(sections) == max_media_sections:
                raise ParseError(f"There are more than {max_media_sections} m-lines.")
            section = _media_line(value)
            sections.append(section)
        elif key == "o":
            fields = value.split(" ")
            if len(fields) > 2 and _NUMBER.fullmatch(fields[2]):
                session.version = int(fields[2])
    for section in sections:
        _hand_down(defaults, section)
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) != len(mids):
        raise ParseError("Two m-lines have the same mid.")
    session.media = tuple(sections)
    session.mixed = defaults.extmap_allow_mixed
    return session


def _hand_down(defaults: MediaSection, section: MediaSection) -> None:
    """Give an m-section what only the session level says."""
    if not section.username_fragment and not section.password:
        section.username_fragment, section.password = (
            defaults.username_fragment,
            defaults.password,
        )
    section.fingerprints = section.fingerprints or defaults.fingerprints
    section.setup = section.setup or defaults.setup
    section.extensions = section.extensions or defaults.extensions
    section.extmap_allow_mixed |= defaults.extmap_allow_mixed
    if not section._direction_told:
        section.direction = defaults.direction


def _media_line(value: str) -> MediaSection:
    words = value.split()
    if not 4 <= len(words) <= 3 + MAX_FORMATS:
        raise ParseError(f"This m-line is malformed: {value[:80]}")
    kind, port, protocol, *formats = words
    if not _PROTOCOL.fullmatch(protocol) or not all(map(_TOKEN.fullmatch, (kind, *formats))):
        raise ParseError(f"This m-line is malformed: {value[:80]}")
    return MediaSection(kind, _number(port.partition("/")[0], 65535), protocol, tuple(formats))


def _number(text: str, high: int, low: int = 0) -> int:
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise ParseError(f"Not a number from {low} to {high}.")
    return int(text)


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ParseError("Not a token.")
    return text


def _split(value: str) -> tuple[str, str]:
    """A value of two words, such as `96 VP8/90000`."""
    first, _, second = value.partition(" ")
    second = second.strip()
    if not second:
        raise ParseError("The value is incomplete.")
    return first, second


def _mid(section: MediaSection, value: str) -> None:
    section.mid = _token(value)


def _direction(name: Direction) -> Callable[[MediaSection, str], None]:
    def set_direction(section: MediaSection, _value: str) -> None:
        section.direction = name
        section._direction_told = True

    return set_direction


def _flag(name: str) -> Callable[[MediaSection, str], None]:
    def set_flag(section: MediaSection, _value: str) -> None:
        setattr(section, name, True)

    return set_flag


def _username_fragment(section: MediaSection, value: str) -> None:
    if not _ICE_TEXT.fullmatch(value):
        raise ParseError("Not an ICE user name fragment.")
    section.username_fragment = value


def _password(section: MediaSection, value: str) -> None:
    if not _ICE_TEXT.fullmatch(value) or len(value) < 22:
        raise ParseError("Not an ICE password.")
    section.password = value


def _fingerprint(section: MediaSection, value: str) -> None:
    algorithm, digest = _split(value)
    if not _HASH.fullmatch(digest) or len(section.fingerprints) == MAX_FINGERPRINTS:
        raise ParseError("Not a fingerprint that we can use.")
    fingerprint = Fingerprint(_token(algorithm).lower(), digest.upper())
    section.fingerprints += (fingerprint,)


def _setup(section: MediaSection, value: str) -> None:
    if value not in _SETUP_ROLES:
        raise ParseError("Not a role in connection set-up.")
    section.setup = value


def _rtpmap(section: MediaSection, value: str) -> None:
    payload_type, encoding = _split(value)
    name, *rest = encoding.split("/")
    if not 1 <= len(rest) <= 2:
        raise ParseError("The encoding is malformed.")
    channels = _number(rest[1], 255, 1) if len(rest) == 2 else 1
    rtp_map = RtpMap(_token(name), _number(rest[0], 0xFFFFFFFF, 1), channels)
    section.rtp_maps[_number(payload_type, 127)] = rtp_map


def _fmtp(section: MediaSection, value: str) -> None:
    payload_type, text = _split(value)
    if payload_type not in section.formats:
        return  # also keeps formats that are no payload types away, such as a data channel's
    parameters = section.parameters.setdefault(_number(payload_type, 127), {})
    for item in text.split(";"):
        name, _, content = item.strip().partition("=")
        if name:
            parameters[name.strip().lower()] = content.strip()


def _rtcp_fb(section: MediaSection, value: str) -> None:
    payload_type, text = _split(value)
    if payload_type == "*" or payload_type in section.formats:
        kinds = section._feedback.setdefault(payload_type, set())
        if len(kinds) < MAX_FEEDBACK:
            kinds.add(" ".join(text.split()))


def _extmap(section: MediaSection, value: str) -> None:
    identifier, text = _split(value)
    number, _, direction = identifier.partition("/")
    if direction and direction not in DIRECTIONS:
        raise ParseError("Not a direction.")
    if len(section.extensions) == MAX_EXTENSIONS:
        raise ParseError("There are too many header extensions.")
    uri = text.split()[0]
    section.extensions += (ExtMap(_number(number, 4351, 1), uri, direction or "sendrecv"),)


def _ssrc(section: MediaSection, value: str) -> None:
    number, text = _split(value)
    ssrc = _number(number, 0xFFFFFFFF)
    if ssrc not in section.sources and len(section.sources) == MAX_SOURCES:
        raise ParseError("There are too many sources.")
    name, _, content = text.partition(":")
    section.sources.setdefault(ssrc, {})[name] = content


def _ssrc_group(section: MediaSection, value: str) -> None:
    semantics, *ssrcs = value.split() or [""]
    if len(section.ssrc_groups) == MAX_SOURCES or len(ssrcs) > MAX_SOURCES:
        raise ParseError("There are too many sources.")
    group = SsrcGroup(semantics, tuple(_number(ssrc, 0xFFFFFFFF) for ssrc in ssrcs))
    section.ssrc_groups += (group,)


def _rid(section: MediaSection, value: str) -> None:
    identifier, text = _split(value)
    direction = text.split()[0]
    if direction not in ("send", "recv") or len(section.rids) == MAX_SOURCES:
        raise ParseError("The stream restriction is malformed.")
    section.rids += (Rid(_token(identifier), cast(Literal["send", "recv"], direction)),)


def _simulcast(section: MediaSection, value: str) -> None:
    words = value.split()
    if "send" not in words[:-1:2]:
        return
    streams = re.split("[;,]", words[words.index("send") + 1])
    if len(streams) > MAX_SOURCES:
        raise ParseError("There are too many streams.")
    section.simulcast = tuple(_token(stream.lstrip("~")) for stream in streams)


def _msid(section: MediaSection, value: str) -> None:
    section.msid = section.msid or tuple(value.split()[:2])


def _sctp_port(section: MediaSection, value: str) -> None:
    section.sctp_port = _number(value, 65535)


def _max_message_size(section: MediaSection, value: str) -> None:
    if not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ParseError("Not a number.")
    section.max_message_size = int(value)


def _candidate(section: MediaSection, _value: str) -> None:
    section.candidates += 1


def _group(session: SessionDescription, value: str) -> None:
    semantics, *mids = value.split() or [""]
    if semantics == "BUNDLE" and session.bundle is None:
        session.bundle = tuple(mids)


def _ice_lite(session: SessionDescription, _value: str) -> None:
    session.ice_lite = True


_SESSION_ATTRIBUTES: dict[str, Callable[[SessionDescription, str], None]] = {
    "group": _group,
    "ice-lite": _ice_lite,
}
_ATTRIBUTES: dict[str, Callable[[MediaSection, str], None]] = {
    **{name: _direction(name) for name in DIRECTIONS},
    "mid": _mid,
    "ice-ufrag": _username_fragment,
    "ice-pwd": _password,
    "fingerprint": _fingerprint,
    "setup": _setup,
    "rtcp-mux": _flag("rtcp_mux"),
    "rtcp-mux-only": _flag("rtcp_mux"),
    "rtcp-rsize": _flag("rtcp_reduced_size"),
    "bundle-only": _flag("bundle_only"),
    "extmap-allow-mixed": _flag("extmap_allow_mixed"),
    "end-of-candidates": _flag("end_of_candidates"),
    "rtpmap": _rtpmap,
    "fmtp": _fmtp,
    "rtcp-fb": _rtcp_fb,
    "extmap": _extmap,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "rid": _rid,
    "simulcast": _simulcast,
    "msid": _msid,
    "sctp-port": _sctp_port,
    "max-message-size": _max_message_size,
    "candidate": _candidate,
}
