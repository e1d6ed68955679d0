"""SDP fragments that carry ICE news over HTTP: `application/trickle-ice-sdpfrag` (RFC 8840 9)."""

import itertools
import re
from dataclasses import dataclass

from sfu.errors import ParseError
from sfu.wire.parameters import IceParameters

MEDIA_TYPE = "application/trickle-ice-sdpfrag"
MAX_SIZE = 65_536  # bytes; some 500 candidates
MAX_LINES = 2000

# RFC 8839 5.4: ice-char is ALPHA / DIGIT / "+" / "/"; lengths 4..256 and 22..256. Base64's URL form
# ("-", "_", "=") is not allowed but seen, and does no harm.
UFRAG = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
PASSWORD = re.compile(r"[A-Za-z0-9+/=_-]{22,256}")

# What RFC 8840 9.2 lets a fragment say at session level, of what our answers say.
SESSION_ATTRIBUTES = ("a=ice-lite", "a=ice-options:", "a=ice-pacing:", "a=group:")
MEDIA_ATTRIBUTES = ("a=mid:", "a=candidate:", "a=end-of-candidates")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a fragment says.

    Attributes:
        ice: The sender's credentials; None where it tells none.
        candidates: Its candidates, as they follow "a=".
        complete: Whether it says that no more follow.
    """

    ice: IceParameters | None
    candidates: tuple[str, ...] = ()
    complete: bool = False


def parse_fragment(text: str) -> Fragment:
    """Read a fragment.

    All m-lines of a BUNDLE group share one transport, so credentials may stand at session level or
    in any m-line, but must be the same everywhere.

    Raises:
        ParseError: It is not a fragment.
    """
    if len(text) > MAX_SIZE:
        raise ParseError(f"The fragment has more than {MAX_SIZE} characters.", name="too_large")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    if len(lines) > MAX_LINES:
        raise ParseError(f"The fragment has more than {MAX_LINES} lines.", name="too_large")
    fragments: set[str] = set()
    passwords: set[str] = set()
    candidates = []
    complete = False
    for line in lines:
        if line[1:2] != "=" or not line[0].islower() or not line.isprintable():
            raise ParseError(f"The fragment has a line that is not SDP: {line[:80]!r}.")
        name, _, value = line.partition(":")
        if name == "a=ice-ufrag":
            fragments.add(value)
        elif name == "a=ice-pwd":
            passwords.add(value)
        elif name == "a=candidate":
            candidates.append(line[2:])
        elif name == "a=end-of-candidates":
            complete = True
    return Fragment(_credentials(fragments, passwords), tuple(candidates), complete)


def _credentials(fragments: set[str], passwords: set[str]) -> IceParameters | None:
    if not fragments and not passwords:
        return None
    if len(fragments) != 1 or len(passwords) != 1:
        raise ParseError("The fragment must have one ice-ufrag and one ice-pwd, or neither.")
    fragment, password = fragments.pop(), passwords.pop()
    if not UFRAG.fullmatch(fragment) or not PASSWORD.fullmatch(password):
        raise ParseError("The fragment's ice-ufrag or ice-pwd is not well formed (RFC 8839 5.4).")
    return IceParameters(fragment, password)


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
    mid = [line for line in media if line.startswith("a=mid:")]
    rest = [line for line in media if not line.startswith("a=mid:")]
    return "\r\n".join([*session, lines[start], *mid, *credentials, *rest, ""])
