"""Reading session descriptions (RFC 8866, RFC 8829): text in, typed m-sections out.

The parser keeps what negotiation needs and skips the attributes that it does not know. What stands
at session level and counts for every m-section (ICE, DTLS, direction, header extensions) is handed
down, so that a reader asks the section alone. Work is linear in the text.
"""

import re

from sfu.errors import ParseError
from sfu.wire.sdp_attributes import ATTRIBUTES, SESSION_ATTRIBUTES, parse_media_line
from sfu.wire.session_description import (
    Direction,
    ExtMap,
    MediaSection,
    Rid,
    RtpMap,
    SessionDescription,
    SsrcGroup,
)

__all__ = [
    "Direction",
    "ExtMap",
    "MediaSection",
    "Rid",
    "RtpMap",
    "SessionDescription",
    "SsrcGroup",
    "parse_sdp",
]

MAX_SIZE = 524_288  # bytes; 25 m-sections of a browser are a quarter of it
MAX_MEDIA_SECTIONS = 256

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_VERSION = re.compile(r"[0-9]{1,18}")  # RFC 8829 5.2.1 starts at small numbers; 64 bits at most


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
            if section is defaults and name in SESSION_ATTRIBUTES:
                SESSION_ATTRIBUTES[name](session, value)
            elif name in ATTRIBUTES:
                try:
                    ATTRIBUTES[name](section, value)
                except ParseError as error:
                    raise ParseError(f"{error.message} (a={name})") from error
        elif key == "m":
            if len(sections) == max_media_sections:
                raise ParseError(f"There are more than {max_media_sections} m-lines.")
            section = parse_media_line(value)
            sections.append(section)
        elif key == "o":
            fields = value.split(" ")
            if len(fields) > 2 and _VERSION.fullmatch(fields[2]):
                session.version = int(fields[2])
    for section in sections:
        section.inherit(defaults)
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) != len(mids):
        raise ParseError("Two m-lines have the same mid.")
    session.media = tuple(sections)
    session.mixed = defaults.extmap_allow_mixed
    return session
