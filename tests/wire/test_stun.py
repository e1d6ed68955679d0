import pytest
from aioice import stun

from sfu.errors import ParseError
from sfu.wire.stun import (
    MAX_SIZE,
    ROLE_CONFLICT,
    binding_error,
    binding_request,
    binding_success,
    parse_stun,
)

TRANSACTION_ID = bytes(range(12))

# RFC 5769 section 2: the test vectors, with their password.
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
RFC_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RFC_RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RFC_RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275"
    "bfe3ed4180280004c8fb0b4c"
)


def request(**changes) -> bytes:
    arguments = {
        "transaction_id": TRANSACTION_ID,
        "username": "ours:theirs",
        "password": "secret",
        "priority": 12345,
        "controlling": 1 << 63,
    }
    return binding_request(**{**arguments, **changes})


@pytest.mark.parametrize("first", range(1, 256))
def test_only_the_first_bytes_of_a_binding_are_taken(first):
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION_ID)
    data = bytes((first,)) + bytes(message)[1:]
    if first == 1:
        assert parse_stun(data).message_class == "success"
    else:
        with pytest.raises(ParseError):
            parse_stun(data)


def test_rfc_5769_request():
    message = parse_stun(RFC_REQUEST)
    assert message.message_class == "request"
    assert message.username == "evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert message.controlled == 0x932FF9B151263B36
    assert message.controlling is None
    assert not message.use_candidate
    assert message.is_authentic(PASSWORD)
    assert not message.is_authentic(PASSWORD + "x")
    assert not message.is_authentic("")


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (RFC_RESPONSE_V4, ("192.0.2.1", 32853)),
        (RFC_RESPONSE_V6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_rfc_5769_responses(data, address):
    message = parse_stun(data)
    assert message.message_class == "success"
    assert message.mapped_address == address
    assert message.is_authentic(PASSWORD)


def test_request_round_trip():
    message = parse_stun(request(use_candidate=True))
    assert message.message_class == "request"
    assert message.transaction_id == TRANSACTION_ID
    assert message.username == "ours:theirs"
    assert message.priority == 12345
    assert message.use_candidate
    assert message.controlling == 1 << 63
    assert message.controlled is None
    assert message.is_authentic("secret")
    message = parse_stun(request(controlling=None, controlled=7))
    assert message.controlling is None
    assert message.controlled == 7
    assert not message.use_candidate


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("port", [1, 127, 32767, 32768, 65535])
def test_success_response_round_trip(host, port):
    data = binding_success(parse_stun(request()), host=host, port=port, password="secret")
    message = parse_stun(data)
    assert message.message_class == "success"
    assert message.transaction_id == TRANSACTION_ID
    assert message.mapped_address == (host, port)
    assert message.is_authentic("secret")
    assert not message.is_authentic("other")


def test_error_response_round_trip():
    check = parse_stun(request())
    message = parse_stun(
        binding_error(check, code=ROLE_CONFLICT, reason="Role Conflict", password="secret")
    )
    assert message.message_class == "error"
    assert message.error_code == 487
    assert message.transaction_id == TRANSACTION_ID
    assert message.is_authentic("secret")


def test_message_without_integrity_is_never_authentic():
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION_ID)
    message.add_fingerprint()
    assert not parse_stun(bytes(message)).is_authentic("")


def test_what_follows_the_integrity_is_not_believed():
    """RFC 8489 14.5: only FINGERPRINT may follow; else anyone could add a nomination."""
    message = stun.parse_message(request())
    message.attributes.pop("FINGERPRINT")
    message.attributes["USE-CANDIDATE"] = None
    message.add_fingerprint()
    parsed = parse_stun(bytes(message))
    assert parsed.is_authentic("secret")
    assert not parsed.use_candidate


def test_changed_byte_is_noticed():
    data = request()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(ParseError):
            parse_stun(bytes(changed))


def test_indication_needs_no_fingerprint():
    message = stun.Message(stun.Method.BINDING, stun.Class.INDICATION, TRANSACTION_ID)
    assert parse_stun(bytes(message)).message_class == "indication"


def test_request_without_fingerprint_is_refused():
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION_ID)
    with pytest.raises(ParseError, match="FINGERPRINT"):
        parse_stun(bytes(message))


def test_methods_other_than_binding_are_refused():
    message = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST, TRANSACTION_ID)
    message.add_fingerprint()
    with pytest.raises(ParseError, match="Binding"):
        parse_stun(bytes(message))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(20),
        b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + bytes(11),
        b"\x40\x01\x00\x00" + b"\x21\x12\xa4\x42" + bytes(12),
        b"\x00\x01\x00\x04" + b"\x21\x12\xa4\x42" + bytes(12),
        b"\x00\x01\x00\x01" + b"\x21\x12\xa4\x42" + bytes(13),
        b"\x00\x11\x00\x08" + b"\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x01\xff\0\0\0",
        b"\x00\x11\x00\x04" + b"\x21\x12\xa4\x42" + bytes(12) + b"\x00\x24\x00\x04",
        b"\x0f\xff\x00\x00" + b"\x21\x12\xa4\x42" + bytes(12),
        b"\x00\x11\x05\x00" + b"\x21\x12\xa4\x42" + bytes(12 + MAX_SIZE),
    ],
    ids=range(10),
)
def test_malformed_messages_are_refused(data):
    with pytest.raises(ParseError):
        parse_stun(data)


def test_password_is_not_shown():
    assert "secret" not in repr(parse_stun(request()))
