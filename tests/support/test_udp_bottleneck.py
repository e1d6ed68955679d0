"""The relay between plain sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from tests.support.capacity import Capacity
from tests.support.polling import until
from tests.support.udp_bottleneck import udp_bottleneck


class Echo(asyncio.DatagramProtocol):
    """Sends everything back, and notes from where it came."""

    def __init__(self) -> None:
        self.sources: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.sources.append(source[1])
        self.transport.sendto(data, source)


class Client(asyncio.DatagramProtocol):
    """Notes what it gets."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _source: tuple[str, int]) -> None:
        self.received.append(data)


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[Echo, int]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    loop = asyncio.get_running_loop()
    transport, one = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))
    try:
        yield one
    finally:
        transport.close()


async def test_clients_get_their_own_answers_in_order() -> None:
    async with echo() as (server, port), udp_bottleneck("127.0.0.1", port) as path:
        async with client(path.port) as alice, client(path.port) as bob:
            sent = {one: [bytes([i, n]) for i in range(20)] for n, one in enumerate((alice, bob))}
            for one, datagrams in sent.items():
                for data in datagrams:
                    one.transport.sendto(data)
            await until(lambda: all(len(one.received) == 20 for one in sent), "all answers")
            assert all(one.received == datagrams for one, datagrams in sent.items())
        assert len(set(server.sources)) == 2


async def test_a_full_queue_drops_and_what_waits_comes_when_there_is_room() -> None:
    # 1,000 bytes each with headers; hardly any leave before the second second.
    slow = Capacity(((0, 1_000), (2, 1e8)))
    conditions = {"capacity": slow, "queue_bytes": 10_000}
    async with (
        echo() as (_, port),
        udp_bottleneck("127.0.0.1", port, down=conditions) as path,
        client(path.port) as one,
    ):
        path.begin()
        for i in range(30):
            one.transport.sendto(bytes([i]) + bytes(971))
        await until(lambda: len(one.received) == 10, "what was in the queue")
        assert [data[0] for data in one.received] == list(range(10))
        assert path.down.drops == {"queue": 20}
        assert path.up.sent == 30


async def test_each_direction_has_its_own_conditions() -> None:
    dead = {"loss": 1.0}
    async with echo() as (server, port), udp_bottleneck("127.0.0.1", port, up=dead) as path:
        async with client(path.port) as one:
            one.transport.sendto(b"lost")
            await until(lambda: path.up.lost == 1, "the loss")
            path.up.loss = 0.0
            one.transport.sendto(b"back")
            await until(lambda: one.received == [b"back"], "the answer")
        assert len(server.sources) == 1


async def test_a_description_names_the_relay_alone() -> None:
    sdp = "v=0\r\na=ice-pwd:x\r\na=candidate:1 1 udp 1 192.0.2.1 7882 typ host\r\na=mid:0\r\n"
    async with udp_bottleneck("127.0.0.1", 9) as path:
        described = path.describe(sdp)
        assert described.count("a=candidate:") == 1
        assert f"127.0.0.1 {path.port} typ host" in described
        assert described.endswith("a=mid:0\r\n")
