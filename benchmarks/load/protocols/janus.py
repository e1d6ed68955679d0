"""Janus and its VideoRoom plugin (1.x, "multistream"), over HTTP or WebSocket as the URL says."""

import asyncio
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.load import description
from benchmarks.load.connection import Connection
from benchmarks.load.description import kind
from benchmarks.load.failures import JoinError
from benchmarks.load.model import ClientSpec
from benchmarks.load.protocols.base import Context, Protocol
from benchmarks.load.protocols.janus_transport import (
    HttpTransport,
    JanusTransport,
    Message,
    SocketTransport,
)
from benchmarks.load.subscriber import Subscriber

PLUGIN = "janus.plugin.videoroom"
ROOM_EXISTS = 427  # the plugin's error code
MAX_PUBLISHERS = 1000


def room_number(name: str, codecs: Sequence[str]) -> int:
    """Janus knows rooms by numbers, unless it is configured otherwise.

    A name that is a number is that room's. Else the codecs are part of it: a room stays when
    everyone has left, and takes those only that it was made for.
    """
    return int(name) if name.isdecimal() else zlib.crc32(" ".join((name, *codecs)).encode())


class JanusClient(Protocol):
    """A session with one handle to take part and publish, and one to subscribe."""

    def __init__(
        self, context: Context, spec: ClientSpec, *, on_closed: Callable[[str | Exception], None]
    ) -> None:
        super().__init__(context, spec, on_closed=on_closed)
        self._room = room_number(spec.room, context.plan.codecs)
        url = context.plan.url
        transport = SocketTransport if url.startswith("ws") else HttpTransport
        self._transport: JanusTransport = transport(
            context.http,
            url,
            name=spec.name,
            token=context.plan.token,
            on_event=self._handle,
            on_closed=self._ended,
        )
        self._events: dict[str, asyncio.Future[Message]] = {}  # by transaction
        self._publisher_handle = 0
        self._subscriber_handle = 0
        self._receiving: tuple[Connection, Subscriber] | None = None
        self._feeds: set[int] = set()  # publishers that are received
        self._updates: asyncio.Queue[set[int]] = asyncio.Queue()

    async def join(self) -> None:
        """See `Protocol.join`."""
        await self._transport.open()
        self._publisher_handle = await self._attach()
        await self._create_room()
        joined = await self._ask(
            self._publisher_handle, request="join", ptype="publisher", display=self.spec.name
        )
        if self.spec.publishes:
            await self._publish()
        if self.spec.subscribes:
            feeds = {each["id"] for each in joined.get("publishers", ())}
            if feeds:
                await self._subscribe(feeds)
            self._transport.start(self._follow())

    async def leave(self) -> None:
        """See `Protocol.leave`."""
        await self._transport.request({"janus": "destroy"})

    def close(self) -> None:
        """See `Protocol.close`."""
        super().close()
        self._transport.close()

    def _ended(self, failure: Exception) -> None:
        for future in self._events.values():
            if not future.done():
                future.set_exception(failure)
        self.on_closed(failure)

    # -- the room

    async def _create_room(self) -> None:
        """Make the room, unless another client has."""
        codecs = self.context.plan.codecs
        names = {
            f"{name}codec": ",".join(codec for codec in codecs if kind(codec) == name)
            for name in ("audio", "video")
        }
        try:
            await self._ask(
                self._publisher_handle,
                request="create",
                publishers=MAX_PUBLISHERS,
                bitrate=0,
                **{name: value for name, value in names.items() if value},
            )
        except JoinError as error:
            if error.args[1:] != (ROOM_EXISTS,):
                raise

    async def _publish(self) -> None:
        # Janus takes the first rid for the largest picture.
        lines = [replace(line, rids=line.rids[::-1]) for line in self.sending_lines()]
        connection = self.connection()
        offer = {"type": "offer", "sdp": self.offer(connection, lines)}
        event = await self._event(self._publisher_handle, offer, request="publish")
        text = event["jsep"]["sdp"]
        answer = description.read(text)
        self.publish(connection, lines, description.agreed(answer))
        await connection.connect(description.remote_end(answer, text), deadline=self.deadline)
        assert self.publisher is not None
        self.publisher.start()

    async def _subscribe(self, feeds: set[int]) -> None:
        """Receive these publishers, too."""
        streams = [{"feed": feed} for feed in sorted(feeds - self._feeds)]
        if not streams:
            return
        self._feeds |= feeds
        if self._receiving is None:
            self._subscriber_handle = await self._attach()
            event = await self._event(
                self._subscriber_handle, None, request="join", ptype="subscriber", streams=streams
            )
            connection = self.connection(controlling=False)  # Janus offers, and is a full agent
            self._receiving = connection, self.subscriber(connection)
            await self._answer(event)
            end = description.remote_end(
                description.read(event["jsep"]["sdp"]), event["jsep"]["sdp"]
            )
            deadline = time.monotonic() + self.context.plan.join_timeout
            await connection.connect(end, deadline=deadline)
            self._receiving[1].start()
        else:
            event = await self._event(
                self._subscriber_handle, None, request="update", subscribe=streams
            )
            if "jsep" in event:
                await self._answer(event)

    async def _answer(self, event: Message) -> None:
        assert self._receiving is not None
        connection, subscriber = self._receiving
        offer = description.read(event["jsep"]["sdp"])
        subscriber.agree(description.agreed(offer))
        answer = {"type": "answer", "sdp": self.answer(connection, offer)}
        await self._event(self._subscriber_handle, answer, request="start")

    async def _follow(self) -> None:
        """Subscribe to those who begin to publish later."""
        while True:
            await self._subscribe(await self._updates.get())

    # -- requests and events

    async def _attach(self) -> int:
        reply = await self._transport.request({"janus": "attach", "plugin": PLUGIN})
        return int(reply["data"]["id"])

    async def _ask(self, handle: int, **body: object) -> Message:
        """A request of the plugin; its result, told at once or by an event."""
        result: Message = (await self._event(handle, None, **body))["plugindata"]["data"]
        return result

    async def _event(self, handle: int, jsep: Message | None, **body: object) -> Message:
        """A request of the plugin; the reply or event that tells its result."""
        transaction = self._transport.transaction()
        event = self._events[transaction] = asyncio.get_running_loop().create_future()
        message: Message = {"janus": "message", "transaction": transaction}
        message["body"] = {"room": self._room, **body}
        if jsep is not None:
            message["jsep"] = jsep
        try:
            reply = await self._transport.request(message, handle=handle)
            if reply["janus"] == "ack":
                reply = await event
        finally:
            self._events.pop(transaction, None)
        data = reply.get("plugindata", {}).get("data", {})
        if "error" in data:
            sentence = f"Janus refused {body['request']}: {data['error']}."
            raise JoinError(sentence, data.get("error_code"))
        return reply

    def _handle(self, event: Message) -> None:
        waiting = self._events.get(event.get("transaction", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(event)
            return
        data = event.get("plugindata", {}).get("data", {})
        publishers = {each["id"] for each in data.get("publishers", ())}
        if publishers:
            self._updates.put_nowait(publishers)
