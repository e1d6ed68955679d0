import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor

from sfu.wire.payload.vp8 import is_key_frame, parse_descriptor

KEY = bytes.fromhex("5023009d012a80 02e001")  # a frame header: bit 0 clear
INTER = bytes.fromhex("b1230034")
NUMBERS = (0, 1, 126, 127, 128, 255, 32766, 32767)


def test_shortest_descriptor():
    descriptor = parse_descriptor(b"\x10" + KEY)
    assert descriptor.size == 1
    assert descriptor.start
    assert not descriptor.non_reference
    assert descriptor.picture_id is descriptor.tl0_picture_index is None
    assert descriptor.temporal_layer is descriptor.key_index is None
    assert descriptor.picture_id_bits == descriptor.picture_id_offset == 0
    assert descriptor.tl0_picture_index_offset == 0


@pytest.mark.parametrize("picture_id", [None, *NUMBERS])
@pytest.mark.parametrize("tl0_picture_index", [None, 0, 255])
@pytest.mark.parametrize("layer", [None, (0, 0), (3, 1)])
@pytest.mark.parametrize("key_index", [None, 0, 31])
def test_what_aiortc_writes(picture_id, tl0_picture_index, layer, key_index):
    written = VpxPayloadDescriptor(
        partition_start=1,
        partition_id=0,
        picture_id=picture_id,
        tl0picidx=tl0_picture_index,
        tid=layer,
        keyidx=key_index,
    )
    data = bytes(written)
    descriptor = parse_descriptor(data + KEY)
    assert descriptor.size == len(data)
    assert descriptor.start
    assert descriptor.picture_id == picture_id
    assert descriptor.tl0_picture_index == tl0_picture_index
    assert descriptor.temporal_layer == (layer and layer[0])
    assert descriptor.layer_sync == bool(layer and layer[1])
    assert descriptor.key_index == key_index
    if picture_id is not None:
        assert descriptor.picture_id_bits == 15  # aiortc writes no other
        field = data[descriptor.picture_id_offset :][:2]
        assert int.from_bytes(field, "big") & 0x7FFF == picture_id
    if tl0_picture_index is not None:
        assert data[descriptor.tl0_picture_index_offset] == tl0_picture_index
    assert is_key_frame(data + KEY)
    assert not is_key_frame(data + INTER)


def test_short_picture_id():
    descriptor = parse_descriptor(bytes.fromhex("90c07f05") + KEY)
    assert (descriptor.picture_id, descriptor.picture_id_bits) == (127, 7)
    assert (descriptor.picture_id_offset, descriptor.tl0_picture_index_offset) == (2, 3)
    assert descriptor.tl0_picture_index == 5
    assert descriptor.size == 4
    assert is_key_frame(bytes.fromhex("90c07f05") + KEY)


@pytest.mark.parametrize("first", [0x00, 0x11, 0x17, 0x30 & ~0x10])
def test_only_the_first_packet_of_a_frame_begins_a_key_frame(first):
    assert not is_key_frame(bytes((first,)) + KEY)
    assert not parse_descriptor(bytes((first,)) + KEY).start


def test_frame_that_no_other_needs():
    assert parse_descriptor(b"\x30" + INTER).non_reference


def test_descriptor_cut_short():
    data = bytes.fromhex("90f0ffff01e1")
    assert parse_descriptor(data).size == 6
    for size in range(6):
        assert parse_descriptor(data[:size]) is None
        assert not is_key_frame(data[:size])
    assert not is_key_frame(data)
    assert is_key_frame(data + KEY)
