"""Whatever a server sends, a session says what is wrong or goes on, and holds little."""

import random

import pytest

from recorder.live import amf
from recorder.live.addresses import parse_address
from recorder.live.output import OutputError
from recorder.live.rtmp_chunks import (
    COMMAND,
    SET_CHUNK_SIZE,
    ChunkError,
    ChunkReader,
    Message,
    write_message,
)
from recorder.live.rtmp_session import HANDSHAKE_SIZE, RtmpSession

ADDRESS = parse_address("rtmp://a.example/live/key")


def shaken() -> RtmpSession:
    session = RtmpSession(ADDRESS, nonce=bytes(HANDSHAKE_SIZE - 8))
    session.receive(b"\x03" + bytes(2 * HANDSHAKE_SIZE))
    assert session.state == "connecting"
    return session


def command(*values: object) -> bytes:
    return write_message(Message(COMMAND, 0, 0, amf.encode(*values)), channel=3, chunk_size=128)


@pytest.mark.parametrize("size", [1, 127, 128, 129, 1000, 60_000])
@pytest.mark.parametrize("timestamp", [0, 0xFFFFFE, 0xFFFFFF, 0xFFFFFFFF])
def test_messages_come_as_they_were_however_they_are_cut(size: int, timestamp: int) -> None:
    body = bytes(n & 0xFF for n in range(size))
    sent = [Message(COMMAND, 1, timestamp, body), Message(COMMAND, 0, 5, b"end")]
    data = b"".join(write_message(one, channel=3, chunk_size=128) for one in sent)
    reader = ChunkReader()
    step = max(1, len(data) // 50)
    got = [one for at in range(0, len(data), step) for one in reader.receive(data[at : at + step])]
    assert got == sent


def test_a_chunk_size_holds_from_the_next_message_on() -> None:
    size = Message(SET_CHUNK_SIZE, 0, 0, (5000).to_bytes(4, "big"))
    long = Message(COMMAND, 0, 0, bytes(9000))
    data = write_message(size, channel=2, chunk_size=128)
    data += write_message(long, channel=3, chunk_size=5000)
    assert ChunkReader().receive(data) == [long]


def test_values_come_as_they_were() -> None:
    values = ["connect", 1.0, {"app": "live", "ok": True, "n": 2.5}, None, False, "ü"]
    assert amf.decode(amf.encode(*values)) == values


def test_a_whole_conversation() -> None:
    session = shaken()
    assert b"connect" in session.take()
    session.receive(command("_result", 1, None, {"code": "NetConnection.Connect.Success"}))
    assert b"createStream" in session.take()
    session.receive(command("_result", 4, None, 7))
    assert b"publish" in session.take()
    session.receive(command("onStatus", 0, None, {"code": "NetStream.Publish.Start"}))
    assert session.state == "publishing"
    session.finish()
    assert b"deleteStream" in session.take()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("_error", 1, None, {"description": "No such app."}), "refuses: No such app"),
        (("_error", 4, None), "refuses: it does not say why"),
        (("onStatus", 0, None, {"level": "error", "code": "Bad"}), "refuses: Bad"),
        (("_result", 4, None, float("nan")), "cannot be"),
        (("close",), "has closed the stream"),
    ],
)
def test_what_a_server_refuses_is_told(values: tuple[object, ...], words: str) -> None:
    session = shaken()
    with pytest.raises(OutputError, match=words):
        session.receive(command(*values))


@pytest.mark.parametrize(
    "echo", ["s%20cret?auth=t0ken", "s%20cret", "s cret", "auth=t0ken", "t0ken"]
)
@pytest.mark.parametrize("field", ["description", "code"])
@pytest.mark.parametrize("name", ["_error", "onStatus"])
def test_the_key_is_not_told_with_what_the_server_says(echo: str, field: str, name: str) -> None:
    address = parse_address("rtmp://a.example/live/s%20cret?auth=t0ken")
    session = RtmpSession(address, nonce=bytes(HANDSHAKE_SIZE - 8))
    session.receive(b"\x03" + bytes(2 * HANDSHAKE_SIZE))
    status = {"level": "error", field: f"Stream {echo} is taken" + "." * 200}
    with pytest.raises(OutputError) as caught:
        session.receive(command(name, 4, None, status))
    assert str(caught.value) == "The server refuses: Stream *** is taken."


def test_messages_that_are_too_long_are_refused_before_they_are_waited_for() -> None:
    header = b"\x03\0\0\0" + (2**24 - 1).to_bytes(3, "big") + bytes([COMMAND]) + bytes(4)
    with pytest.raises(ChunkError, match="too long"):
        ChunkReader().receive(header)


def test_junk_raises_nothing_but_our_errors() -> None:
    generator = random.Random(1)
    for _ in range(3000):
        session = shaken()
        data = bytearray(command("_result", generator.choice((1, 4)), {"a": {"b": 1}}, 3))
        for _ in range(generator.randrange(1, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        data += generator.randbytes(generator.randrange(64))
        try:
            session.receive(bytes(data))
        except OutputError:
            continue
        session.take()
