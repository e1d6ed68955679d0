"""The tester's system calls: receive runs of datagrams with their times, send a frame at once.

What a server sends with UDP segmentation comes here as one run (`UDP_GRO`): many packets for one
system call. The kernel stamps each run when it reaches the socket, so that the time which the
tester takes to get to it is no part of any measured delay.
"""

import errno
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from struct import pack_into, unpack
from typing import Any, NamedTuple

from sfu.net.mmsg import available, ffi

SLOTS = 16  # runs a call
SLOT_SIZE = 1 << 16  # bytes; no run is longer
BUFFER_SIZE = 4 << 20  # bytes of a socket's receive buffer: 0.1 s of 40 MB/s
MAX_BATCH = 256  # packets of one sendmmsg

SOL_UDP, UDP_GRO = 17, 104  # linux/udp.h
SO_TIMESTAMPNS = 35  # asm-generic/socket.h: the kernel's time of arrival, CLOCK_REALTIME
SO_MEMINFO, DROPS = 55, 8  # the socket's counters, linux/sock_diag.h
SO_RCVBUFFORCE = 33

_TIME_SIZE = 32  # CMSG_SPACE of a struct timespec
_CONTROL_SIZE = 64  # that, and CMSG_SPACE of an int, and some room
_NANO = 1_000_000_000


class Run(NamedTuple):
    """Datagrams of one size (the last perhaps shorter) that lie back to back.

    Attributes:
        start: Where the first begins in the receiver's `view`.
        length: Bytes of all of them.
        size: Bytes of each.
        time: When they came, monotonic nanoseconds.
    """

    start: int
    length: int
    size: int
    time: int


def media_socket(family: socket.AddressFamily) -> socket.socket:
    """A non-blocking UDP socket with large buffers and times."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
    if sys.platform == "linux":
        for level, option, value in (
            (socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE),
            (socket.SOL_SOCKET, SO_TIMESTAMPNS, 1),
        ):
            with suppress(OSError):  # not root: the limit of the system holds
                sock.setsockopt(level, option, value)
    return sock


def receive_runs(sock: socket.socket) -> None:
    """Let the kernel hand over many datagrams as one `Run`, which only a `Receiver` can read."""
    if available():
        with suppress(OSError):  # before Linux 5.0: only slower
            sock.setsockopt(SOL_UDP, UDP_GRO, 1)


def socket_drops(sock: socket.socket) -> int:
    """How many datagrams this socket has dropped because its buffer was full."""
    if sys.platform != "linux":
        return 0
    counters = unpack("=9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    return int(counters[DROPS])


class Receiver:
    """Receives from any socket of the process into one piece of memory.

    Attributes:
        view: Where the packets lie until the next call.
        base: Address of that memory, for C functions.
        refused: Whether the last call heard that nobody listens at the other end any more.
    """

    def __init__(self) -> None:
        self.refused = False
        self._memory = ffi.new("unsigned char[]", SLOTS * SLOT_SIZE)
        self.view = memoryview(ffi.buffer(self._memory))
        self.base = int(ffi.cast("uintptr_t", self._memory))

    def pointer(self, position: int) -> Any:
        """A place in `view` as C functions take it (`void *`)."""
        return ffi.cast("void *", self.base + position)

    def receive(self, sock: socket.socket) -> list[Run]:
        """What has come; empty when nothing has, or when the other end is gone."""
        runs = []
        self.refused = False
        for start in range(0, SLOTS * SLOT_SIZE, SLOT_SIZE):
            try:
                length = sock.recv_into(self.view[start : start + SLOT_SIZE])
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                self.refused = True
                break
            runs.append(Run(start, length, length, time.monotonic_ns()))
        return runs


class BatchReceiver(Receiver):
    """The same with one system call, times of the kernel, and runs."""

    def __init__(self) -> None:
        super().__init__()
        self._libc: Any = ffi.dlopen(None)
        self._vectors = ffi.new("struct iovec[]", SLOTS)
        self._messages = ffi.new("struct mmsghdr[]", SLOTS)
        self._control = ffi.new("unsigned char[]", SLOTS * _CONTROL_SIZE)
        for slot in range(SLOTS):
            self._vectors[slot].iov_base = self._memory + slot * SLOT_SIZE
            self._vectors[slot].iov_len = SLOT_SIZE
            header = self._messages[slot].msg_hdr
            header.msg_iov, header.msg_iovlen = self._vectors + slot, 1
            header.msg_control = self._control + slot * _CONTROL_SIZE
            header.msg_controllen = _CONTROL_SIZE
        # Fields of all messages as strided views: no attribute of a C structure is read by name.
        raw = memoryview(ffi.buffer(self._messages))
        step = ffi.sizeof("struct mmsghdr")
        self._lengths = raw.cast("I")[ffi.offsetof("struct mmsghdr", "msg_len") // 4 :: step // 4]
        control = ffi.offsetof("struct msghdr", "msg_controllen")
        word = ffi.sizeof("size_t")
        self._control_lengths = raw.cast("L")[control // word :: step // word]
        self._full = memoryview(self._control_lengths.tobytes()).cast("L")
        controls = memoryview(ffi.buffer(self._control))
        self._seconds = controls.cast("q")[2 :: _CONTROL_SIZE // 8]
        self._nanoseconds = controls.cast("q")[3 :: _CONTROL_SIZE // 8]
        self._sizes = controls.cast("I")[(_TIME_SIZE + 16) // 4 :: _CONTROL_SIZE // 4]
        self._offset = 0
        self._offset_until = 0

    def receive(self, sock: socket.socket) -> list[Run]:
        """What has come; empty when nothing has, or when the other end is gone."""
        count: int = self._libc.recvmmsg(
            sock.fileno(), self._messages, SLOTS, socket.MSG_DONTWAIT, ffi.NULL
        )
        self.refused = count < 0 and ffi.errno == errno.ECONNREFUSED
        if count <= 0:
            return []
        runs = []
        offset = self._clock_offset()
        start = 0
        for slot in range(count):
            length = size = self._lengths[slot]
            told = self._control_lengths[slot]
            if told > _TIME_SIZE:
                size = self._sizes[slot]
            if told >= _TIME_SIZE:
                moment = self._seconds[slot] * _NANO + self._nanoseconds[slot] - offset
            else:
                moment = time.monotonic_ns()
            runs.append(Run(start, length, size, moment))
            start += SLOT_SIZE
        self._control_lengths[:count] = self._full[:count]
        return runs

    def _clock_offset(self) -> int:
        """Wall clock less monotonic clock; looked up each second, as the wall clock is adjusted."""
        now = time.monotonic_ns()
        if now > self._offset_until:
            self._offset = time.time_ns() - now
            self._offset_until = now + _NANO
        return self._offset


class Sender:
    """Sends packets from one piece of memory through any connected socket of the process.

    Attributes:
        view: Where to write packets, back to back.
        base: Address of that memory, for C functions.
    """

    def __init__(self, size: int = 1 << 20) -> None:
        self._memory = ffi.new("unsigned char[]", size)
        self.view = memoryview(ffi.buffer(self._memory))
        self.base = int(ffi.cast("uintptr_t", self._memory))

    def send(self, sock: socket.socket, sizes: Sequence[int]) -> int:
        """Send packets of these sizes from the beginning of the memory, one datagram each.

        Returns:
            How many were sent; what a full buffer did not take is not tried again.
        """
        start = sent = 0
        for size in sizes:
            try:
                sock.send(self.view[start : start + size])
            except (BlockingIOError, ConnectionRefusedError):
                break
            start += size
            sent += 1
        return sent


class BatchSender(Sender):
    """The same with one system call."""

    def __init__(self) -> None:
        super().__init__()
        self._libc: Any = ffi.dlopen(None)
        self._vectors = ffi.new("struct iovec[]", MAX_BATCH)
        self._vectors_view = memoryview(ffi.buffer(self._vectors))
        self._messages = ffi.new("struct mmsghdr[]", MAX_BATCH)
        for i in range(MAX_BATCH):
            header = self._messages[i].msg_hdr
            header.msg_iov, header.msg_iovlen = self._vectors + i, 1

    def send(self, sock: socket.socket, sizes: Sequence[int]) -> int:
        """Send packets of these sizes from the beginning of the memory, one datagram each."""
        sent = 0
        position = self.base
        for first in range(0, len(sizes), MAX_BATCH):
            batch = sizes[first : first + MAX_BATCH]
            words: list[int] = []
            for size in batch:
                words += (position, size)
                position += size
            pack_into(f"@{len(words)}L", self._vectors_view, 0, *words)
            done = self._send(sock.fileno(), len(batch))
            sent += done
            if done < len(batch):
                break
        return sent

    def _send(self, descriptor: int, count: int) -> int:
        sent = tries = 0
        while sent < count:
            done: int = self._libc.sendmmsg(
                descriptor, self._messages + sent, count - sent, socket.MSG_DONTWAIT
            )
            if done > 0:
                sent += done
            elif ffi.errno in (errno.EINTR, errno.ECONNREFUSED) and not tries:
                tries += 1  # an error of an earlier packet is told once, and does not last
            else:
                break
        return sent


def receiver() -> Receiver:
    """The quickest receiver of this platform."""
    return BatchReceiver() if available() else Receiver()


def sender() -> Sender:
    """The quickest sender of this platform."""
    return BatchSender() if available() else Sender()
