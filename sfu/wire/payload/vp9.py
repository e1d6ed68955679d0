"""VP9 payloads: the descriptor (RFC 9628 section 4.2) and key frames."""

from typing import NamedTuple

from sfu.errors import ParseError
from sfu.wire.bits import BitReader

MAX_REFERENCES = 3  # RFC 9628 4.2: P_DIFF is repeated up to three times
_SYNC_CODE = 0x498342  # VP9 bitstream specification 7.2
_SRGB = 7  # color_space
_HEADER_SIZE = 32  # bytes; more than what comes before the size in an uncompressed header


class Vp9Descriptor(NamedTuple):
    """The payload descriptor in front of VP9 data.

    Attributes:
        size: Bytes of the descriptor, scalability structure included.
        start: Whether a layer frame begins in this packet (B).
        end: Whether it ends in this packet (E).
        inter_predicted: Whether the frame needs earlier pictures (P).
        flexible: Whether references are told in each packet (F).
        not_reference: Whether no higher spatial layer needs this one (Z).
        picture_id: 7 or 15 bits, None when absent.
        picture_id_bits: 7 or 15; 0 when absent.
        temporal_layer: 0..7; 0 without layer indices.
        spatial_layer: 0..7; 0 without layer indices.
        switching_up: Whether a receiver of lower temporal layers may move up here (U).
        inter_layer_predicted: Whether the frame needs the spatial layer below (D).
        tl0_picture_index: Number of the temporal base layer frame, 8 bits, None when absent.
        references: Distances in pictures to the ones needed, in flexible mode.
        spatial_layers: Number of spatial layers that a scalability structure tells of; 0 without.
        layer_sizes: Their widths and heights in pixels; empty where they are not told.
    """

    size: int
    start: bool
    end: bool
    inter_predicted: bool
    flexible: bool
    not_reference: bool
    picture_id: int | None
    picture_id_bits: int
    temporal_layer: int
    spatial_layer: int
    switching_up: bool
    inter_layer_predicted: bool
    tl0_picture_index: int | None
    references: tuple[int, ...]
    spatial_layers: int
    layer_sizes: tuple[tuple[int, int], ...]


def parse_descriptor(payload: bytes) -> Vp9Descriptor | None:
    """Read the descriptor; None when the payload ends in it or has too many references."""
    try:
        return _parse_descriptor(payload)
    except IndexError:
        return None


def _parse_descriptor(payload: bytes) -> Vp9Descriptor | None:
    first = payload[0]
    position = 1
    picture_id = tl0_picture_index = None
    picture_id_bits = temporal_layer = spatial_layer = spatial_layers = 0
    switching_up = inter_layer_predicted = False
    references: list[int] = []
    layer_sizes: tuple[tuple[int, int], ...] = ()
    flexible = bool(first & 0x10)
    if first & 0x80:  # I
        picture_id = payload[position]
        picture_id_bits = 7
        if picture_id & 0x80:
            position += 1
            picture_id = (picture_id & 0x7F) << 8 | payload[position]
            picture_id_bits = 15
        position += 1
    if first & 0x20:  # L
        layer = payload[position]
        position += 1
        temporal_layer = layer >> 5
        switching_up = bool(layer & 0x10)
        spatial_layer = layer >> 1 & 7
        inter_layer_predicted = bool(layer & 1)
        if not flexible:
            tl0_picture_index = payload[position]
            position += 1
    if flexible and first & 0x40:  # F and P
        more = True
        while more:
            if len(references) == MAX_REFERENCES:
                return None
            references.append(payload[position] >> 1)
            more = bool(payload[position] & 1)
            position += 1
    if first & 0x02:  # V
        spatial_layers = (payload[position] >> 5) + 1
        if payload[position] & 0x10:  # Y
            layer_sizes = _layer_sizes(payload, position + 1, spatial_layers)
        position = _skip_scalability_structure(payload, position)
    if position > len(payload):
        return None
    return Vp9Descriptor(
        position,
        bool(first & 0x08),
        bool(first & 0x04),
        bool(first & 0x40),
        flexible,
        bool(first & 0x01),
        picture_id,
        picture_id_bits,
        temporal_layer,
        spatial_layer,
        switching_up,
        inter_layer_predicted,
        tl0_picture_index,
        tuple(references),
        spatial_layers,
        layer_sizes,
    )


def _layer_sizes(payload: bytes, position: int, count: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3])
        for at in range(position, position + 4 * count, 4)
    )


def _skip_scalability_structure(payload: bytes, position: int) -> int:
    """Where the structure ends (RFC 9628 4.2.1); may be behind the payload's end."""
    head = payload[position]
    position += 1
    if head & 0x10:  # Y: width and height of each layer
        position += 4 * ((head >> 5) + 1)
    if head & 0x08:  # G: pictures of one group, each with its references
        pictures = payload[position]
        position += 1
        for _ in range(pictures):
            position += 1 + (payload[position] >> 2 & 3)
    return position


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: the base layer's first packet, from nothing.

    Only the descriptor is read, because the frame behind it may be encrypted end to end.
    """
    # B without P.
    if not payload or payload[0] & 0x48 != 0x08:
        return False
    first = payload[0]
    size = len(payload)
    position = 1
    if first & 0x80:
        if size < 2:
            return False
        position = 3 if payload[1] & 0x80 else 2
    if first & 0x20:
        # The lowest spatial layer; the others of the same picture lean on it.
        if size <= position or payload[position] & 0x0E:
            return False
        position += 1
    return position < size


def frame_size(payload: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that this payload tells, those of the highest spatial layer.

    They come from the scalability structure, else from the header of the key frame that begins
    here. None where there is neither, and where either is cut short or makes no sense.
    """
    descriptor = parse_descriptor(payload)
    if descriptor is None:
        return None
    if descriptor.layer_sizes:
        # A layer that is not sent now may be told with a size of zero.
        width, height = max(descriptor.layer_sizes)
        return (width, height) if width and height else None
    if not descriptor.start or descriptor.inter_predicted or descriptor.spatial_layer:
        return None
    try:
        return _key_frame_size(BitReader(payload[descriptor.size :][:_HEADER_SIZE]))
    except ParseError:
        return None


def _key_frame_size(bits: BitReader) -> tuple[int, int] | None:
    """What an uncompressed header tells (VP9 bitstream specification 6.2)."""
    profile = read_profile(bits)
    if bits.flag() or bits.flag():  # show_existing_frame; frame_type, 0 is a key frame
        return None
    bits.read(2)  # show_frame, error_resilient_mode
    if bits.read(24) != _SYNC_CODE:
        return None
    skip_color_config(bits, profile)
    return bits.read(16) + 1, bits.read(16) + 1


def read_profile(bits: BitReader) -> int:
    """The profile, 0 to 3, with which an uncompressed header begins (6.2).

    Raises:
        ParseError: No VP9 frame begins here, or it is cut short.
    """
    if bits.read(2) != 2:  # frame_marker
        raise ParseError("This is not a VP9 frame.")
    profile = bits.read(1) | bits.read(1) << 1
    if profile == 3:
        bits.read(1)  # reserved_zero
    return profile


def skip_color_config(bits: BitReader, profile: int) -> None:
    """Pass over the color_config of an uncompressed header (6.2.2).

    Raises:
        ParseError: It is cut short, or has colours that this profile cannot have.
    """
    if profile >= 2:
        bits.read(1)  # 10 or 12 bits
    if bits.read(3) != _SRGB:
        bits.read(1)  # color_range
        if profile & 1:
            bits.read(3)  # subsampling, reserved_zero
    elif profile & 1:
        bits.read(1)  # reserved_zero
    else:
        raise ParseError("sRGB is for VP9 profiles 1 and 3 only.")


def widen_picture_id(payload: bytes) -> bytes:
    """The payload with its picture id in 15 bits, so that any number can be patched into it.

    A payload without picture id, or with one of 15 bits, comes back as it is.
    """
    if len(payload) < 2 or payload[0] < 0x80 or payload[1] >= 0x80:
        return payload
    return b"%b\x80%b" % (payload[:1], payload[1:])
