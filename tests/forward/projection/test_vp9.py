"""VP9 projections: real libvpx streams with temporal layers, and models of spatial ones."""

from random import Random

import pytest

from sfu.forward.projection.base import NO_PATCH
from sfu.forward.projection.vp9 import Vp9Projection
from sfu.wire.parameters import VP9
from sfu.wire.payload.vp9 import parse_descriptor
from tests.support.layered_video import decode, encode, same
from tests.support.projected import Stream, pieces, project
from tests.support.reference_finder import Vp9ReferenceFinder, behind, vp9_group
from tests.support.svc import Svc, undecodable

COUNT = 160
MODES = {
    "L1T1": Svc(1, 1),
    "L1T3": Svc(1, 3),
    "L2T1": Svc(2, 1),
    "L3T3": Svc(3, 3),
    "L3T3_KEY": Svc(3, 3, k_svc=True),
}


def check(sent) -> None:
    """A receiver decodes all of it at once, and sees where each picture ends."""
    finder = Vp9ReferenceFinder()
    pictures: dict[int, list] = {}
    for one in sent:
        pictures.setdefault(one.timestamp, []).append(one)
    before = None
    for packets in pictures.values():
        assert [one.marker for one in packets] == [False] * (len(packets) - 1) + [True]
        descriptors = [parse_descriptor(one.payload) for one in packets]
        assert len({one.picture_id for one in descriptors}) == 1
        if before is not None:
            assert behind(descriptors[0].picture_id, before) > 0
        before = descriptors[0].picture_id
        for one, descriptor in zip(packets, descriptors, strict=True):
            if descriptor.start:
                assert finder.receive(descriptor, vp9_group(one.payload))


def numbers(sent) -> set[int]:
    return {int(one.payload[parse_descriptor(one.payload).size :]) for one in sent}


@pytest.mark.parametrize("flexible", [False, True])
@pytest.mark.parametrize("name", MODES)
def test_all_is_sent_as_it_came(name, flexible):
    svc = MODES[name]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    assert projection.needs_key_frame
    for number, packets in enumerate(svc.vp9(stream, svc.pictures(20), flexible=flexible)):
        stream.arrive(packets)
        if number == 0:
            assert projection.accept(packets[0], spatial=2, temporal=2) is None
            projection.start(packets[0])
        for packet in packets:
            needed = number == 0 or packet.frame.spatial == 2 or not svc.k_svc
            patch = projection.accept(packet, spatial=2, temporal=2)
            assert patch is (NO_PATCH if needed else None)
        assert projection.current[0] == svc.spatial - 1
        assert not projection.needs_key_frame


@pytest.mark.parametrize("flexible", [False, True])
@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_targets_can_be_decoded(name, flexible, seed):
    svc = MODES[name]
    rng = Random(seed)
    pictures = svc.pictures(COUNT, key_every=37)
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    sent, target = [], (rng.randrange(3), rng.randrange(3))
    for number, packets in enumerate(svc.vp9(stream, pictures, flexible=flexible)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        before = projection.current
        some = project(projection, packets, spatial=target[0], temporal=target[1])
        sent += some
        now = projection.current
        key = pictures[number][0].key
        if number and not key:
            assert now[0] <= before[0]
            assert now[0] == before[0] or not svc.k_svc
        if key:
            assert now == (min(target[0], svc.spatial - 1), target[1])
        assert now[1] <= target[1]
        if some:
            assert max(one.source.frame.spatial for one in some) == now[0]
        assert projection.needs_key_frame == (now[0] != min(target[0], svc.spatial - 1))
        if rng.random() < 0.1:
            target = (rng.randrange(3), rng.randrange(3))
    assert undecodable(pictures, numbers(sent)) == []
    check(sent)


@pytest.mark.parametrize("flexible", [False, True])
def test_temporal_layers_come_back_without_a_key_frame(flexible):
    svc = MODES["L3T3"]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    currents = []
    for number, packets in enumerate(svc.vp9(stream, svc.pictures(16), flexible=flexible)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        project(projection, packets, spatial=2, temporal=0 if number < 8 else 2)
        currents.append(projection.current)
    assert currents[:8] == [(2, 0)] * 8
    assert currents[11:] == [(2, 2)] * 5


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
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    pictures = svc.pictures(40, key_every=30)
    for number, packets in enumerate(svc.vp9(stream, pictures, flexible=False)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        target = before if number < 9 else after
        sent = project(projection, packets, spatial=target, temporal=2)
        changed = number >= (9 if at_once else 30)
        assert projection.current == (after if changed else before, 2)
        assert projection.needs_key_frame == (number >= 9 and not changed)
        layers = {one.source.frame.spatial for one in sent}
        whole = pictures[number][0].key or not svc.k_svc
        assert layers == set(range(0 if whole else max(layers), projection.current[0] + 1))


@pytest.mark.parametrize("name", ["L3T3", "L3T3_KEY"])
def test_a_layer_that_is_announced_and_does_not_come(name):
    svc = MODES[name]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    sent = []
    pictures = svc.pictures(12, layers=2)
    for number, packets in enumerate(svc.vp9(stream, pictures, flexible=True)):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        some = project(projection, packets, spatial=2, temporal=2)
        assert max(one.source.frame.spatial for one in some) == 1
        sent += some
    assert not projection.needs_key_frame
    check(sent)


def test_a_layer_of_k_svc_that_stops_takes_a_key_frame():
    svc = MODES["L3T3_KEY"]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    for number, packets in enumerate(svc.vp9(stream, svc.pictures(12), flexible=True)):
        if number >= 6:
            packets = packets[:4]
            packets[-1].marker = True
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        some = project(projection, packets, spatial=2, temporal=2)
        assert bool(some) == (number < 6)
        assert projection.needs_key_frame == (number > 6)


@pytest.mark.parametrize("flexible", [False, True])
def test_switching_between_streams(flexible):
    first, second = MODES["L1T3"], MODES["L3T3"]
    one, other = Stream(VP9, 1), Stream(VP9, 2)
    projection = Vp9Projection()
    sent = []
    pictures = list(first.vp9(one, first.pictures(30, key_every=20), flexible=flexible))
    others = list(
        second.vp9(other, second.pictures(20), flexible=flexible, picture_id=9, tl0=4, time=10**6)
    )
    for packets in (*pictures, *others):
        (one if packets[0].ssrc == 1 else other).arrive(packets)
    projection.start(pictures[0][0])
    for packets in pictures[:11]:
        sent += project(projection, packets, spatial=2, temporal=1)
    last = parse_descriptor(sent[-1].payload)
    projection.start(others[0][0])
    for packets in others[:9]:
        sent += project(projection, packets, spatial=1, temporal=2)
    after = parse_descriptor(next(one for one in sent if one.source.ssrc == 2).payload)
    assert after.picture_id == (last.picture_id + 1) & 0x7FFF
    if not flexible:
        assert after.tl0_picture_index == (last.tl0_picture_index + 1) & 0xFF
    assert projection.current == (1, 2)
    late = project(projection, [pictures[8][1], pictures[9][0]], spatial=2, temporal=2)
    assert [one.payload for one in late] == [
        one.payload for one in sent if one.source is pictures[8][1]
    ]
    projection.start(pictures[20][0])
    for packets in pictures[20:]:
        sent += project(projection, packets, spatial=2, temporal=2)
    check(sent)


def test_late_packets():
    svc = MODES["L3T3"]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    made = list(svc.vp9(stream, svc.pictures(12), flexible=False))
    held = {2: made[2][1], 4: made[4][0], 5: made[5][3]}
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
    sent += project(projection, stream.arrive(made[6]), spatial=1, temporal=1)
    sent.sort(key=lambda one: one.source.index)
    assert len(sent) == 2 * 2 * 6
    check(sent)


def test_short_picture_ids_are_widened():
    svc = MODES["L1T3"]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    sent = []
    made = svc.vp9(stream, svc.pictures(200), flexible=False, picture_id=100, wide=False)
    for number, packets in enumerate(made):
        stream.arrive(packets)
        if number == 0:
            projection.start(packets[0])
        sent += project(projection, packets, temporal=1)
    assert len(sent) == 200
    check(sent)


def test_without_picture_ids_everything_is_sent():
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    for number in range(4):
        packets = stream.arrive(stream.packets([b"\x0cx" if not number else b"\x4cx"], number))
        if number == 0:
            projection.start(packets[0])
        assert projection.accept(packets[0], spatial=0, temporal=0) is NO_PATCH


@pytest.mark.parametrize("seed", range(3))
def test_real_temporal_layers(seed):
    video = encode("libvpx-vp9", 80, key_interval=40, layers=True)
    looks = decode("libvpx-vp9", [frame.data for frame in video])
    rng = Random(seed)
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    tl0, target, sent = 3, rng.randrange(3), []
    for number, frame in enumerate(video):
        tl0 += frame.temporal == 0
        parts = pieces(frame.data)
        payloads = []
        for part, data in enumerate(parts):
            head = 0xA0 | (not frame.key) << 6 | (part == 0) << 3 | (part == len(parts) - 1) << 2
            layers = frame.temporal << 5 | frame.sync << 4
            payloads.append(bytes((head | 1, 0x80, number, layers, tl0)) + data)
        packets = stream.arrive(stream.packets(payloads, 3000 * number))
        if number == 0:
            projection.start(packets[0])
        sent += project(projection, packets, temporal=target)
        if rng.random() < 0.15:
            target = rng.randrange(3)
    frames: dict[int, bytes] = {}
    for one in sent:
        size = parse_descriptor(one.payload).size
        frames[one.timestamp] = frames.get(one.timestamp, b"") + one.payload[size:]
    assert 20 < len(frames) < 80
    shown = decode("libvpx-vp9", frames.values())
    assert same(shown, [looks[timestamp // 3000] for timestamp in frames])


def test_what_is_remembered_is_bounded():
    rng = Random(1)
    svc = MODES["L3T3"]
    stream = Stream(VP9, 1)
    projection = Vp9Projection()
    made = list(svc.vp9(stream, svc.pictures(40), flexible=False))
    projection.start(stream.arrive(made[0])[0])
    for number in range(20_000):
        data = bytearray(rng.choice(rng.choice(made)).payload)
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        packets = stream.arrive(stream.packets([bytes(data)], number, marker=rng.random() < 0.5))
        project(projection, packets, spatial=rng.randrange(3), temporal=rng.randrange(3))
    assert len(projection._pictures.decided) <= 128
    assert len(projection._pictures.expected) <= 128


def test_layers_that_have_not_come_yet_are_looked_for():
    svc = Svc(1, 3)
    stream = Stream(VP9, 1)
    made = list(svc.vp9(stream, svc.pictures(8), flexible=False))
    projection = Vp9Projection()
    for packets in made:
        stream.arrive(packets)
    projection.start(made[0][0])
    assert project(projection, made[0], temporal=0)
    assert projection.steady(0, 0) is None
    assert projection.steady(0, 7) == (0, 0)
    sent = [bool(project(projection, packets, temporal=0)) for packets in made[1:]]
    assert sent == [svc.temporal_of(number) == 0 for number in range(1, 8)]
