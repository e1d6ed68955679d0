from random import Random

import pytest

from sfu.errors import ParseError
from sfu.wire.bits import BitReader, BitWriter


def test_fields_of_any_width():
    rng = Random(1)
    for _ in range(200):
        fields = [(rng.getrandbits(count), count) for count in (rng.randrange(1, 40),) * 9]
        writer = BitWriter()
        for value, count in fields:
            writer.write(value, count)
        assert writer.size == sum(count for _, count in fields)
        data = bytes(writer)
        reader = BitReader(data)
        assert [reader.read(count) for _, count in fields] == [value for value, _ in fields]
        assert 0 <= reader.size - reader.position < 8
        assert reader.read(reader.size - reader.position) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 33])
def test_numbers_below_a_count(count):
    writer = BitWriter()
    for value in range(count):
        writer.unsigned(value, count)
    reader = BitReader(bytes(writer))
    assert [reader.unsigned(count) for _ in range(count)] == list(range(count))
    assert reader.position == writer.size


def test_exponential_golomb_codes():
    # ITU-T H.264 table 9-2: 1, 010, 011, 00100, 00101
    reader = BitReader(bytes((0b10100110, 0b01000010, 0b10000000)))
    assert [reader.golomb() for _ in range(5)] == [0, 1, 2, 3, 4]
    reader = BitReader(bytes((0b10100110, 0b01000010, 0b10000000)))
    assert [reader.signed_golomb() for _ in range(5)] == [0, 1, -1, 2, -2]


def test_reading_past_the_end():
    reader = BitReader(b"\x00")
    reader.read(7)
    with pytest.raises(ParseError):
        reader.read(2)
    assert reader.read(1) == 0
    with pytest.raises(ParseError):
        reader.flag()
    with pytest.raises(ParseError, match="too long"):
        BitReader(bytes(20)).golomb()
