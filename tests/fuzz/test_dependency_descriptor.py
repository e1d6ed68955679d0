"""Invariant: no value makes the reader raise, and what is read has the size of what was sent.

Writing what was read gives a value that is read alike.
"""

from random import Random

from sfu.wire.dependency_descriptor import DependencyDescriptorReader, rewrite
from tests.fuzz.mutate import corpus, mutations

COUNT = 60_000
SEED = 6


def test_dependency_descriptors():
    seeds = corpus("dependency_descriptor")
    reader = DependencyDescriptorReader()
    found = 0
    for number, data in enumerate(mutations(seeds, COUNT, Random(SEED))):
        if number % 50 == 0:
            reader = DependencyDescriptorReader()
            reader.read(next(seed for seed in seeds if len(seed) > 16))
        descriptor = reader.read(data)
        if descriptor is None:
            continue
        found += 1
        assert descriptor.bits <= 8 * len(data)
        structure = descriptor.structure
        assert len(descriptor.layer.indications) == structure.decode_targets
        assert len(descriptor.layer.chain_diffs) == structure.chains
        for written in (bytes(descriptor), rewrite(data, descriptor, frame_number=7, active=1)):
            other = DependencyDescriptorReader()
            other.structure = structure
            again = other.read(written)
            assert again.layer == descriptor.layer, data.hex()
            assert again.structure == structure
            assert again.attached == descriptor.attached
    assert found > COUNT // 4
