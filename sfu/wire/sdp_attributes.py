"""The lines of an m-section, one reader for each attribute that we know.

Readers raise `ParseError` for what breaks the grammar, and bound whatever they collect.
"""

import re
from collections.abc import Callable
from typing import Literal, cast

from sfu.errors import ParseError
from sfu.wire.parameters import Fingerprint
from sfu.wire.session_description import (
    DIRECTIONS,
    Direction,
    ExtMap,
    MediaSection,
    Rid,
    RtpMap,
    SessionDescription,
    SsrcGroup,
)

MAX_SOURCES = 64  # of one m-section; simulcast with retransmission needs six
MAX_FORMATS = 256  # of one m-line; there are 128 payload types
MAX_EXTENSIONS = 256  # of one m-section
MAX_FEEDBACK = 32  # kinds of RTCP feedback of one payload type
MAX_FINGERPRINTS = 16
MAX_RESTRICTIONS = 32  # of one RID; RFC 8851 has nine

_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")  # RFC 8866 9: token; the bound is ours
_PROTOCOL = re.compile(r"[0-9A-Za-z/\-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,10}")
# RFC 8839 5.4 has letters, digits, "+" and "/"; peers use more. A colon would split USERNAME.
_ICE_TEXT = re.compile(r"[!-9;-~]{4,256}")
_HASH = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){1,63}")
_SETUP_ROLES = ("actpass", "active", "passive", "holdconn")


def parse_media_line(value: str) -> MediaSection:
    """Begin an m-section with the value of its m-line.

    Raises:
        ParseError: It breaks the grammar.
    """
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
        section.direction_told = True

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
    if payload_type not in section.formats or not payload_type.isdigit():
        return
    parameters = section.parameters.setdefault(_number(payload_type, 127), {})
    for item in text.split(";"):
        name, _, content = item.strip().partition("=")
        if name:
            parameters[name.strip().lower()] = content.strip()


def _rtcp_fb(section: MediaSection, value: str) -> None:
    payload_type, text = _split(value)
    if payload_type == "*" or payload_type in section.formats:
        kinds = section.feedback_lines.setdefault(payload_type, set())
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
    direction, _, rest = text.partition(" ")
    parts = [part for part in "".join(rest.split()).split(";") if part]
    if (
        direction not in ("send", "recv")
        or len(section.rids) == MAX_SOURCES
        or len(parts) > MAX_RESTRICTIONS
    ):
        raise ParseError("The stream restriction is malformed.")
    pairs = (part.partition("=") for part in parts)
    restrictions = tuple((name.lower(), content) for name, _, content in pairs)
    section.rids += (
        Rid(_token(identifier), cast(Literal["send", "recv"], direction), restrictions),
    )


def _simulcast(section: MediaSection, value: str) -> None:
    words = value.split()
    if "send" not in words[:-1:2]:
        return
    text = words[words.index("send") + 1]
    if text.count(";") + text.count(",") >= MAX_SOURCES:
        raise ParseError("There are too many streams.")
    # RFC 8853 5.1: a tilde is before what is paused at first; that it comes later is enough for us.
    section.simulcast = tuple(
        tuple(_token(rid.lstrip("~")) for rid in alternatives.split(","))
        for alternatives in text.split(";")
    )


def _sctp_port(section: MediaSection, value: str) -> None:
    section.sctp_port = _number(value, 65535)


def _max_message_size(section: MediaSection, value: str) -> None:
    if not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ParseError("Not a number.")
    section.max_message_size = int(value)


def _group(session: SessionDescription, value: str) -> None:
    semantics, *mids = value.split() or [""]
    if semantics == "BUNDLE" and session.bundle is None:
        session.bundle = tuple(mids)


def _ice_lite(session: SessionDescription, _value: str) -> None:
    session.ice_lite = True


SESSION_ATTRIBUTES: dict[str, Callable[[SessionDescription, str], None]] = {
    "group": _group,
    "ice-lite": _ice_lite,
}
ATTRIBUTES: dict[str, Callable[[MediaSection, str], None]] = {
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
    "rtpmap": _rtpmap,
    "fmtp": _fmtp,
    "rtcp-fb": _rtcp_fb,
    "extmap": _extmap,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "rid": _rid,
    "simulcast": _simulcast,
    "sctp-port": _sctp_port,
    "max-message-size": _max_message_size,
}
