"""How messages follow one another on the link, and how media is written there.

    message    u32 length of the body, u8 type, body; all numbers in network byte order
    type 0     JSON, see `messages`
    type 1     packets of one track: u32 handle, u16 count, f64 arrival, then for each
               u64 index, u32 ssrc, u32 timestamp, u8 codec, u8 flags, u16 length, payload
    type 2     a reference: u32 handle, u8 reported, u32 ssrc, u32 timestamp, f64 Unix seconds

Arrivals are monotonic seconds, which all processes of a machine share. Flags: 1 marker, 2 a key
frame begins, 4 a rotation is told, 8 and 16 how often to turn by 90°.
"""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct

from recorder.values import RecordedPacket, Reference
from sfu.errors import ParseError
from sfu.wire.parameters import Codec

JSON, PACKETS, REFERENCE = 0, 1, 2
MAX_BODY = 4 << 20  # bytes; a batch of 64 packets has a tenth of it

MARKER, KEY_FRAME, ROTATED = 1, 2, 4
ROTATION_SHIFT = 3

HEADER = Struct("!IB")
PACKETS_HEAD = Struct("!IBIHd")  # with the message's own header
PACKET = Struct("!QIIBBH")
_REFERENCE = Struct("!IBIId")
REFERENCE_SIZE = HEADER.size + _REFERENCE.size
_packets_head = Struct("!IHd")


def message(type_: int, body: bytes) -> bytes:
    """One message."""
    return HEADER.pack(len(body), type_) + body


def reference_message(handle: int, reference: Reference) -> bytes:
    """A message of type 2."""
    body = _REFERENCE.pack(
        handle, reference.reported, reference.ssrc, reference.timestamp, reference.time
    )
    return message(REFERENCE, body)


class MessageReader:
    """Cuts what arrives into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> Iterator[tuple[int, memoryview]]:
        """Take bytes; yields (type, body) of each message that they complete.

        Raises:
            ParseError: A message is longer than any that is sent: the stream is of no use any more.
        """
        data = self._rest + data if self._rest else data
        view = memoryview(data)
        position, end = 0, len(data)
        while end - position >= HEADER.size:
            length, type_ = HEADER.unpack_from(data, position)
            if length > MAX_BODY:
                raise ParseError(f"A message of {length} bytes is longer than any.")
            following = position + HEADER.size + length
            if following > end:
                break
            yield type_, view[position + HEADER.size : following]
            position = following
        self._rest = data[position:]


def read_packets(
    body: memoryview, codecs: Mapping[int, Codec]
) -> tuple[int, float, Sequence[RecordedPacket]]:
    """The handle, arrival and packets of a message of type 1.

    Raises:
        ParseError: It is cut off, or names a codec that was not told.
    """
    if len(body) < _packets_head.size:
        raise ParseError("A message with packets is cut off.")
    handle, count, arrival = _packets_head.unpack_from(body)
    position = _packets_head.size
    end = len(body)
    packets = []
    for _ in range(count):
        if position + PACKET.size > end:
            raise ParseError("A message with packets is cut off.")
        index, ssrc, timestamp, number, flags, length = PACKET.unpack_from(body, position)
        position += PACKET.size
        payload = bytes(body[position : position + length])
        position += length
        codec = codecs.get(number)
        if len(payload) != length or codec is None:
            raise ParseError("A packet is cut off, or of a codec that was not told.")
        packets.append(
            RecordedPacket(
                ssrc,
                index,
                timestamp,
                bool(flags & MARKER),
                bool(flags & KEY_FRAME),
                codec,
                payload,
                90 * (flags >> ROTATION_SHIFT & 3) if flags & ROTATED else None,
            )
        )
    return handle, arrival, packets


def read_reference(body: memoryview) -> tuple[int, Reference]:
    """The handle and reference of a message of type 2.

    Raises:
        ParseError: It has another length.
    """
    if len(body) != _REFERENCE.size:
        raise ParseError("A reference has another length.")
    handle, reported, ssrc, timestamp, time = _REFERENCE.unpack(body)
    return handle, Reference(ssrc, time, timestamp, bool(reported))
