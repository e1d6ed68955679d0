import random

import pytest

from sfu.stream.packet_cache import PacketCache
from sfu.wire.rtp import RtpPacket


def packet(index: int) -> RtpPacket:
    made = RtpPacket(96, index & 0xFFFF, 0, 1, b"x")
    made.index = index
    return made


@pytest.mark.parametrize(
    ("asked", "size"), [(1, 1), (2, 2), (3, 4), (64, 64), (1000, 1024), (1024, 1024)]
)
def test_the_size_is_a_power_of_two(asked, size):
    assert PacketCache(asked).size == size


@pytest.mark.parametrize("index", [0, 1, 127, 32767, 32768, 65534, 65535, 65536, 131071])
def test_it_finds_what_was_added_and_nothing_else(index):
    cache = PacketCache(64)
    kept = packet(index)
    assert cache.add(kept)
    assert cache.get(index) is kept
    for other in (-1, index - 1, index + 1, index - 64, index + 64, index + 65536):
        assert cache.get(other) is None


def test_a_late_packet_finds_its_place():
    cache = PacketCache(4)
    cache.add(packet(10))
    cache.add(packet(13))
    late = packet(11)
    assert cache.add(late)
    assert cache.get(11) is late


def test_a_packet_older_than_the_ring_is_refused_even_where_its_place_is_free():
    cache = PacketCache(4)
    cache.add(packet(13))
    assert not cache.add(packet(9))
    assert cache.get(9) is None
    assert cache.add(packet(10))


def test_a_jump_makes_all_before_it_too_old():
    cache = PacketCache(4)
    for index in range(4):
        cache.add(packet(index))
    cache.add(packet(100))
    assert [index for index in range(110) if cache.get(index)] == [100]


@pytest.mark.parametrize("seed", range(10))
def test_it_holds_exactly_the_newest_that_came(seed):
    rng = random.Random(seed)
    cache = PacketCache(32)
    model: dict[int, RtpPacket] = {}
    newest = 1000
    model[newest] = packet(newest)
    cache.add(model[newest])
    for _ in range(2000):
        index = newest + rng.choice((1, 1, 1, 2, 5, -1, -3, -31, -32, -40, rng.randint(1, 100)))
        made = packet(index)
        kept = cache.add(made)
        assert kept == (index > newest - 32)
        newest = max(newest, index)
        if kept:
            model[index] = made
        model = {i: p for i, p in model.items() if i > newest - 32}
        for i in range(newest - 70, newest + 3):
            assert cache.get(i) is model.get(i)
