import pytest

from sfu.wire.sequence import sequence_distance, timestamp_distance

STARTS = (0, 1, 127, 32767, 32768, 65534, 65535)


@pytest.mark.parametrize("start", STARTS)
def test_distance_is_signed_and_adds_up(start):
    for offset in (-32768, -32767, -1, 0, 1, 127, 32766, 32767):
        moved = (start + offset) & 0xFFFF
        assert sequence_distance(moved, start) == offset


@pytest.mark.parametrize("start", [0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
def test_timestamp_distance_is_signed(start):
    for offset in (-(2**31), -90000, -1, 0, 1, 90000, 2**31 - 1):
        assert timestamp_distance((start + offset) & 0xFFFFFFFF, start) == offset
