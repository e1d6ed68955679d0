"""Datagrams by the portable calls: one each, where batches are not available."""

import errno
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, SLOTS, ReceiveBatch
from sfu.transport.outbox import Outbox, Run

_SO_MEMINFO, _MEMINFO_DROPS = 55, 8  # asm-generic/socket.h, linux/sock_diag.h


@dataclass(slots=True)
class UdpCounters:
    """What went through a UDP port so far.

    Attributes:
        packets_received: Datagrams.
        bytes_received: Their UDP payloads.
        packets_sent: Datagrams that the kernel took.
        bytes_sent: Their UDP payloads.
        packets_dropped: Datagrams that the kernel did not take.
        errors: Failed calls by the name of their errno.
    """

    packets_received: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_dropped: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def failed(self, error: int | None) -> None:
        """Count a failed call."""
        self.errors[errno.errorcode.get(error or 0, str(error))] += 1

    def take_back(self, run: Run) -> None:
        """A run was counted as sent, and was not."""
        _, _, length, _, count = run
        self.packets_sent -= count
        self.bytes_sent -= length

    def not_sent(self, error: int | None, run: Run) -> None:
        """A run that was counted as sent failed, and is dropped."""
        self.failed(error)
        self.take_back(run)
        self.packets_dropped += run[4]


@dataclass(frozen=True, slots=True)
class UdpPath:
    """How one socket reaches the network.

    Attributes:
        host: The address that it is bound to.
        batched: Whether one call takes many messages (recvmmsg, sendmmsg).
        segmentation: Whether one message may be a run of packets, which the kernel cuts.
        unsegmented: Addresses to which that failed a short while ago: they get single packets.
        kernel_drops: Datagrams that came and that the kernel dropped because we did not take those
            before them quickly enough; None where it does not tell.
    """

    host: str
    batched: bool
    segmentation: bool
    unsegmented: int
    kernel_drops: int | None


def to_python(address: Address) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address as Python's sockets take it."""
    host, _, scope = address.host.partition("%")
    return (host, address.port, 0, int(scope)) if scope else (host, address.port)


def from_python(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """The address as Python's sockets tell it; an IPv6 scope becomes a number after "%"."""
    host = name[0].partition("%")[0]
    if len(name) == 4 and name[3]:
        host = f"{host}%{name[3]}"
    return Address(host, name[1])


def kernel_drops(sock: socket.socket) -> int | None:
    """Datagrams that the kernel has dropped at this socket; None where it does not tell."""
    if sys.platform != "linux":
        return None
    try:
        counters = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1))
    except OSError:  # before Linux 4.12
        return None
    drops = counters[4 * _MEMINFO_DROPS :]
    return int.from_bytes(drops, sys.byteorder) if len(drops) == 4 else None


def reaches(sock: socket.socket, address: Address) -> bool:
    """Whether this UDP socket can send there at all: the protocol and the family are its own."""
    return address.protocol == "udp" and (":" in address.host) == (sock.family == socket.AF_INET6)


def send_singly(
    sock: socket.socket, outbox: Outbox, runs: Sequence[Run], counters: UdpCounters
) -> None:
    """Send each packet of the runs with a call of its own; what is not taken now is dropped."""
    for address, offset, length, size, _ in runs:
        if not reaches(sock, address):
            continue
        name = to_python(address)
        end = offset + length
        for start in range(offset, end, size):
            piece = min(size, end - start)
            counters.packets_sent += 1
            counters.bytes_sent += piece
            try:
                sock.sendto(outbox.view[start : start + piece], name)
            except OSError as error:
                counters.not_sent(error.errno, (address, start, piece, piece, 1))


class SingleReceiver:
    """Receives from one socket, one datagram a call, up to `SLOTS` at a time.

    Args:
        sock: A bound, non-blocking UDP socket.
        batch: Where the datagrams go.
    """

    def __init__(self, sock: socket.socket, batch: ReceiveBatch) -> None:
        self._sock = sock
        self._batch = batch

    def receive(self) -> int:
        """Fill the batch; returns how many datagrams came.

        Raises:
            OSError: The call failed for another reason than that nothing is there.
        """
        batch = self._batch
        batch.count = 0
        for slot in range(SLOTS):
            offset = slot * SLOT_SIZE
            try:
                length, _, flags, name = self._sock.recvmsg_into(
                    [batch.view[offset : offset + SLOT_SIZE]]
                )
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                if slot:
                    break  # first hand on what came before it
                raise
            if flags & socket.MSG_TRUNC:
                batch.oversized += 1
                length = 0
            batch.lengths[slot] = length
            batch.addresses[slot] = from_python(name)
            batch.count = slot + 1
        return batch.count


class SingleSender:
    """Sends runs of an outbox through one socket, one packet a call.

    Args:
        sock: A bound, non-blocking UDP socket.
        counters: Where to count what was sent and what was not.

    Attributes:
        segmentation: False: every packet is a call.
        unsegmented: Nothing to tell, since that is so for all addresses.
    """

    segmentation = False
    unsegmented = 0

    def __init__(self, sock: socket.socket, counters: UdpCounters) -> None:
        self._sock = sock
        self._counters = counters

    def send(self, outbox: Outbox, runs: Sequence[Run]) -> None:
        """Send these runs of the outbox, in this order; those to other kinds of addresses stay."""
        send_singly(self._sock, outbox, runs, self._counters)
