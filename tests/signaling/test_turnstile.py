"""One negotiation goes through, then the loop reads; counted in turns and reads, not in time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sfu.transport.buffers import ReceiveBatch
from sfu.wire.sdp import SessionDescription, parse_sdp
from signaling import negotiator
from signaling.turnstile import Turnstile
from tests.support.clients import clients_of
from tests.support.descriptions import sample
from tests.support.polling import until
from tests.support.server import running_server

NEGOTIATION, READ = "negotiation", "read"


class Media:
    """A socket that has something to be read from the beginning of each negotiation."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        self._ours.recv(1)
        self.log.append(READ)

    def negotiate(self) -> None:
        self.log.append(NEGOTIATION)
        self._theirs.send(b"x")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()


@pytest.fixture
async def media() -> AsyncIterator[Media]:
    media = Media()
    yield media
    media.close()


async def test_what_has_arrived_is_read_between_any_two(media: Media) -> None:
    turnstile = Turnstile()

    async def negotiate() -> None:
        await turnstile.wait()
        media.negotiate()

    await asyncio.gather(*(negotiate() for _ in range(20)))
    await until(lambda: len(media.log) == 40, "all is read")
    assert media.log == [NEGOTIATION, READ] * 20


async def test_latecomers_queue_behind_the_others_and_pass_nobody(media: Media) -> None:
    turnstile = Turnstile()
    passed: list[str] = []

    async def negotiate(name: str) -> None:
        await turnstile.wait()
        media.negotiate()
        passed.append(name)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(negotiate(f"early {number}"))
        for number in range(30):  # one in each turn of the loop, between all that it does
            await asyncio.sleep(0)
            group.create_task(negotiate(f"late {number}"))
    await until(lambda: len(media.log) == 70, "all is read")
    assert passed == [f"early {n}" for n in range(5)] + [f"late {n}" for n in range(30)]
    assert media.log == [NEGOTIATION, READ] * 35


async def test_one_alone_does_not_wait() -> None:
    turnstile = Turnstile()
    waiting = turnstile.wait()
    with pytest.raises(StopIteration):
        waiting.send(None)


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_holds_up_nobody(turns: int) -> None:
    turnstile = Turnstile()
    passed: list[int] = []

    async def negotiate(number: int) -> None:
        await turnstile.wait()
        passed.append(number)

    tasks = [asyncio.create_task(negotiate(number)) for number in range(4)]
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert passed in ([0, 2, 3], [0, 1, 2, 3])
    assert len(turnstile) == 0
    await asyncio.sleep(0)
    await negotiate(4)
    assert passed[-1] == 4


class Reads:
    """Notes when the server makes a peer and when it reads media, which comes for each peer."""

    def __init__(self, endpoint: Any, port: int) -> None:
        self.log: list[str] = []
        self._create, self._receive = endpoint.create_peer, endpoint.receive_batch
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._port = port
        endpoint.create_peer = self.create_peer
        endpoint.receive_batch = self.receive_batch

    def create_peer(self, name: str, *, now: float) -> Any:
        self.log.append(NEGOTIATION)
        self._socket.sendto(b"x" * 20, ("127.0.0.1", self._port))
        return self._create(name, now=now)

    def receive_batch(self, batch: ReceiveBatch, *, now: float) -> None:
        self.log.append(READ)
        self._receive(batch, now=now)

    def close(self) -> None:
        self._socket.close()


async def test_viewers_that_come_at_once_let_the_server_read_media() -> None:
    async with running_server() as server, clients_of(server.url) as clients:
        reads = Reads(server.media.worker.endpoint, server.media.worker.udp.port)
        try:

            async def post(offer: str) -> int:
                async with clients.http.post(
                    f"{server.url}/whep/a", data=offer, headers={"Content-Type": "application/sdp"}
                ) as response:
                    return response.status

            offer = sample("chrome_publish").replace("a=sendonly", "a=recvonly")
            assert await asyncio.gather(*(post(offer) for _ in range(12))) == [201] * 12
            await until(lambda: reads.log.count(READ) >= 12, "all is read")
            assert reads.log == [NEGOTIATION, READ] * 12
        finally:
            reads.close()


async def test_offers_by_websocket_take_turns_too() -> None:
    async with running_server() as server, clients_of(server.url) as clients:
        sockets = [await clients.http.ws_connect(server.websocket_url) for _ in range(6)]
        for number, one in enumerate(sockets):
            await one.send_json({"type": "join", "room": "a", "identity": f"p{number}"})
            await one.receive(timeout=10)
        reads = Reads(server.media.worker.endpoint, server.media.worker.udp.port)
        try:
            offer = {"type": "publisher_offer", "id": 2, "sdp": sample("chrome_data"), "tracks": {}}
            await asyncio.gather(*(one.send_json(offer) for one in sockets))
            await until(lambda: reads.log.count(READ) >= 6, "all is read")
            assert reads.log == [NEGOTIATION, READ] * 6
        finally:
            reads.close()
            for one in sockets:
                await one.close()


@pytest.mark.parametrize("path", ["whip", "whep"])
async def test_offer_is_parsed_once(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(sdp: str, **bounds: int) -> SessionDescription:
        parsed.append(sdp)
        return parse_sdp(sdp, **bounds)

    monkeypatch.setattr(negotiator, "parse_sdp", parse)
    offer = sample("chrome_publish")
    if path == "whep":
        offer = offer.replace("a=sendonly", "a=recvonly")
    async with running_server() as server, clients_of(server.url) as clients:
        headers = {"Content-Type": "application/sdp"}
        url = f"{server.url}/{path}/a"
        async with clients.http.post(url, data=offer, headers=headers) as response:
            assert response.status == 201
    assert parsed == [offer]
