import math
from random import Random

import pytest

from recorder.media.track_reader import TrackReader
from recorder.values import EncodedFrame, RecordedPacket, Reference
from sfu.wire.parameters import AV1, OPUS
from tests.recorder.media.packetizer import (
    FPS,
    H264,
    VIDEO_CODECS,
    audio_packets,
    encode_audio,
    encode_video,
    nal_units,
    video_packets,
)

UNIX = 1_800_000_000.0  # the wall clock less the monotonic one
DELAY = 0.05  # s from capture to arrival


def reference(packet: RecordedPacket, time: float, reported: bool = True) -> Reference:
    return Reference(packet.ssrc, UNIX + time, packet.timestamp, reported)


def same(codec, one: bytes, other: bytes) -> bool:
    if codec.name == "H264":
        return nal_units(one) == nal_units(other)
    return one == other


def play(
    reader: TrackReader, arrivals: list[tuple[float, RecordedPacket]], *, until: float | None = None
) -> list[EncodedFrame]:
    """Hand packets over at their times, and read whenever the reader wants to be."""
    frames: list[EncodedFrame] = []
    for now, packet in sorted(arrivals, key=lambda arrival: arrival[0]):
        while (timer := reader.get_timer()) is not None and timer < now:
            frames += reader.read(now=timer)
        reader.receive([packet], now=now)
        frames += reader.read(now=now)
    while until is not None and (timer := reader.get_timer()) is not None and timer < until:
        frames += reader.read(now=timer)
    return frames


def arrivals_of(pictures: list[list[RecordedPacket]]) -> list[tuple[float, RecordedPacket]]:
    return [
        (number / FPS + DELAY + position * 1e-5, packet)
        for number, packets in enumerate(pictures)
        for position, packet in enumerate(packets)
    ]


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("trouble", ["none", "reordered", "repeated", "late"])
def test_pictures_come_out_as_they_were_encoded(codec, trouble):
    source = encode_video(codec)
    pictures = video_packets(codec, source)
    arrivals = arrivals_of(pictures)
    rng = Random(3)
    if trouble == "reordered":
        arrivals = [(at + 0.02 * rng.random(), packet) for at, packet in arrivals]
        arrivals[0] = (DELAY, pictures[0][0])
    elif trouble == "repeated":
        arrivals += [(at + rng.random(), packet) for at, packet in arrivals if rng.random() < 0.3]
    elif trouble == "late":
        arrivals[1:-1] = [
            (at + (0.55 if rng.random() < 0.1 else 0), packet) for at, packet in arrivals[1:-1]
        ]
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))

    frames = play(reader, arrivals)

    assert len(frames) == len(source)
    for number, (frame, (data, key)) in enumerate(zip(frames, source, strict=True)):
        assert same(codec, frame.data, data)
        assert frame.key_frame == key
        assert frame.codec == codec
        assert not frame.discontinuity
        assert math.isclose(frame.time, UNIX + number / FPS, abs_tol=1e-6)
        assert (frame.width, frame.height) == ((320, 240) if key else (0, 0))
        assert bool(frame.extradata) == (key and codec in (H264, AV1))
    assert reader.stats.frames == len(source)
    assert reader.stats.key_frames == 3
    assert reader.stats.lost == 0
    assert reader.stats.gaps == []
    assert reader.offset_correction == 0.0


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=lambda codec: codec.name)
def test_what_is_lost_is_a_gap_until_the_next_key_frame(codec):
    source = encode_video(codec)
    pictures = video_packets(codec, source)
    arrivals = arrivals_of(pictures)
    arrivals = [(at, packet) for at, packet in arrivals if packet is not pictures[4][0]]
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))

    frames = play(reader, arrivals)

    expected = [*range(4), *range(10, 30)]
    assert [round((frame.time - UNIX) * FPS) for frame in frames] == expected
    for frame, number in zip(frames, expected, strict=True):
        assert same(codec, frame.data, source[number][0])
        assert frame.discontinuity == (number == 10)
    (gap,) = reader.stats.gaps
    assert math.isclose(gap.start, UNIX + 3 / FPS, abs_tol=1e-6)
    assert math.isclose(gap.end, UNIX + 10 / FPS, abs_tol=1e-6)
    assert reader.stats.lost == 1


def test_sound_comes_out_as_it_was_encoded():
    source = encode_audio()
    packets = audio_packets(source)
    reader = TrackReader("audio")
    reader.refer(reference(packets[0], 0))

    frames = play(reader, [(0.02 * n + DELAY, packet) for n, packet in enumerate(packets)])

    assert [frame.data for frame in frames] == list(source)
    for number, frame in enumerate(frames):
        assert frame.codec == OPUS
        assert frame.key_frame
        assert frame.duration == 0.02
        assert frame.extradata.startswith(b"OpusHead")
        assert math.isclose(frame.time, UNIX + 0.02 * number, abs_tol=1e-6)
