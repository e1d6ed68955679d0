import pytest

from sfu.wire.payload.av1 import AggregationHeader, is_key_frame, parse_aggregation_header


@pytest.mark.parametrize("first", range(0, 256, 8))
def test_aggregation_header(first):
    header = parse_aggregation_header(bytes((first, 0x0A)))
    assert header == AggregationHeader(
        continues=first >= 0x80,
        continued=bool(first & 0x40),
        elements=first >> 4 & 3,
        new_sequence=bool(first & 0x08),
    )
    assert is_key_frame(bytes((first, 0x0A))) == (header.new_sequence and not header.continues)


def test_nothing_is_no_key_frame():
    assert parse_aggregation_header(b"") is None
    assert not is_key_frame(b"")
    assert not is_key_frame(b"\x08")
