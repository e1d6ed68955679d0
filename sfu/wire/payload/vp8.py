"""VP8 payloads: the descriptor (RFC 7741 section 4.2) and key frames."""

from typing import NamedTuple

_START_CODE = b"\x9d\x01\x2a"  # RFC 6386 9.1


class Vp8Descriptor(NamedTuple):
    """The payload descriptor in front of VP8 data.

    Attributes:
        size: Bytes of the descriptor.
        start: Whether a frame begins in this packet (S set, partition 0).
        non_reference: Whether no other frame needs this one.
        picture_id: 7 or 15 bits, None when absent.
        picture_id_offset: Where in the payload it begins; 0 when absent.
        picture_id_bits: 7 or 15; 0 when absent.
        tl0_picture_index: Number of the temporal base layer frame, 8 bits, None when absent.
        tl0_picture_index_offset: Where in the payload it is; 0 when absent.
        temporal_layer: 0..3, None when absent.
        layer_sync: Whether a receiver of lower layers may move up to this layer here.
        key_index: Number of the temporal key frame, 5 bits, None when absent.
    """

    size: int
    start: bool
    non_reference: bool
    picture_id: int | None
    picture_id_offset: int
    picture_id_bits: int
    tl0_picture_index: int | None
    tl0_picture_index_offset: int
    temporal_layer: int | None
    layer_sync: bool
    key_index: int | None


def parse_descriptor(payload: bytes) -> Vp8Descriptor | None:
    """Read the descriptor; None when the payload ends in it."""
    size = len(payload)
    if not size:
        return None
    first = payload[0]
    # S with PID 0: every partition of a frame has its own S, the first is number 0.
    start = first & 0x17 == 0x10
    non_reference = bool(first & 0x20)
    if first < 0x80:
        return Vp8Descriptor(1, start, non_reference, None, 0, 0, None, 0, None, False, None)
    if size < 2:
        return None
    flags = payload[1]
    position = 2
    picture_id = tl0_picture_index = temporal_layer = key_index = None
    picture_id_offset = picture_id_bits = tl0_picture_index_offset = 0
    layer_sync = False
    if flags & 0x80:
        picture_id_offset = position
        if size <= position:
            return None
        picture_id = payload[position]
        picture_id_bits = 7
        if picture_id & 0x80:
            if size <= position + 1:
                return None
            picture_id = (picture_id & 0x7F) << 8 | payload[position + 1]
            picture_id_bits = 15
            position += 1
        position += 1
    if flags & 0x40:
        if size <= position:
            return None
        tl0_picture_index_offset = position
        tl0_picture_index = payload[position]
        position += 1
    if flags & 0x30:
        if size <= position:
            return None
        layer = payload[position]
        position += 1
        if flags & 0x20:
            temporal_layer = layer >> 6
            layer_sync = bool(layer & 0x20)
        if flags & 0x10:
            key_index = layer & 0x1F
    return Vp8Descriptor(
        position,
        start,
        non_reference,
        picture_id,
        picture_id_offset,
        picture_id_bits,
        tl0_picture_index,
        tl0_picture_index_offset,
        temporal_layer,
        layer_sync,
        key_index,
    )


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload.

    The first bit of the VP8 data is 0 in key frames (RFC 6386 9.1). This runs for every packet, so
    it skips the descriptor without making a value of it.
    """
    size = len(payload)
    if not size or payload[0] & 0x17 != 0x10:
        return False
    position = 1
    if payload[0] & 0x80:
        if size < 3:
            return False
        flags = payload[1]
        position = 2
        if flags & 0x80:
            position += 2 if payload[2] & 0x80 else 1
        if flags & 0x40:
            position += 1
        if flags & 0x30:
            position += 1
    return position < size and not payload[position] & 1


def frame_size(payload: bytes) -> tuple[int, int] | None:
    """Width and height that the key frame beginning in this payload tells, in pixels.

    None for anything else, and for a frame that is cut short or encrypted end to end.
    """
    if not is_key_frame(payload):
        return None
    descriptor = parse_descriptor(payload)
    if descriptor is None:
        return None
    position = descriptor.size + 3  # behind the frame tag
    if len(payload) < position + 7 or payload[position : position + 3] != _START_CODE:
        return None
    # RFC 6386 9.1: 14 bits each, little-endian; the two above them are for scaling.
    width = payload[position + 3] | (payload[position + 4] & 0x3F) << 8
    height = payload[position + 5] | (payload[position + 6] & 0x3F) << 8
    return (width, height) if width and height else None


def widen_picture_id(payload: bytes) -> bytes:
    """The payload with its picture id in 15 bits, so that any number can be patched into it.

    A payload without picture id, or with one of 15 bits, comes back as it is.
    """
    if len(payload) < 3 or payload[0] < 0x80 or payload[1] < 0x80 or payload[2] >= 0x80:
        return payload
    return b"%b\x80%b" % (payload[:2], payload[2:])
