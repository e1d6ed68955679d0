"""Publishing a stream over RTMP, from the handshake to the last message (RTMP 1.0); sans-IO."""

import struct
from typing import Literal
from urllib.parse import parse_qsl, unquote

from recorder.live import amf
from recorder.live.addresses import Address
from recorder.live.output import OutputError
from recorder.live.rtmp_chunks import (
    ACKNOWLEDGEMENT,
    AUDIO,
    COMMAND,
    DATA,
    SET_CHUNK_SIZE,
    USER_CONTROL,
    VIDEO,
    WINDOW_SIZE,
    ChunkError,
    ChunkReader,
    Message,
    write_message,
)

VERSION = 3
HANDSHAKE_SIZE = 1536  # bytes (5.2.3)
CHUNK_SIZE = 60000  # bytes; most frames are one chunk, and every server takes it
CONTROL_CHANNEL, COMMAND_CHANNEL, MEDIA_CHANNEL = 2, 3, 4
PING, PONG = 6, 7  # user control events (7.1.7)
CONNECT, CREATE_STREAM = 1, 4  # transaction numbers of the commands whose results count

State = Literal["handshake", "connecting", "publishing"]


class RtmpSession:
    """One connection: bytes come and go, `state` says how far it is.

    Attributes:
        state: Media may be sent while "publishing".
    """

    def __init__(self, address: Address, *, nonce: bytes) -> None:
        """Begin.

        Args:
            address: Where to, as "rtmp" or "rtmps".
            nonce: 1528 random bytes (5.2.3).
        """
        self.state: State = "handshake"
        self._address = address
        name, _, query = address.key.partition("?")
        said = {address.key, name, query} | {value for _, value in parse_qsl(query)}
        said |= {unquote(one) for one in said}
        self._secrets = sorted(said - {""}, key=len, reverse=True)
        self._chunks = ChunkReader()
        self._answer = bytearray()
        self._hello = bytes(8) + nonce
        self._sending = [bytes([VERSION]) + self._hello]
        self._stream = 0
        self._window = 0
        self._acknowledged = 0

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._sending)
        self._sending.clear()
        return data

    def receive(self, data: bytes) -> None:
        """Take what came.

        Raises:
            OutputError: The server refuses, or is no RTMP server.
        """
        if self.state == "handshake":
            data = self._shake_hands(data)
        if self.state == "handshake":
            return
        try:
            for message in self._chunks.receive(data):
                self._handle(message)
        except ChunkError as error:
            raise OutputError(f"The server does not speak RTMP: {error}.") from None
        if self._window and self._chunks.received - self._acknowledged >= self._window:
            self._acknowledged = self._chunks.received
            count = struct.pack(">I", self._acknowledged & 0xFFFFFFFF)
            self._send(Message(ACKNOWLEDGEMENT, 0, 0, count), CONTROL_CHANNEL)

    def publish(self, kind: int, timestamp: int, body: bytes) -> None:
        """Send a tag of an FLV stream.

        Args:
            kind: `AUDIO`, `VIDEO` or `DATA`, which are FLV's numbers too.
            timestamp: Milliseconds.
            body: Of the tag.
        """
        assert self.state == "publishing"
        assert kind in (AUDIO, VIDEO, DATA)
        if kind == DATA:  # servers keep it for those who come later
            body = amf.encode("@setDataFrame") + body
        self._send(Message(kind, self._stream, timestamp, body), MEDIA_CHANNEL)

    def finish(self) -> None:
        """Say that the stream ends."""
        if self.state == "publishing":
            self._command("FCUnpublish", 5, None, self._address.key)
            self._command("deleteStream", 6, None, float(self._stream))

    # -- what comes

    def _shake_hands(self, data: bytes) -> bytes:
        """Read S0, S1 and S2 (5.2); what follows them is returned."""
        self._answer += data
        if self._answer and self._answer[0] != VERSION:
            raise OutputError("The server does not speak RTMP: it answers something else.")
        if len(self._answer) < 1 + 2 * HANDSHAKE_SIZE:
            return b""
        self._sending.append(bytes(self._answer[1 : 1 + HANDSHAKE_SIZE]))  # C2 repeats S1
        rest = bytes(self._answer[1 + 2 * HANDSHAKE_SIZE :])
        self._answer.clear()
        self.state = "connecting"
        size = struct.pack(">I", CHUNK_SIZE)
        self._send(Message(SET_CHUNK_SIZE, 0, 0, size), CONTROL_CHANNEL)
        application = {
            "app": self._address.application,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; aiosfu)",  # some servers ask for an encoder's name
            "tcUrl": self._address.public,
        }
        self._command("connect", CONNECT, application)
        return rest

    def _handle(self, message: Message) -> None:
        body = message.body
        if message.type == WINDOW_SIZE and len(body) >= 4:
            (self._window,) = struct.unpack_from(">I", body)
        elif message.type == USER_CONTROL and body[:2] == struct.pack(">H", PING):
            pong = struct.pack(">H", PONG) + body[2:6]
            self._send(Message(USER_CONTROL, 0, 0, pong), CONTROL_CHANNEL)
        elif message.type == COMMAND:
            try:
                command = amf.decode(body)
            except ValueError as error:
                raise OutputError(f"The server sends a command that is wrong: {error}.") from None
            self._handle_command(command)

    def _handle_command(self, command: list[amf.Value]) -> None:
        match command:
            case ["_result", number, *_] if number == CONNECT:
                key = self._address.key
                self._command("releaseStream", 2, None, key)
                self._command("FCPublish", 3, None, key)
                self._command("createStream", CREATE_STREAM, None)
            case ["_result", number, _, float(stream), *_] if number == CREATE_STREAM:
                if not 0 <= stream < 2**32:
                    raise OutputError("The server makes a stream that cannot be.")
                self._stream = int(stream)
                self._command("publish", 5, None, self._address.key, "live", stream=self._stream)
            case ["_error", number, *details] if number in (CONNECT, CREATE_STREAM):
                raise OutputError(f"The server refuses: {self._reason(details)}.")
            case ["onStatus", _, _, {"level": "error"} as status, *_]:
                raise OutputError(f"The server refuses: {self._reason([status])}.")
            case ["onStatus", _, _, {"code": "NetStream.Publish.Start"}, *_]:
                self.state = "publishing"
            case ["close", *_]:
                raise OutputError("The server has closed the stream.")

    def _reason(self, details: list[amf.Value]) -> str:
        """What a server says about an error; a line of it at most, and never the stream's key."""
        for detail in details:
            if isinstance(detail, dict):
                text = detail.get("description") or detail.get("code")
                if isinstance(text, str) and text:
                    for secret in self._secrets:
                        text = text.replace(secret, "***")
                    return text[:200].rstrip(".")
        return "it does not say why"

    # -- what goes

    def _command(
        self,
        name: str,
        transaction: int,
        *values: float | str | dict[str, str] | None,
        stream: int = 0,
    ) -> None:
        body = amf.encode(name, transaction, *values)
        self._send(Message(COMMAND, stream, 0, body), COMMAND_CHANNEL)

    def _send(self, message: Message, channel: int) -> None:
        # Our own chunk size holds from the message after the one that sets it.
        self._sending.append(write_message(message, channel=channel, chunk_size=CHUNK_SIZE))
