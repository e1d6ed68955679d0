from random import Random

import pytest

from sfu.wire.parameters import AV1, OPUS, VP8, VP9, h264
from sfu.wire.payload.frame import DescribedFrame, Vp8Frame, Vp9Frame
from sfu.wire.payload.frame_reader import FrameReader
from sfu.wire.rtp import RtpPacket
from tests.fuzz.mutate import corpus, mutations
from tests.support.captures import capture
from tests.support.layered_video import encode
from tests.support.projected import DESCRIPTOR_ID, Stream, vp8_payloads
from tests.support.svc import Svc

H264 = h264("constrained-baseline", 1)


def read(codec, *payloads, timestamp=0, marker=True):
    stream = Stream(codec, 1)
    return [one.frame for one in stream.arrive(stream.packets(payloads, timestamp, marker=marker))]


def test_vp8():
    key, inter = encode("libvpx", 2)
    first, *middle, last = read(VP8, *vp8_payloads(key.data, picture_id=5, tl0=9, temporal=0))
    assert middle
    assert isinstance(first, Vp8Frame)
    assert (first.start, first.end, first.key_frame, first.end_of_picture) == (True, False) * 2
    assert (last.start, last.end, last.key_frame, last.end_of_picture) == (False, True) * 2
    assert first.switch_spatial
    assert (first.tl0, first.offset, first.wide) == (9, 2, True)
    assert first.place == last.place
    layered = vp8_payloads(inter.data, picture_id=6, tl0=9, temporal=2, sync=True)
    (frame, *_) = read(VP8, *layered)
    assert (frame.temporal, frame.switch_up_temporal, frame.key_frame) == (2, True, False)
    assert not frame.discardable
    (frame, *_) = read(VP8, bytes((layered[0][0] | 0x20,)) + layered[0][1:])
    assert frame.discardable


@pytest.mark.parametrize("wide", [False, True])
def test_picture_ids_are_unwrapped(wide):
    stream = Stream(VP8, 1)
    modulus = 0x8000 if wide else 0x80
    rng = Random(2)
    order = sorted(range(1000), key=lambda one: one + rng.randrange(5))
    pictures = []
    for number in order:
        payloads = vp8_payloads(b"\x11", picture_id=(number - 50) % modulus, wide=wide)
        (packet,) = stream.arrive(stream.packets(payloads, number))
        pictures.append(packet.frame.picture)
    assert [one - pictures[0] for one in pictures] == [one - order[0] for one in order]
    assert min(pictures) > 0


def test_vp9():
    svc = Svc(3, 3)
    stream = Stream(VP9, 1)
    made = list(svc.vp9(stream, svc.pictures(3), flexible=False))
    frames = [packet.frame for packets in made for packet in stream.arrive(packets)]
    assert all(isinstance(one, Vp9Frame) for one in frames)
    key = frames[:6]
    assert [one.spatial for one in key] == [0, 0, 1, 1, 2, 2]
    assert [one.key_frame for one in key] == [True] + [False] * 5
    assert [one.switch_spatial for one in key] == [True] * 2 + [False] * 4
    assert [one.intra for one in key] == [True] * 2 + [False] * 4
    assert [one.start for one in key] == [True, False] * 3
    assert [one.end for one in key] == [False, True] * 3
    assert [one.end_of_picture for one in key] == [False] * 5 + [True]
    assert {one.top for one in frames} == {2}
    assert [one.temporal for one in frames[6:]] == [2] * 6 + [1] * 6
    assert len({one.picture for one in frames}) == 3


def test_descriptors():
    svc = Svc(2, 3)
    stream = Stream(AV1, 1)
    made = list(svc.described(stream, svc.pictures(3)))
    frames = [packet.frame for packets in made for packet in stream.arrive(packets)]
    assert all(isinstance(one, DescribedFrame) for one in frames)
    assert [one.key_frame for one in frames[:4]] == [True, False, False, False]
    assert [one.switch_spatial for one in frames] == [True] * 4 + [False] * 8
    assert [one.discardable for one in frames] == [False] * 6 + [True] * 2 + [False] * 4
    assert frames[0].switch == frames[0].present == frames[0].required == 0b111111
    assert frames[2].present == 0b111000
    assert [one.needs for one in frames[::2]] == [(), (1,), (2,), (2, 1), (4,), (4, 1)]


def test_h264():
    stream = Stream(H264, 1)
    packets = stream.packets([b"\x67\x42", b"\x68\xce", b"\x65\x88"], 0)
    packets += stream.packets([b"\x01\x9a", b"\x1c\x81", b"\x41\x9a"], 3000)
    frames = [one.frame for one in stream.arrive(packets)]
    assert [one.start for one in frames] == [True, False, False] * 2
    assert [one.key_frame for one in frames] == [True] + [False] * 5
    assert [one.discardable for one in frames] == [False] * 3 + [True, True, False]


def test_what_cannot_be_read_has_no_frame():
    assert read(VP8, b"", b"\x90", b"\x90\x80") == [None] * 3
    assert read(VP9, b"\xa0", b"\xf8\x05\x20\x03\x07\x07\x07") == [None] * 2
    packet = RtpPacket(96, 0, 0, 1, b"\x10")
    FrameReader().read(packet)
    assert packet.frame is None
    (sound,) = read(OPUS, b"\xfc")
    assert (sound.spatial, sound.temporal) == (0, 0)


def test_chromium_has_layers_of_vp8_in_descriptors_alone():
    packets = [one for picture in capture("vp8_l1t3") for one in picture]
    assert all(isinstance(one.frame, DescribedFrame) for one in packets)
    assert {one.frame.temporal for one in packets} == {0, 1, 2}
    reader = FrameReader()
    for packet in packets:
        packet.frame = None
        reader.read(packet)
    assert all(one.frame.offset == 0 for one in packets)


@pytest.mark.parametrize("codec", [VP8, VP9, AV1, H264])
def test_junk(codec):
    payloads = mutations(corpus("payload"), 20_000, Random(4))
    values = mutations(corpus("dependency_descriptor"), 20_000, Random(3))
    reader = FrameReader(DESCRIPTOR_ID)
    for number, (payload, value) in enumerate(zip(payloads, values, strict=True)):
        packet = RtpPacket(96, number & 0xFFFF, number // 3, 1, payload, number % 3 == 2)
        packet.extensions = {DESCRIPTOR_ID: value} if number % 5 else {}
        packet.codec = codec
        reader.read(packet)
        frame = packet.frame
        if frame is not None:
            assert 0 <= frame.spatial < 8
            assert 0 <= frame.temporal < 8
