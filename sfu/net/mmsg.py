"""recvmmsg and sendmmsg of Linux, called through cffi in ABI mode: no compiled code of ours."""

import errno
import socket
import sys
from collections.abc import Sequence
from struct import iter_unpack
from time import monotonic
from typing import Any

from cffi import FFI

from sfu.net.datagrams import UdpCounters, reaches, send_singly
from sfu.net.sockaddr import NAME_SIZE, decode_sockaddr, encode_sockaddr, sockaddr_size
from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, SLOTS, ReceiveBatch
from sfu.transport.outbox import Outbox, Run

SOL_UDP = 17
UDP_SEGMENT = 103  # linux/udp.h
MESSAGES = 512  # of one sendmmsg; a flush of more needs several, and 1024 is the kernel's limit
MAX_CACHED_ADDRESSES = 10_000  # then all caches start again, which costs microseconds
RETRY_INTERVAL = 60.0  # s without segmentation to where it failed; routes and their MTUs change

ffi = FFI()
ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr { void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov;
                    size_t msg_iovlen; void *msg_control; size_t msg_controllen; int msg_flags; };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; };
    int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
    int recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags, void *timeout);
    """
)

_WORD = ffi.sizeof("size_t")
# MSG_TRUNC: a message's length is the true one. Joined here, because flags of `enum` take 1 µs.
_RECEIVE_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_TRUNC) if sys.platform == "linux" else 0
_CONTROL_DATA = ffi.sizeof("struct cmsghdr")
_CONTROL_SIZE = _CONTROL_DATA + _WORD  # CMSG_SPACE of 16 bits


def _load() -> Any:
    """The C library, if it has both calls and the kernel takes them."""
    if sys.platform != "linux":
        return None
    libc: Any = ffi.dlopen(None)
    message = ffi.new("struct mmsghdr *")
    for name, more in (("sendmmsg", ()), ("recvmmsg", (ffi.NULL,))):
        call = getattr(libc, name, None)
        if call is None:
            return None
        # Old kernels and sandboxes (gVisor, seccomp) refuse the call itself, others this socket.
        if call(-1, message, 1, 0, *more) >= 0 or ffi.errno != errno.EBADF:
            return None
    return libc


_libc = _load()


def available() -> bool:
    """Whether recvmmsg and sendmmsg can be called here, as a probe when we started has found."""
    return _libc is not None


def supports_segmentation(sock: socket.socket) -> bool:
    """Whether the kernel cuts one message into datagrams (Linux 4.18, `UDP_SEGMENT`)."""
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


class BatchReceiver:
    """Receives from one socket, up to `SLOTS` datagrams a call.

    Args:
        sock: A bound, non-blocking UDP socket.
        batch: Where the datagrams go.
    """

    def __init__(self, sock: socket.socket, batch: ReceiveBatch) -> None:
        self._descriptor = sock.fileno()
        self._batch = batch
        self._addresses: dict[bytes, Address] = {}
        self._vectors = ffi.new("struct iovec[]", SLOTS)
        self._messages = ffi.new("struct mmsghdr[]", SLOTS)
        self._names = ffi.new("unsigned char[]", SLOTS * NAME_SIZE)
        for slot in range(SLOTS):
            self._vectors[slot].iov_base = batch.pointers[slot]
            self._vectors[slot].iov_len = SLOT_SIZE
            header = self._messages[slot].msg_hdr
            header.msg_iov, header.msg_iovlen = self._vectors + slot, 1
            header.msg_name, header.msg_namelen = self._names + slot * NAME_SIZE, NAME_SIZE
        self._names_view = memoryview(ffi.buffer(self._names))
        # All msg_len as one strided view: reading them is one call, not one attribute each.
        words = memoryview(ffi.buffer(self._messages)).cast("I")
        step = ffi.sizeof("struct mmsghdr") // words.itemsize
        first = ffi.offsetof("struct mmsghdr", "msg_len") // words.itemsize
        self._lengths = words[first::step]

    def receive(self) -> int:
        """Fill the batch; returns how many datagrams came.

        Raises:
            OSError: The call failed for another reason than that nothing is there.
        """
        assert _libc is not None
        count: int = _libc.recvmmsg(
            self._descriptor,
            self._messages,
            SLOTS,
            _RECEIVE_FLAGS,
            ffi.NULL,
        )
        batch = self._batch
        if count <= 0:
            batch.count = 0
            return _nothing_received()
        batch.count = count
        lengths = self._lengths[:count].tolist()
        known = self._addresses
        addresses: list[Address | None] = [
            known.get(raw) for (raw,) in iter_unpack("28s", self._names_view[: count * NAME_SIZE])
        ]
        if None in addresses:
            self._learn(addresses)
        batch.addresses[:count] = addresses  # type: ignore[assignment]
        if max(lengths) > SLOT_SIZE:
            batch.oversized += sum(length > SLOT_SIZE for length in lengths)
            lengths = [0 if length > SLOT_SIZE else length for length in lengths]
        batch.lengths[:count] = lengths
        return count

    def _learn(self, addresses: list[Address | None]) -> None:
        if len(self._addresses) > MAX_CACHED_ADDRESSES:
            self._addresses.clear()
        for slot, address in enumerate(addresses):
            if address is None:
                start = slot * NAME_SIZE
                raw = bytes(self._names_view[start : start + NAME_SIZE])
                addresses[slot] = self._addresses[raw] = decode_sockaddr(raw)


def _nothing_received() -> int:
    error = ffi.errno
    if error in (errno.EAGAIN, errno.EINTR):
        return 0
    raise OSError(error, "recvmmsg failed")


class BatchSender:
    """Sends runs of an outbox through one socket, up to `MESSAGES` of them a call.

    It never waits: what the kernel does not take now is dropped, as the network would.

    Where the kernel refuses to segment for one destination, that run is sent packet by packet, and
    so is what follows to there in the next `RETRY_INTERVAL`; the other destinations do not notice.
    Single packets over a path's MTU are no error: the kernel sends them in fragments, since we
    leave IP_MTU_DISCOVER at its default.

    Args:
        sock: A bound, non-blocking UDP socket.
        counters: Where to count what was sent and what was not.

    Attributes:
        segmentation: Whether the kernel cuts one message into datagrams.
    """

    def __init__(self, sock: socket.socket, counters: UdpCounters) -> None:
        self.segmentation = supports_segmentation(sock)
        self._sock = sock
        self._counters = counters
        self._unsegmented: dict[Address, float] = {}  # until when; the oldest first
        self._names: dict[Address, FFI.CData] = {}
        self._vectors = ffi.new("struct iovec[]", MESSAGES)
        self._messages = ffi.new("struct mmsghdr[]", MESSAGES)
        self._control = ffi.new("unsigned char[]", MESSAGES * _CONTROL_SIZE)
        name_size = sockaddr_size(sock.family)
        slots = []
        for i in range(MESSAGES):
            control = self._control + i * _CONTROL_SIZE
            control_header: Any = ffi.cast("struct cmsghdr *", control)
            control_header.cmsg_len = _CONTROL_DATA + 2
            control_header.cmsg_level, control_header.cmsg_type = SOL_UDP, UDP_SEGMENT
            header = self._messages[i].msg_hdr
            header.msg_iov, header.msg_iovlen = self._vectors + i, 1
            header.msg_namelen = name_size
            segment = ffi.cast("uint16_t *", control + _CONTROL_DATA)
            slots.append((self._vectors[i], header, control, segment))
        self._slots = slots

    @property
    def unsegmented(self) -> int:
        """To how many addresses the kernel does not segment at present, though it could."""
        self._forget_failures()
        return len(self._unsegmented)

    def send(self, outbox: Outbox, runs: Sequence[Run]) -> None:
        """Send these runs of the outbox, in this order; those to other kinds of addresses stay."""
        if self._unsegmented:
            self._forget_failures()
        if self._unsegmented or not self.segmentation:
            runs = self._split(runs)
        if len(self._names) > MAX_CACHED_ADDRESSES:
            self._names.clear()
        for start in range(0, len(runs), MESSAGES):
            self._send(outbox, runs[start : start + MESSAGES])

    def _send(self, outbox: Outbox, runs: Sequence[Run]) -> None:
        assert _libc is not None
        memory = ffi.cast("unsigned char *", outbox.base)
        names, null = self._names, ffi.NULL
        slots = self._slots
        queued: list[Run] = []
        packets = octets = 0
        for run in runs:
            address, offset, length, size, count = run
            name = names.get(address)
            if name is None:
                if not reaches(self._sock, address):
                    continue
                name = self._name(address)
            vector, header, control, segment = slots[len(queued)]
            queued.append(run)
            vector.iov_base = memory + offset
            vector.iov_len = length
            header.msg_name = name
            if count > 1:
                segment[0] = size
                header.msg_control = control
                header.msg_controllen = _CONTROL_SIZE
            else:
                header.msg_control = null
                header.msg_controllen = 0
            packets += count
            octets += length
        counters = self._counters
        counters.packets_sent += packets
        counters.bytes_sent += octets
        sent, total = 0, len(queued)
        while sent < total:
            done = _libc.sendmmsg(
                self._sock.fileno(), self._messages + sent, total - sent, socket.MSG_DONTWAIT
            )
            sent += done if done > 0 else self._failed(ffi.errno, outbox, queued[sent:])

    def _failed(self, error: int, outbox: Outbox, runs: Sequence[Run]) -> int:
        """Handle that `runs[0]` was refused; returns how many runs are done with."""
        if error == errno.EINTR:
            return 0
        if error in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM):
            for run in runs:  # the socket's buffer is full: it will not take the others either
                self._counters.not_sent(error, run)
            return len(runs)
        address, _, _, _, count = runs[0]
        if count == 1 or error not in (errno.EIO, errno.EINVAL, errno.EMSGSIZE):
            self._counters.not_sent(error, runs[0])
            return 1
        # The device cannot, or a segment is over the path's MTU: then no segmentation to there.
        if len(self._unsegmented) >= MAX_CACHED_ADDRESSES:
            self._unsegmented.clear()
        self._unsegmented.setdefault(address, monotonic() + RETRY_INTERVAL)
        self._counters.failed(error)
        self._counters.take_back(runs[0])
        send_singly(self._sock, outbox, runs[:1], self._counters)
        return 1

    def _forget_failures(self) -> None:
        """Let the kernel segment again where it failed long ago: one failing call costs little."""
        now = monotonic()
        while self._unsegmented:
            address, until = next(iter(self._unsegmented.items()))
            if until > now:
                return
            del self._unsegmented[address]

    def _split(self, runs: Sequence[Run]) -> list[Run]:
        """Cut up what cannot be segmented by the kernel."""
        split: list[Run] = []
        for run in runs:
            address, offset, length, size, count = run
            if count == 1 or (self.segmentation and address not in self._unsegmented):
                split.append(run)
                continue
            for start in range(offset, offset + length, size):
                piece = min(size, offset + length - start)
                split.append((address, start, piece, piece, 1))
        return split

    def _name(self, address: Address) -> FFI.CData:
        name = ffi.new("unsigned char[]", encode_sockaddr(address))
        self._names[address] = name
        return name
