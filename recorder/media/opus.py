"""Opus packets: how long they sound, their header in files, and the redundancy around them."""

import struct

from sfu.errors import ParseError
from sfu.wire.payload.opus import MAX_BLOCKS

CLOCK_RATE = 48000  # Hz, whatever was sampled (RFC 7587 4.1)
# Samples by which what a decoder gives is later than what was captured: of libopus, which all
# browsers have (2.5 ms of lookahead and 4 ms in which its two codecs are brought in step).
DELAY = 312
MAX_DURATION = 5760  # samples; 120 ms (RFC 6716 3.2.5)

# Samples of one frame by the four configurations of each mode (RFC 6716 3.1, table 2).
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960, 480, 960)
_CELT = (120, 240, 480, 960)
_FRAME_SAMPLES = _SILK * 3 + _HYBRID + _CELT * 4


def duration(packet: bytes) -> int:
    """Samples at 48 kHz that this packet holds (RFC 6716 3.1).

    Raises:
        ParseError: It is not an Opus packet.
    """
    if not packet:
        raise ParseError("An Opus packet is empty.")
    count = (1, 2, 2, 0)[packet[0] & 3]
    if not count:
        count = packet[1] & 0x3F if len(packet) > 1 else 0
    samples = count * _FRAME_SAMPLES[packet[0] >> 3]
    if not 0 < samples <= MAX_DURATION:
        raise ParseError("An Opus packet has no frame, or is longer than 120 ms.")
    return samples


def head(channels: int) -> bytes:
    """OpusHead (RFC 7845 5.1) that has players take the decoder's delay out."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, DELAY, CLOCK_RATE, 0, 0)


def blocks(payload: bytes) -> list[tuple[int, bytes]]:
    """What is in a redundant payload (RFC 2198 3), the oldest first and the primary last.

    Returns:
        How many samples before the packet's timestamp each is, and its bytes, which may be none.

    Raises:
        ParseError: The payload is cut short.
    """
    sizes: list[tuple[int, int]] = []
    position = 0
    while position < len(payload) and payload[position] & 0x80:
        if position + 4 > len(payload) or len(sizes) == MAX_BLOCKS - 1:
            raise ParseError("A redundant payload is cut short, or has too many blocks.")
        field = int.from_bytes(payload[position + 1 : position + 4], "big")
        sizes.append((field >> 10, field & 0x3FF))
        position += 4
    position += 1
    found: list[tuple[int, bytes]] = []
    for offset, size in sizes:
        found.append((offset, payload[position : position + size]))
        position += size
    if position > len(payload):
        raise ParseError("A redundant payload is cut short.")
    found.append((0, payload[position:]))
    return found
