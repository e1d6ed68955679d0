"""What clips are cut into can be put together and decoded, with the stamp in it."""

import av
import pytest

from benchmarks.load import encoding
from benchmarks.load.payloads import (
    PAYLOADS,
    STAMP_SIZE,
    VP8_START,
    h264_payloads,
    opus_payloads,
    vp8_payloads,
)
from sfu.wire.payload import h264, vp8

MAX_SIZE = 1088
STAMP = b"\xa5\x5a\x00\x12\x34\x56\x78\x9a"


def assemble_h264(payloads: list[bytes]) -> bytes:
    """A byte stream from single units, STAP-A and FU-A."""
    stream = b""
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == h264.STAP_A:
            position = 1
            while position < len(payload):
                size = int.from_bytes(payload[position : position + 2])
                stream += b"\x00\x00\x00\x01" + payload[position + 2 : position + 2 + size]
                position += 2 + size
        elif kind == h264.FU_A:
            if payload[1] & 0x80:
                stream += b"\x00\x00\x00\x01" + bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
            stream += payload[2:]
        else:
            stream += b"\x00\x00\x00\x01" + payload
    return stream


@pytest.mark.parametrize(("codec", "decoder"), [("vp8", "vp8"), ("h264", "h264")])
def test_video_is_decoded_with_the_stamp_behind_each_frame(codec: str, decoder: str) -> None:
    frames = encoding.encode_video(codec, None, fps=10, bitrate=2_000_000, scale=1)[:15]
    context = av.CodecContext.create(decoder, "r")
    pictures = []
    many = 0
    for data, key in frames:
        payloads = PAYLOADS[codec](data, MAX_SIZE)
        many = max(many, len(payloads))
        assert all(len(payload) <= MAX_SIZE for payload in payloads)
        assert len(payloads[-1]) + STAMP_SIZE <= MAX_SIZE
        is_key_frame = vp8.is_key_frame if codec == "vp8" else h264.is_key_frame
        assert [is_key_frame(payload) for payload in payloads] == [key] + [False] * (
            len(payloads) - 1
        )
        payloads[-1] += STAMP
        if codec == "vp8":
            whole = b"".join(payload[len(VP8_START) :] for payload in payloads)
        else:
            whole = assemble_h264(payloads)
        pictures += context.decode(av.Packet(whole))
    pictures += context.decode(None)
    assert len(pictures) == len(frames)
    assert many > 3
    assert [key for _, key in frames] == [i % 10 == 0 for i in range(15)]
    # A wrong picture would be noise: neighbours of a test picture are nearly the same.
    first, last = (picture.to_ndarray(format="gray").astype(int) for picture in pictures[-2:])
    assert abs(first - last).mean() < 20
    assert first.std() > 30


def test_sound_is_decoded_with_the_stamp_as_padding() -> None:
    packets = encoding.encode_audio(None)[:20]
    decoders = [av.CodecContext.create("libopus", "r") for _ in range(2)]
    for data in packets:
        (payload,) = opus_payloads(data, MAX_SIZE)
        plain, padded = (
            decoder.decode(av.Packet(each))[0].to_ndarray()
            for decoder, each in zip(decoders, (data, payload + STAMP), strict=True)
        )
        assert (plain == padded).all()


@pytest.mark.parametrize("size", [1, 1075, 1076, 1077, 2152, 2153, 20_000])
def test_every_payload_fits_and_leaves_room_for_the_stamp(size: int) -> None:
    frame = bytes([0x65]) + bytes(i % 255 + 1 for i in range(size - 1))
    for payloads in (vp8_payloads(frame, MAX_SIZE), h264_payloads(frame, MAX_SIZE)):
        assert all(len(payload) + STAMP_SIZE <= MAX_SIZE for payload in payloads)
    whole = b"".join(p[len(VP8_START) :] for p in vp8_payloads(frame, MAX_SIZE))
    assert whole == frame
    assert assemble_h264(h264_payloads(frame, MAX_SIZE)).removeprefix(b"\0\0\0\1") == frame


def test_opus_of_several_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="several frames"):
        opus_payloads(b"\x79" + bytes(40), MAX_SIZE)


def test_opus_that_fits_in_no_packet_is_refused() -> None:
    assert opus_payloads(b"\x78" + bytes(40), 51)
    with pytest.raises(ValueError, match="41 bytes needs a larger packet"):
        opus_payloads(b"\x78" + bytes(40), 50)
