from random import Random

import pytest

from sfu.wire.dependency_descriptor import (
    DependencyDescriptor,
    DependencyDescriptorReader,
    rewrite,
)
from sfu.wire.dependency_structure import DISCARDABLE, NOT_PRESENT, REQUIRED, SWITCH, Template
from tests.support.svc import Svc

MODES = [Svc(1, 1), Svc(1, 3), Svc(2, 1), Svc(3, 3), Svc(3, 3, k_svc=True)]


def descriptors(svc: Svc, *, offset: int = 60, first: int = 0xFFF0):
    """One of every template, behind the one that brings the structure."""
    structure = svc.structure(offset=offset)
    for number, layer in enumerate((structure.templates[0], *structure.templates)):
        template = (offset + max(0, number - 1)) % 64
        yield DependencyDescriptor(
            True, number % 2 == 1, template, first + number, layer, structure, number == 0
        )


def test_the_smallest_structure_bit_by_bit():
    # First and last, template 0, frame 1; structure present and nothing else; offset 0, one decode
    # target, one template, switch, no reference, no chain, no resolution.
    bits = "11000000" + "0000000000000001" + "10000" + "000000" + "00000" + "11" + "10" + "0"
    bits += "0" + "0"  # ns(2) of 0 chains is one bit
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    reader = DependencyDescriptorReader()
    descriptor = reader.read(data)
    assert descriptor is not None
    assert descriptor.first
    assert descriptor.last
    assert descriptor.attached
    assert descriptor.layer == Template(0, 0, (SWITCH,), (), ())
    assert descriptor.structure.target_layers == ((0, 0),)
    assert reader.active == 1
    assert bytes(descriptor) == data


def test_structure_of_three_spatial_and_temporal_layers():
    structure = Svc(3, 3).structure()
    assert structure.target_layers == tuple((s, t) for s in range(3) for t in range(3))
    assert structure.chains == 3
    assert structure.all_targets == 0x1FF
    reader = DependencyDescriptorReader()
    values = [bytes(one) for one in descriptors(Svc(3, 3))]
    read = reader.read(values[0])
    assert read.structure.templates == structure.templates
    assert read.structure.protected_by == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    assert read.structure.resolutions == ((320, 180), (640, 360), (1280, 720))
    key_layers = [one for one in structure.templates if not one.frame_diffs]
    assert [one.indications for one in key_layers] == [(SWITCH,) * 9]
    top = [one for one in structure.templates if one[:2] == (2, 2)]
    assert {one.indications for one in top} == {(NOT_PRESENT,) * 8 + (DISCARDABLE,)}


@pytest.mark.parametrize("svc", MODES, ids=lambda svc: f"L{svc.spatial}T{svc.temporal}")
def test_round_trip(svc):
    reader = DependencyDescriptorReader()
    for written in descriptors(svc):
        value = bytes(written)
        assert len(value) == 3 or written.attached
        read = reader.read(value)
        assert read[:3] == written[:3]
        assert read.frame_number == written.frame_number
        assert read.layer == written.layer
        assert read.structure == written.structure
        assert read.bits <= 8 * len(value) < read.bits + 8
        assert bytes(read) == value


def custom(rng: Random, structure, number: int) -> DependencyDescriptor:
    index = rng.randrange(len(structure.templates))
    layer = structure.templates[index]
    if rng.random() < 0.5:
        kinds = (NOT_PRESENT, DISCARDABLE, SWITCH, REQUIRED)
        layer = layer._replace(
            indications=tuple(rng.choice(kinds) for _ in range(structure.decode_targets))
        )
    if rng.random() < 0.5:
        diffs = tuple(rng.choice((1, 16, 17, 256, 257, 4096)) for _ in range(rng.randrange(9)))
        layer = layer._replace(frame_diffs=diffs)
    if rng.random() < 0.5:
        layer = layer._replace(
            chain_diffs=tuple(rng.randrange(256) for _ in range(structure.chains))
        )
    active = rng.randrange(structure.all_targets + 1) if rng.random() < 0.5 else None
    return DependencyDescriptor(
        rng.random() < 0.5,
        rng.random() < 0.5,
        (structure.offset + index) % 64,
        number,
        layer,
        structure,
        rng.random() < 0.2,
        active,
    )


@pytest.mark.parametrize("svc", MODES, ids=lambda svc: f"L{svc.spatial}T{svc.temporal}")
def test_rewriting_changes_the_number_and_the_mask_alone(svc):
    rng = Random(1)
    structure = svc.structure(offset=7)
    reader = DependencyDescriptorReader()
    reader.read(bytes(next(descriptors(svc, offset=7, first=0))))
    for number in range(400):
        written = custom(rng, structure, number)
        value = bytes(written)
        read = reader.read(value)
        assert bytes(read) == value
        told = written.active
        if written.attached and told is None:
            told = structure.all_targets
        assert read.active == told
        if told is not None:
            assert reader.active == told
        other = rng.randrange(0x10000)
        # The number alone: the very same bits elsewhere.
        again = rewrite(value, read, frame_number=other)
        assert again == value[:1] + other.to_bytes(2, "big") + value[3:]
        # With a mask: what a writer would have made of it.
        mask = rng.randrange(structure.all_targets + 1)
        after = DependencyDescriptorReader()
        after.read(bytes(next(descriptors(svc, offset=7, first=other - 1))))
        changed = after.read(rewrite(value, read, frame_number=other, active=mask))
        assert changed.active == mask
        assert changed.frame_number == other
        assert changed.layer == written.layer
        assert changed[:3] == written[:3]
        assert changed.attached == written.attached


def test_without_a_structure_nothing_can_be_read():
    first, *others = descriptors(Svc(1, 3))
    reader = DependencyDescriptorReader()
    assert [reader.read(bytes(one)) for one in others] == [None] * len(others)
    assert reader.read(bytes(first)) is not None
    assert None not in [reader.read(bytes(one)) for one in others]


def test_late_packets_are_read_by_the_structure_of_their_time():
    old, new = Svc(1, 3), Svc(3, 3)
    reader = DependencyDescriptorReader()
    before = [bytes(one) for one in descriptors(old, offset=0, first=100)]
    after = [bytes(one) for one in descriptors(new, offset=0, first=200)]
    reader.read(before[0])
    reader.read(after[0])
    late = reader.read(before[3])
    assert late.structure.decode_targets == 3
    assert late.frame & 0xFFFF == 103
    # The key frame from before comes once more: it changes nothing.
    assert reader.read(before[0]).structure.decode_targets == 3
    assert reader.structure.decode_targets == 9
    assert reader.active == 0x1FF
    assert reader.read(after[5]).structure.decode_targets == 9


def test_numbers_are_unwrapped():
    reader = DependencyDescriptorReader()
    frames = [reader.read(bytes(one)).frame for one in descriptors(Svc(3, 3), first=0xFFFA)]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    assert frames[0] > 0xFFFF


def test_a_stream_that_begins_anew_goes_on_ahead():
    reader = DependencyDescriptorReader()
    last = [reader.read(bytes(one)) for one in descriptors(Svc(1, 3), first=9000)][-1]
    again = [reader.read(bytes(one)) for one in descriptors(Svc(3, 3), first=5)]
    assert again[0].frame > last.frame
    assert reader.structure.decode_targets == 9
    assert again[-1].structure is reader.structure


@pytest.mark.parametrize(
    "value",
    [
        "",
        "80",
        "8000",
        "80000180",  # a structure that is cut short
        "8500010000",  # template 5 of one
        "000001 0f ff ff ff",
    ],
)
def test_malformed(value):
    reader = DependencyDescriptorReader()
    data = bytes.fromhex(value)
    assert reader.read(data) is None
    reader.read(bytes(next(descriptors(Svc(1, 1), offset=0))))
    if len(data) < 3 or data[0] == 0x85 or len(data) == 4:
        assert reader.read(data) is None


def test_structures_without_bounds_are_refused():
    reader = DependencyDescriptorReader()
    head = "10000000" + "0" * 16 + "10000" + "000000" + "00000"
    for layers in ("00" * 200, "01" * 8 + "11", "10" * 4 + "11"):
        bits = head + layers + "0" * 400
        data = int(bits[:1600], 2).to_bytes(len(bits[:1600]) // 8 + 1, "big")
        assert reader.read(data[:200]) is None
    assert reader.structure is None
