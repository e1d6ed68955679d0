"""Projections by dependency descriptor, over all modes that browsers send."""

from random import Random

import pytest

from sfu.forward.projection import projection_for
from sfu.forward.projection.av1 import Av1Projection
from sfu.forward.projection.base import NO_PATCH, PlainProjection
from sfu.wire.dependency_descriptor import DependencyDescriptorReader
from sfu.wire.parameters import AV1, VP8, h264
from tests.support.projected import Stream, apply, project
from tests.support.reference_finder import DescriptorReferenceFinder
from tests.support.svc import Svc, undecodable

COUNT = 160
MODES = {
    "L1T1": Svc(1, 1),
    "L1T3": Svc(1, 3),
    "L2T1": Svc(2, 1),
    "L3T3": Svc(3, 3),
    "L3T3_KEY": Svc(3, 3, k_svc=True),
}


def numbers(sent) -> set[int]:
    """Frames of which both packets are there."""
    found = [one.source.frame.number for one in sent]
    assert all(found.count(one) == 2 for one in found)
    base = min(found)
    return {one - base for one in found}


def check(sent) -> None:
    """A receiver decodes all of it at once, and sees where each picture ends."""
    finder = DescriptorReferenceFinder()
    pictures: dict[int, list] = {}
    for one in sent:
        pictures.setdefault(one.timestamp, []).append(one)
    for packets in pictures.values():
        assert [one.marker for one in packets] == [False] * (len(packets) - 1) + [True]
        for one in packets:
            assert finder.receive(one.descriptor)


@pytest.mark.parametrize("name", MODES)
def test_all_is_sent_as_it_came(name):
    svc = MODES[name]
    projection = Av1Projection()
    assert projection.needs_key_frame
    stream = Stream(AV1, 1)
    for number, packets in enumerate(svc.described(stream, svc.pictures(20))):
        stream.arrive(packets)
        if number == 0:
            assert projection.accept(packets[0], spatial=2, temporal=2) is None
            projection.start(packets[0])
        for packet in packets:
            # In K-SVC a receiver of the highest layer needs the others in key pictures alone.
            needed = number == 0 or packet.frame.spatial == 2 or not svc.k_svc
            patch = projection.accept(packet, spatial=2, temporal=2)
            assert patch is (NO_PATCH if needed else None)
    assert projection.current == (svc.spatial - 1, svc.temporal - 1)
    assert not projection.needs_key_frame


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_targets_can_be_decoded(name, seed):
    svc = MODES[name]
    rng = Random(seed)
    pictures = svc.pictures(COUNT, key_every=37)
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    sent, target = [], (rng.randrange(3), rng.randrange(3))
    seen = set()
    for number, packets in enumerate(svc.described(stream, pictures, first=0xFF00)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        some = project(projection, packets, spatial=target[0], temporal=target[1])
        sent += some
        now = projection.current
        seen.add(now)
        key = pictures[number][0].key
        if key or not svc.k_svc:
            assert now[0] <= target[0]
        assert now[1] <= target[1]
        assert projection.needs_key_frame == (now[0] != min(target[0], svc.spatial - 1))
        assert bool(some) == (pictures[number][0].temporal <= now[1])
        if rng.random() < 0.1:
            target = (rng.randrange(3), rng.randrange(3))
    assert len(seen) > 1 or name == "L1T1"
    assert undecodable(pictures, numbers(sent)) == []
    check(sent)


@pytest.mark.parametrize(
    ("name", "before", "after", "at_once"),
    [
        ("L3T3", 2, 0, True),
        ("L3T3", 0, 2, False),
        ("L3T3_KEY", 2, 0, False),
        ("L3T3_KEY", 0, 1, False),
    ],
)
def test_when_the_spatial_layer_changes(name, before, after, at_once):
    svc = MODES[name]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    for number, packets in enumerate(svc.described(stream, svc.pictures(40, key_every=30))):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        target = before if number < 9 else after
        sent = project(projection, packets, spatial=target, temporal=2)
        changed = number >= (9 if at_once else 30)
        assert projection.current == (after if changed else before, 2)
        assert projection.needs_key_frame == (number >= 9 and not changed)
        assert max(one.source.frame.spatial for one in sent) == projection.current[0]


def test_temporal_layers_of_upper_spatial_layers_come_back():
    svc = MODES["L3T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    currents = []
    for number, packets in enumerate(svc.described(stream, svc.pictures(24))):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        project(projection, packets, spatial=2, temporal=0 if number < 8 else 2)
        currents.append(projection.current)
        assert not projection.needs_key_frame
    assert currents[:9] == [(2, 0)] * 9
    assert currents[9:] == [(2, 2)] * 15


def test_what_is_told_of_the_decode_targets():
    svc = MODES["L3T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    reader = DependencyDescriptorReader()
    masks = []
    for number, packets in enumerate(svc.described(stream, svc.pictures(12))):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        target = (1, 2) if number < 6 else (0, 1)
        for one in project(projection, packets, spatial=target[0], temporal=target[1]):
            reader.read(one.descriptor)
        masks.append(reader.active)
    # The two lower spatial layers; then two temporal layers of the lowest.
    assert masks == [0b000111111] * 6 + [0b000000011] * 6


def test_targets_that_the_sender_stopped_are_not_waited_for():
    svc = MODES["L3T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    pictures = svc.pictures(12, layers=2)
    for number, packets in enumerate(svc.described(stream, pictures, active=0b000111111)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        assert len(project(projection, packets, spatial=2, temporal=2)) == len(packets)
        assert projection.current == (1, 2)
        assert not projection.needs_key_frame


def test_switching_between_streams():
    first, second = MODES["L1T3"], MODES["L3T3"]
    one, other = Stream(AV1, 1), Stream(AV1, 2)
    projection = Av1Projection()
    sent = []
    pictures = list(first.described(one, first.pictures(30, key_every=20), first=0xFFF0))
    others = list(second.described(other, second.pictures(20), first=77, offset=30, time=10**6))
    for packets in (*pictures, *others):
        (one if packets[0].ssrc == 1 else other).arrive(packets)
    projection.start(pictures[0][0])
    for packets in pictures[:10]:
        sent += project(projection, packets, spatial=2, temporal=1)
    projection.start(others[0][0])
    for packets in others[:9]:
        sent += project(projection, packets, spatial=1, temporal=2)
    assert projection.current == (1, 2)
    late = project(projection, [pictures[8][1], pictures[9][0]], spatial=2, temporal=2)
    assert len(late) == 1
    assert late[0].descriptor == next(
        packet.descriptor for packet in sent if packet.source is pictures[8][1]
    )
    projection.start(pictures[20][0])
    for packets in pictures[20:]:
        sent += project(projection, packets, spatial=2, temporal=2)
    assert projection.current == (0, 2)
    check(sent)


def test_late_packets():
    svc = MODES["L3T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    made = list(svc.described(stream, svc.pictures(12)))
    held = {2: made[2][1], 4: made[4][0], 5: made[5][3]}
    whole = made[6]
    sent = []
    for number, packets in enumerate(made):
        if number == 0:
            stream.arrive(packets)
            projection.start(packets[0])
        elif number != 6:
            stream.arrive(one for one in packets if one is not held.get(number))
        on_time = [one for one in packets if one.frame is not None]
        sent += project(projection, on_time, spatial=1, temporal=1)
    for number, packet in held.items():
        stream.arrive([packet])
        passed = project(projection, [packet], spatial=2, temporal=2)
        assert bool(passed) == (number != 5)
        sent += passed
    stream.arrive(whole)
    sent += project(projection, whole, spatial=1, temporal=1)
    sent.sort(key=lambda one: one.source.index)
    assert {one.source.frame.temporal for one in sent} == {0, 1}
    assert {one.source.frame.spatial for one in sent} == {0, 1}
    assert len(sent) == 2 * 2 * 6
    check(sent)


@pytest.mark.parametrize("codec", [h264("constrained-baseline", 1), VP8])
def test_other_codecs_with_temporal_layers(codec):
    svc = MODES["L1T3"]
    stream = Stream(codec, 1)
    count = 0
    for number, packets in enumerate(svc.described(stream, svc.pictures(8))):
        stream.arrive(packets)
        if number == 0:
            projection = projection_for(packets[0].frame)
            assert isinstance(projection, Av1Projection)
            projection.start(packets[0])
        count += len(project(projection, packets, temporal=1))
    assert count == 2 * 4


def test_without_descriptors_everything_is_sent():
    stream = Stream(AV1, 1)
    for number in range(3):
        packets = stream.arrive(stream.packets([b"\x18\x0a", b"\x10\x32"], 3000 * number))
        if number == 0:
            projection = projection_for(packets[0].frame)
            assert isinstance(projection, PlainProjection)
            projection.start(packets[0])
        assert [projection.accept(one, spatial=0, temporal=0) for one in packets] == [NO_PATCH] * 2
    assert projection.current == (0, 0)
    assert not projection.needs_key_frame


def test_junk_is_neither_sent_nor_remembered():
    rng = Random(5)
    svc = MODES["L3T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    made = list(svc.described(stream, svc.pictures(40)))
    stream.arrive(made[0])
    projection.start(made[0][0])
    for number in range(20_000):
        source = rng.choice(rng.choice(made)).extensions[5]
        value = bytearray(source)
        for _ in range(rng.randrange(3)):
            value[rng.randrange(len(value))] = rng.randrange(256)
        packets = stream.packets([b"\x10x"], number, descriptors=[bytes(value)])
        project(
            projection, stream.arrive(packets), spatial=rng.randrange(3), temporal=rng.randrange(3)
        )
    assert len(projection._frames.decided) <= 128
    assert len(projection._frames.expected) <= 128


def test_one_spatial_layer_is_steady_while_all_of_it_is_sent():
    svc = MODES["L1T3"]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    made = list(svc.described(stream, svc.pictures(40, key_every=30), first=0xFFF0))
    for packets in made:
        stream.arrive(packets)
    projection.start(made[0][0])
    sent = []
    for packets in made[:8]:
        sent += project(projection, packets, spatial=0, temporal=7)
    assert projection.steady(0, 7) == (0, 0)
    assert projection.steady(0, 1) is None
    # These go out unseen; then the subscriber wants fewer.
    sent += [apply(NO_PATCH, packet) for packets in made[8:16] for packet in packets]
    projection.resume(made[15][-1])
    assert project(projection, made[10], spatial=0, temporal=7), "repaired late"
    for packets in made[16:24]:
        sent += project(projection, packets, spatial=0, temporal=0)
    assert projection.current == (0, 0)
    assert projection.steady(0, 0) is None
    for packets in made[24:]:
        sent += project(projection, packets, spatial=0, temporal=7)
    assert projection.current == (0, 2)
    assert projection.steady(0, 7) == (0, 0)
    check(sent)


def test_a_stream_that_follows_is_shifted_alike():
    svc = MODES["L1T1"]
    one, other = Stream(AV1, 1), Stream(AV1, 2)
    projection = Av1Projection()
    pictures = list(svc.described(one, svc.pictures(10), first=5))
    others = list(svc.described(other, svc.pictures(10), first=500, offset=30, time=10**6))
    for packets in (*pictures, *others):
        (one if packets[0].ssrc == 1 else other).arrive(packets)
    projection.start(pictures[0][0])
    sent = project(projection, [*pictures[0], *pictures[1]], spatial=0, temporal=7)
    assert projection.steady(0, 7) == (0, 0)
    sent += [apply(NO_PATCH, packet) for packets in pictures[2:] for packet in packets]
    projection.resume(pictures[-1][-1])
    projection.start(others[0][0])
    for packets in others:
        sent += project(projection, packets, spatial=0, temporal=7)
    shift, none = projection.steady(0, 7)
    last, first = pictures[-1][0].frame.number, others[0][0].frame.number
    assert (shift, none) == (last + 1 - first, 0)
    assert project(projection, pictures[5], spatial=0, temporal=7), "late, from before"
    check(sent)


@pytest.mark.parametrize("name", ["L2T1", "L3T3", "L3T3_KEY"])
def test_several_spatial_layers_are_never_steady(name):
    svc = MODES[name]
    stream = Stream(AV1, 1)
    projection = Av1Projection()
    for number, packets in enumerate(svc.described(stream, svc.pictures(12))):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        project(projection, packets, spatial=7, temporal=7)
        assert projection.steady(7, 7) is None
