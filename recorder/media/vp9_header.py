"""Headers of VP9 frames, as far as hiding lower spatial layers needs (VP9 bitstream spec. 6.2).

A sender of spatial layers marks each of them as shown, since a receiver may get only the lower
ones. A decoder that is given all of them would show them one after another.
"""

from sfu.errors import ParseError
from sfu.wire.bits import BitReader
from sfu.wire.payload.vp9 import read_profile, skip_color_config

MAX_HEADER = 160  # bytes; with all that there can be in it, it is smaller

_FEATURES = (9, 7, 2, 0)  # bits of each feature of a segment, with its sign


class Vp9Hider:
    """Hides frames of one stream; it must see all of them, since headers rest on earlier ones."""

    __slots__ = ("_widths",)

    def __init__(self) -> None:
        self._widths = [0] * 8  # of the frames that may be referred to

    def read(self, frame: bytes, *, hide: bool) -> bytes:
        """The frame, made one that is decoded but not shown if `hide`.

        Returns:
            Nothing for one to be hidden that only shows another.

        Raises:
            ParseError: This is no frame, or needs one that never was.
        """
        bits = BitReader(frame[:MAX_HEADER])
        profile = read_profile(bits)
        if bits.flag():  # show_existing_frame
            return b"" if hide else frame
        key_frame = not bits.flag()
        shown_at = bits.position
        shown = bits.flag()
        resilient = bits.flag()
        intra_at = bits.position
        intra_only = not key_frame and not shown and bits.flag()
        refresh = 0xFF
        if key_frame:
            width = _intra_width(bits, profile)
        else:
            if not resilient:
                bits.read(2)  # reset_frame_context
            if intra_only:
                bits.read(24)  # frame_sync_code
                if profile:
                    skip_color_config(bits, profile)
                refresh = bits.read(8)
                width = _width(bits)
            else:
                refresh = bits.read(8)
                width = self._inter_width(bits)
        for slot in range(8):
            if refresh >> slot & 1:
                self._widths[slot] = width
        if not hide or not shown:
            return frame
        if key_frame:  # as long as before
            return _cleared(frame, shown_at)
        _skip_rest(bits, resilient, width)
        return _with_zero(_cleared(frame, shown_at), intra_at, bits.position)

    def _inter_width(self, bits: BitReader) -> int:
        """Of a frame that has references."""
        references = []
        for _ in range(3):
            references.append(bits.read(3))
            bits.read(1)  # ref_frame_sign_bias
        for reference in references:
            if bits.flag():  # found_ref
                width = self._widths[reference]
                if not width:
                    raise ParseError("A VP9 frame refers to one that never was.")
                _skip_render_size(bits)
                break
        else:
            width = _width(bits)
        bits.read(1)  # allow_high_precision_mv
        if not bits.flag():  # is_filter_switchable
            bits.read(2)
        return width


def _intra_width(bits: BitReader, profile: int) -> int:
    bits.read(24)  # frame_sync_code
    skip_color_config(bits, profile)
    return _width(bits)


def _width(bits: BitReader) -> int:
    width = bits.read(16) + 1
    bits.read(16)
    _skip_render_size(bits)
    return width


def _skip_render_size(bits: BitReader) -> None:
    if bits.flag():
        bits.read(32)


def _skip_rest(bits: BitReader, resilient: bool, width: int) -> None:
    """What follows sizes and references, up to the end of the uncompressed header."""
    bits.read(2 if resilient else 4)  # what happens to probability contexts
    bits.read(9)  # loop_filter_level, loop_filter_sharpness
    if bits.flag() and bits.flag():  # loop_filter_delta_enabled, _update
        for _ in range(6):
            if bits.flag():
                bits.read(7)
    bits.read(8)  # base_q_idx
    for _ in range(3):
        if bits.flag():
            bits.read(5)
    if bits.flag():  # segmentation_enabled
        _skip_segmentation(bits)
    columns = (width + 63) // 64
    log = 0
    while 64 << log < columns:  # tiles are at most 64 superblocks wide
        log += 1
    while columns >> log + 1 >= 4 and bits.flag():  # and at least 4
        log += 1
    if bits.flag():  # tile_rows_log2
        bits.read(1)
    bits.read(16)  # header_size_in_bytes


def _skip_segmentation(bits: BitReader) -> None:
    if bits.flag():  # segmentation_update_map
        _skip_probabilities(bits, 7)
        if bits.flag():  # segmentation_temporal_update
            _skip_probabilities(bits, 3)
    if bits.flag():  # segmentation_update_data
        bits.read(1)
        for _ in range(8):
            for size in _FEATURES:
                if bits.flag():
                    bits.read(size)


def _skip_probabilities(bits: BitReader, count: int) -> None:
    for _ in range(count):
        if bits.flag():
            bits.read(8)


def _cleared(frame: bytes, position: int) -> bytes:
    """The frame with this bit 0."""
    at = position // 8
    return frame[:at] + bytes((frame[at] & ~(0x80 >> position % 8),)) + frame[at + 1 :]


def _with_zero(frame: bytes, position: int, end: int) -> bytes:
    """The frame with a bit 0 before the one at `position`, in a header of `end` bits."""
    size = (end + 7) // 8
    value = int.from_bytes(frame[:size], "big") >> 8 * size - end
    behind = end - position
    value = value >> behind << behind + 1 | value & (1 << behind) - 1
    grown = end // 8 + 1
    return (value << 8 * grown - end - 1).to_bytes(grown, "big") + frame[size:]
