"""RTMP's chunk stream: messages to bytes and bytes to messages (RTMP 1.0, 5.3 and 5.4); sans-IO."""

import struct
from dataclasses import dataclass

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20

FIRST_CHUNK_SIZE = 128  # bytes (5.4.1)
MAX_CHUNK_SIZE = 0xFFFFFF  # messages are not longer
MAX_MESSAGE = 1024 * 1024  # bytes; what servers tell a publisher are some hundred
MAX_STREAMS = 64  # chunk streams; servers use a handful
EXTENDED = 0xFFFFFF  # a timestamp that stands in its own field (5.3.1.3)


class ChunkError(ValueError):
    """Bytes that are no chunk stream."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        type: For example `COMMAND`.
        stream: 0 for the connection.
        timestamp: Milliseconds.
        body: What the type says.
    """

    type: int
    stream: int
    timestamp: int
    body: bytes


def write_message(message: Message, *, channel: int, chunk_size: int) -> bytes:
    """The chunks of a message, the first with a full header.

    Args:
        message: To be written.
        channel: The chunk stream, 2 to 63.
        chunk_size: Bytes, as agreed on.
    """
    timestamp = message.timestamp & 0xFFFFFFFF
    extended = struct.pack(">I", timestamp) if timestamp >= EXTENDED else b""
    body = message.body
    parts = [
        bytes([channel]),
        min(timestamp, EXTENDED).to_bytes(3, "big"),
        len(body).to_bytes(3, "big"),
        bytes([message.type]),
        message.stream.to_bytes(4, "little"),
        extended,
        body[:chunk_size],
    ]
    for start in range(chunk_size, len(body), chunk_size):
        parts += (bytes([0xC0 | channel]), extended, body[start : start + chunk_size])
    return b"".join(parts)


@dataclass(slots=True)
class _Channel:
    """What the headers of one chunk stream leave out because the one before had it."""

    timestamp: int = 0
    field: int = 0
    length: int = 0
    type: int = 0
    stream: int = 0
    body: bytes = b""


class ChunkReader:
    """Reassembles the messages of one direction."""

    def __init__(self) -> None:
        self.received = 0  # bytes, for acknowledgements
        self._size = FIRST_CHUNK_SIZE
        self._buffer = bytearray()
        self._channels: dict[int, _Channel] = {}

    def receive(self, data: bytes) -> list[Message]:
        """Take bytes; give the messages that are whole by them.

        Raises:
            ChunkError: The other end does not speak RTMP.
        """
        self.received += len(data)
        self._buffer += data
        messages: list[Message] = []
        while (end := self._read_chunk(messages)) is not None:
            del self._buffer[:end]
        return messages

    def _read_chunk(self, messages: list[Message]) -> int | None:
        """Read the chunk in front; where it ends, or None where it is not whole."""
        buffer = self._buffer
        if not buffer:
            return None
        form, number, at = buffer[0] >> 6, buffer[0] & 0x3F, 1
        if number < 2:  # numbers over 63 in one or two further bytes (5.3.1.1)
            at += number + 1
            if len(buffer) < at:
                return None
            number = 64 + int.from_bytes(buffer[1:at], "little")
        header = (11, 7, 3, 0)[form]
        if len(buffer) < at + header:
            return None
        channel = self._channels.get(number)
        if channel is None:
            if len(self._channels) == MAX_STREAMS:
                raise ChunkError("too many chunk streams")
            channel = self._channels[number] = _Channel()
        fields = bytes(buffer[at : at + header])
        at += header
        field = int.from_bytes(fields[:3], "big") if form < 3 else channel.field
        timestamp = field
        if field == EXTENDED:
            if len(buffer) < at + 4:
                return None
            timestamp = int.from_bytes(buffer[at : at + 4], "big")
            at += 4
        length = int.from_bytes(fields[3:6], "big") if form < 2 else channel.length
        if length > MAX_MESSAGE:
            raise ChunkError("a message is too long")
        took = min(self._size, length - len(channel.body))
        if len(buffer) < at + took:
            return None
        if not channel.body:
            if form == 0:
                channel.timestamp = timestamp
            elif form < 3:
                channel.timestamp += timestamp
            channel.field, channel.length = field, length
            if form < 2:
                channel.type = fields[6]
            if form == 0:
                channel.stream = int.from_bytes(fields[7:11], "little")
        channel.body += bytes(buffer[at : at + took])
        if len(channel.body) >= channel.length:
            self._complete(channel, messages)
        return at + took

    def _complete(self, channel: _Channel, messages: list[Message]) -> None:
        body, channel.body = channel.body, b""
        if channel.type == SET_CHUNK_SIZE:
            if len(body) < 4 or not (size := int.from_bytes(body[:4], "big")):
                raise ChunkError("a chunk size is out of range")
            self._size = min(size, MAX_CHUNK_SIZE)
        else:
            messages.append(Message(channel.type, channel.stream, channel.timestamp, body))
