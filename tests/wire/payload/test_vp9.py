import pytest

from sfu.errors import ParseError
from sfu.wire.bits import BitReader
from sfu.wire.payload.vp9 import is_key_frame, parse_descriptor, read_profile, skip_color_config

FRAME = b"\x82\x49\x83\x42"


def bit_reader(bits: str) -> BitReader:
    """Before these bits, the last ones that it has."""
    reader = BitReader(int(bits, 2).to_bytes(-(-len(bits) // 8)))
    reader.read(reader.size - len(bits))
    return reader


def test_chrome_key_frame_with_scalability_structure():
    # I, F clear, L, B, E clear, V: picture id 0x1234, layers 0, TL0PICIDX 7, one layer 640x480
    # with a group of one picture.
    data = bytes.fromhex("aa 9234 00 07 18 0280 01e0 01 00") + FRAME
    descriptor = parse_descriptor(data)
    assert descriptor.size == len(data) - len(FRAME)
    assert descriptor.start
    assert not descriptor.end
    assert not descriptor.inter_predicted
    assert not descriptor.flexible
    assert (descriptor.picture_id, descriptor.picture_id_bits) == (0x1234, 15)
    assert descriptor.tl0_picture_index == 7
    assert (descriptor.spatial_layer, descriptor.temporal_layer) == (0, 0)
    assert descriptor.spatial_layers == 1
    assert is_key_frame(data)


def test_layer_indices():
    # T=5, U, S=3, D
    descriptor = parse_descriptor(bytes.fromhex("ed 05 b7 ff") + FRAME)
    assert descriptor.temporal_layer == 5
    assert descriptor.switching_up
    assert descriptor.spatial_layer == 3
    assert descriptor.inter_layer_predicted
    assert descriptor.tl0_picture_index == 255
    assert descriptor.inter_predicted
    assert descriptor.start
    assert descriptor.end
    assert descriptor.not_reference
    assert (descriptor.picture_id, descriptor.picture_id_bits) == (5, 7)
    assert descriptor.size == 4


def test_flexible_mode_has_references_and_no_tl0_picture_index():
    descriptor = parse_descriptor(bytes.fromhex("f8 05 20 03 05 06") + FRAME)
    assert descriptor.flexible
    assert descriptor.references == (1, 2, 3)
    assert descriptor.tl0_picture_index is None
    assert descriptor.temporal_layer == 1
    assert descriptor.size == 6
    # A fourth reference is one too many.
    assert parse_descriptor(bytes.fromhex("f8 05 20 03 05 07 08") + FRAME) is None


def test_scalability_structure_of_three_layers_and_a_group():
    # N_S=2, Y, G: three sizes, four pictures with 0, 1, 1, 2 references.
    structure = "58" + "0140 00b4 0280 0168 0500 02d0" + "04 00 5401 3401 5802 01"
    data = bytes.fromhex("0a" + structure) + FRAME
    descriptor = parse_descriptor(data)
    assert descriptor.spatial_layers == 3
    assert descriptor.size == len(data) - len(FRAME)
    assert is_key_frame(data)
    for size in range(len(data) - len(FRAME)):
        assert parse_descriptor(data[:size]) is None


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ("08 82", True),  # B alone
        ("8c 05 82", True),
        ("8c 8005 82", True),
        ("a8 05 00 07 82", True),
        ("a8 05 10 07 82", True),  # U
        ("b8 05 00 82", True),  # flexible
        ("48 82", False),  # P
        ("00 82", False),  # not the first packet
        ("a8 05 02 07 82", False),  # the second spatial layer
        ("a8 05 03 07 82", False),
        ("28 0e 07 82", False),
        ("", False),
        ("08", False),
        ("88", False),
        ("8c 80", False),
        ("a8 05", False),
    ],
)
def test_key_frame(data, key):
    assert is_key_frame(bytes.fromhex(data)) is key


def test_descriptor_cut_short():
    data = bytes.fromhex("ed 8505 b7 ff")
    assert parse_descriptor(data).size == 5
    for size in range(5):
        assert parse_descriptor(data[:size]) is None


@pytest.mark.parametrize(("bits", "profile"), [("1000", 0), ("1010", 1), ("1001", 2), ("10110", 3)])
def test_profile(bits, profile):
    reader = bit_reader(bits)
    assert read_profile(reader) == profile
    assert reader.position == reader.size


@pytest.mark.parametrize("bits", ["0000", "0100", "1100", "100", "1011"])
def test_profile_of_what_is_no_frame_or_cut_short(bits):
    with pytest.raises(ParseError):
        read_profile(bit_reader(bits))


@pytest.mark.parametrize(
    ("profile", "bits"),
    [
        (0, "010 0"),  # BT.709 in the narrow range
        (1, "010 0 000"),  # 4:4:4
        (1, "111 0"),  # sRGB
        (2, "0 010 1"),  # 10 bits
        (3, "1 010 0 100"),
        (3, "1 111 0"),
    ],
)
def test_colors_are_passed_over_to_the_bit(profile, bits):
    bits = bits.replace(" ", "")
    reader = bit_reader(bits)
    skip_color_config(reader, profile)
    assert reader.position == reader.size
    with pytest.raises(ParseError):
        skip_color_config(bit_reader(bits[:-1]), profile)


@pytest.mark.parametrize(("profile", "bits"), [(0, "1110"), (2, "01110")])
def test_colors_that_a_profile_cannot_have(profile, bits):
    with pytest.raises(ParseError, match="profiles 1 and 3"):
        skip_color_config(bit_reader(bits), profile)
