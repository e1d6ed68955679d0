"""The UDP port of all peers: the sockets, and the calls that move datagrams through them."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from sfu.net import mmsg
from sfu.net.datagrams import SingleReceiver, SingleSender, UdpCounters, UdpPath, kernel_drops
from sfu.transport.address import Address
from sfu.transport.buffers import SLOTS, ReceiveBatch
from sfu.transport.outbox import Outbox, Run

BUFFER_SIZE = 4 << 20  # bytes that the kernel keeps for us; 0.3 s of 100 Mbit/s
# A wake-up: 256 datagrams, then timers, handshakes and HTTP have their turn. With fifty subscribers
# that is 30 ms of work already; another wake-up costs 0.02 ms.
MAX_BATCHES = 4
MAX_ROUTES = 10_000  # remote addresses whose socket is remembered
BIND_ATTEMPTS = 10  # at finding one free port on several addresses

# linux: asm-generic/socket.h. Root may go over the limits that net.core.rmem_max and wmem_max set.
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33


class Receiver(Protocol):
    """Fills the batch from one socket."""

    def receive(self) -> int:
        """Returns how many datagrams came; OSError when the socket has one to report."""


class Sender(Protocol):
    """Empties runs of an outbox into one socket."""

    segmentation: bool

    @property
    def unsegmented(self) -> int:
        """To how many addresses segmentation failed a short while ago."""

    def send(self, outbox: Outbox, runs: Sequence[Run]) -> None:
        """Send those of these runs that it can, dropping what the kernel does not take now."""


class UdpPort:
    """One UDP port number on all addresses that we listen on.

    Args:
        hosts: Numeric addresses to bind; wildcards are allowed ("::" takes IPv6 only).
        port: Port number; 0 picks one that is free on all of them.
        on_batch: Called with each batch of received datagrams. It is the same object, and the same
            memory, every time.
        batched: Whether to use recvmmsg and sendmmsg; None for where they exist.

    Attributes:
        port: The port number that is bound.
        batched: Whether recvmmsg and sendmmsg are used.
        counters: What went through so far.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        port: int,
        *,
        on_batch: Callable[[ReceiveBatch], None],
        batched: bool | None = None,
    ) -> None:
        self.port = port
        self.counters = UdpCounters()
        self._hosts = tuple(hosts)
        self._on_batch = on_batch
        self.batched = mmsg.available() if batched is None else batched
        self._batch = ReceiveBatch()
        self._sockets: list[socket.socket] = []
        self._senders: list[Sender] = []
        self._routes: dict[Address, int] = {}
        self._defaults: dict[bool, int] = {}

    @property
    def segmentation(self) -> bool:
        """Whether one call may send a run of packets; known when the port is open."""
        return any(sender.segmentation for sender in self._senders)

    def paths(self) -> list[UdpPath]:
        """How each socket reaches the network now; none before the port is open."""
        return [
            UdpPath(
                host=sock.getsockname()[0],
                batched=self.batched,
                segmentation=sender.segmentation,
                unsegmented=sender.unsegmented,
                kernel_drops=kernel_drops(sock),
            )
            for sock, sender in zip(self._sockets, self._senders, strict=True)
        ]

    @property
    def oversized(self) -> int:
        """Received datagrams that were dropped because no media packet is that long."""
        return self._batch.oversized

    def open(self) -> None:
        """Bind the sockets and begin to receive, on the running event loop.

        Raises:
            OSError: The port is in use, or an address is not ours.
        """
        self._sockets = self._bind()
        self.port = self._sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for index, sock in enumerate(self._sockets):
            receiver: Receiver
            if self.batched:
                receiver = mmsg.BatchReceiver(sock, self._batch)
                self._senders.append(mmsg.BatchSender(sock, self.counters))
            else:
                receiver = SingleReceiver(sock, self._batch)
                self._senders.append(SingleSender(sock, self.counters))
            self._defaults.setdefault(sock.family == socket.AF_INET6, index)
            loop.add_reader(sock, self._readable, index, receiver)

    def close(self) -> None:
        """Stop receiving and give the port back."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()
        self._senders.clear()
        self._defaults.clear()
        self._routes.clear()

    def flush(self, outbox: Outbox) -> None:
        """Send all of the outbox's runs that go to UDP addresses. Does not clear it."""
        if len(self._senders) == 1:
            self._senders[0].send(outbox, outbox.runs)
            return
        shares: dict[int, list[Run]] = {}
        for run in outbox.runs:
            address = run[0]
            index = self._routes.get(address)
            if index is None:
                index = self._defaults.get(":" in address.host)
            if index is not None:  # else a family that we do not listen on: nothing came from there
                shares.setdefault(index, []).append(run)
        for index, runs in shares.items():
            self._senders[index].send(outbox, runs)

    def _readable(self, index: int, receiver: Receiver) -> None:
        batch = self._batch
        counters = self.counters
        for _ in range(MAX_BATCHES):
            if not self._sockets:
                return  # closed by what a batch led to
            try:
                count = receiver.receive()
            except OSError as error:
                counters.failed(error.errno)
                return
            if not count:
                return
            counters.packets_received += count
            counters.bytes_received += sum(batch.lengths[:count])
            if len(self._sockets) > 1:
                self._learn_routes(index, batch)
            self._on_batch(batch)
            if count < SLOTS:
                return

    def _learn_routes(self, index: int, batch: ReceiveBatch) -> None:
        """Answer from the address that was asked, which ICE insists on (RFC 8445 7.2.5.2.1)."""
        if len(self._routes) > MAX_ROUTES:
            self._routes.clear()
        for address in batch.addresses[: batch.count]:
            self._routes[address] = index

    def _bind(self) -> list[socket.socket]:
        for attempt in range(BIND_ATTEMPTS):
            sockets: list[socket.socket] = []
            port = self.port
            try:
                for host in self._hosts:
                    sockets.append(_open_socket(host, port))
                    port = sockets[0].getsockname()[1]
            except OSError:
                for sock in sockets:
                    sock.close()
                # A picked port may be taken on the next address: pick another one.
                if self.port or not sockets or attempt == BIND_ATTEMPTS - 1:
                    raise
            else:
                return sockets
        raise AssertionError("unreachable")


def _open_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _enlarge(sock, socket.SO_RCVBUF, _SO_RCVBUFFORCE)
        _enlarge(sock, socket.SO_SNDBUF, _SO_SNDBUFFORCE)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket, option: int, forced: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
    if sock.getsockopt(socket.SOL_SOCKET, option) < BUFFER_SIZE and mmsg.available():
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER_SIZE)
        except OSError:
            return  # not root: the system's limit it is
