"""The two ways to talk to Janus: HTTP with long polls, and WebSocket."""

import asyncio
import itertools
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp

from benchmarks.load.failures import JoinError

Message = dict[str, Any]

POLL_TIMEOUT = 40.0  # s; Janus answers each long poll within 30 s
KEEPALIVE_INTERVAL = 25.0  # s; Janus ends a session of which it hears nothing for 60 s
SUBPROTOCOL = "janus-protocol"


class JanusTransport(ABC):
    """One session with Janus.

    Args:
        http: For requests.
        url: Where Janus is.
        name: Ours, unique, for the transactions.
        token: For each request; empty for none.
        on_event: Called with what Janus tells by itself.
        on_closed: Called with what went wrong when the session ends by itself.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        *,
        name: str,
        token: str,
        on_event: Callable[[Message], None],
        on_closed: Callable[[Exception], None],
    ) -> None:
        self.http = http
        self.url = url.rstrip("/")
        self.on_event = on_event
        self.session = 0
        self._name = name
        self._token = token
        self._on_closed = on_closed
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Make a session; raises as `Protocol.join` does."""
        await self._connect()
        created = await self.request({"janus": "create"})
        self.session = int(created["data"]["id"])
        self.start(self._attend())

    def transaction(self) -> str:
        """A new name for a request and what comes of it."""
        return f"{self._name}-{next(self._numbers)}"

    async def request(self, message: Message, *, handle: int = 0) -> Message:
        """Send a request; the reply.

        Raises:
            JoinError: It is refused.
        """
        message.setdefault("transaction", self.transaction())
        if self._token:
            message["token"] = self._token
        reply = await self._exchange(message, handle)
        if reply.get("janus") == "error":
            raise JoinError(f"Janus refused {message['janus']}: {reply['error']['reason']}.")
        return reply

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do something for as long as the session lasts; its end is the session's."""
        self._tasks.append(asyncio.create_task(self._attended(work)))

    def close(self) -> None:
        """Let go of it at once."""
        for task in self._tasks:
            task.cancel()

    async def _attended(self, work: Coroutine[None, None, None]) -> None:
        failure: Exception = JoinError("Janus ended the session.")
        try:
            await work
        except (aiohttp.ClientError, OSError):
            failure = JoinError("Janus cannot be reached any more.")
        except Exception as error:  # whatever it is, it is this client's end alone
            failure = error
        self._on_closed(failure)

    @abstractmethod
    async def _connect(self) -> None:
        """Make ready for requests."""

    @abstractmethod
    async def _exchange(self, message: Message, handle: int) -> Message:
        """Send a request of the session, and of this handle if it is not 0; the reply."""

    @abstractmethod
    async def _attend(self) -> None:
        """Keep the session, until it ends."""


class HttpTransport(JanusTransport):
    """Requests are posted, and a poll is always under way, which also keeps the session."""

    async def _connect(self) -> None:
        """Each request finds its own connection."""

    async def _exchange(self, message: Message, handle: int) -> Message:
        parts = [self.url, *(str(number) for number in (self.session, handle) if number)]
        url = "/".join(parts)
        async with self.http.post(url, json=message) as response:
            if response.status != 200:
                raise JoinError(f"There is no Janus at {url} ({response.status}).")
            reply: Message = await response.json(content_type=None)
        return reply

    async def _attend(self) -> None:
        timeout = aiohttp.ClientTimeout(total=POLL_TIMEOUT)
        while True:
            url = f"{self.url}/{self.session}?maxev=10"
            async with self.http.get(url, timeout=timeout) as response:
                if response.status != 200:
                    return
                events = await response.json(content_type=None)
            for event in events if isinstance(events, list) else [events]:
                self.on_event(event)


class SocketTransport(JanusTransport):
    """Everything goes over one WebSocket."""

    async def _connect(self) -> None:
        self._socket = await self.http.ws_connect(
            self.url, protocols=(SUBPROTOCOL,), max_msg_size=0
        )
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self.start(self._read())

    def close(self) -> None:
        """Let go of it at once."""
        super().close()
        for reply in getattr(self, "_replies", {}).values():
            reply.cancel()

    async def _exchange(self, message: Message, handle: int) -> Message:
        if self.session:
            message["session_id"] = self.session
        if handle:
            message["handle_id"] = handle
        name = message["transaction"]
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[name] = reply
        try:
            await self._socket.send_str(json.dumps(message))
            return await reply
        finally:
            self._replies.pop(name, None)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                if text.type != aiohttp.WSMsgType.TEXT:
                    return
                message = json.loads(text.data)
                reply = self._replies.pop(message.get("transaction", ""), None)
                if reply is None:
                    self.on_event(message)
                elif not reply.done():
                    reply.set_result(message)
        finally:
            with suppress(aiohttp.ClientError, OSError):
                await self._socket.close()

    async def _attend(self) -> None:
        due = time.monotonic()
        while True:
            due += KEEPALIVE_INTERVAL
            await asyncio.sleep(due - time.monotonic())
            await self.request({"janus": "keepalive"})
