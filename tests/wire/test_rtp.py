from random import Random

import pytest
from aiortc import rtp as aiortc_rtp
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters

from sfu.errors import ParseError
from sfu.wire.extensions import parse_audio_level, parse_transport_sequence_number
from sfu.wire.parameters import Extension
from sfu.wire.rtp import NO_EXTENSIONS, RtpPacket, build_rtp, parse_rtp

HEADER = {"payload_type": 96, "sequence_number": 1, "timestamp": 2, "ssrc": 3}
SECOND = 3.25


def with_block(block: str, payload: bytes = b"media") -> bytes:
    """A packet with this extension block, in hexadecimal, behind the fixed header."""
    return bytes.fromhex("90600001 00000002 00000003" + block) + payload


@pytest.mark.parametrize("sequence_number", [0, 1, 127, 32767, 32768, 65534, 65535])
@pytest.mark.parametrize("marker", [False, True])
def test_header_fields(sequence_number, marker):
    data = build_rtp(
        payload_type=127,
        sequence_number=sequence_number,
        timestamp=0xFFFFFFFF,
        ssrc=0x89ABCDEF,
        payload=b"abc",
        marker=marker,
    )
    packet = parse_rtp(data, arrival=SECOND)
    assert packet.payload_type == 127
    assert packet.sequence_number == sequence_number
    assert packet.timestamp == 0xFFFFFFFF
    assert packet.ssrc == 0x89ABCDEF
    assert packet.marker is marker
    assert packet.payload == b"abc"
    assert packet.csrcs == b""
    assert packet.extensions is NO_EXTENSIONS
    assert packet.arrival == SECOND
    assert packet.size == len(data) == 15
    assert packet.index == -1
    assert packet.codec is None
    assert packet.key_frame is False


def test_repr_names_the_numbers():
    assert repr(RtpPacket(96, 7, 8, 9, b"abc", marker=True)) == (
        "RtpPacket(payload_type=96, sequence_number=7, timestamp=8, ssrc=9, marker=True, 3 bytes)"
    )


def test_nothing_points_into_the_buffer():
    data = bytearray(
        build_rtp(**HEADER, payload=b"media", extensions={1: b"mid"}, csrcs=bytes(4), padding=4)
    )
    packet = parse_rtp(memoryview(data), arrival=0.0)
    data[:] = bytes(len(data))
    assert (packet.payload, packet.extensions) == (b"media", {1: b"mid"})
    assert type(packet.payload) is type(packet.csrcs) is type(packet.extensions[1]) is bytes


def test_agrees_with_aiortc_on_random_packets():
    """aiortc reads ours as we do, and we read aiortc's."""
    rng = Random(1)
    parameters = RTCRtpParameters(
        headerExtensions=[
            RTCRtpHeaderExtensionParameters(id=1, uri=Extension.MID),
            RTCRtpHeaderExtensionParameters(id=2, uri=Extension.AUDIO_LEVEL),
            RTCRtpHeaderExtensionParameters(id=3, uri=Extension.TRANSPORT_SEQUENCE_NUMBER),
        ]
    )
    extensions_map = aiortc_rtp.HeaderExtensionsMap()
    extensions_map.configure(parameters)
    for _ in range(2000):
        theirs = aiortc_rtp.RtpPacket(
            payload_type=rng.randrange(128),
            marker=rng.randrange(2),
            sequence_number=rng.randrange(1 << 16),
            timestamp=rng.randrange(1 << 32),
            ssrc=rng.randrange(1 << 32),
            payload=rng.randbytes(rng.randrange(40)),
        )
        theirs.csrc = [rng.randrange(1 << 32) for _ in range(rng.choice([0, 0, 1, 15]))]
        theirs.padding_size = rng.choice([0, 0, 1, 255])
        if rng.randrange(2):
            theirs.extensions.mid = rng.choice(["0", "a-mid-of-17-chars"])  # the second: two-byte
        if rng.randrange(2):
            theirs.extensions.audio_level = (bool(rng.randrange(2)), rng.randrange(128))
        if rng.randrange(2):
            theirs.extensions.transport_sequence_number = rng.randrange(1 << 16)
        data = theirs.serialize(extensions_map)
        ours = parse_rtp(data, arrival=0.0)
        assert ours.payload_type == theirs.payload_type
        assert ours.marker == bool(theirs.marker)
        assert ours.sequence_number == theirs.sequence_number
        assert ours.timestamp == theirs.timestamp
        assert ours.ssrc == theirs.ssrc
        assert ours.payload == theirs.payload
        assert ours.csrcs == b"".join(csrc.to_bytes(4, "big") for csrc in theirs.csrc)
        expected = theirs.extensions
        assert ours.extensions.get(1, b"").decode() == (expected.mid or "")
        level = parse_audio_level(ours.extensions.get(2, b""))
        assert (level and (level.voice, level.level)) == expected.audio_level
        number = parse_transport_sequence_number(ours.extensions.get(3, b""))
        assert number == expected.transport_sequence_number
        again = build_rtp(
            payload_type=ours.payload_type,
            sequence_number=ours.sequence_number,
            timestamp=ours.timestamp,
            ssrc=ours.ssrc,
            payload=ours.payload,
            marker=ours.marker,
            extensions=ours.extensions,
            csrcs=ours.csrcs,
            padding=theirs.padding_size,
        )
        end = len(data) - theirs.padding_size
        assert again[:end] == data[:end]
        back = aiortc_rtp.RtpPacket.parse(again, extensions_map)
        assert vars(back.extensions) == vars(theirs.extensions)
        assert (back.payload, back.csrc, back.padding_size) == (
            theirs.payload,
            theirs.csrc,
            theirs.padding_size,
        )


@pytest.mark.parametrize(
    ("block", "extensions"),
    [
        ("bede0000", {}),
        ("bede0001 00000000", {}),
        ("bede0001 10aa0000", {1: b"\xaa"}),
        ("bede0001 0010aa00", {1: b"\xaa"}),
        ("bede0002 10aa0000 20bb0000", {1: b"\xaa", 2: b"\xbb"}),
        ("bede0002 10aaf020 bb000000", {1: b"\xaa"}),  # id 15 stops
        ("bede0002 10aa0120 bbcc0000", {1: b"\xaa"}),  # id 0 with a length stops
        ("bede0002 10aa0010 bb000000", {1: b"\xbb"}),  # the last of two with one id counts
        ("10000001 01000000", {1: b""}),
        ("10000001 0001 01aa", {1: b"\xaa"}),
        ("100f0001 ff01aa00", {255: b"\xaa"}),  # appbits
        ("12340001 10aa0000", {}),  # RFC 3550 5.3.1: some other profile's
    ],
)
def test_extension_blocks(block, extensions):
    packet = parse_rtp(with_block(block), arrival=0.0)
    assert packet.extensions == extensions
    assert packet.payload == b"media"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes.fromhex("80600001 00000002 000000"),
        bytes.fromhex("40600001 00000002 00000003"),
        bytes.fromhex("00600001 00000002 00000003"),
        bytes.fromhex("c0600001 00000002 00000003"),
        bytes.fromhex("81600001 00000002 00000003"),
        bytes.fromhex("8f600001 00000002 00000003") + bytes(59),
        bytes.fromhex("91600001 00000002 00000003 00000004 bede00"),
        bytes.fromhex("91600001 00000002 00000003 00000004 bede0001 000000"),
        with_block("bede00", b""),
        with_block("bede0001 000000", b""),
        with_block("bedeffff 10aa0000"),
        with_block("bede0001 13aa0000"),  # one byte too long, though the payload would have it
        with_block("bede0001 000000 10"),
        with_block("10000001 0102aa00", b"")[:-1],
        with_block("10000001 0103aa00"),
        with_block("10000001 00000001"),
        bytes.fromhex("a0600001 00000002 00000003"),
        bytes.fromhex("a0600001 00000002 00000003 00"),
        bytes.fromhex("a0600001 00000002 00000003 000004"),
        bytes.fromhex("b0600001 00000002 00000003 bede0001 00000004"),
    ],
)
def test_malformed_packets_are_refused(data):
    with pytest.raises(ParseError):
        parse_rtp(data, arrival=0.0)


def test_packet_of_padding_alone_has_an_empty_payload():
    data = build_rtp(**HEADER, payload=b"", extensions={1: b"x"}, padding=255)
    packet = parse_rtp(data, arrival=0.0)
    assert packet.payload == b""
    assert packet.extensions == {1: b"x"}
    assert packet.size == 12 + 8 + 255
    assert parse_rtp(build_rtp(**HEADER, payload=b"", padding=1), arrival=0.0).payload == b""
