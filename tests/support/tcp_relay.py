"""A UDP port whose datagrams go to a server's ICE-TCP port, for clients that know only UDP.

Every source address gets a TCP connection of its own; frames are those of RFC 4571.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

Source = tuple[str, int]


class _Connection(asyncio.Protocol):
    """One client's way to the server."""

    def __init__(self, relay: "TcpRelay", source: Source) -> None:
        self._relay = relay
        self._source = source
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            self._relay.deliver(self._buffer[2:end], self._source)
            self._buffer = self._buffer[end:]

    def connection_lost(self, _exception: Exception | None) -> None:
        self.transport = None


class TcpRelay(asyncio.DatagramProtocol):
    """Datagrams in, frames out, and back.

    Attributes:
        port: The UDP port to send to.
        frames: Number of datagrams that the server sent so far.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._connections: dict[Source, asyncio.Task[_Connection]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.frames = 0

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: Source) -> None:
        task = self._connections.get(source)
        if task is None:
            task = self._connections[source] = asyncio.create_task(self._connect(source))
        task.add_done_callback(lambda done: self._send(done, data))

    async def _connect(self, source: Source) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self, source), *self._server
        )
        return connection

    @staticmethod
    def _send(task: asyncio.Task[_Connection], data: bytes) -> None:
        if not task.cancelled() and task.exception() is None and task.result().transport:
            task.result().transport.write(len(data).to_bytes(2, "big") + data)

    def deliver(self, data: bytes, source: Source) -> None:
        self.frames += 1
        if self._transport is not None:
            self._transport.sendto(data, source)

    def pause(self) -> None:
        """Read no more of what the server sends, as a client that hangs."""
        for transport in self._transports():
            transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        for transport in self._transports():
            transport.resume_reading()

    def _transports(self) -> list[asyncio.Transport]:
        connections = [task.result() for task in self._connections.values()]
        return [one.transport for one in connections if one.transport is not None]

    def describe(self, sdp: str) -> str:
        """The server's description with the relay as its only candidate."""
        candidate = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self.port} typ host"
        kept = [line for line in sdp.splitlines() if not line.startswith("a=candidate:")]
        text = "\r\n".join(kept) + "\r\n"
        return re.sub(r"(a=ice-pwd:[^\r]*\r\n)", rf"\1{candidate}\r\n", text)

    def close(self) -> None:
        for task in self._connections.values():
            task.cancel()
            if task.done() and not task.cancelled() and not task.exception():
                transport = task.result().transport
                if transport:
                    transport.abort()
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def tcp_relay(host: str, port: int) -> AsyncIterator[TcpRelay]:
    """A relay to the ICE-TCP port `port` of `host`."""
    loop = asyncio.get_running_loop()
    _, relay = await loop.create_datagram_endpoint(
        lambda: TcpRelay(host, port), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay
    finally:
        relay.close()
