"""H.264 access units from RTP payloads (RFC 6184 5), in the byte stream format (Annex B)."""

from collections.abc import Sequence
from itertools import chain

from recorder.media.frame import Picture
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.payload import h264

START_CODE = b"\0\0\0\1"
MAX_SETS = 32  # parameter sets of each type that are kept; a stream has one
MAX_PENDING = 64  # NAL units that wait for their picture

_SLICES = frozenset((1, 2, 5))
_PREFIX = 24  # the lowest type that is not a NAL unit (RFC 6184 table 1)


class H264Depacketizer:
    """Puts fragments together, takes aggregates apart, and keeps the parameter sets."""

    __slots__ = ("_pending", "_sets")

    def __init__(self) -> None:
        self._sets: dict[int, list[bytes]] = {h264.SPS: [], h264.PPS: []}  # NAL units by type
        self._pending: list[bytes] = []  # NAL units without a picture yet

    def read(self, packets: Sequence[RecordedPacket]) -> Picture | None:
        """See `Depacketizer`."""
        units = _units(packets)
        kinds = [unit[0] & 0x1F for unit in units]
        for kind, known in self._sets.items():
            if kind in kinds:  # these take the place of those before
                known[:] = dict.fromkeys(unit for unit in units if unit[0] & 0x1F == kind)
                del known[MAX_SETS:]
        if _SLICES.isdisjoint(kinds):
            self._pending = [*self._pending, *units][-MAX_PENDING:]
            return None
        units = [*self._pending, *units]
        self._pending.clear()
        key_frame = h264.IDR in kinds and all(self._sets.values())
        extradata = _byte_stream([*chain(*self._sets.values())]) if key_frame else b""
        return Picture(_byte_stream(units), key_frame, extradata)


def _byte_stream(units: Sequence[bytes]) -> bytes:
    return START_CODE + START_CODE.join(units)


def _units(packets: Sequence[RecordedPacket]) -> list[bytes]:
    """The NAL units in these packets.

    Raises:
        ParseError: One is not whole, or is in a packetization mode that nobody agreed on.
    """
    units: list[bytes] = []
    fragments: list[bytes] = []
    for packet in packets:
        payload = packet.payload
        kind = payload[0] & 0x1F
        if kind == h264.FU_A:
            if len(payload) < 3 or bool(payload[1] & 0x80) == bool(fragments):
                raise ParseError("A fragment of a NAL unit is missing.")
            if not fragments:
                fragments.append(bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)))
            fragments.append(payload[2:])
            if payload[1] & 0x40:
                units.append(b"".join(fragments))
                fragments.clear()
            continue
        if fragments:
            raise ParseError("The end of a NAL unit is missing.")
        if kind == h264.STAP_A:
            units += _aggregated(payload)
        elif 0 < kind < _PREFIX:
            units.append(payload)
        elif kind < 30 and kind:  # RFC 6184 5.2: undefined types are ignored
            raise ParseError("Only packetization modes 0 and 1 of H.264 are known.")
    if fragments:
        raise ParseError("The end of a NAL unit is missing.")
    return units


def _aggregated(payload: bytes) -> list[bytes]:
    units = []
    position = 1
    while position + 2 <= len(payload):
        length = payload[position] << 8 | payload[position + 1]
        position += 2
        if position + length > len(payload):
            raise ParseError("An aggregated NAL unit is cut short.")
        if length:
            units.append(payload[position : position + length])
        position += length
    return units
