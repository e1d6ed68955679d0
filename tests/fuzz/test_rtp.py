"""Invariant: bytes are refused with ParseError, or the packet read is in them, and survives.

"In them" means that the parts of the packet are no longer than the bytes; "survives" that what we
write of it reads the same again.
"""

from random import Random

from sfu.errors import ParseError
from sfu.wire import extensions
from sfu.wire.rtp import build_rtp, parse_rtp
from tests.fuzz.mutate import corpus, mutations

COUNT = 250_000
SEED = 1


def rebuilt(packet) -> bytes:
    return build_rtp(
        payload_type=packet.payload_type,
        sequence_number=packet.sequence_number,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        payload=packet.payload,
        marker=packet.marker,
        extensions=packet.extensions,
        csrcs=packet.csrcs,
    )


def test_rtp_packets():
    seeds = corpus("rtp")
    for seed in seeds:
        parse_rtp(seed, arrival=1.0)
    refused = read = 0
    for data in mutations(seeds, COUNT, Random(SEED)):
        try:
            packet = parse_rtp(data, arrival=1.0)
        except ParseError:
            refused += 1
            continue
        read += 1
        values = packet.extensions
        carried = sum(map(len, values.values())) + len(values)
        assert 12 + len(packet.csrcs) + carried + len(packet.payload) <= len(data) == packet.size
        assert len(packet.csrcs) % 4 == 0
        if read % 4 == 0:
            again = parse_rtp(memoryview(rebuilt(packet)), arrival=1.0)
            for name in packet.__slots__:
                if name != "size":
                    assert getattr(again, name) == getattr(packet, name), data.hex()
    # Both ways must have been taken, else the inputs are no good.
    assert min(refused, read) > COUNT // 10


def test_values_of_header_extensions():
    """A value is None or one that is written as it was read."""
    rng = Random(SEED)
    seeds = [b"\x8a", b"\x12\x34", b"\x00\xa0\x28", b"0", b"a-mid-of-17-chars", bytes(33)]
    read = 0
    for data in mutations(seeds, COUNT, rng):
        level = extensions.parse_audio_level(data)
        if level is not None:
            assert extensions.encode_audio_level(level.level, voice=level.voice) == data[:1]
        seconds = extensions.parse_abs_send_time(data)
        if seconds is not None:
            assert extensions.encode_abs_send_time(seconds) == data
        number = extensions.parse_transport_sequence_number(data)
        if number is not None:
            assert extensions.encode_transport_sequence_number(number) == data
        orientation = extensions.parse_video_orientation(data)
        if orientation is not None:
            assert extensions.encode_video_orientation(orientation)[0] == data[0] & 15
        delay = extensions.parse_playout_delay(data)
        if delay is not None:
            assert extensions.encode_playout_delay(delay) == data
        text = extensions.parse_identification(data)
        if text is not None:
            read += 1
            assert extensions.encode_identification(text) == data
    assert read > COUNT // 100
