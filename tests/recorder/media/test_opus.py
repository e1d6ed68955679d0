import av
import pytest

from recorder.media import opus
from sfu.errors import ParseError
from tests.recorder.media.packetizer import audio_packets, encode_audio


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60])
@pytest.mark.parametrize("application", ["voip", "lowdelay"])
def test_durations_are_those_of_the_encoder(milliseconds, application):
    packets = encode_audio(20, milliseconds=milliseconds, application=application)
    assert {opus.duration(packet) for packet in packets} == {round(48 * milliseconds)}


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x78", 960),  # DTX: the first byte alone
        (b"\x79", 1920),  # two frames
        (b"\x7b\x03", 2880),  # a count: three frames
        (b"\x1b\x02", 5760),  # two of 60 ms
        (b"\x83\x30", 5760),  # 48 of 2.5 ms
    ],
)
def test_durations_by_the_first_bytes(packet, samples):
    assert opus.duration(packet) == samples


@pytest.mark.parametrize("packet", [b"", b"\x7b", b"\x7b\x00", b"\x1b\x03", b"\x83\x31"])
def test_what_is_no_packet_is_refused(packet):
    with pytest.raises(ParseError):
        opus.duration(packet)


def test_a_decoder_takes_the_head():
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = opus.head(2)
    samples = [
        frame.samples for packet in encode_audio(10) for frame in decoder.decode(av.Packet(packet))
    ]
    assert samples == [960 - opus.DELAY] + [960] * 9
    assert decoder.layout.nb_channels == 2


def test_redundancy_is_taken_apart():
    source = encode_audio(10)
    packets = audio_packets(source, red=2)
    assert opus.blocks(packets[0].payload) == [(0, source[0])]
    assert opus.blocks(packets[5].payload) == [
        (1920, source[3]),
        (960, source[4]),
        (0, source[5]),
    ]


@pytest.mark.parametrize(
    "payload",
    [b"\x80", b"\xef\x0f\x00\x05\x6f1234", b"\xef\x0f\x00\x05", b"\xef\x00\x00\x00" * 32 + b"\x6f"],
)
def test_redundancy_that_is_cut_short_is_refused(payload):
    with pytest.raises(ParseError):
        opus.blocks(payload)
