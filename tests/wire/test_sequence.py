from random import Random

import pytest

from sfu.wire.sequence import Unwrapper, sequence_distance, sequence_newer, timestamp_distance

STARTS = (0, 1, 127, 32767, 32768, 65534, 65535)


@pytest.mark.parametrize("start", STARTS)
def test_newer_holds_for_less_than_half_a_circle(start):
    assert not sequence_newer(start, start)
    for ahead in (1, 2, 127, 32766, 32767):
        assert sequence_newer((start + ahead) & 0xFFFF, start)
        assert not sequence_newer(start, (start + ahead) & 0xFFFF)
    opposite = start ^ 0x8000
    assert not sequence_newer(start, opposite)
    assert not sequence_newer(opposite, start)


@pytest.mark.parametrize("start", STARTS)
def test_distance_is_signed_and_adds_up(start):
    for offset in (-32768, -32767, -1, 0, 1, 127, 32766, 32767):
        moved = (start + offset) & 0xFFFF
        assert sequence_distance(moved, start) == offset
        assert sequence_newer(moved, start) == (offset > 0)


@pytest.mark.parametrize("start", [0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
def test_timestamp_distance_is_signed(start):
    for offset in (-(2**31), -90000, -1, 0, 1, 90000, 2**31 - 1):
        assert timestamp_distance((start + offset) & 0xFFFFFFFF, start) == offset


@pytest.mark.parametrize("start", STARTS)
def test_unwrapper_counts_on_over_wraps(start):
    unwrapper = Unwrapper()
    assert unwrapper.highest == -1
    for step in range(0, 300_000, 1000):
        assert unwrapper.unwrap((start + step) & 0xFFFF) == 65536 + start + step
    assert unwrapper.highest == 65536 + start + 299_000


@pytest.mark.parametrize("start", STARTS)
def test_unwrapper_takes_reordered_packets_where_they_belong(start):
    rng = Random(start)
    numbers = sorted(range(5000), key=lambda n: n + rng.uniform(0, 300))
    unwrapper = Unwrapper()
    base = unwrapper.unwrap((start + numbers[0]) & 0xFFFF) - numbers[0]
    for number in numbers[1:]:
        assert unwrapper.unwrap((start + number) & 0xFFFF) == base + number


@pytest.mark.parametrize("start", STARTS)
def test_packets_before_the_first_have_indices_that_are_not_negative(start):
    unwrapper = Unwrapper()
    unwrapper.unwrap(start)
    assert unwrapper.unwrap((start - 32768) & 0xFFFF) == 65536 + start - 32768 >= 0
    assert unwrapper.highest == 65536 + start
