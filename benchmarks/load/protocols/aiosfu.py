"""The WebSocket protocol of aiosfu (PROTOCOL.md): one client publishes and subscribes."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

from benchmarks.load import description
from benchmarks.load.connection import Connection
from benchmarks.load.description import kind
from benchmarks.load.failures import JoinError
from benchmarks.load.model import ClientSpec
from benchmarks.load.protocols.base import Context, Protocol
from benchmarks.load.subscriber import Subscriber

Message = dict[str, Any]

_SOURCES = {"audio": "microphone", "video": "camera"}


class AiosfuClient(Protocol):
    """A participant with a WebSocket and up to two peer connections."""

    def __init__(
        self, context: Context, spec: ClientSpec, *, on_closed: Callable[[str | Exception], None]
    ) -> None:
        super().__init__(context, spec, on_closed=on_closed)
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._receiving: tuple[Connection, Subscriber] | None = None
        self._received = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tracks: list[str] = []  # sids of what we publish
        self._muted = False  # what the server shall know
        self._mutes: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """See `Protocol.join`."""
        url = self.context.plan.url.rstrip("/")
        address = url if url.endswith("/ws") else f"{url}/ws"
        self._socket = await self.context.http.ws_connect(address, max_msg_size=0)
        self._reader = asyncio.create_task(self._read(self._socket))
        joined = await self._request(
            "join",
            room=self.spec.room,
            identity=self.spec.name,
            auto_subscribe=self.spec.subscribes,
            **({"token": self.token()} if self.token() else {}),
        )
        if self.spec.publishes:
            await self._publish()
        if self.spec.subscribes and any(each["tracks"] for each in joined["participants"]):
            await self._received.wait()

    async def leave(self) -> None:
        """See `Protocol.leave`."""
        await self._request("leave")

    def close(self) -> None:
        """See `Protocol.close`."""
        super().close()
        for task in (self._reader, *self._mutes):
            if task is not None:
                task.cancel()

    async def _publish(self) -> None:
        lines = self.sending_lines()
        tracks = {}
        for line in lines:
            name = kind(line.codecs[0])
            reply = await self._request("add_track", kind=name, source=_SOURCES[name])
            tracks[line.mid] = reply["track"]["sid"]
        connection = self.connection()
        offer = self.offer(connection, lines)
        text = (await self._request("publisher_offer", sdp=offer, tracks=tracks))["sdp"]
        answer = description.read(text)
        self.publish(connection, lines, description.agreed(answer))
        await connection.connect(description.remote_end(answer, text), deadline=self.deadline)
        assert self.publisher is not None
        self._tracks = list(tracks.values())
        self.publisher.on_mute = self._on_mute
        self.publisher.start()

    def _on_mute(self, muted: bool) -> None:
        self._muted = muted
        task = asyncio.create_task(self._mute(muted))
        self._mutes.add(task)
        task.add_done_callback(self._mutes.discard)

    async def _mute(self, muted: bool) -> None:
        """Tell the server; it lets nothing through until it knows that we go on."""
        assert self.publisher is not None
        try:
            for track in self._tracks:
                await self._request("mute", track=track, muted=muted)
        except Exception as error:  # whatever it is, it is this client's end alone
            self.on_closed(error)
        else:
            if muted == self._muted:  # else the pattern has gone on before the server answered
                self.publisher.muted = muted

    async def _request(self, name: str, **fields: object) -> Message:
        number = next(self._numbers)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._send({"type": name, "id": number, **fields})
        message: Message = await reply
        del self._replies[number]
        if message["type"] == "error":
            raise JoinError(f"The server refused {name}: {message['message']}")
        return message

    async def _send(self, message: Message) -> None:
        assert self._socket is not None
        await self._socket.send_str(json.dumps(message))

    async def _read(self, web_socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take messages until the WebSocket ends, or until we are closed."""
        failure: Exception = JoinError("The server closed the WebSocket.")
        try:
            async for text in web_socket:
                if text.type != aiohttp.WSMsgType.TEXT:
                    break
                message = json.loads(text.data)
                reply = self._replies.get(message.get("id"))
                if reply is not None:
                    if not reply.done():
                        reply.set_result(message)
                elif message["type"] == "subscriber_offer":
                    await self._answer(message)
                elif message["type"] == "disconnected":
                    failure = JoinError(f"The server disconnected: {message['message']}")
        except Exception as error:  # whatever it is, it is this client's end alone
            failure = error
        finally:
            with suppress(aiohttp.ClientError, OSError):
                await web_socket.close()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(failure)
        self.on_closed(failure)

    async def _answer(self, message: Message) -> None:
        offer = description.read(message["sdp"])
        begins = self._receiving is None
        if self._receiving is None:
            connection = self.connection(controlling=not offer.ice_lite)
            self._receiving = connection, self.subscriber(connection)
        connection, subscriber = self._receiving
        subscriber.agree(description.agreed(offer))
        answer = self.answer(connection, offer)
        await self._send({"type": "subscriber_answer", "offer": message["offer"], "sdp": answer})
        if begins:
            end = description.remote_end(offer, message["sdp"])
            # Perhaps long after the join: what there is to receive has only come now.
            deadline = time.monotonic() + self.context.plan.join_timeout
            await connection.connect(end, deadline=deadline)
            subscriber.start()
            self._received.set()
