"""A narrow path for real datagrams: a UDP relay between a browser and the server.

The same `Bottleneck` as in virtual time shapes each direction, by the event loop's clock:

    async with udp_bottleneck(host, port, down={"capacity": 1_000_000, "queue": 0.2}) as path:
        offer = path.describe(offer)  # with the relay as the server's only candidate

All peer connections that use one relay share its two bottlenecks, as those of one household do.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from sfu.transport.address import Address
from tests.support.bottleneck import Bottleneck


class LoopTime:
    """The event loop's clock, for what is written for `VirtualTime`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        self._loop.call_at(when, callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self._loop.call_later(delay, callback)


class _Outside(asyncio.DatagramProtocol):
    """The relay's socket towards the server, for one client."""

    def __init__(self, path: "UdpBottleneck", client: Address) -> None:
        self._path = path
        self._client = client
        self._early: list[bytes] = []  # what came before the socket was there
        self.transport: asyncio.DatagramTransport | None = None

    def send(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        else:
            self.transport.sendto(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        for data in self._early:
            self.transport.sendto(data)
        self._early.clear()

    def datagram_received(self, data: bytes, _source: tuple[str, int]) -> None:
        self._path.down.send(data, self._client)

    def error_received(self, _error: Exception) -> None:
        """The server's port is closed: as if it were lost on the way."""


class UdpBottleneck(asyncio.DatagramProtocol):
    """Datagrams to `port` go to the server, and what it answers comes back.

    Every client address gets a socket of its own, so that the server tells clients apart.

    Attributes:
        up: From clients to the server.
        down: From the server to clients.
    """

    def __init__(self, up: Mapping[str, Any], down: Mapping[str, Any], *, seed: int) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._outside: dict[Address, _Outside] = {}
        self._opening: list[asyncio.Task[Any]] = []
        self._server: tuple[str, int] = ("", 0)
        self._closed = False
        time = LoopTime(asyncio.get_running_loop())
        plain = {"delay": 0.0}
        self.up = Bottleneck(time, self._to_server, seed=seed, **{**plain, **up})
        self.down = Bottleneck(time, self._to_client, seed=seed + 1, **{**plain, **down})

    @property
    def port(self) -> int:
        """Where clients are to send."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def aim(self, host: str, port: int) -> None:
        """The server is here."""
        self._server = host, port

    def begin(self) -> None:
        """The story begins: both schedules run from here on, statistics count from here."""
        self.up.begin()
        self.down.begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        client = Address(source[0], source[1])
        if client not in self._outside:
            self._open(client)
        self.up.send(data, client)

    def _open(self, client: Address) -> None:
        loop = asyncio.get_running_loop()
        outside = self._outside[client] = _Outside(self, client)
        opened = loop.create_datagram_endpoint(lambda: outside, remote_addr=self._server)
        self._opening.append(loop.create_task(opened))

    def _to_server(self, data: bytes, client: Address) -> None:
        if not self._closed:
            self._outside[client].send(data)

    def _to_client(self, data: bytes, client: Address) -> None:
        if self._transport is not None and not self._closed:
            self._transport.sendto(data, (client.host, client.port))

    def describe(self, sdp: str) -> str:
        """The server's description with the relay as its only candidate."""
        candidate = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self.port} typ host"
        kept = [line for line in sdp.splitlines() if not line.startswith("a=candidate:")]
        text = "\r\n".join(kept) + "\r\n"
        return re.sub(r"(a=ice-pwd:[^\r]*\r\n)", rf"\1{candidate}\r\n", text)

    async def close(self) -> None:
        """Close all sockets."""
        self._closed = True
        await asyncio.gather(*self._opening)
        for outside in self._outside.values():
            if outside.transport is not None:
                outside.transport.close()
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def udp_bottleneck(
    host: str,
    port: int,
    *,
    up: Mapping[str, Any] | None = None,
    down: Mapping[str, Any] | None = None,
    seed: int = 1,
) -> AsyncIterator[UdpBottleneck]:
    """A relay to the UDP port `port` of `host`.

    Args:
        host: IPv4 address of the server.
        port: Its UDP port.
        up: Keyword arguments of `Bottleneck` for what clients send; None for a plain path.
        down: The same for what they receive.
        seed: The same seed makes the same decisions.
    """
    loop = asyncio.get_running_loop()
    path = UdpBottleneck(up or {}, down or {}, seed=seed)
    path.aim(host, port)
    await loop.create_datagram_endpoint(lambda: path, local_addr=("127.0.0.1", 0))
    try:
        yield path
    finally:
        await path.close()
