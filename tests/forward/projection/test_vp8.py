"""VP8 projections of real libvpx streams with three temporal layers."""

from random import Random

import numpy as np
import pytest

from sfu.forward.projection.base import NO_PATCH
from sfu.forward.projection.vp8 import Vp8Projection
from sfu.wire.parameters import VP8
from sfu.wire.payload.vp8 import is_key_frame, parse_descriptor
from tests.support.layered_video import EncodedFrame, decode, encode, same
from tests.support.projected import Sent, Stream, project, vp8_payloads
from tests.support.reference_finder import Vp8ReferenceFinder

COUNT = 120


@pytest.fixture(scope="module")
def video() -> list[EncodedFrame]:
    return encode("libvpx", COUNT, key_interval=60, layers=True)


@pytest.fixture(scope="module")
def looks(video):
    return decode("libvpx", [frame.data for frame in video])


@pytest.fixture(scope="module")
def other() -> list[EncodedFrame]:
    return encode("libvpx", 40, key_interval=20, layers=True, seed=1)


def arriving(video, *, ssrc=1, picture_id=0x7FF0, tl0=250, wide=True, time=0):
    """The packets of each frame; numbers wrap soon."""
    stream = Stream(VP8, ssrc)
    for number, frame in enumerate(video):
        tl0 += frame.temporal == 0
        payloads = vp8_payloads(
            frame.data,
            picture_id=(picture_id + number) & (0x7FFF if wide else 0x7F),
            tl0=tl0,
            temporal=frame.temporal,
            sync=frame.sync,
            wide=wide,
            key_index=7,
        )
        yield stream.arrive(stream.packets(payloads, time + 3000 * number))


def frames_of(sent: list[Sent]) -> list[tuple[int, bytes, list[Sent]]]:
    """(Timestamp, frame, packets) of whole frames, in the order in which they came."""
    frames: dict[int, list[Sent]] = {}
    for one in sent:
        frames.setdefault(one.timestamp, []).append(one)
    found = []
    for timestamp, packets in frames.items():
        parsed = [parse_descriptor(one.payload) for one in packets]
        assert [one.start for one in parsed] == [True] + [False] * (len(parsed) - 1)
        assert [one.marker for one in packets] == [False] * (len(parsed) - 1) + [True]
        assert len({one.picture_id for one in parsed}) == 1
        assert {one.key_index for one in parsed} == {7}
        data = b"".join(
            one.payload[descriptor.size :] for one, descriptor in zip(packets, parsed, strict=True)
        )
        found.append((timestamp, data, packets))
    return found


def check_numbers(sent: list[Sent]) -> None:
    """Receivers see no gap and wait for nothing."""
    finder = Vp8ReferenceFinder()
    before = None
    for _, _, packets in frames_of(sent):
        descriptor = parse_descriptor(packets[0].payload)
        assert descriptor.picture_id_bits == 15
        if before is not None:
            assert descriptor.picture_id == (before + 1) & 0x7FFF
        before = descriptor.picture_id
        assert finder.receive(descriptor, key=is_key_frame(packets[0].payload))


def test_everything_is_sent_as_it_came(video):
    projection = Vp8Projection()
    assert projection.needs_key_frame
    first = True
    for packets in arriving(video):
        if first:
            assert projection.accept(packets[0], spatial=0, temporal=2) is None
            projection.start(packets[0])
            first = False
        for packet in packets:
            assert projection.accept(packet, spatial=2, temporal=2) is NO_PATCH
    assert not projection.needs_key_frame
    assert projection.current == (0, 2)


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_targets_decodes_to_the_same_pictures(video, looks, seed):
    rng = Random(seed)
    projection = Vp8Projection()
    sent, seen, target = [], set(), rng.randrange(3)
    for number, packets in enumerate(arriving(video)):
        if number == 0:
            projection.start(packets[0])
        before = projection.current
        sent += project(projection, packets, temporal=target)
        now = projection.current
        assert now[1] <= target
        if now[1] > before[1]:
            assert video[number].sync or video[number].key
        seen.add(now)
        if rng.random() < 0.15:
            target = rng.randrange(3)
    assert seen == {(0, 0), (0, 1), (0, 2)}
    check_numbers(sent)
    frames = frames_of(sent)
    assert len(frames) < COUNT
    shown = decode("libvpx", [data for _, data, _ in frames])
    assert same(shown, [looks[timestamp // 3000] for timestamp, _, _ in frames])


def test_layers_come_back_at_the_first_chance(video):
    projection = Vp8Projection()
    currents = []
    for number, packets in enumerate(arriving(video[:16])):
        if number == 0:
            projection.start(packets[0])
        project(projection, packets, temporal=0 if number < 8 else 2)
        currents.append(projection.current[1])
    # Picture 8 is of the base layer; 9 needs it alone, but only when 10 has come too are all of
    # the second layer's pictures there.
    assert currents == [0] * 10 + [2] * 6


def test_a_second_layer_that_is_not_in_sync_is_not_sent(video):
    # Pictures of the second layer need those before them, but for the first one.
    chained = [
        EncodedFrame(frame.data, frame.key, frame.temporal, frame.sync and number == 2)
        for number, frame in enumerate(video[:20])
    ]
    projection = Vp8Projection()
    kept = []
    for number, packets in enumerate(arriving(chained)):
        if number == 0:
            projection.start(packets[0])
        if project(projection, packets, temporal=0 if number < 4 else 2):
            kept.append(number)
    assert kept == [0, 4, 8, 12, 16]
    assert projection.current == (0, 0)


def test_switching_between_streams(video, other):
    """Simulcast: three streams in turn, each from a key frame of its own on."""
    first = list(arriving(video))
    second = list(arriving(other, ssrc=2, picture_id=5, tl0=3, time=9_000_000))
    projection = Vp8Projection()
    sent = []
    projection.start(first[0][0])
    for packets in first[:33]:
        sent += project(projection, packets, temporal=1)
    projection.start(second[20][0])
    for packets in second[20:35]:
        sent += project(projection, packets, temporal=2)
    # Back to the one before.
    projection.start(first[60][0])
    for packets in first[60:80]:
        sent += project(projection, packets, temporal=2)
    check_numbers(sent)
    shown = decode("libvpx", [data for _, data, _ in frames_of(sent)])
    assert len(shown) == 17 + 15 + 20
    assert all(picture is not None for picture in shown)
    alone = decode("libvpx", [frame.data for frame in other[20:35]])
    assert same(shown[17:32], alone)


def test_late_packets_of_sent_pictures_pass_and_others_do_not(video):
    streams = list(arriving(video[:12]))
    projection = Vp8Projection()
    projection.start(streams[0][0])
    late, sent = [], []
    for number, packets in enumerate(streams):
        held = packets[-1:] if number in (0, 1, 4, 6) else []
        late += held
        on_time = packets[: len(packets) - len(held)]
        sent += project(projection, on_time, temporal=1 if number < 8 else 2)
    assert {one.timestamp // 3000 for one in sent} == {0, 2, 4, 6, 8, 9, 10, 11}
    for packet in late:
        passed = project(projection, [packet], temporal=2)
        if packet.timestamp // 3000 == 1:
            assert passed == []
        else:
            assert len(passed) == 1
            sent += passed
    check_numbers(sorted(sent, key=lambda one: (one.timestamp, one.source.index)))


def test_a_picture_that_comes_late_as_a_whole_has_its_number_kept(video):
    streams = list(arriving(video[:12]))
    projection = Vp8Projection()
    projection.start(streams[0][0])
    order = [0, 1, 2, 3, 5, 6, 4, 8, 9, 7, 10, 11]
    sent = []
    for number in order:
        sent += project(projection, streams[number], temporal=2)
    check_numbers(sorted(sent, key=lambda one: one.source.index))
    assert all(one.payload == one.source.payload for one in sent)


def test_late_packets_from_before_a_switch(video, other):
    first = list(arriving(video))
    second = list(arriving(other, ssrc=2, picture_id=900, tl0=9))
    projection = Vp8Projection()
    projection.start(first[0][0])
    sent = []
    for packets in first[:5]:
        sent += project(projection, packets, temporal=1)
    held = first[6][-1]
    sent += project(projection, first[6][:-1], temporal=1)
    projection.start(second[0][0])
    sent += project(projection, second[0], temporal=1)
    (late,) = project(projection, [held], temporal=1)
    head = next(one for one in sent if one.source is first[6][0])
    assert late.payload[:5] == head.payload[:5].replace(b"\x90", b"\x80", 1)
    # One of a picture of which nothing was sent, and one from behind the switch.
    assert project(projection, [first[5][-1], first[8][0]], temporal=2) == []


def test_short_picture_ids_are_widened(video):
    projection = Vp8Projection()
    sent = []
    for number, packets in enumerate(arriving(video, picture_id=100, wide=False)):
        if number == 0:
            projection.start(packets[0])
        sent += project(projection, packets, temporal=1)
    check_numbers(sent)
    assert len(frames_of(sent)) == COUNT // 2


def test_without_picture_ids_everything_is_sent(video):
    stream = Stream(VP8, 1)
    projection = Vp8Projection()
    for number, frame in enumerate(video[:8]):
        payload = b"\x10" + frame.data
        packets = stream.arrive(stream.packets([payload], 3000 * number))
        if number == 0:
            projection.start(packets[0])
        assert projection.accept(packets[0], spatial=0, temporal=0) is NO_PATCH


def test_a_source_that_counts_anew_is_followed_from_its_key_frame(video):
    projection = Vp8Projection()
    sent = []
    restarted = arriving(video[60:70], picture_id=0x7000)
    projection_input = list(arriving(video[:10])) + list(restarted)
    projection.start(projection_input[0][0])
    for packets in projection_input:
        sent += project(projection, packets, temporal=2)
    assert len({id(one.source) for one in sent}) == sum(map(len, projection_input))
    pictures = [parse_descriptor(one.payload).picture_id for one in sent]
    assert len(set(pictures)) == 20
    assert np.all(np.diff([(one - 0x7FF0) & 0x7FFF for one in pictures]) >= 0)


def test_what_is_remembered_is_bounded(video):
    stream = Stream(VP8, 1)
    projection = Vp8Projection()
    key = stream.arrive(stream.packets(vp8_payloads(video[0].data, picture_id=0, tl0=0), 0))
    projection.start(key[0])
    project(projection, key, temporal=2)
    rng = Random(1)
    for number in range(20_000):
        payloads = vp8_payloads(b"\x11", picture_id=rng.randrange(0x8000), tl0=number, temporal=2)
        project(projection, stream.arrive(stream.packets(payloads, number)), temporal=2)
    pictures = projection._pictures
    assert len(pictures.decided) <= 128
    assert len(pictures.expected) <= 128


def test_layers_that_have_not_come_yet_are_looked_for(video):
    projection = Vp8Projection()
    first, *others = arriving(video[:8])
    projection.start(first[0])
    assert project(projection, first, temporal=0)
    # Whoever wants the base layer alone must see each packet: there will be others.
    assert projection.steady(0, 0) is None
    assert projection.steady(0, 1) is None
    assert projection.steady(0, 7) == (0, 0)
    frames = [
        frame
        for frame, sent in zip(video[1:8], others, strict=True)
        if project(projection, sent, temporal=0)
    ]
    assert frames
    assert {frame.temporal for frame in frames} == {0}
