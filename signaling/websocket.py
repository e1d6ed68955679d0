"""`/ws`: carries the messages of sessions over WebSockets, and holds clients to their limits."""

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import WSMsgType, web

from sfu.config import Config
from sfu.errors import LimitError, RemoteError
from signaling.cors import check_caller
from signaling.keys import CONFIG, SERVER
from signaling.limits import TokenBucket
from signaling.logs import get_logger
from signaling.members import Members
from signaling.messages import CLOSE_CODES
from signaling.outgoing import Outgoing
from signaling.session import Session
from signaling.turnstile import TURNSTILE

HEARTBEAT = 10.0  # s; a dead connection is noticed after 1.5 times that
DRAIN_TIMEOUT = 3.0  # s; for a client to take what still waits
# s; for it to answer our close frame, when it has taken all. Most do at once; a page that is being
# left, or that sleeps, never does, and a server that stops would wait for it.
CLOSE_TIMEOUT = 1.0
BURST = 4  # times `max_message_rate`
MESSAGE_UNIT = 8192  # characters; a message counts once for each that it begins

log = get_logger(__name__)


class Connections:
    """All WebSockets of one application, as many as may be.

    Attributes:
        members: Who has joined by them.
    """

    def __init__(self, config: Config) -> None:
        self.members = Members()
        self._config = config
        self._connections: dict[Connection, None] = {}  # oldest first

    def check_room(self) -> None:
        """Refuse a connection that would be one too many.

        Raises:
            LimitError: "server_full".
        """
        if len(self._connections) >= self._config.max_websockets:
            raise LimitError("The server has as many WebSockets as it takes.", name="server_full")

    async def serve(self, connection: "Connection") -> None:
        """Run a connection to its end."""
        pending = [one for one in self._connections if not one.session.joined]
        if len(pending) >= self._config.max_pending_websockets:
            # Clients join as soon as they have connected. Were new ones refused, a few that do
            # nothing would keep everyone out.
            del self._connections[pending[0]]
            pending[0].abort()
        self._connections[connection] = None
        try:
            await connection.run()
        finally:
            self._connections.pop(connection, None)

    def shut_down(self) -> None:
        """Tell all clients that the server stops, those too that are in no room yet."""
        for connection in list(self._connections):
            connection.session.end("server_shutdown")


CONNECTIONS = web.AppKey("connections", Connections)


def setup(app: web.Application) -> None:
    """Serve `/ws`; the application needs `CONFIG`, and `SERVER` when it has started."""
    app[CONNECTIONS] = Connections(app[CONFIG])
    app.on_shutdown.append(_shut_down)
    app.router.add_get("/ws", websocket_handler)


async def _shut_down(app: web.Application) -> None:
    app[CONNECTIONS].shut_down()


async def websocket_handler(request: web.Request) -> web.StreamResponse:
    """Serve one WebSocket.

    Raises:
        RemoteError: "not_allowed": a page of another origin asks. A browser sends WebSocket
            requests from any page, without asking first as it would for HTTP.
        LimitError: "server_full".
    """
    config, connections = request.app[CONFIG], request.app[CONNECTIONS]
    check_caller(request, config)
    connections.check_room()
    websocket = web.WebSocketResponse(
        heartbeat=HEARTBEAT,
        timeout=CLOSE_TIMEOUT,
        max_msg_size=config.max_message_size + 1,  # aiohttp refuses what is of that very size
        # A compressor for each client takes 300 kB, and most messages are short.
        compress=False,
    )
    await websocket.prepare(request)
    await connections.serve(Connection(request, websocket, connections.members))
    return websocket


class Connection:
    """One WebSocket and its session.

    Attributes:
        session: What the client's messages are for.
    """

    def __init__(
        self, request: web.Request, websocket: web.WebSocketResponse, members: Members
    ) -> None:
        self._server = request.app[SERVER]
        self._turnstile = request.app[TURNSTILE]
        self._transport = request.transport
        self._remote = request.remote or ""
        self._websocket = websocket
        self._outgoing = Outgoing(self._overflowed)
        self._close_reason = ""
        self._timers: list[asyncio.TimerHandle] = []
        rate = self._server.config.max_message_rate
        self._rate = TokenBucket(rate=rate, burst=BURST * rate, now=self._server.now())
        self._refused = 0
        self.session = Session(
            self._server,
            members,
            send=self._outgoing.put,
            close=self._close,
            remote=self._remote,
        )

    async def run(self) -> None:
        """Carry messages both ways until either side ends it."""
        self._call_later(self._server.config.join_timeout, self._check_joined)
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._websocket:
                if message.type is WSMsgType.TEXT:
                    if not self.session.joined or '"sdp"' in message.data:
                        await self._turnstile.wait()  # joins and negotiations take a while
                    self._receive(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._receive(None)
        finally:
            self.session.lost()
            if not self._close_reason:
                writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            for timer in self._timers:
                timer.cancel()
            if self._websocket.exception() is not None:
                self.abort()  # a client that takes nothing would hold what waits for it

    def _receive(self, text: str | None) -> None:
        """Take a message; None for one that is not text."""
        units = 1 + len(text or "") // MESSAGE_UNIT
        if not self._rate.take(min(units, self._rate.burst), now=self._server.now()):
            self._refused += 1
            if self._refused > self._rate.burst:
                self.session.end("rate_limited")
            else:
                self.session.refuse(
                    LimitError("You send too many messages: wait a little.", name="rate_limited"),
                    text or "",
                )
            return
        self._refused = 0
        if text is None:
            self.session.refuse(RemoteError("Messages are text, not binary."))
        else:
            self.session.receive(text)

    async def _write(self) -> None:
        """Send what waits, and close when the session has ended."""
        try:
            while (text := await self._outgoing.get()) is not None:
                await self._websocket.send_str(text)
            if self._close_reason:
                await self._websocket.close(
                    code=CLOSE_CODES[self._close_reason], message=self._close_reason.encode()
                )
        except ConnectionError:
            pass  # the reading side notices too, and ends the session

    def _close(self, reason: str) -> None:
        if not self._close_reason:
            self._close_reason = reason
            self._outgoing.end()
            self._call_later(DRAIN_TIMEOUT, self.abort)

    def _check_joined(self) -> None:
        if not self.session.joined:
            self.session.end("signaling_timeout")

    def _overflowed(self) -> None:
        log.warning("client dropped, it is too slow for its messages", remote=self._remote)
        self.abort()

    def abort(self) -> None:
        """End it at once, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay, callback))
