import pytest

from sfu.wire.payload.av1 import is_key_frame


@pytest.mark.parametrize("first", range(256))
def test_key_frame_begins_a_sequence_and_continues_nothing(first):
    continues, new_sequence = bool(first & 0x80), bool(first & 0x08)
    assert is_key_frame(bytes((first, 0x0A))) == (new_sequence and not continues)


def test_nothing_is_no_key_frame():
    assert not is_key_frame(b"")
    assert not is_key_frame(b"\x08")
