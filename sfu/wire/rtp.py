"""RTP packets (RFC 3550 section 5) and their header extensions (RFC 8285)."""

from collections.abc import Mapping
from struct import Struct

from sfu.errors import ParseError
from sfu.wire.extensions import ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, encode_header_extensions
from sfu.wire.parameters import Codec
from sfu.wire.payload.frame import FrameInfo

HEADER_SIZE = 12
NO_EXTENSIONS: dict[int, bytes] = {}  # shared by all packets without any: never write to it

_header = Struct("!BBHII")
_unpack_header = _header.unpack_from
_unpack_both = Struct("!BBHIIHH").unpack_from
_unpack_profile = Struct("!HH").unpack_from


class RtpPacket:
    """One received RTP packet.

    Attributes:
        payload_type: 0..127.
        sequence_number: 16 bits.
        timestamp: 32 bits, in units of the codec's clock.
        ssrc: 32 bits.
        marker: For video, whether this is the last packet of a frame.
        csrcs: Contributing sources as they came, 4 bytes each.
        extensions: Local id → value of the header extensions.
        payload: Without padding; empty for a packet that is only padding.
        arrival: When it was received, monotonic seconds.
        size: Bytes of the whole packet.
        index: Unwrapped sequence number, set by the stream; -1 before.
        codec: What the payload type means, set by the stream.
        key_frame: Whether a key frame begins here, set by the stream.
        frame: Its frame and layer, set by a `FrameReader`; None before, and where they cannot be
            read.
    """

    __slots__ = (
        "arrival",
        "codec",
        "csrcs",
        "extensions",
        "frame",
        "index",
        "key_frame",
        "marker",
        "payload",
        "payload_type",
        "sequence_number",
        "size",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        payload_type: int,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        marker: bool = False,
        csrcs: bytes = b"",
        extensions: dict[int, bytes] = NO_EXTENSIONS,
        arrival: float = 0.0,
        size: int = 0,
    ) -> None:
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload = payload
        self.marker = marker
        self.csrcs = csrcs
        self.extensions = extensions
        self.arrival = arrival
        self.size = size
        self.index = -1
        self.codec: Codec | None = None
        self.key_frame = False
        self.frame: FrameInfo | None = None

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, sequence_number={self.sequence_number}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc}, marker={self.marker}, "
            f"{len(self.payload)} bytes)"
        )


def parse_rtp(data: bytes | memoryview, *, arrival: float) -> RtpPacket:
    """Read one RTP packet.

    Args:
        data: The packet without its SRTP tag. Nothing of the result points into it.
        arrival: When it was received, monotonic seconds.

    Raises:
        ParseError: When it is not RTP version 2, or a length in it passes the end.
    """
    if data.__class__ is not bytes:
        data = bytes(data)  # one copy, because slices of a view would point into the buffer
    size = len(data)
    if size >= HEADER_SIZE + 4:
        # With what follows: without CSRCs, that is the header extension's own header.
        first, second, sequence_number, timestamp, ssrc, profile, words = _unpack_both(data)
    elif size >= HEADER_SIZE:
        first, second, sequence_number, timestamp, ssrc = _unpack_header(data)
    else:
        raise ParseError("An RTP packet is shorter than its header.")
    position = HEADER_SIZE
    if first == 0x90 or first == 0x80:  # what almost all packets have: no padding, no CSRC
        csrcs = b""
    else:
        if first & 0xC0 != 0x80:
            raise ParseError("An RTP packet is not of version 2.")
        position += 4 * (first & 0x0F)
        csrcs = data[HEADER_SIZE:position]
    extensions = NO_EXTENSIONS
    if first & 0x10:
        if position + 4 > size:
            raise ParseError("An RTP packet ends in its CSRCs or header extension.")
        if position > HEADER_SIZE:
            profile, words = _unpack_profile(data, position)
        position += 4
        end = position + 4 * words
        if end > size:
            raise ParseError("An RTP header extension is longer than its packet.")
        if profile == ONE_BYTE_PROFILE:
            extensions = {}
            while position < end:
                head = data[position]
                position += 1
                if 0x0F < head < 0xF0:
                    extensions[head >> 4] = data[
                        position : (position := position + (head & 0x0F) + 1)
                    ]
                elif head:
                    break  # RFC 8285 4.2: id 15 stops parsing; id 0 with a length is unknown
            if position > end:
                raise ParseError("An RTP header extension element passes the end.")
        elif profile & 0xFFF0 == TWO_BYTE_PROFILE:
            extensions = _parse_two_byte(data, position, end)
        position = end
    elif position > size:
        raise ParseError("An RTP packet ends in its CSRCs.")
    if first & 0x20:
        padding = data[-1]
        if not padding or padding > size - position:
            raise ParseError("The padding of an RTP packet is longer than its payload.")
        payload = data[position : size - padding]
    else:
        payload = data[position:]
    return RtpPacket(
        second & 0x7F,
        sequence_number,
        timestamp,
        ssrc,
        payload,
        second > 0x7F,
        csrcs,
        extensions,
        arrival,
        size,  # by position: names would cost 0.25 µs here
    )


def _parse_two_byte(data: bytes, position: int, end: int) -> dict[int, bytes]:
    """The elements of a two-byte header extension block (RFC 8285 4.3)."""
    extensions = {}
    while position < end:
        id_ = data[position]
        position += 1
        if not id_:
            continue  # padding
        if position == end or position + 1 + data[position] > end:
            raise ParseError("An RTP header extension element passes the end.")
        stop = position + 1 + data[position]
        extensions[id_] = data[position + 1 : stop]
        position = stop
    return extensions


def build_rtp(
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    marker: bool = False,
    extensions: Mapping[int, bytes] = NO_EXTENSIONS,
    csrcs: bytes = b"",
    padding: int = 0,
) -> bytes:
    """Write one RTP packet; for probes, tools and tests, as the fan-out writes its own way.

    Args:
        payload_type: 0..127.
        sequence_number: 16 bits.
        timestamp: 32 bits.
        ssrc: 32 bits.
        payload: Media.
        marker: The marker bit.
        extensions: Local id → value; in the two-byte form where one needs it.
        csrcs: Contributing sources, 4 bytes each.
        padding: Bytes of padding to add, 0..255, of which the last tells the number.
    """
    block = encode_header_extensions(tuple(extensions.items()), mixed=True)
    first = 0x80 | bool(padding) << 5 | bool(block) << 4 | len(csrcs) // 4
    header = _header.pack(first, marker << 7 | payload_type, sequence_number, timestamp, ssrc)
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    return b"".join((header, csrcs, block, payload, tail))
