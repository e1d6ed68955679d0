"""AV1 payloads: the aggregation header and OBUs (AOMedia, RTP Payload Format For AV1 4.4)."""

from collections.abc import Iterator

from sfu.errors import ParseError
from sfu.wire.bits import BitReader

CONTINUES = 0x80  # Z: the first element continues one of the packet before
CONTINUED = 0x40  # Y: the last element goes on in the next packet
NEW_SEQUENCE = 0x08  # N: the first packet of a coded video sequence
SEQUENCE_HEADER = 1  # OBU type (AV1 6.2.2)

_MAX_LEB128_SIZE = 8  # bytes (AV1 4.10.5)
_MAX_SEQUENCE_HEADER = 512  # bytes; with all 32 operating points it is smaller


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: N is set, and nothing continues into it."""
    return len(payload) > 1 and payload[0] & (CONTINUES | NEW_SEQUENCE) == NEW_SEQUENCE


def elements(payload: bytes) -> Iterator[bytes]:
    """The OBU elements of a payload; the first and the last may be parts of OBUs (Z and Y).

    Reading ends at the first element whose length passes the end.
    """
    if not payload:
        return
    count = payload[0] >> 4 & 3  # W; 0 is as many as there is room for, each with its length
    position, number, size = 1, 0, len(payload)
    while position < size:
        number += 1
        if number == count:
            yield payload[position:]
            return
        length, position = _leb128(payload, position)
        if position + length > size:
            return
        yield payload[position : position + length]
        position += length


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """A number (AV1 4.10.5), and where it ends; where it is cut short, one that passes any end."""
    value = 0
    for shift in range(_MAX_LEB128_SIZE):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position
    return len(data), position + 1


def frame_size(payload: bytes) -> tuple[int, int] | None:
    """Largest width and height that the sequence header in this payload allows, in pixels.

    With spatial layers those are the sizes of the highest. None without a whole sequence header.
    """
    if not payload or payload[0] & CONTINUES:
        return None
    for element in elements(payload):
        if len(element) > 1 and element[0] >> 3 & 0x0F == SEQUENCE_HEADER:
            position = 2 if element[0] & 0x04 else 1  # the extension: layer ids
            if element[0] & 0x02:  # a length of its own
                position = _leb128(element, position)[1]
            try:
                return _sequence_size(BitReader(element[position:][:_MAX_SEQUENCE_HEADER]))
            except ParseError:
                return None
    return None


def _sequence_size(bits: BitReader) -> tuple[int, int]:
    """AV1 5.5.1, as far as the size."""
    bits.read(4)  # seq_profile, still_picture
    if bits.flag():  # reduced_still_picture_header
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits = bits.read(4) + 1
    height_bits = bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: BitReader) -> None:
    delay_bits = 0
    if bits.flag():  # timing_info_present_flag
        bits.read(64)
        if bits.flag():  # equal_picture_interval
            bits.golomb()
        if bits.flag():  # decoder_model_info_present_flag
            delay_bits = bits.read(5) + 1
            bits.read(42)
    display_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)  # operating_point_idc
        if bits.read(5) > 7:  # seq_level_idx
            bits.read(1)
        if delay_bits and bits.flag():
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.read(4)
