"""SDP fragments that carry ICE news over HTTP: `application/trickle-ice-sdpfrag` (RFC 8840 9)."""

import itertools

from sfu.errors import ParseError
from sfu.wire.parameters import IceParameters
from sfu.wire.sdp import MediaSection, parse_sdp

MEDIA_TYPE = "application/trickle-ice-sdpfrag"
MAX_SIZE = 65_536  # bytes; some 500 candidates

# A fragment that says all at session level has no m-line; RFC 8840 4.4 has this one as a dummy.
PSEUDO_MEDIA_LINE = "m=audio 9 RTP/AVP 0"

# What RFC 8840 9.2 lets a fragment say, of what our answers say.
SESSION_ATTRIBUTES = ("a=ice-lite", "a=ice-options:", "a=ice-pacing:", "a=group:BUNDLE")
MEDIA_ATTRIBUTES = ("a=mid:", "a=ice-options:", "a=candidate:", "a=end-of-candidates")


def parse_fragment(text: str) -> IceParameters | None:
    """The sender's ICE credentials; None where the fragment tells none.

    All m-lines of a BUNDLE group share one transport, so credentials may stand at session level or
    in any m-line, but must be the same everywhere. Candidates need only be well formed: an ICE-lite
    agent learns of them from checks.

    Raises:
        ParseError: It is not a fragment.
    """
    media = _sections(text) or _sections(f"{text}\r\n{PSEUDO_MEDIA_LINE}")
    credentials = set()
    for section in media:
        if bool(section.username_fragment) != bool(section.password):
            raise ParseError("The fragment must have both ice-ufrag and ice-pwd, or neither.")
        if section.ice is not None:
            credentials.add(section.ice)
    if len(credentials) > 1:
        raise ParseError("The fragment has different credentials for one BUNDLE group.")
    return credentials.pop() if credentials else None


def _sections(text: str) -> tuple[MediaSection, ...]:
    """The m-sections: a fragment is a description that lacks the lines before its attributes."""
    return parse_sdp(f"v=0\r\n{text}", max_size=MAX_SIZE).media


def fragment_of(answer: str, ice: IceParameters) -> str:
    """Our side of an ICE restart: what the answer said about ICE, with these new credentials.

    RFC 9725 4.3.3: ICE options and the like stay those of the answer. Only the first m-line that
    was accepted is told, because that is the one which the BUNDLE group's transport belongs to.

    Args:
        answer: Our session description from the beginning of the session.
        ice: Our new credentials.
    """
    lines = answer.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    starts.append(len(lines))
    session = [line for line in lines[: starts[0]] if line.startswith(SESSION_ATTRIBUTES)]
    start, end = next(
        (start, end)
        for start, end in itertools.pairwise(starts)
        if lines[start].split(" ")[1] != "0"  # the port of a rejected m-line
    )
    media = [line for line in lines[start + 1 : end] if line.startswith(MEDIA_ATTRIBUTES)]
    credentials = [f"a=ice-ufrag:{ice.username_fragment}", f"a=ice-pwd:{ice.password}"]
    return "\r\n".join([*session, lines[start], *credentials, *media, ""])
