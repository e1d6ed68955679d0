"""Where received datagrams lie: one piece of memory, reused by every batch.

The memory is outside the Python heap so that the system call can write to it and libsrtp can
decrypt in it, without a copy in between.
"""

from collections.abc import Sequence

from cffi import FFI

from sfu.transport.address import Address

SLOTS = 64  # datagrams a system call; more gain under 2 % and cost cache
SLOT_SIZE = 2048  # bytes; above every path MTU that we meet (1500), a power of two

_ffi = FFI()


class ReceiveBatch:
    """Up to `SLOTS` received datagrams, in preallocated memory.

    Slot i begins at byte `i * SLOT_SIZE` of `view`. Only the first `count` slots, and of each the
    first `lengths[i]` bytes, mean anything.

    Attributes:
        count: Slots in use.
        lengths: Bytes of each datagram; 0 for one that did not fit and must be skipped.
        addresses: Where each datagram came from.
        view: All slots as one writable memoryview.
        base: Address of the first slot in this process.
        pointers: Address of each slot, as C functions take it (`void *`).
        oversized: How many datagrams were dropped so far because they did not fit a slot.
    """

    __slots__ = (
        "_memory",
        "addresses",
        "base",
        "count",
        "lengths",
        "oversized",
        "pointers",
        "view",
    )

    def __init__(self) -> None:
        self._memory = _ffi.new("unsigned char[]", SLOTS * SLOT_SIZE)
        self.view = memoryview(_ffi.buffer(self._memory))
        self.base = int(_ffi.cast("uintptr_t", self._memory))
        self.pointers: list[FFI.CData] = [
            _ffi.cast("void *", self.base + slot * SLOT_SIZE) for slot in range(SLOTS)
        ]
        self.count = 0
        self.lengths = [0] * SLOTS
        self.addresses: list[Address] = [Address("0.0.0.0", 0)] * SLOTS  # noqa: S104
        self.oversized = 0

    def load(self, datagrams: Sequence[tuple[bytes, Address]]) -> None:
        """Fill the batch from the portable receive path, from TCP, or from a test.

        Args:
            datagrams: At most `SLOTS` of (bytes, source). One that is longer than a slot is
                dropped and counted.
        """
        assert len(datagrams) <= SLOTS
        slot = 0
        for data, address in datagrams:
            size = len(data)
            if size > SLOT_SIZE:
                self.oversized += 1
                continue
            offset = slot * SLOT_SIZE
            self.view[offset : offset + size] = data
            self.lengths[slot] = size
            self.addresses[slot] = address
            slot += 1
        self.count = slot

    def datagram(self, slot: int) -> bytes:
        """A copy of the datagram in this slot, for the paths that are not hot."""
        offset = slot * SLOT_SIZE
        return bytes(self.view[offset : offset + self.lengths[slot]])
