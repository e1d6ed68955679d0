"""Errors say whose fault they are.

    SfuError
     ├─ LocalError        the caller of our API asked for what cannot be
     │   └─ LimitError    a configured bound would be passed
     └─ RemoteError       the peer, or something that came from it, is wrong
         └─ ParseError    bytes or text that are not what they claim to be

On the wire an error is `name` (stable, for programs) and the message (a sentence, for people).
"""


class SfuError(Exception):
    """Base of all errors that this project raises on purpose.

    Args:
        message: One sentence for a person, saying what to do where that is known.
        name: Stable machine name, snake_case; PROTOCOL.md lists them all.
    """

    default_name = "internal_error"

    def __init__(self, message: str, *, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name or self.default_name
        self.message = message


class LocalError(SfuError):
    """The caller asked for something that is not possible now."""

    default_name = "bad_request"


class LimitError(LocalError):
    """A configured bound would be passed."""

    default_name = "limit_reached"


class RemoteError(SfuError):
    """The peer broke the rules."""

    default_name = "bad_request"


class ParseError(RemoteError, ValueError):
    """Bytes or text from outside that are not what they claim to be."""

    default_name = "malformed"
