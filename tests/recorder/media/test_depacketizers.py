from dataclasses import replace

import av
import pytest

from recorder.media import opus
from recorder.media.av1 import Av1Depacketizer
from recorder.media.depacketizer import depacketizer
from recorder.media.h264 import H264Depacketizer
from recorder.media.vp9 import Vp9Depacketizer
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.parameters import AV1, OPUS, VP8, VP9, Codec
from sfu.wire.rtp import RtpPacket
from tests.recorder.media.packetizer import (
    H264,
    VIDEO_CODECS,
    encode_video,
    nal_units,
    obus,
    video_packets,
)
from tests.support.captures import capture, looks
from tests.support.projected import Sent


def packets(codec: Codec, *payloads: bytes) -> list[RecordedPacket]:
    last = len(payloads) - 1
    return [
        RecordedPacket(1, index, 0, index == last, False, codec, payload)
        for index, payload in enumerate(payloads)
    ]


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=lambda codec: codec.name)
def test_a_picture_without_its_beginning_or_its_end_is_refused(codec):
    picture = video_packets(codec, encode_video(codec))[0]
    assert len(picture) > 5
    if codec != H264:  # of which the first packet is whole in itself, with the parameter sets
        with pytest.raises(ParseError):
            depacketizer(codec).read(picture[1:])
    if codec != VP8:  # which has no mark at its end
        with pytest.raises(ParseError):
            depacketizer(codec).read(picture[:-1])


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=lambda codec: codec.name)
def test_a_decoder_takes_what_comes_out(codec):
    decoder = av.CodecContext.create("libdav1d" if codec == AV1 else codec.name.lower(), "r")
    reader = depacketizer(codec)
    shown = 0
    for number, picture in enumerate(video_packets(codec, encode_video(codec))):
        read = reader.read(picture)
        if not number and read.extradata:
            decoder.extradata = read.extradata
        shown += len(decoder.decode(av.Packet(read.data)))
    shown += len(decoder.decode(None))
    assert shown == 30


@pytest.mark.parametrize("mode", ["l3t3", "l3t3_key"])
@pytest.mark.parametrize("decoder", ["vp9", "libvpx-vp9"])
def test_spatial_layers_of_vp9_are_one_picture(mode, decoder):
    context = av.CodecContext.create(decoder, "r")
    pictures = capture(f"vp9_{mode}")
    reader = Vp9Depacketizer()
    # libvpx takes the layers as they were sent, and shows the highest.
    sent = [
        Sent(p.payload, p.marker, p.timestamp, None, p) for picture in pictures for p in picture
    ]
    expected = looks("vp9", sent)
    for picture in pictures:
        read = reader.read(_recorded(VP9, picture))
        assert read.key_frame == picture[0].key_frame
        (frame,) = context.decode(av.Packet(read.data))
        assert (frame.to_ndarray(format="gray") == expected[picture[0].timestamp]).all()


@pytest.mark.parametrize("mode", ["l1t3", "l3t3", "l3t3_key"])
def test_layers_of_av1_are_one_picture(mode):
    context = av.CodecContext.create("libdav1d", "r")
    context.options = {"max_frame_delay": "1"}
    context.thread_count = 1
    pictures = capture(f"av1_{mode}")
    reader = Av1Depacketizer()
    for number, picture in enumerate(pictures):
        read = reader.read(_recorded(AV1, picture))
        assert read.key_frame == picture[0].key_frame, number
        assert len(context.decode(av.Packet(read.data))) == 1


def _recorded(codec: Codec, picture: list[RtpPacket]) -> list[RecordedPacket]:
    return [
        RecordedPacket(1, p.index, p.timestamp, p.marker, p.key_frame, codec, p.payload)
        for p in picture
    ]


def test_parameter_sets_that_come_by_themselves_go_with_the_next_picture():
    frame = encode_video(H264)[0][0]
    units = nal_units(frame)
    sets = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
    rest = [unit for unit in units if unit not in sets]
    reader = H264Depacketizer()
    assert reader.read(packets(H264, *sets)) is None
    picture = reader.read(packets(H264, *rest))
    assert nal_units(picture.data) == [*sets, *rest]
    assert picture.key_frame
    assert nal_units(picture.extradata) == sets
    # They are still known when a key frame comes without them.
    again = reader.read(packets(H264, *rest))
    assert again.key_frame
    assert again.extradata == picture.extradata
    assert nal_units(again.data) == rest


def test_a_key_frame_without_parameter_sets_is_none():
    picture = H264Depacketizer().read(packets(H264, b"\x65" + bytes(20)))
    assert not picture.key_frame
    assert picture.extradata == b""


def test_other_parameter_sets_take_the_place_of_the_old_ones():
    reader = H264Depacketizer()
    for width in (320, 160):
        frame = encode_video(H264, width=width)[0][0]
        picture = reader.read(packets(H264, *nal_units(frame)))
        sets = [unit for unit in nal_units(frame) if unit[0] & 0x1F in (7, 8)]
        assert nal_units(picture.extradata) == sets


def test_interleaved_packetization_is_refused():
    with pytest.raises(ParseError):
        H264Depacketizer().read(packets(H264, b"\x79" + bytes(20)))


def test_undefined_nal_units_are_ignored():
    reader = H264Depacketizer()
    assert nal_units(reader.read(packets(H264, b"\x1e\x01", b"\x41\x9a\x01")).data) == [
        b"\x41\x9a\x01"
    ]


def test_the_extradata_of_av1_is_its_sequence_header():
    unit, key = encode_video(AV1)[0]
    picture = Av1Depacketizer().read(video_packets(AV1, ((unit, key),))[0])
    (header,) = [obu for obu in obus(unit) if obu[0] >> 3 & 15 == 1]
    assert picture.extradata == header
    assert picture.data == unit


def test_obus_may_have_their_sizes_already():
    unit, _ = encode_video(AV1)[0]
    whole = b"".join(
        _leb128(len(obu)) + obu for obu in obus(unit)
    )  # temporal delimiter included, which should not be sent
    picture = Av1Depacketizer().read(packets(AV1, b"\x08" + whole))
    assert picture.data == unit


def test_a_temporal_unit_without_frame_shows_nothing():
    unit, _ = encode_video(AV1)[0]
    (header,) = [obu for obu in obus(unit) if obu[0] >> 3 & 15 == 1]
    assert Av1Depacketizer().read(packets(AV1, b"\x18" + header)) is None


def test_sound_has_no_depacketizer():
    assert depacketizer(OPUS) is None
    assert depacketizer(replace(VP8, name="H265")) is None


def _leb128(value: int) -> bytes:
    return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))


def test_the_head_is_that_of_rfc_7845():
    assert opus.head(2) == b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"
