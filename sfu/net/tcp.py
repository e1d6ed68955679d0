"""ICE-TCP for networks that let no UDP out: passive candidates (RFC 6544), framed by RFC 4571."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address

from sfu.config import Config
from sfu.net.datagrams import from_python
from sfu.transport.address import Address
from sfu.transport.buffers import SLOTS
from sfu.transport.demultiplexer import is_stun
from sfu.transport.outbox import Outbox

ADMISSION_TIMEOUT = 5.0  # s that a new connection has to send a check that gets an answer
HEADER_SIZE = 2  # bytes; RFC 4571 2
BIND_ATTEMPTS = 10  # at finding one free port on several addresses

# Bytes that the kernel takes of one connection before the peer's window has room for them. Without
# this bound it takes megabytes (net.ipv4.tcp_wmem), seconds of media that come too late.
MAX_UNSENT = 1 << 17


@dataclass(slots=True)
class TcpCounters:
    """What went through a TCP port so far.

    Attributes:
        connections: Accepted connections.
        refused: Connections that were closed at once because there were too many, in all or of
            their host.
        misbehaved: Connections that were closed because of what they sent, or did not send.
        frames_received: Frames.
        frames_sent: Frames that were written.
        frames_dropped: Frames for peers that do not read quickly enough.
    """

    connections: int = 0
    refused: int = 0
    misbehaved: int = 0
    frames_received: int = 0
    frames_sent: int = 0
    frames_dropped: int = 0


class _Connection(asyncio.Protocol):
    """One accepted connection: cuts the stream into frames.

    An answer is the proof that it belongs to a peer, because only authentic checks get one. Until
    then it may send nothing but STUN, and has to be quick about it.
    """

    def __init__(self, port: "TcpPort") -> None:
        self._port = port
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._admitted = False
        self._last_received = 0.0
        self.address = Address("", 0, "tcp")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        if name is None:  # reset already
            transport.abort()
            return
        self.address = from_python(name)._replace(protocol="tcp")
        if not self._port.register(self):
            transport.abort()
            return
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock = transport.get_extra_info("socket")
            with suppress(OSError):  # reset already: asyncio will notice
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)
        self._timer = self._port.loop.call_later(ADMISSION_TIMEOUT, self._check_admission)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer:
            self._timer.cancel()
        self._port.unregister(self)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._last_received = self._port.loop.time()
        buffer = self._buffer
        buffer += data
        frames = []
        start = 0
        while len(buffer) - start >= HEADER_SIZE:
            size = int.from_bytes(buffer[start : start + HEADER_SIZE], "big")
            if size > self._port.config.max_tcp_frame_size:
                self.misbehaved()
                return
            end = start + HEADER_SIZE + size
            if end > len(buffer):
                break
            if size:
                frames.append((bytes(buffer[start + HEADER_SIZE : end]), self.address))
            start = end
        del buffer[:start]
        if not self._admitted and not all(is_stun(frame[0]) for frame, _ in frames):
            self.misbehaved()
        elif frames:
            self._port.received(frames)

    def send(self, data: bytes | memoryview) -> bool:
        """Write one frame; False when too much waits already."""
        self._admitted = True
        transport = self._transport
        assert transport is not None
        if (
            transport.is_closing()
            or transport.get_write_buffer_size() + len(data) > self._port.config.max_tcp_buffer
        ):
            return False
        transport.write(len(data).to_bytes(HEADER_SIZE, "big") + data)
        return True

    def misbehaved(self) -> None:
        """End a connection that is not, or no longer, a peer's."""
        self._port.counters.misbehaved += 1
        self.abort()

    def abort(self) -> None:
        """End it without waiting for what was written."""
        if self._transport is not None:
            self._transport.abort()

    def _check_admission(self) -> None:
        if self._admitted:
            self._check_idle()
        else:
            self.misbehaved()

    def _check_idle(self) -> None:
        due = self._last_received + self._port.config.media_timeout
        if self._port.loop.time() >= due:
            self.misbehaved()
        else:
            self._timer = self._port.loop.call_at(due, self._check_idle)


class TcpPort:
    """One TCP port number on all addresses that we listen on.

    Args:
        hosts: Numeric addresses to bind; wildcards are allowed ("::" takes IPv6 only).
        port: Port number; 0 picks one that is free on all of them.
        config: `max_tcp_connections`, `max_tcp_connections_per_host`, `max_tcp_frame_size`,
            `max_tcp_buffer`, `media_timeout`.
        on_datagrams: Called with up to `SLOTS` received frames, which are datagrams to whoever
            gets them.
        on_closed: Called when a connection from which frames may have come has ended.

    Attributes:
        port: The port number that is bound.
        config: As given.
        counters: What went through so far.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        port: int,
        *,
        config: Config,
        on_datagrams: Callable[[list[tuple[bytes, Address]]], None],
        on_closed: Callable[[Address], None],
    ) -> None:
        self.port = port
        self.config = config
        self.counters = TcpCounters()
        self._hosts = tuple(hosts)
        self._on_datagrams = on_datagrams
        self._on_closed = on_closed
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Address, _Connection] = {}
        self._per_host: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it was opened on."""
        assert self._loop is not None
        return self._loop

    def __len__(self) -> int:
        return len(self._connections)

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: The port is in use, or an address is not ours.
        """
        self._loop = asyncio.get_running_loop()
        for attempt in range(BIND_ATTEMPTS):
            port = self.port
            try:
                for host in self._hosts:
                    server = await self._loop.create_server(lambda: _Connection(self), host, port)
                    self._servers.append(server)
                    port = self._servers[0].sockets[0].getsockname()[1]
            except OSError:
                bound = bool(self._servers)
                await self.close()
                # A picked port may be taken on the next address: pick another one.
                if self.port or not bound or attempt == BIND_ATTEMPTS - 1:
                    raise
            else:
                self.port = port
                return

    async def close(self) -> None:
        """Stop listening and end all connections."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.abort()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def send(self, address: Address, data: bytes | memoryview) -> None:
        """Send one datagram; it is dropped when the connection is gone or its peer too slow."""
        connection = self._connections.get(address)
        if connection is not None:
            if connection.send(data):
                self.counters.frames_sent += 1
            else:
                self.counters.frames_dropped += 1

    def flush(self, outbox: Outbox) -> None:
        """Send all of the outbox's runs that go to TCP addresses. Does not clear it."""
        if not self._connections:
            return
        for address, offset, length, size, _ in outbox.runs:
            if address.protocol == "tcp":
                end = offset + length
                for start in range(offset, end, size):
                    self.send(address, outbox.view[start : min(start + size, end)])

    def disconnect(self, address: Address) -> None:
        """End one connection."""
        connection = self._connections.get(address)
        if connection is not None:
            connection.abort()

    def register(self, connection: _Connection) -> bool:
        """Whether there is room for this new connection; for the connections themselves."""
        previous = self._connections.get(connection.address)
        host = _network_of(connection.address.host)
        if previous is not None:
            previous.abort()  # the peer connected again, from the same port to another of ours
        elif (
            len(self._connections) >= self.config.max_tcp_connections
            or self._per_host[host] >= self.config.max_tcp_connections_per_host
        ):
            self.counters.refused += 1
            return False
        else:
            self._per_host[host] += 1
        self._connections[connection.address] = connection
        self.counters.connections += 1
        return True

    def unregister(self, connection: _Connection) -> None:
        """A connection has ended; for the connections themselves."""
        if self._connections.get(connection.address) is connection:
            del self._connections[connection.address]
            host = _network_of(connection.address.host)
            self._per_host[host] -= 1
            if not self._per_host[host]:
                del self._per_host[host]
            self._on_closed(connection.address)

    def received(self, frames: list[tuple[bytes, Address]]) -> None:
        """Frames came; for the connections themselves."""
        self.counters.frames_received += len(frames)
        for start in range(0, len(frames), SLOTS):
            self._on_datagrams(frames[start : start + SLOTS])


def _network_of(host: str) -> str:
    """What one attacker has at its disposal: an IPv4 address, or an IPv6 network of 64 bits."""
    return IPv6Address(host).packed[:8].hex() if ":" in host else host
