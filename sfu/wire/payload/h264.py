"""H.264 payloads: NAL units in RTP packets (RFC 6184 section 5) and key frames."""

from sfu.errors import ParseError
from sfu.wire.bits import BitReader

IDR = 5
SPS = 7
PPS = 8
STAP_A = 24
FU_A = 28

_MAX_SPS_SIZE = 512  # bytes; a set with all scaling lists and frame offsets is smaller
_MAX_MACROBLOCKS = 4096  # in a row or column: 65,536 pixels, far above level 6.2
# Profiles with chroma format and scaling lists in their sets (ITU-T H.264 7.3.2.1.1).
_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))


def nal_types(payload: bytes) -> tuple[int, ...]:
    """Types of the NAL units that begin in this payload.

    Single NAL unit packets, STAP-A and FU-A are read, which is all that packetization modes 0 and 1
    have. A payload that is cut short gives those before the cut.
    """
    if not payload:
        return ()
    kind = payload[0] & 0x1F
    if 0 < kind < STAP_A:
        return (kind,)
    size = len(payload)
    if kind == FU_A:
        # The S bit marks the first fragment.
        return (payload[1] & 0x1F,) if size > 1 and payload[1] & 0x80 else ()
    if kind != STAP_A:
        return ()
    types = []
    position = 1
    while position + 2 < size:
        length = payload[position] << 8 | payload[position + 1]
        if length:
            types.append(payload[position + 2] & 0x1F)
        position += 2 + length
    return tuple(types)


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: its sequence parameter set is here.

    RFC 7742 6.2 has parameter sets sent in band. An IDR picture alone does not count: a receiver
    that is switched to it without the parameter sets in front cannot decode it.
    """
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == FU_A:  # most packets of most streams
        return len(payload) > 1 and payload[1] & 0x9F == 0x80 | SPS
    return kind == SPS or (kind == STAP_A and SPS in nal_types(payload))


def frame_size(payload: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of the sequence parameter set in this payload, cropping applied.

    A set in a fragment (FU-A) is read when the fragment is long enough. None without a set, and for
    one that is cut short or makes no sense.
    """
    unit = _sequence_parameter_set(payload)
    if unit is None:
        return None
    # ITU-T H.264 7.4.1: a third byte keeps two zero bytes from looking like a start code.
    data = unit[:_MAX_SPS_SIZE].replace(b"\0\0\3", b"\0\0")
    try:
        return _picture_size(BitReader(data))
    except ParseError:
        return None


def _sequence_parameter_set(payload: bytes) -> bytes | None:
    """The bytes behind its NAL unit header."""
    if not payload:
        return None
    kind = payload[0] & 0x1F
    if kind == SPS:
        return payload[1:]
    if kind == FU_A:
        return payload[2:] if len(payload) > 1 and payload[1] & 0x9F == 0x80 | SPS else None
    if kind != STAP_A:
        return None
    position = 1
    while position + 2 < len(payload):
        length = payload[position] << 8 | payload[position + 1]
        position += 2
        if length and payload[position] & 0x1F == SPS:
            return payload[position + 1 : position + length]
        position += length
    return None


def _picture_size(bits: BitReader) -> tuple[int, int] | None:
    """ITU-T H.264 7.3.2.1.1, as far as the cropping."""
    profile = bits.read(8)
    bits.read(16)  # constraints, level
    bits.golomb()  # seq_parameter_set_id
    chroma_format = 1
    if profile in _HIGH_PROFILES:
        chroma_format = bits.golomb()
        lists = 12 if chroma_format == 3 else 8
        if chroma_format == 3:
            bits.read(1)  # planes of their own; as in 4:4:4, cropping is by pixels
        bits.golomb()
        bits.golomb()  # bit depths
        bits.read(1)
        if bits.flag():
            for number in range(lists):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.golomb()  # log2_max_frame_num_minus4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.read(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # max_num_ref_frames
    bits.read(1)
    columns = bits.golomb() + 1
    rows = bits.golomb() + 1
    if columns > _MAX_MACROBLOCKS or rows > _MAX_MACROBLOCKS:
        return None
    fields = 1
    if not bits.flag():  # frame_mbs_only_flag: else a row of macroblocks is one of each field
        fields = 2
        bits.read(1)
    bits.read(1)
    width, height = 16 * columns, 16 * rows * fields
    if bits.flag():
        # ITU-T H.264 table 6-1: cropping counts in samples of chroma.
        across = 2 if chroma_format in (1, 2) else 1
        down = fields * (2 if chroma_format == 1 else 1)
        width -= across * (bits.golomb() + bits.golomb())
        height -= down * (bits.golomb() + bits.golomb())
    return (width, height) if width > 0 and height > 0 else None


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """ITU-T H.264 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last
