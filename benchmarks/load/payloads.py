"""Cutting encoded frames into RTP payloads: VP8 (RFC 7741), H.264 (RFC 6184), Opus (RFC 7587)."""

import re
from collections.abc import Callable

from sfu.wire.payload.h264 import FU_A, IDR, PPS, SPS, STAP_A

# VP8: a descriptor (RFC 7741 4.2) with a picture id of 15 bits, which the publisher fills in.
VP8_START, VP8_CONTINUATION = b"\x90\x80\x80\x00", b"\x80\x80\x80\x00"
VP8_PICTURE_ID = 2  # where in the descriptor

STAMP_SIZE = 8  # bytes that the publisher adds to the last payload of a frame

_SLICE = 1
_START_CODE = re.compile(b"\x00{2,}\x01")
_ONE_FRAME_PADDED = 0x41  # RFC 6716 3.2.5: one frame, constant size, with padding


def vp8_payloads(frame: bytes, max_size: int) -> list[bytes]:
    """One VP8 frame, in pieces of nearly equal size, as encoders of browsers cut it.

    The room for the stamp at the end is left: what follows the last partition is not decoded.
    """
    room = max_size - len(VP8_START)
    pieces = _split(frame, room)
    return [(VP8_CONTINUATION if i else VP8_START) + piece for i, piece in enumerate(pieces)]


def h264_payloads(frame: bytes, max_size: int) -> list[bytes]:
    """One H.264 access unit in the byte-stream format (Annex B), in packetization mode 1.

    Parameter sets go first and in one packet; what decoders do without (delimiters, SEI) is left
    out. Bytes behind the end of the last slice, such as the stamp, are not decoded.
    """
    units = [unit.rstrip(b"\x00") for unit in _START_CODE.split(frame)]
    sets = [unit for unit in units if unit and unit[0] & 0x1F in (SPS, PPS)]
    payloads = []
    if sets:
        sized = b"".join(len(unit).to_bytes(2) + unit for unit in sets)
        payloads.append(bytes((sets[0][0] & 0x60 | STAP_A,)) + sized)
    for unit in units:
        if unit and _SLICE <= unit[0] & 0x1F <= IDR:
            payloads += _h264_unit(unit, max_size)
    return payloads


def _h264_unit(unit: bytes, max_size: int) -> list[bytes]:
    if len(unit) + STAMP_SIZE <= max_size:
        return [unit]
    pieces = _split(unit[1:], max_size - 2)
    payloads = []
    for i, piece in enumerate(pieces):
        start, end = (i == 0) << 7, (i == len(pieces) - 1) << 6
        payloads.append(bytes((unit[0] & 0x60 | FU_A, start | end | unit[0] & 0x1F)) + piece)
    return payloads


def opus_payloads(frame: bytes, max_size: int) -> list[bytes]:
    """One Opus packet of one frame, so that the stamp becomes its padding.

    Raises:
        ValueError: When it has several frames, or is too large.
    """
    if frame[0] & 3:
        raise ValueError("an Opus packet has several frames")
    if len(frame) + 2 + STAMP_SIZE > max_size:
        raise ValueError(f"an Opus frame of {len(frame)} bytes needs a larger packet")
    head = bytes((frame[0] | 3, _ONE_FRAME_PADDED, STAMP_SIZE))
    return [head + frame[1:]]


PAYLOADS: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "vp8": vp8_payloads,
    "h264": h264_payloads,
    "opus": opus_payloads,
}


def _split(data: bytes, room: int) -> list[bytes]:
    """Pieces as equal as possible, each with room for the stamp behind it."""
    count = -(-len(data) // (room - STAMP_SIZE))
    size = -(-len(data) // count)
    return [data[start : start + size] for start in range(0, len(data), size)]
