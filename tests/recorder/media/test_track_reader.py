import math
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from recorder.media.track_reader import TrackReader
from recorder.values import EncodedFrame, RecordedPacket, Reference
from sfu.wire.parameters import AV1, OPUS, VP8
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


def test_sound_that_is_lost_leaves_its_time_free():
    source = encode_audio()
    packets = audio_packets(source)
    missing = {20, 21, 50}
    reader = TrackReader("audio")
    reader.refer(reference(packets[0], 0))

    frames = play(
        reader, [(0.02 * n + DELAY, p) for n, p in enumerate(packets) if n not in missing]
    )

    kept = [n for n in range(100) if n not in missing]
    assert [frame.data for frame in frames] == [source[n] for n in kept]
    for number, frame in zip(kept, frames, strict=True):
        assert math.isclose(frame.time, UNIX + 0.02 * number, abs_tol=1e-6)
        assert frame.discontinuity == (number in (22, 51))
    assert reader.stats.lost == 3
    lengths = [round(gap.end - gap.start, 6) for gap in reader.stats.gaps]
    assert lengths == [0.04, 0.02]


@pytest.mark.parametrize("red", [1, 2])
def test_redundancy_fills_what_was_lost(red):
    source = encode_audio()
    packets = audio_packets(source, red=red)
    rng = Random(1)
    kept = [0]
    while kept[-1] < 99:
        kept.append(min(99, kept[-1] + rng.randint(1, red + 1)))
    reader = TrackReader("audio")
    reader.refer(reference(packets[0], 0))

    frames = play(reader, [(0.02 * n + DELAY, packets[n]) for n in kept], until=10)

    assert [frame.data for frame in frames] == list(source)
    assert {frame.codec for frame in frames} == {OPUS}
    assert not any(frame.discontinuity for frame in frames)
    assert reader.stats.lost == 100 - len(kept)
    assert reader.stats.gaps == []


def test_silence_that_is_not_sent_keeps_its_time():
    source = encode_audio(50)
    packets = audio_packets(source)
    # Between the words nothing, but for an empty frame of comfort noise each 400 ms.
    late = [
        replace(packet, timestamp=(packet.timestamp + 96000) & 0xFFFFFFFF)
        for packet in packets[25:]
    ]
    noise = [
        replace(
            packets[25],
            index=packets[25].index + n,
            timestamp=(packets[24].timestamp + 19200 * (n + 1)) & 0xFFFFFFFF,
            payload=b"\x78",
        )
        for n in range(4)
    ]
    late = [replace(packet, index=packet.index + 4) for packet in late]
    times = [
        *(0.02 * n for n in range(25)),
        *(0.48 + 0.4 * (n + 1) for n in range(4)),
        *(0.02 * n + 2 for n in range(25, 50)),
    ]
    reader = TrackReader("audio")
    reader.refer(reference(packets[0], 0))

    arrivals = zip((t + DELAY for t in times), (*packets[:25], *noise, *late), strict=True)
    frames = play(reader, list(arrivals))

    assert [round(frame.time - UNIX, 4) for frame in frames] == [round(t, 4) for t in times]
    assert not any(frame.discontinuity for frame in frames)
    assert reader.stats.gaps == []


def test_padding_is_no_loss():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    index = pictures[0][0].index
    numbered: list[list[RecordedPacket]] = []
    for packets in pictures:
        padded = [*packets, replace(packets[-1], payload=b"")]
        numbered.append([replace(p, index=index + n) for n, p in enumerate(padded)])
        index += len(padded)
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals_of(numbered))
    assert [frame.data for frame in frames] == [data for data, _ in source]
    assert reader.stats.lost == 0


def test_pictures_without_marker_end_where_the_next_begins():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    plain = [[replace(packet, marker=False) for packet in packets] for packets in pictures]
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals_of(plain))
    assert [frame.data for frame in frames] == [data for data, _ in source[:-1]]


def test_it_begins_with_a_key_frame():
    source = encode_video(H264)
    pictures = video_packets(H264, source)
    arrivals = arrivals_of(pictures)
    first = sum(map(len, pictures[:3])) + 1  # from the midst of a picture
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals[first:])
    assert [same(H264, f.data, d) for f, (d, _) in zip(frames, source[10:], strict=True)]
    assert frames[0].key_frame
    assert not frames[0].discontinuity
    assert reader.stats.gaps == []


def test_the_rest_of_a_torn_key_frame_is_not_one():
    pictures = video_packets(H264, encode_video(H264))
    # The first slice of the second key frame is lost with its parameter sets, another one is not.
    torn = [replace(pictures[10][-1], payload=b"\x65" + bytes(50))]
    arrivals = arrivals_of([*pictures[:10], torn, *pictures[11:]])
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals)
    times = [round((frame.time - UNIX) * FPS) for frame in frames]
    assert times == [*range(10), *range(20, 30)]


def test_another_stream_goes_on_at_its_key_frame():
    low = encode_video(VP8, width=160, height=120)
    high = encode_video(VP8)
    below = video_packets(VP8, low, ssrc=1)
    above = video_packets(VP8, high, ssrc=2, index=500, timestamp=77)
    reader = TrackReader("video")
    reader.refer(reference(below[0][0], 0))
    reader.refer(reference(above[0][0], 0))
    # The old one goes on for two pictures, the new one comes from before its key frame.
    arrivals = arrivals_of(below)[: sum(map(len, below[:12]))]
    arrivals += arrivals_of(above)[sum(map(len, above[:8])) :]

    frames = play(reader, arrivals)

    expected = [*(low[n][0] for n in range(10)), *(data for data, _ in high[10:])]
    assert [frame.data for frame in frames] in (
        expected,
        [*expected[:10], low[10][0], *expected[10:]],  # both are of the same time
    )
    key = next(frame for frame in frames if frame.width == 320)
    assert key.key_frame
    assert not key.discontinuity
    assert all(one.time < other.time for one, other in pairwise(frames))
    assert frames[-1].time == pytest.approx(UNIX + 29 / FPS, abs=1e-5)


def test_a_stream_may_come_back():
    reader = TrackReader("video")
    source = encode_video(VP8)
    one = video_packets(VP8, source, ssrc=1)
    two = video_packets(VP8, source, ssrc=2, index=500, timestamp=77)
    for pictures in (one, two):
        reader.refer(reference(pictures[0][0], 0))
    arrivals = arrivals_of([*one[:10], *two[10:20], *one[20:]])
    arrivals.append((15 / FPS, one[5][0]))  # what comes again, or late, changes nothing
    frames = play(reader, arrivals)
    assert [frame.data for frame in frames] == [data for data, _ in source]
    assert reader.stats.lost == 0


def test_another_codec_goes_on_at_its_key_frame():
    vp8, h264 = encode_video(VP8), encode_video(H264)
    before = video_packets(VP8, vp8)[:10]
    after = video_packets(H264, h264, index=before[-1][-1].index + 1 - 10**6)
    shift = before[-1][-1].index + 1 - after[10][0].index
    after = [[replace(p, index=p.index + shift) for p in packets] for packets in after]
    reader = TrackReader("video")
    reader.refer(reference(before[0][0], 0))
    frames = play(reader, arrivals_of([*before, *after[10:]]))
    assert [frame.codec for frame in frames] == [before[0][0].codec] * 10 + [H264] * 20
    assert not any(frame.discontinuity for frame in frames)
    assert [round((frame.time - UNIX) * FPS) for frame in frames] == list(range(30))


def test_a_codec_that_cannot_be_recorded_gives_nothing():
    reader = TrackReader("video")
    unknown = replace(VP8, name="H265")
    for pictures in video_packets(VP8, encode_video(VP8)):
        reader.receive([replace(packet, codec=unknown) for packet in pictures], now=0)
        assert reader.read(now=0) == []
    assert reader.get_timer() is None


def test_key_frames_are_wished_for_at_the_start_and_after_loss():
    pictures = video_packets(VP8, encode_video(VP8))
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    assert reader.take_key_frame_wish(now=0)
    assert not reader.take_key_frame_wish(now=5)  # nothing comes, so nobody could answer
    reader.receive(pictures[1], now=5)
    reader.read(now=5)
    assert reader.take_key_frame_wish(now=5)
    reader.receive(pictures[2], now=5.5)
    assert not reader.take_key_frame_wish(now=5.9)
    assert reader.take_key_frame_wish(now=6)
    reader.receive([p for packets in pictures[10:15] for p in packets], now=6.1)
    assert len(reader.read(now=6.1)) == 5
    assert not reader.take_key_frame_wish(now=8)
    reader.receive(pictures[16], now=8)
    assert reader.read(now=8) == []
    assert not reader.take_key_frame_wish(now=8)  # it may still be sent again
    assert reader.read(now=reader.get_timer()) == []
    assert reader.take_key_frame_wish(now=9)


def test_sound_wishes_for_nothing():
    reader = TrackReader("audio")
    reader.receive(audio_packets(encode_audio(10))[3:], now=0)
    assert not reader.take_key_frame_wish(now=0)


def test_the_end_gives_out_all_that_is_complete():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    for packets in pictures[:5]:
        reader.receive(packets, now=1)
    reader.receive(pictures[5][1:], now=1)  # its first packet is missing
    reader.receive(pictures[10], now=1)
    frames = reader.flush(now=1)
    assert [frame.data for frame in frames] == [source[n][0] for n in (0, 1, 2, 3, 4, 10)]
    assert reader.get_timer() is None


def test_a_pause_is_no_loss():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    arrivals = arrivals_of(pictures)
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, [a for a in arrivals if a[0] < 8 / FPS])
    frames += reader.flush(now=9 / FPS)
    frames += play(reader, [a for a in arrivals if a[0] >= 20 / FPS])
    assert [frame.data for frame in frames[-10:]] == [data for data, _ in source[20:]]
    assert frames[-10].time - frames[-11].time > 0.3
    assert not any(frame.discontinuity for frame in frames)
    assert (reader.stats.lost, reader.stats.gaps) == (0, [])


def test_pictures_are_turned_as_their_packets_say():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    turned = {0: 90, 12: 180}
    for number, degrees in turned.items():
        pictures[number][-1] = replace(pictures[number][-1], rotation=degrees)
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals_of(pictures))
    assert [frame.rotation for frame in frames] == [90] * 12 + [180] * 18


def test_gaps_are_corrected_with_the_times():
    packets = audio_packets(encode_audio(50))
    reader = TrackReader("audio")
    reader.refer(reference(packets[0], DELAY, reported=False))
    frames = play(reader, [(0.02 * n + DELAY, p) for n, p in enumerate(packets[:30]) if n != 9])
    while (timer := reader.get_timer()) is not None:
        frames += reader.read(now=timer)
    reader.refer(reference(packets[30], 0.6))
    correction = reader.offset_correction
    assert correction == pytest.approx(-DELAY, abs=1e-6)
    assert frames[0].time + correction == pytest.approx(UNIX, abs=1e-6)
    (gap,) = reader.stats.gaps
    assert gap.start == pytest.approx(UNIX + 0.18, abs=1e-6)
    assert gap.end == pytest.approx(UNIX + 0.2, abs=1e-6)


def test_what_has_no_time_is_held_but_not_for_ever():
    packets = audio_packets(encode_audio(100))
    reader = TrackReader("audio")
    for number in range(5000):
        packet = replace(
            packets[number % 100],
            index=number,
            timestamp=(960 * number) & 0xFFFFFFFF,
        )
        reader.receive([packet], now=0.02 * number)
        assert reader.read(now=0.02 * number) == []
        assert reader.get_timer() == 0.02 * number + 0.1
    reader.refer(reference(packet, 99.98))
    frames = reader.read(now=100)
    assert len(frames) == 512
    assert frames[-1].time == pytest.approx(UNIX + 99.98)


def test_streams_are_bounded():
    reader = TrackReader("video")
    for ssrc in range(1000):
        pictures = video_packets(VP8, encode_video(VP8)[:2], ssrc=ssrc)
        reader.refer(reference(pictures[0][0], ssrc))
        reader.receive(pictures[0], now=ssrc)
        (frame,) = reader.read(now=ssrc)
        assert frame.time == pytest.approx(UNIX + ssrc)
    assert len(reader._streams) <= 8


def test_the_first_packet_of_the_first_key_frame_may_be_late():
    source = encode_video(VP8)
    pictures = video_packets(VP8, source)
    arrivals = arrivals_of(pictures)
    arrivals[0] = (0.25, arrivals[0][1])
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    frames = play(reader, arrivals)
    assert [frame.data for frame in frames] == [data for data, _ in source]


def test_what_is_missing_before_a_key_frame_is_not_waited_for_after_loss():
    pictures = video_packets(VP8, encode_video(VP8))
    reader = TrackReader("video")
    reader.refer(reference(pictures[0][0], 0))
    for number in (0, 2):  # what is between is lost
        reader.receive(pictures[number], now=number / FPS)
        reader.read(now=number / FPS)
    reader.read(now=reader.get_timer())
    reader.receive(pictures[9], now=0.7)  # so is what is before this one, but nobody needs it
    reader.receive(pictures[10], now=0.7)
    assert [frame.key_frame for frame in reader.read(now=0.7)] == [True]


@pytest.mark.parametrize("marked", [True, False])
def test_another_codec_waits_for_its_key_frame(marked):
    before = video_packets(H264, encode_video(H264))[:10]
    after = video_packets(VP8, encode_video(VP8))[9:]
    shift = before[-1][-1].index + 1 - after[0][0].index
    after = [[replace(p, index=p.index + shift) for p in packets] for packets in after]
    if not marked:
        before[-1][-1] = replace(before[-1][-1], marker=False)
        after[0] = [replace(p, timestamp=before[-1][0].timestamp) for p in after[0]]
    reader = TrackReader("video")
    reader.refer(reference(before[0][0], 0))
    frames = play(reader, arrivals_of([*before, *after]))
    codecs = [frame.codec for frame in frames]
    assert codecs == [H264] * 10 + [after[0][0].codec] * 20
    assert same(H264, frames[9].data, encode_video(H264)[9][0])
    assert frames[10].key_frame


def test_redundancy_from_before_the_beginning_is_left_out():
    source = encode_audio(10)
    packets = audio_packets(source, red=2)
    reader = TrackReader("audio")
    reader.refer(reference(packets[5], 0))
    reader.receive(packets[5:], now=0)
    assert [frame.data for frame in reader.read(now=0)] == list(source[5:])


def test_another_stream_goes_on_at_once_where_the_present_one_has_loss():
    one = video_packets(VP8, encode_video(VP8), ssrc=1)
    two = video_packets(VP8, encode_video(VP8), ssrc=2, index=500, timestamp=77)
    reader = TrackReader("video")
    for pictures in (one, two):
        reader.refer(reference(pictures[0][0], 0))
    reader.receive(one[0], now=0)
    reader.receive(one[2], now=0.1)
    assert len(reader.read(now=0.1)) == 1
    assert reader.read(now=0.7) == []  # given up
    reader.receive(one[4], now=0.7)
    reader.receive(two[10], now=0.7)
    (frame,) = reader.read(now=0.7)
    assert frame.key_frame
    assert frame.discontinuity
    assert len(reader.stats.gaps) == 1
    # What still comes of the old one is of use to nobody, so it needs no key frame.
    reader.receive(two[11], now=0.75)
    reader.receive(one[1], now=0.75)
    assert len(reader.read(now=0.75)) == 1
    assert not reader.take_key_frame_wish(now=0.75)


def test_streams_of_sound_that_overlap_take_turns_once():
    source = encode_audio(60)
    one = audio_packets(source, ssrc=1)
    two = audio_packets(source, ssrc=2, index=500, timestamp=77)
    reader = TrackReader("audio")
    for packets in (one, two):
        reader.refer(reference(packets[0], 0))
    arrivals = [(0.02 * n + DELAY, one[n]) for n in range(33)]
    arrivals += [(0.02 * n + DELAY + 0.001, two[n]) for n in range(30, 60)]
    frames = play(reader, arrivals)
    turned = next(n for n, (a, b) in enumerate(pairwise(frames)) if b.data != source[n + 1])
    assert turned == 32
    assert [frame.data for frame in frames] == [*source[:33], *source[30:]]


def test_a_stream_that_never_ends_does_not_keep_another_for_ever():
    one = audio_packets(encode_audio(400), ssrc=1)
    two = audio_packets(encode_audio(400), ssrc=2, index=500, timestamp=77)
    reader = TrackReader("audio")
    for packets in (one, two):
        reader.refer(reference(packets[0], 0))
    for number in range(400):
        reader.receive([one[number], two[number]], now=0.02 * number)
        reader.read(now=0.02 * number)
        held = sum(len(stream.units) for stream in reader._streams.values())
        assert held <= 257
