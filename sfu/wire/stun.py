"""STUN Binding messages as ICE uses them (RFC 8489, RFC 8445 section 7); aioice reads the bytes.

Left out, because no ICE peer sends them: methods other than Binding, the 420 error for unknown
attributes that want to be understood (they are ignored), long-term credentials.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

from aioice import stun

from sfu.errors import ParseError

StunClass = Literal["request", "indication", "success", "error"]

HEADER_SIZE = 20
MAX_SIZE = 1280  # bytes; a check has some 150, and RFC 8489 6.1 keeps all below the path MTU
TRANSACTION_ID_SIZE = 12
ROLE_CONFLICT = 487  # RFC 8445 7.3.1.1

_CLASSES: dict[stun.Class, StunClass] = {
    stun.Class.REQUEST: "request",
    stun.Class.INDICATION: "indication",
    stun.Class.RESPONSE: "success",
    stun.Class.ERROR: "error",
}


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One received Binding message. Nothing in it is authenticated until `is_authentic` says so.

    Attributes:
        message_class: Request, indication, success or error response.
        transaction_id: 12 bytes.
        username: "ours:theirs" in a check that we get (RFC 8445 7.2.2); None where there is none.
        priority: Of the peer-reflexive candidate that the check would make.
        use_candidate: Whether the controlling side nominates the pair.
        controlling: Tie-breaker of a peer that believes to be controlling, else None.
        controlled: Tie-breaker of a peer that believes to be controlled, else None.
        mapped_address: Host and port of XOR-MAPPED-ADDRESS.
        error_code: Of an error response, 300..699.
    """

    message_class: StunClass
    transaction_id: bytes
    username: str | None
    priority: int | None
    use_candidate: bool
    controlling: int | None
    controlled: int | None
    mapped_address: tuple[str, int] | None
    error_code: int | None
    _message: stun.Message = field(repr=False, compare=False)

    def is_authentic(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY is there and made with `password`; compared in constant time.

        An ICE agent checks requests with its own password, responses with the peer's.
        """
        return self._message.check_message_integrity(password.encode())


def parse_stun(data: bytes) -> StunMessage:
    """Read one Binding message; FINGERPRINT is checked, and requests must have one.

    Raises:
        ParseError: When it is not a STUN message, not a Binding, longer than `MAX_SIZE`, or its
            FINGERPRINT is wrong or (in a request, RFC 8445 7.1.1) missing.
    """
    # RFC 8489 5: the first two bits are zero, and the length is a multiple of four.
    if not HEADER_SIZE <= len(data) <= MAX_SIZE or len(data) % 4 or data[0] & 0xC0:
        raise ParseError("A datagram is not a STUN message.")
    if int.from_bytes(data[4:8], "big") != stun.COOKIE:
        raise ParseError("A STUN message lacks the magic cookie.")
    _check_attributes(data)
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error, IndexError) as error:
        raise ParseError("A STUN message is malformed.") from error
    if message.message_method != stun.Method.BINDING:
        raise ParseError("A STUN message is not a Binding.")
    attributes = message.attributes
    message_class = _CLASSES[message.message_class]
    if message_class == "request" and "FINGERPRINT" not in attributes:
        raise ParseError("A STUN request lacks FINGERPRINT.")
    return StunMessage(
        message_class=message_class,
        transaction_id=message.transaction_id,
        username=attributes.get("USERNAME"),
        priority=attributes.get("PRIORITY"),
        use_candidate="USE-CANDIDATE" in attributes,
        controlling=attributes.get("ICE-CONTROLLING"),
        controlled=attributes.get("ICE-CONTROLLED"),
        mapped_address=attributes.get("XOR-MAPPED-ADDRESS"),
        error_code=message.error_code,
        _message=message,
    )


def _check_attributes(data: bytes) -> None:
    """Make sure that the attributes end where the message does; aioice cuts the last one off."""
    position = HEADER_SIZE
    while position < len(data):
        length = data[position + 2] << 8 | data[position + 3]
        position += 4 + length + -length % 4
    if position > len(data):
        raise ParseError("A STUN attribute is longer than its message.")


def binding_request(
    *,
    transaction_id: bytes,
    username: str,
    password: str,
    priority: int,
    controlling: int | None = None,
    controlled: int | None = None,
    use_candidate: bool = False,
) -> bytes:
    """A connectivity check (RFC 8445 7.1).

    Args:
        transaction_id: 12 random bytes.
        username: "theirs:ours" user name fragments.
        password: Theirs.
        priority: PRIORITY, 32 bits.
        controlling: Our tie-breaker (64 bits) when we are controlling.
        controlled: Our tie-breaker when we are controlled.
        use_candidate: Whether to nominate the pair.
    """
    message = _message(stun.Class.REQUEST, transaction_id)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = priority
    if controlling is not None:
        message.attributes["ICE-CONTROLLING"] = controlling
    if controlled is not None:
        message.attributes["ICE-CONTROLLED"] = controlled
    if use_candidate:
        message.attributes["USE-CANDIDATE"] = None
    return _signed(message, password)


def binding_success(request: StunMessage, *, host: str, port: int, password: str) -> bytes:
    """The success response to `request`.

    Args:
        request: What is answered.
        host: Numeric address that the request came from.
        port: And its port.
        password: The one that the request was made with (RFC 8445 7.2.2): ours.
    """
    message = _message(stun.Class.RESPONSE, request.transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = (host, port)
    return _signed(message, password)


def binding_error(request: StunMessage, *, code: int, reason: str, password: str) -> bytes:
    """The error response to `request`.

    Args:
        request: What is answered.
        code: 300..699, as `ROLE_CONFLICT`.
        reason: A phrase for people.
        password: As for `binding_success`.
    """
    message = _message(stun.Class.ERROR, request.transaction_id)
    message.attributes["ERROR-CODE"] = (code, reason)
    return _signed(message, password)


def _message(message_class: stun.Class, transaction_id: bytes) -> stun.Message:
    # An empty id would make aioice draw a random one.
    assert len(transaction_id) == TRANSACTION_ID_SIZE
    return stun.Message(stun.Method.BINDING, message_class, transaction_id)


def _signed(message: stun.Message, password: str) -> bytes:
    message.add_message_integrity(password.encode())
    return bytes(message)
