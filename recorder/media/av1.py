"""AV1 temporal units from RTP payloads (AOMedia, RTP Payload Format For AV1 4.4)."""

from collections.abc import Iterator, Sequence

from recorder.media.frame import Picture
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.payload import av1

TEMPORAL_DELIMITER = b"\x12\x00"  # OBU type 2 with a size of 0

_DELIMITER, _FRAME_HEADER, _FRAME, _TILE_LIST = 2, 3, 6, 8  # OBU types (AV1 6.2.2)
_EXTENSION, _HAS_SIZE = 0x04, 0x02  # flags of an OBU header
_MAX_SIZE = 1 << 28  # that a leb128 number of ours may need


class Av1Depacketizer:
    """Puts fragments of OBUs together, and gives each OBU its size back (AV1 5.2)."""

    __slots__ = ("_sequence",)

    def __init__(self) -> None:
        self._sequence = b""  # the newest sequence header OBU

    def read(self, packets: Sequence[RecordedPacket]) -> Picture | None:
        """See `Depacketizer`."""
        parts = [TEMPORAL_DELIMITER]
        shown = key_frame = False
        for header, body in _obus(packets):
            kind = header[0] >> 3 & 0x0F
            if kind in (_DELIMITER, _TILE_LIST):  # must not be sent, and be ignored
                continue
            obu = bytes((header[0] | _HAS_SIZE,)) + header[1:] + _leb128(len(body)) + body
            if kind == av1.SEQUENCE_HEADER:
                self._sequence = obu
            elif kind in (_FRAME, _FRAME_HEADER) and not shown:
                shown = True
                key_frame = _is_key_frame(body, self._sequence)
            parts.append(obu)
        if not shown:
            return None
        return Picture(b"".join(parts), key_frame, self._sequence if key_frame else b"")


def _is_key_frame(frame_header: bytes, sequence: bytes) -> bool:
    """Whether a decoder with this sequence header can begin here (AV1 5.9.2)."""
    # show_existing_frame 0, frame_type 0 (KEY_FRAME), show_frame 1
    return bool(sequence) and bool(frame_header) and frame_header[0] >> 4 == 0b0001


def _obus(packets: Sequence[RecordedPacket]) -> Iterator[tuple[bytes, bytes]]:
    """Header (with its extension) and payload of each OBU.

    Raises:
        ParseError: One is not whole.
    """
    fragments: list[bytes] = []
    for packet in packets:
        payload = packet.payload
        if bool(payload[0] & av1.CONTINUES) != bool(fragments):
            raise ParseError("A fragment of an OBU is missing.")
        elements = list(av1.elements(payload))
        if not elements:
            raise ParseError("A packet has no OBU.")
        for element in elements[:-1]:
            yield _split(b"".join((*fragments, element)))
            fragments.clear()
        fragments.append(elements[-1])
        if not payload[0] & av1.CONTINUED:
            yield _split(b"".join(fragments))
            fragments.clear()
    if fragments:
        raise ParseError("The end of an OBU is missing.")


def _split(obu: bytes) -> tuple[bytes, bytes]:
    if not obu:
        raise ParseError("An OBU is empty.")
    start = 2 if obu[0] & _EXTENSION else 1
    header = obu[:start]
    end = len(obu)
    if obu[0] & _HAS_SIZE:
        size = shift = 0
        while True:
            if start >= len(obu) or shift > 49:  # AV1 4.10.5: at most 8 bytes
                raise ParseError("The size of an OBU is cut short.")
            byte = obu[start]
            start += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        end = start + size
    if end > len(obu) or len(header) < 1 or start > len(obu):
        raise ParseError("An OBU is cut short.")
    return header, obu[start:end]


def _leb128(value: int) -> bytes:
    """A number in as few bytes as it needs (AV1 4.10.5)."""
    assert value < _MAX_SIZE
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
