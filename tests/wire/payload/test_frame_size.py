"""Sizes of real key frames, as encoders write them."""

import struct
from itertools import pairwise

import pytest

from sfu.wire.parameters import AV1, OPUS, VP8, VP9, h264
from sfu.wire.payload import av1, frame_size_reader, layer_sizes, vp9
from sfu.wire.payload.h264 import frame_size as h264_size
from sfu.wire.payload.vp8 import widen_picture_id as widen_vp8
from tests.support.captures import capture
from tests.support.layered_video import encode

SIZES = [(160, 96), (322, 182), (1280, 720)]
H264 = h264("high", 1)


def units(data: bytes) -> list[bytes]:
    """NAL units of a byte stream."""
    return [part.rstrip(b"\0") for part in data.split(b"\0\0\1") if part.strip(b"\0")]


def obus(data: bytes) -> list[bytes]:
    """OBUs with their lengths taken out, as in RTP packets."""
    found, position = [], 0
    while position < len(data):
        head = data[position]
        start = position + 1 + (head >> 2 & 1)
        length = shift = 0
        while True:
            byte = data[start]
            length |= (byte & 0x7F) << shift
            start, shift = start + 1, shift + 7
            if byte < 0x80:
                break
        extension = data[position + 1 : position + 1 + (head >> 2 & 1)]
        found.append(bytes((head & ~2,)) + extension + data[start : start + length])
        position = start + length
    return [obu for obu in found if obu[0] >> 3 != 2]  # RTP leaves out temporal delimiters


@pytest.mark.parametrize("size", SIZES)
def test_vp8(size):
    read = frame_size_reader(VP8)
    frames = encode("libvpx", 2, size=size)
    assert read(b"\x90\x80\x85\x00" + frames[0].data) == size
    assert read(b"\x90\x80\x05" + frames[0].data) == size
    assert read(b"\x90\x80\x05" + frames[1].data) is None
    assert read(b"\x80\x80\x05" + frames[0].data) is None
    for cut in range(13):
        assert read((b"\x90\x80\x05" + frames[0].data)[:cut]) is None


@pytest.mark.parametrize("size", SIZES)
def test_vp9(size):
    read = frame_size_reader(VP9)
    frames = encode("libvpx-vp9", 2, size=size)
    assert read(b"\x08" + frames[0].data) == size
    assert read(b"\x08" + frames[1].data) is None
    assert read(b"\x48" + frames[0].data) is None
    structure = bytes((0x38,)) + struct.pack("!4H", 80, 48, *size) + b"\x00"
    assert read(b"\x0a" + structure + frames[0].data) == size
    assert vp9.parse_descriptor(b"\x0a" + structure + frames[0].data).layer_sizes == (
        (80, 48),
        size,
    )


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_vp9_profiles(pixels):
    frames = encode("libvpx-vp9", 1, size=(322, 182), pixels=pixels)
    assert vp9.frame_size(b"\x08" + frames[0].data) == (322, 182)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_h264(size, profile):
    read = frame_size_reader(H264)
    frames = encode("libx264", 2, size=size, options={"profile": profile, "tune": "zerolatency"})
    sps, pps = (u for u in units(frames[0].data) if u[0] & 0x1F in (7, 8))
    assert read(sps) == size
    assert read(pps) is None
    both = b"".join(len(unit).to_bytes(2, "big") + unit for unit in (pps, sps))
    assert read(b"\x78" + both) == size
    assert read(b"\x7c\x87" + sps[1:]) == size
    assert read(b"\x7c\x07" + sps[1:]) is None
    for cut in range(8):
        assert read(sps[:cut]) is None


def test_h264_interlaced_and_with_other_chroma():
    # 1920x1088 in fields, cropped to 1080 lines.
    frames = encode(
        "libx264", 1, size=(1920, 1080), options={"x264-params": "interlaced=1", "preset": "fast"}
    )
    sps = next(unit for unit in units(frames[0].data) if unit[0] & 0x1F == 7)
    assert h264_size(sps) == (1920, 1080)
    for pixels in ("yuv422p", "yuv444p"):
        frames = encode("libx264", 1, size=(322, 182), pixels=pixels)
        sps = next(unit for unit in units(frames[0].data) if unit[0] & 0x1F == 7)
        assert h264_size(sps) == (322, 182)


@pytest.mark.parametrize("size", SIZES)
def test_av1(size):
    read = frame_size_reader(AV1)
    options = {"svtav1-params": "pred-struct=1:rc=2", "preset": "12"}
    frames = encode("libsvtav1", 2, size=size, options=options)
    first = [obu[:10_000] for obu in obus(frames[0].data)]
    assert first[0][0] >> 3 == av1.SEQUENCE_HEADER
    sized = b"".join(bytes((len(obu) & 0x7F | 0x80, len(obu) >> 7)) + obu for obu in first)
    assert read(b"\x08" + sized) == size  # W=0: all with lengths
    one = bytes((len(first[0]),)) + first[0]
    assert read(bytes((0x08 | 2 << 4,)) + one + first[1]) == size
    assert read(b"\x18" + first[0]) == size
    assert read(b"\x98" + first[0]) is None  # the end of an OBU
    assert read(b"\x10" + obus(frames[1].data)[0]) is None
    assert list(av1.elements(b"\x08" + sized)) == first
    for cut in range(6):
        assert read((b"\x18" + first[0])[:cut]) is None


def test_sound_has_no_size():
    assert frame_size_reader(OPUS)(b"\xfc\xff\xfe") is None


@pytest.mark.parametrize(
    ("widen", "short", "wide"),
    [
        (widen_vp8, "90f0 05 07 20 10", "90f0 8005 07 20 10"),
        (widen_vp8, "90f0 8505 07 20 10", "90f0 8505 07 20 10"),
        (widen_vp8, "10 10 05", "10 10 05"),
        (widen_vp8, "9060 07 20 10", "9060 07 20 10"),
        (widen_vp8, "90f0", "90f0"),
        (vp9.widen_picture_id, "a8 05 00 07", "a8 8005 00 07"),
        (vp9.widen_picture_id, "a8 8005 00 07", "a8 8005 00 07"),
        (vp9.widen_picture_id, "28 00 07", "28 00 07"),
        (vp9.widen_picture_id, "a8", "a8"),
    ],
)
def test_widening_picture_ids(widen, short, wide):
    assert widen(bytes.fromhex(short)) == bytes.fromhex(wide)


@pytest.mark.parametrize("name", ["vp9_l3t3", "vp9_l3t3_key", "av1_l3t3", "av1_l3t3_key"])
def test_sizes_of_all_spatial_layers(name: str) -> None:
    for packet in capture(name)[0]:
        if packet.key_frame:
            sizes = layer_sizes(packet.frame, packet.payload)
            assert len(sizes) >= 2
            assert sizes[-1] == frame_size_reader(packet.codec)(packet.payload)
            for lower, higher in pairwise(sizes):
                assert higher == (2 * lower[0], 2 * lower[1])
            return
    raise AssertionError("The capture begins with a key frame.")


def test_streams_of_one_layer_tell_no_more_than_its_size() -> None:
    for name in ("vp8_l1t3", "av1_l1t3"):
        packet = capture(name)[0][0]
        assert packet.key_frame
        assert len(layer_sizes(packet.frame, packet.payload)) <= 1
    assert layer_sizes(None, b"") == ()
