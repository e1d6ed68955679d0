import pytest

from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, SLOTS, ReceiveBatch

ADDRESS = Address("192.0.2.1", 5000)


def test_loaded_datagrams_lie_in_their_slots() -> None:
    batch = ReceiveBatch()
    datagrams = [(bytes([i]) * (i + 1), Address("192.0.2.1", i)) for i in range(SLOTS)]
    batch.load(datagrams)
    assert batch.count == SLOTS
    for slot, (data, address) in enumerate(datagrams):
        assert batch.datagram(slot) == data
        assert batch.addresses[slot] == address
        assert batch.lengths[slot] == len(data)
        assert batch.view[slot * SLOT_SIZE] == slot
    batch.load([])
    assert batch.count == 0


def test_datagram_longer_than_a_slot_is_dropped_and_counted() -> None:
    batch = ReceiveBatch()
    batch.load([(b"a", ADDRESS), (bytes(SLOT_SIZE + 1), ADDRESS), (bytes(SLOT_SIZE), ADDRESS)])
    assert [batch.datagram(slot) for slot in range(batch.count)] == [b"a", bytes(SLOT_SIZE)]
    assert batch.oversized == 1


def test_more_datagrams_than_slots_are_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        ReceiveBatch().load([(b"a", ADDRESS)] * (SLOTS + 1))
