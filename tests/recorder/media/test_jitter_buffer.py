from random import Random

from recorder.media.jitter_buffer import MAX_BYTES, MAX_PACKETS, JitterBuffer
from recorder.values import RecordedPacket
from sfu.wire.parameters import VP8

PATIENCE = 0.5


def packet(index: int, *, key_frame: bool = False, size: int = 1) -> RecordedPacket:
    return RecordedPacket(1, index, 0, False, key_frame, VP8, bytes(size))


def take(buffer: JitterBuffer) -> list[int | None]:
    """The indexes that are in order, None for a loss."""
    indexes = [entry and entry[1].index for entry in buffer.ordered]
    buffer.ordered.clear()
    return indexes


def test_what_is_in_order_passes():
    buffer = JitterBuffer(PATIENCE)
    for index in (5, 6, 7):
        buffer.add(packet(index), now=0)
        assert take(buffer) == [index]
    assert buffer.deadline is None
    assert not buffer.waits


def test_what_comes_in_another_order_is_put_in_order():
    rng = Random(1)
    buffer = JitterBuffer(PATIENCE)
    indexes = list(range(1, 200))
    rng.shuffle(indexes)
    buffer.add(packet(0), now=0)
    for index in indexes:
        buffer.add(packet(index), now=0)
        buffer.add(packet(index), now=0)  # each comes twice
    assert take(buffer) == list(range(200))
    assert buffer.lost == 0


def test_what_is_missing_is_waited_for_until_its_time_is_over():
    buffer = JitterBuffer(PATIENCE)
    for now, index in enumerate((0, 2, 3, 5)):
        buffer.add(packet(index), now=now / 10)
    assert buffer.deadline == 0.1 + PATIENCE
    buffer.give_up(now=0.1 + PATIENCE - 0.01)
    assert take(buffer) == [0]

    buffer.give_up(now=0.1 + PATIENCE)
    assert take(buffer) == [None, 2, 3]
    assert buffer.deadline == 0.3 + PATIENCE

    buffer.add(packet(4), now=0.5)
    buffer.add(packet(1), now=0.5)
    assert take(buffer) == [4, 5]
    assert buffer.lost == 1


def test_what_was_missing_has_the_arrival_of_what_told_of_it():
    buffer = JitterBuffer(PATIENCE)
    buffer.add(packet(0), now=0)
    buffer.add(packet(2), now=1)
    buffer.add(packet(1), now=1.4)
    assert [entry[0] for entry in buffer.ordered if entry] == [0, 1, 1]


def test_a_key_frame_ends_the_wait_for_what_is_before_it():
    buffer = JitterBuffer(PATIENCE)
    for index in (0, 2, 4, 5, 7):
        buffer.add(packet(index, key_frame=index in (4, 7)), now=0)
    buffer.skip_to_key_frame()
    assert take(buffer) == [0, None, 4, 5]
    assert buffer.lost == 2
    buffer.skip_to_key_frame()
    assert take(buffer) == [None, 7]
    buffer.skip_to_key_frame()
    assert take(buffer) == []


def test_after_the_end_it_begins_anew_with_what_is_newer():
    buffer = JitterBuffer(PATIENCE)
    for index in (10, 12):
        buffer.add(packet(index), now=0)
    buffer.finish()
    assert take(buffer) == [10, None, 12]
    assert not buffer.begun
    buffer.add(packet(11), now=1)
    assert take(buffer) == []
    assert not buffer.begun
    buffer.add(packet(500), now=1)
    assert take(buffer) == [500]
    assert buffer.begun
    assert buffer.lost == 1


def test_it_is_bounded():
    buffer = JitterBuffer(PATIENCE)
    buffer.add(packet(0), now=0)
    for index in range(2, MAX_PACKETS + 2):
        buffer.add(packet(index), now=0)
    assert take(buffer) == [0]
    buffer.add(packet(MAX_PACKETS + 2), now=0)
    assert len(take(buffer)) == MAX_PACKETS + 2
    size = MAX_BYTES // 100
    for index in range(2 * MAX_PACKETS, 2 * MAX_PACKETS + 101):
        assert not buffer.ordered
        buffer.add(packet(index, size=size), now=0)
    assert len(take(buffer)) == 102


def test_it_begins_with_a_key_frame_though_that_is_late():
    buffer = JitterBuffer(PATIENCE, from_key_frame=True)
    for index in (3, 4, 6, 8):
        buffer.add(packet(index), now=0)
    assert take(buffer) == []
    assert buffer.deadline is None
    buffer.add(packet(5, key_frame=True), now=0.4)
    assert take(buffer) == [5, 6]
    buffer.add(packet(3), now=0.4)
    buffer.add(packet(7), now=0.4)
    assert take(buffer) == [7, 8]
    assert buffer.lost == 0


def test_what_comes_before_any_key_frame_is_not_kept_for_long():
    buffer = JitterBuffer(PATIENCE, from_key_frame=True)
    for index in range(1000):
        buffer.add(packet(index), now=index / 100)
    assert len(buffer._waiting) <= 52
    for index in range(1000, 1101):
        buffer.add(packet(index, size=MAX_BYTES // 100), now=10)
    assert buffer._bytes <= MAX_BYTES
    buffer.finish()
    assert take(buffer) == []
    assert not buffer.waits
    assert buffer._bytes == 0
