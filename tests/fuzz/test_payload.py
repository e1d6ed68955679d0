"""Invariant: no payload makes a payload parser raise, and no descriptor is longer than its payload.

Where a codec has a descriptor, a key frame is found only in a payload that has a whole one, at the
beginning of a frame.
"""

from random import Random

from sfu.wire.payload import av1, h264, opus, vp8, vp9
from tests.fuzz.mutate import corpus, mutations

COUNT = 250_000
SEED = 4


def test_payloads():
    sizes = dict.fromkeys((vp8, vp9, h264, av1), 0)
    key_frames = {"vp8": 0, "vp9": 0, "h264": 0, "av1": 0}
    for data in mutations(corpus("payload"), COUNT, Random(SEED)):
        size = len(data)

        descriptor = vp8.parse_descriptor(data)
        assert descriptor is None or 0 < descriptor.size <= size
        if vp8.is_key_frame(data):
            key_frames["vp8"] += 1
            assert descriptor.start, data.hex()
            assert descriptor.size < size, data.hex()

        descriptor = vp9.parse_descriptor(data)
        assert descriptor is None or 0 < descriptor.size <= size
        if vp9.is_key_frame(data):
            key_frames["vp9"] += 1
            if descriptor is not None:
                assert descriptor.start, data.hex()
                assert not descriptor.inter_predicted
                assert descriptor.spatial_layer == 0

        types = h264.nal_types(data)
        assert len(types) <= size / 3 + 1
        if h264.is_key_frame(data):
            key_frames["h264"] += 1
        assert h264.is_key_frame(data) == (h264.SPS in types), data.hex()

        if av1.is_key_frame(data):
            key_frames["av1"] += 1
            assert data[0] & 0x08

        for codec in (vp8, vp9, h264, av1):
            dimensions = codec.frame_size(data)
            if dimensions is not None:
                sizes[codec] += 1
                assert min(dimensions) > 0
                assert max(dimensions) <= 1 << 17, data.hex()
        for codec in (vp8, vp9):
            widened = codec.widen_picture_id(data)
            descriptor = codec.parse_descriptor(data)
            if descriptor is not None and descriptor.picture_id_bits:
                wide = codec.parse_descriptor(widened)
                assert wide.picture_id_bits == 15
                assert wide.picture_id == descriptor.picture_id
                assert wide.tl0_picture_index == descriptor.tl0_picture_index
                assert widened[wide.size :] == data[descriptor.size :]
        assert sum(map(len, av1.elements(data))) <= size

        primary = opus.red_primary(data)
        if primary is not None:
            assert data.endswith(primary[1])
            assert len(primary[1]) < size
            assert primary[0] < 128
    assert min(key_frames.values()) > COUNT // 50, key_frames
    assert min(sizes.values()) > COUNT // 1000, sizes
