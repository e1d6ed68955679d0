from struct import unpack_from

import pytest
from aiortc.rtp import pack_header_extensions, unpack_header_extensions

from sfu.wire.extensions import (
    AudioLevel,
    PlayoutDelay,
    VideoOrientation,
    encode_abs_send_time,
    encode_audio_level,
    encode_header_extensions,
    encode_identification,
    encode_playout_delay,
    encode_transport_sequence_number,
    encode_video_orientation,
    parse_abs_send_time,
    parse_audio_level,
    parse_identification,
    parse_playout_delay,
    parse_transport_sequence_number,
    parse_video_orientation,
)

ELEMENTS = [
    [(1, b"0")],
    [(1, b"0"), (2, b"abc"), (14, bytes(16))],
    [(3, bytes(3)), (4, bytes(2)), (5, b"\xff")],
    [(15, b"x")],
    [(1, b"")],
    [(1, b"0"), (255, bytes(255))],
    [(2, bytes(17)), (3, b"x")],
]


@pytest.mark.parametrize("elements", ELEMENTS)
def test_block_is_what_aiortc_writes_and_reads(elements):
    block = encode_header_extensions(elements, mixed=True)
    profile, words = unpack_from("!HH", block)
    assert len(block) == 4 + 4 * words
    assert (profile, block[4:]) == pack_header_extensions(elements)
    assert unpack_header_extensions(profile, block[4:]) == elements


def test_without_mixed_only_what_fits_one_byte_headers_is_written():
    elements = [(1, b"0"), (15, b"x"), (2, b""), (3, bytes(17)), (14, bytes(16)), (0, b"x")]
    expected = encode_header_extensions([(1, b"0"), (14, bytes(16))], mixed=False)
    assert encode_header_extensions(elements, mixed=False) == expected
    assert expected[:2] == b"\xbe\xde"


def test_mixed_still_prefers_one_byte_headers():
    assert encode_header_extensions([(14, bytes(16))], mixed=True)[:2] == b"\xbe\xde"


def test_elements_that_no_form_can_carry_are_left_out():
    elements = [(0, b"x"), (256, b"x"), (1, bytes(256)), (15, b"y")]
    assert encode_header_extensions(elements, mixed=True) == bytes.fromhex("10000001 0f017900")


def test_nothing_to_say_is_no_block():
    assert encode_header_extensions([], mixed=True) == b""
    assert encode_header_extensions([(15, b"x")], mixed=False) == b""


@pytest.mark.parametrize("level", [0, 1, 30, 127])
@pytest.mark.parametrize("voice", [False, True])
def test_audio_level(level, voice):
    value = encode_audio_level(level, voice=voice)
    assert len(value) == 1
    assert parse_audio_level(value) == AudioLevel(level, voice)
    assert parse_audio_level(value + b"\0") == AudioLevel(level, voice)
    assert parse_audio_level(b"") is None
    assert parse_audio_level(bytes(3)) is None


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(0.0, "000000"), (1.0, "040000"), (0.5, "020000"), (63.999997, "ffffff"), (64.0, "000000")],
)
def test_abs_send_time_is_fixed_point_modulo_64_seconds(seconds, value):
    assert encode_abs_send_time(seconds).hex() == value
    assert parse_abs_send_time(bytes.fromhex(value)) == pytest.approx(seconds % 64, abs=4e-6)


def test_abs_send_time_of_another_size_is_none():
    assert parse_abs_send_time(b"ab") is None
    assert parse_abs_send_time(b"abcd") is None


@pytest.mark.parametrize("number", [0, 1, 127, 32767, 32768, 65534, 65535])
def test_transport_sequence_number(number):
    assert parse_transport_sequence_number(encode_transport_sequence_number(number)) == number
    assert parse_transport_sequence_number(bytes(1)) is None
    assert parse_transport_sequence_number(bytes(4)) is None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("back_camera", [False, True])
def test_video_orientation(rotation, flip, back_camera):
    orientation = VideoOrientation(rotation, flip, back_camera)
    assert parse_video_orientation(encode_video_orientation(orientation)) == orientation


def test_video_orientation_bits():
    assert encode_video_orientation(VideoOrientation(270, flip=False, back_camera=True)) == b"\x0b"
    assert parse_video_orientation(b"\xf1") == VideoOrientation(90)
    assert parse_video_orientation(b"") is None


def test_playout_delay():
    assert encode_playout_delay(PlayoutDelay(100, 400)) == bytes.fromhex("00a028")
    for delay in (PlayoutDelay(0, 0), PlayoutDelay(100, 400), PlayoutDelay(0, 40950)):
        assert parse_playout_delay(encode_playout_delay(delay)) == delay
    assert encode_playout_delay(PlayoutDelay(0, 10**6)) == bytes.fromhex("000fff")
    assert parse_playout_delay(bytes.fromhex("02800a")) is None
    assert parse_playout_delay(b"ab") is None


@pytest.mark.parametrize("text", ["0", "video", "a-b_c.d", "x" * 32, "{uuid}"])
def test_identification(text):
    assert parse_identification(encode_identification(text)) == text


@pytest.mark.parametrize("value", [b"", b"x" * 33, b"a b", b"a\0", b"\xc3\xa4", b"<script>", b'"'])
def test_identification_that_is_no_token_is_none(value):
    assert parse_identification(value) is None
