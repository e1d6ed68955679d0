"""What is to be sent: packets written once, where the system call reads them."""

from collections.abc import Callable, Sequence

from cffi import FFI

from sfu.transport.address import Address

MAX_SEGMENTS = 64  # packets of one UDP_SEGMENT message (UDP_MAX_SEGMENTS of Linux before 6.9)
MAX_RUN_SIZE = 65_000  # bytes of one UDP_SEGMENT message; below 65,535 less IPv6 and UDP headers

Run = tuple[Address, int, int, int, int]
"""(address, offset, length, segment size, packet count): `length` bytes at `offset` of the outbox
are `count` packets of `segment size` bytes back to back, the last one perhaps smaller."""

_ffi = FFI()


def _nothing() -> None:
    """Without a shell there is nobody to tell."""


class Outbox:
    """Collects packets until the shell flushes them, in the order in which they were committed.

    Hot path: `reserve` room for several packets of one receiver, write and protect them there, and
    `commit` them. What was reserved and not committed is simply reused, so between the two nothing
    else may be put into the outbox.

    Args:
        size: Bytes of packets that fit between two flushes.

    Attributes:
        view: The memory that packets are written to.
        base: Address of that memory in this process, for C functions.
        on_full: Called when there is no room: must consume `runs` and `clear`. The default spills
            the packets into a list, so that without a shell nothing is lost; the shell sets its
            own.
        on_enough: Called between two receivers when a good part of a batch has been written, so
            that it can be sent before the rest is; by default it waits.
        on_pending: Called when the first rare packet comes into an empty outbox, so that the shell
            flushes also what no datagram and no timer caused.
        runs: What to send, oldest first; see `Run`.
    """

    __slots__ = (
        "_end",
        "_memory",
        "_size",
        "_spilled",
        "base",
        "on_enough",
        "on_full",
        "on_pending",
        "runs",
        "view",
    )

    def __init__(self, size: int = 4 << 20) -> None:
        self._memory = _ffi.new("unsigned char[]", size)
        self._size = size
        self._end = 0
        self._spilled: list[tuple[Address, bytes]] = []
        self.view = memoryview(_ffi.buffer(self._memory))
        self.base = int(_ffi.cast("uintptr_t", self._memory))
        self.on_enough: Callable[[], None] = _nothing
        self.on_pending: Callable[[], None] = _nothing
        self.on_full: Callable[[], None] = self._spill
        self.runs: list[Run] = []

    def reserve(self, size: int) -> int:
        """Find room for `size` bytes; returns their offset in `view`. May flush."""
        if self._end + size > self._size:
            assert size <= self._size, f"{size} bytes never fit an outbox of {self._size}"
            self.on_full()
            assert not self.runs, "on_full must empty the outbox"
        return self._end

    def commit(self, address: Address, offset: int, sizes: Sequence[int]) -> None:
        """Send the packets of these wire sizes, which lie back to back from `offset`.

        They are cut into runs that one message with UDP segmentation can carry: equal sizes,
        only the last of a run smaller.

        Args:
            address: Where to.
            offset: As `reserve` returned it.
            sizes: Bytes of each packet as it goes on the wire, none of them 0.
        """
        add = self.runs.append
        count = len(sizes)
        if 0 < count <= MAX_SEGMENTS and sizes.count(sizes[0]) == count:
            # All equal, as most frames are: three times as quick as the loop below.
            length = count * sizes[0]
            if length <= MAX_RUN_SIZE:
                add((address, offset, length, sizes[0], count))
                self._end = offset + length
                return
        start = offset
        segment = count = 0
        for size in sizes:
            if count and (
                size > segment or count == MAX_SEGMENTS or offset + size - start > MAX_RUN_SIZE
            ):
                add((address, start, offset - start, segment, count))
                start = offset
                count = 0
            if not count:
                segment = size
            offset += size
            count += 1
            if size < segment:
                add((address, start, offset - start, segment, count))
                start = offset
                count = 0
        if count:
            add((address, start, offset - start, segment, count))
        self._end = offset

    def commit_one(self, address: Address, offset: int, size: int) -> None:
        """As `commit` for a single packet."""
        self.runs.append((address, offset, size, size, 1))
        self._end = offset + size

    def send(self, address: Address, data: bytes) -> None:
        """Send one datagram of the rare kind: STUN, DTLS, RTCP."""
        size = len(data)
        if not size:
            return
        offset = self.reserve(size)
        if not self.runs:
            self.on_pending()
        self._end = offset + size
        self.view[offset : self._end] = data
        self.runs.append((address, offset, size, size, 1))

    def datagrams(self) -> list[tuple[Address, bytes]]:
        """Take everything out as single datagrams: for tests and for senders without batches."""
        self._spill()
        datagrams = self._spilled
        self._spilled = []
        return datagrams

    def clear(self) -> None:
        """Forget everything: it has been sent."""
        self.runs.clear()
        self._spilled.clear()
        self._end = 0

    def _spill(self) -> None:
        for address, offset, length, segment, _ in self.runs:
            end = offset + length
            while offset < end:
                cut = min(offset + segment, end)
                self._spilled.append((address, bytes(self.view[offset:cut])))
                offset = cut
        self.runs.clear()
        self._end = 0
