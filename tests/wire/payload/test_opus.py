import pytest

from sfu.wire.payload.opus import MAX_BLOCKS, is_key_frame, red_primary


def redundant(blocks: list[tuple[int, bytes]]) -> bytes:
    """A payload of these blocks (payload type, data), the last the newest (RFC 2198 section 3)."""
    headers = b"".join(
        bytes((0x80 | payload_type,)) + (960 << 10 | len(data)).to_bytes(3, "big")
        for payload_type, data in blocks[:-1]
    )
    return headers + bytes((blocks[-1][0],)) + b"".join(data for _, data in blocks)


@pytest.mark.parametrize("older", [0, 1, 2, MAX_BLOCKS - 1])
@pytest.mark.parametrize("size", [0, 1, 127, 1023])
def test_primary_is_the_last_block(older, size):
    blocks = [(111, bytes((i,)) * size) for i in range(older)]
    assert red_primary(redundant([*blocks, (63, b"newest")])) == (63, b"newest")
    assert red_primary(redundant([*blocks, (63, b"")])) == (63, b"")


def test_too_many_blocks_are_refused():
    assert red_primary(redundant([(111, b"")] * (MAX_BLOCKS + 1))) is None


def test_payload_cut_short():
    data = redundant([(111, b"abc"), (111, b"")])
    assert red_primary(data) == (111, b"")
    for size in range(len(data)):
        assert red_primary(data[:size]) is None


def test_opus_has_no_key_frames():
    assert not is_key_frame(b"\xfc\xff\xfe")
