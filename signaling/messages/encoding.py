"""Messages to JSON text and back."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sfu.errors import ParseError, RemoteError
from signaling.messages.base import Event, Request, RequestId
from signaling.messages.requests import ClientMessage

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


class _Head(Struct):
    """As much of a bad request as a reply to it needs."""

    id: RequestId | UnsetType = UNSET


_head_decoder = msgspec.json.Decoder(_Head)


def decode(text: str | bytes) -> ClientMessage:
    """Read what a client sent.

    Raises:
        ParseError: It is not JSON ("malformed").
        RemoteError: It is JSON and not a message that we know ("bad_request").
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise RemoteError(f"Not a message of this protocol: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ParseError(f"Not JSON: {error}.") from None


def request_id(text: str | bytes) -> int | UnsetType:
    """The `id` of a message that `decode` refused, as far as it can be read."""
    try:
        return _head_decoder.decode(text).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return UNSET


def encode(message: Request | Event) -> str:
    """Write a message as JSON text."""
    return _encoder.encode(message).decode()
