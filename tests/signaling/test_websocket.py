"""Real WebSockets to the real server: limits, timeouts, slow and vanishing clients, its end."""

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from signaling import websocket as websocket_module
from signaling.app import create_app
from signaling.keys import SERVER
from signaling.messages import Data
from signaling.outgoing import MAX_SIZE, Outgoing
from tests.support.clients import access_token
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

Message = dict[str, Any]
DEADLINE = 10.0


class Wire:
    """A client's end of one WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[Message] = []
        self._ids = itertools.count(1)

    async def request(self, type: str, **fields: Any) -> Message:
        number = next(self._ids)
        await self.socket.send_json({"type": type, "id": number, **fields})
        while True:
            message = await self.receive()
            if message.get("id") == number:
                return message
            self.events.append(message)

    async def receive(self) -> Message:
        message = await self.socket.receive(timeout=DEADLINE)
        assert message.type is WSMsgType.TEXT, message
        return dict(json.loads(message.data))

    async def rest(self) -> list[Message]:
        """All that still comes before the close frame."""
        messages: list[Message] = []
        while True:
            message = await self.socket.receive(timeout=DEADLINE)
            if message.type is not WSMsgType.TEXT:
                return messages
            messages.append(json.loads(message.data))

    @property
    def close_code(self) -> int | None:
        return self.socket.close_code

    def vanish(self) -> None:
        """End the TCP connection without a word."""
        connection = self.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()


class Net:
    """A server, and clients of it."""

    def __init__(self, server: RunningServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http

    async def open(self, **options: Any) -> Wire:
        return Wire(await self.http.ws_connect(self.server.websocket_url, **options))

    async def status(self, origin: str) -> int:
        """What a page of this origin gets that opens a WebSocket: 400 were it let in."""
        headers = {"Origin": origin}
        async with self.http.get(f"{self.server.url}/ws", headers=headers) as response:
            return response.status

    async def join(self, identity: str, room: str = "room") -> Wire:
        wire = await self.open()
        assert (await wire.request("join", room=room, identity=identity))["type"] == "joined"
        return wire


@asynccontextmanager
async def network(**settings: Any) -> AsyncIterator[Net]:
    async with aiohttp.ClientSession() as http, running_server(**settings) as server:
        yield Net(server, http)


async def test_a_session_from_join_to_leave() -> None:
    async with network() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        added = await ann.request("add_track", kind="audio")
        assert added["type"] == "track_added"
        assert (await ann.request("leave"))["type"] == "ok"
        await ann.rest()
        assert ann.close_code == 1000
        while (event := await bob.receive())["type"] != "participant_left":
            pass
        assert event["reason"] == "left"


async def test_replies_come_in_the_order_of_the_requests() -> None:
    async with network() as net:
        wire = await net.open()
        for number in range(100):
            await wire.socket.send_json({"type": "ping", "id": number})
        assert [(await wire.receive())["id"] for _ in range(100)] == list(range(100))


async def test_what_is_no_websocket_request_is_refused() -> None:
    async with network() as net, net.http.get(f"{net.server.url}/ws") as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"


# -- origins


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:9", True),
        ("https://example.org", False),
        ("http://localhost.example.org", False),
        ("null", False),
    ],
)
async def test_with_dev_only_pages_of_this_machine_connect(origin: str, allowed: bool) -> None:
    async with network() as net:
        if allowed:
            assert (await (await net.open(origin=origin)).request("ping"))["type"] == "pong"
        else:
            assert await net.status(origin) == 403


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://app.example.org", True), ("https://evil.example.org", False), ("null", False)],
)
async def test_only_pages_of_allowed_origins_connect(origin: str, allowed: bool) -> None:
    async with network(
        api_key=API_KEY, api_secret=API_SECRET, cors_origins=("https://app.example.org",)
    ) as net:
        wire = await net.open()
        assert (await wire.request("ping"))["type"] == "pong", "no page at all"
        if allowed:
            await net.open(origin=origin)
        else:
            assert await net.status(origin) == 403


async def test_the_handler_checks_origins_by_itself() -> None:
    """Even where someone serves it without our middlewares."""
    async with running_server() as server, aiohttp.ClientSession() as http:
        bare = web.Application()
        bare[websocket_module.CONFIG] = server.media.config
        bare[SERVER] = server.media
        websocket_module.setup(bare)
        runner = web.AppRunner(bare)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/ws"
            await http.ws_connect(url)
            async with http.get(url, headers={"Origin": "https://example.org"}) as response:
                assert response.status == 500, "nobody is there to make more of the error"
        finally:
            await runner.cleanup()


# -- tokens


async def test_without_dev_a_token_is_needed() -> None:
    async with network(api_key=API_KEY, api_secret=API_SECRET) as net:
        wire = await net.open()
        refused = await wire.request("join", room="room", identity="ann")
        assert refused["error"] == "unauthorized"
        expired = access_token("ann", lifetime=-60, roomJoin=True, room="room")
        refused = await wire.request("join", token=expired)
        assert (refused["error"], refused["message"]) == ("unauthorized", "The token has expired.")
        joined = await wire.request("join", token=access_token("ann", roomJoin=True, room="room"))
        assert joined["participant"]["identity"] == "ann"


# -- limits


async def test_a_message_that_is_too_large_closes_the_connection() -> None:
    async with network(max_message_size=1000, grace_period=30) as net:
        ann = await net.join("ann")
        longest = json.dumps({"type": "ping", "id": 7}).ljust(1000)
        await ann.socket.send_str(longest)
        while (await ann.receive()).get("id") != 7:
            pass
        await ann.socket.send_str(longest + " ")
        await ann.rest()
        assert ann.close_code == 1009
        assert "ann" in net.server.media.rooms.get("room").participants


async def test_binary_messages_are_refused() -> None:
    async with network() as net:
        wire = await net.open()
        await wire.socket.send_bytes(b'{"type":"ping"}')
        assert (await wire.receive())["error"] == "bad_request"
        assert (await wire.request("ping"))["type"] == "pong"


async def test_text_that_is_not_utf_8_closes_the_connection() -> None:
    async with network() as net:
        wire = await net.open()
        await wire.socket.send_frame(b"\xff\xfe", WSMsgType.TEXT)
        await wire.rest()
        assert wire.close_code == 1007
        assert (await (await net.open()).request("ping"))["type"] == "pong"


async def test_too_many_messages_are_refused_and_then_end_the_connection() -> None:
    async with network(max_message_rate=5) as net:
        wire = await net.open()
        for number in range(25):
            await wire.socket.send_json({"type": "ping", "id": number})
        replies = [await wire.receive() for _ in range(25)]
        assert [reply["type"] for reply in replies[:20]] == ["pong"] * 20
        assert [reply["error"] for reply in replies[-4:]] == ["rate_limited"] * 4
        assert [reply["id"] for reply in replies] == list(range(25))
        for _ in range(40):
            await wire.socket.send_str("{}")
        await wire.rest()
        assert wire.close_code == 4008


async def test_a_client_that_slows_down_is_served_again() -> None:
    async with network(max_message_rate=20) as net:
        wire = await net.open()
        for _ in range(90):
            await wire.socket.send_str('{"type":"ping"}')
        replies = [await wire.receive() for _ in range(90)]
        assert replies[-1]["error"] == "rate_limited"

        async def served() -> bool:
            return (await wire.request("ping"))["type"] == "pong"

        await until(served, "a pong", interval=0.1)


async def test_long_messages_count_more_than_once() -> None:
    async with network(max_message_rate=2) as net:
        wire = await net.open()
        long = json.dumps({"type": "ping", "id": 1, "x": "x" * 30_000})
        for _ in range(3):
            await wire.socket.send_str(long)
        replies = [await wire.receive() for _ in range(3)]
        assert [reply["type"] for reply in replies] == ["pong", "pong", "error"]


async def test_the_longest_message_passes_at_the_lowest_rate() -> None:
    async with network(max_message_rate=1) as net:
        wire = await net.open()
        await wire.socket.send_str(json.dumps({"type": "ping", "x": "x" * 1_000_000}))
        assert (await wire.receive())["type"] == "pong"


# -- how many


async def test_one_websocket_too_many_is_refused() -> None:
    async with network(max_websockets=2) as net:
        ann, idle = await net.join("ann"), await net.open()
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await net.open()
        assert caught.value.status == 503
        assert caught.value.headers is not None
        assert int(caught.value.headers["Retry-After"]) > 0
        assert (await ann.request("leave"))["type"] == "ok"
        await ann.rest()

        async def joined() -> Wire | None:
            try:
                return await net.join("bob")
            except aiohttp.WSServerHandshakeError:
                return None

        bob = await until(joined, "there is room again", interval=0.1)
        for wire in (idle, bob):
            assert (await wire.request("ping"))["type"] == "pong"
            await wire.socket.close()


async def test_who_only_connects_keeps_nobody_out() -> None:
    async with network(max_pending_websockets=2) as net:
        ann = await net.join("ann")
        idle = [await net.open() for _ in range(5)]
        bob = await net.join("bob")
        for wire in idle[:4]:
            assert await wire.rest() == []
            assert wire.close_code == 1006
        for wire in (ann, bob, idle[4]):
            assert (await wire.request("ping"))["type"] == "pong"
            await wire.socket.close()


# -- time


async def test_who_does_not_join_in_time_is_disconnected() -> None:
    async with network(join_timeout=0.2) as net:
        wire, ann = await net.open(), await net.join("ann")
        await wire.request("ping")
        (last,) = await wire.rest()
        assert (last["type"], last["reason"]) == ("disconnected", "signaling_timeout")
        assert wire.close_code == 4006
        assert (await ann.request("ping"))["type"] == "pong"


async def test_a_client_that_falls_silent_is_given_up_and_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_module, "HEARTBEAT", 0.2)
    async with network(grace_period=30) as net:
        silent = await net.open(autoping=False)  # it does not answer pings
        joined = await silent.request("join", room="room", identity="ann")
        participant = net.server.media.rooms.get("room").participants["ann"]
        await until(lambda: participant._signaling.lost, "the server gives it up")
        again = await net.open()
        resumed = await again.request(
            "resume", sid=joined["participant"]["sid"], secret=joined["resume_secret"]
        )
        assert resumed["resumed"] is True
        assert participant.present


# -- coming back


async def test_a_vanished_client_resumes() -> None:
    async with network() as net:
        ann, bob = await net.open(), await net.join("bob")
        joined = await ann.request("join", room="room", identity="ann")
        ann.vanish()
        again = await net.open()
        key = {"sid": joined["participant"]["sid"], "secret": joined["resume_secret"]}
        assert (await again.request("resume", **key))["participant"] == joined["participant"]
        await bob.request("send_data", payload="aGk=")
        assert (await again.receive())["payload"] == "aGk="


async def test_a_client_that_does_not_come_back_is_taken_out() -> None:
    async with network(grace_period=0.2) as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.vanish()
        while (event := await bob.receive())["type"] != "participant_left":
            pass
        assert (event["identity"], event["reason"]) == ("ann", "signaling_timeout")


async def test_a_close_frame_is_no_goodbye() -> None:
    async with network() as net:
        ann = await net.open()
        joined = await ann.request("join", room="room", identity="ann")
        await ann.socket.close()
        again = await net.open()
        key = {"sid": joined["participant"]["sid"], "secret": joined["resume_secret"]}
        assert (await again.request("resume", **key))["resumed"] is True


async def test_the_older_connection_of_who_resumes_is_closed() -> None:
    async with network() as net:
        ann = await net.open()
        joined = await ann.request("join", room="room", identity="ann")
        again = await net.open()
        key = {"sid": joined["participant"]["sid"], "secret": joined["resume_secret"]}
        assert (await again.request("resume", **key))["resumed"] is True
        await ann.rest()
        assert ann.close_code == 4007
        assert (await again.request("ping"))["type"] == "pong"


async def test_the_same_identity_closes_the_first_connection() -> None:
    async with network() as net:
        first = await net.join("ann")
        second = await net.join("ann")
        assert (await first.rest())[-1]["reason"] == "duplicate_identity"
        assert first.close_code == 4001
        assert (await second.request("ping"))["type"] == "pong"


# -- slow clients


async def test_a_client_that_does_not_read_is_dropped_and_nobody_waits_for_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.outgoing.MAX_SIZE", 200_000)
    async with network(max_data_rate=100_000, max_message_rate=100_000) as net:
        slow, ann = await net.join("slow"), await net.join("ann")
        transport = slow.socket._response.connection.transport
        transport.pause_reading()
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        payload = "A" * 32_000

        async def dropped() -> bool:
            assert (await ann.request("send_data", payload=payload))["type"] == "ok"
            return "too slow" in caplog.text

        await until(dropped, "the slow client is dropped", interval=0.0)
        participant = net.server.media.rooms.get("room").participants["slow"]
        await until(lambda: participant._signaling.lost, "it may resume")
        assert (await ann.request("ping"))["type"] == "pong"


async def read_all(outgoing: Outgoing) -> list[str]:
    outgoing.end()
    texts = []
    while (text := await outgoing.get()) is not None:
        texts.append(text)
    return texts


def data(size: int, *, reliable: bool) -> Data:
    return Data(participant="", identity="", topic="x" * size, payload=b"", reliable=reliable)


async def test_messages_leave_the_queue_in_order_until_its_end() -> None:
    outgoing = Outgoing(lambda: pytest.fail("it is not full"))
    for size in range(5):
        outgoing.put(data(size, reliable=True))
    texts = await read_all(outgoing)
    assert [json.loads(text)["topic"] for text in texts] == ["x" * size for size in range(5)]
    outgoing.put(data(1, reliable=True))
    assert await outgoing.get() is None
    assert outgoing.size == 0


async def test_the_queue_waits_for_messages() -> None:
    outgoing = Outgoing(lambda: pytest.fail("it is not full"))
    getting = asyncio.create_task(outgoing.get())
    await asyncio.sleep(0)
    assert not getting.done()
    outgoing.put(data(1, reliable=True))
    assert json.loads(await getting or "")["topic"] == "x"


async def test_one_message_of_any_size_fits_and_then_the_queue_is_full() -> None:
    overflows: list[bool] = []
    outgoing = Outgoing(lambda: overflows.append(True))
    outgoing.put(data(2 * MAX_SIZE, reliable=True))
    assert not overflows
    outgoing.put(data(1, reliable=True))
    outgoing.put(data(1, reliable=True))
    assert overflows == [True]
    assert await outgoing.get() is None


async def test_the_number_of_messages_is_bounded_too() -> None:
    overflows: list[bool] = []
    outgoing = Outgoing(lambda: overflows.append(True))
    for _ in range(4096):
        outgoing.put(data(1, reliable=True))
    assert not overflows
    outgoing.put(data(1, reliable=True))
    assert overflows


async def test_messages_that_may_be_lost_are_lost_first() -> None:
    outgoing = Outgoing(lambda: pytest.fail("it is not full"))
    outgoing.put(data(MAX_SIZE // 2, reliable=True))
    for _ in range(10_000):
        outgoing.put(data(1000, reliable=False))
    outgoing.put(data(1, reliable=True))
    assert len(await read_all(outgoing)) == 2


# -- the server's end


async def test_a_stopping_server_says_so_to_everyone() -> None:
    async with aiohttp.ClientSession() as http:
        async with running_server() as server:
            net = Net(server, http)
            ann, stranger = await net.join("ann"), await net.open()
            await stranger.request("ping")
            ending = asyncio.gather(ann.rest(), stranger.rest())
        for messages in await ending:
            assert messages[-1]["type"] == "disconnected"
            assert messages[-1]["reason"] == "server_shutdown"
        assert (ann.close_code, stranger.close_code) == (4004, 4004)


async def test_a_stopping_server_does_not_wait_for_clients_that_do_not_answer() -> None:
    async with aiohttp.ClientSession() as http:
        loop = asyncio.get_running_loop()
        async with running_server() as server:
            net = Net(server, http)
            ann = await net.join("ann")
            ann.socket._response.connection.transport.pause_reading()
            begin = loop.time()
        assert loop.time() - begin < 5


class Mute(asyncio.Protocol):
    """A WebSocket client that takes all and answers no close frame."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set_result(asyncio.get_running_loop().time())


async def test_a_client_that_does_not_say_goodbye_is_told_all_and_left_soon() -> None:
    loop = asyncio.get_running_loop()
    async with running_server() as server:
        port = int(server.url.rpartition(":")[2])
        transport, client = await loop.create_connection(Mute, "127.0.0.1", port)
        transport.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        join = b'{"type":"join","id":1,"room":"a"}'
        transport.write(bytes([0x81, 0x80 | len(join), 0, 0, 0, 0]) + join)
        await until(lambda: b'"joined"' in client.received, "it has joined")
        # It says something at the very moment at which the server stops: both are seen at once.
        ping = b'{"type":"ping","id":2}'
        transport.write(bytes([0x81, 0x80 | len(ping), 0, 0, 0, 0]) + ping)
        rooms = server.media.rooms
        loop.call_soon(lambda: rooms.close(reason="server_shutdown", now=server.media.now()))
        begin = loop.time()
        await asyncio.wait_for(asyncio.shield(client.lost), DEADLINE)
    assert await asyncio.wait_for(client.lost, DEADLINE) - begin < 2.5
    _, told, rest = client.received.partition(b'"disconnected"')
    assert told
    assert b"server_shutdown" in rest
    assert (4004).to_bytes(2, "big") in rest  # the close frame


async def test_it_can_be_mounted_in_another_application() -> None:
    app = web.Application()
    app.add_subapp("/sfu", create_app(dev=True, http_port=0, udp_port=0, tcp_port=0))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/sfu/ws"
            wire = Wire(await http.ws_connect(url))
            joined = await wire.request("join", room="room", identity="ann")
            assert joined["type"] == "joined"
            await wire.request("leave")
            await wire.rest()
    finally:
        await runner.cleanup()


async def test_nothing_unexpected_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with network() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.vanish()
        await bob.request("leave")
        await bob.rest()
        await net.open()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
