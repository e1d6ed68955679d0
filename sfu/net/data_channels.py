"""A participant's data channels: aiortc's SCTP over our DTLS.

aiortc's SCTP keeps its own timers and tasks, so it lives in the shell. This is the only module
that touches it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

import structlog
from aiortc import RTCDataChannel
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from sfu.room.peer import Peer

LABELS = ("reliable", "lossy")
SCTP_PORT = 5000  # RFC 8841 5.1 names no default; all implementations use this one
MAX_BUFFERED = 1 << 20  # bytes waiting for one slow peer before messages are refused
MAX_QUEUED = 1024  # SCTP packets received and not yet handled
MAX_CHANNELS = 16  # that one peer may open; we use two

# What aiortc keeps of messages that are not complete, or wait for one before them. Its window is
# 1 MiB of data, but nothing enforces that, and a piece of one byte costs as much as its object.
MAX_UNDELIVERED = 2 << 20  # bytes, pieces and their objects
PIECE_COST = 512  # bytes; of one piece's object
MAX_STREAMS = 64  # SCTP streams with something received; a channel has one
MAX_MISORDERED = 2048  # pieces beyond a gap; the window holds some 900 of full size

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

log = structlog.get_logger()


class _Flood(Exception):  # noqa: N818 - not an error of ours
    """The peer has us keep more than an honest peer does."""


class _DataReceiver(Protocol):
    async def _handle_data(self, data: bytes) -> None: ...


class _DtlsTransport:
    """Our transport with the face of aiortc's RTCDtlsTransport, as far as SCTP looks at it."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.receiver: _DataReceiver | None = None
        assert peer.remote is not None
        self._role = peer.remote.dtls_role

    @property
    def state(self) -> str:
        return self._peer.transport.state

    def _register_data_receiver(self, receiver: _DataReceiver) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: _DataReceiver) -> None:
        if self.receiver is receiver:
            self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        if self.state != "connected":
            raise ConnectionError("the transport is not connected")
        self._peer.transport.send_application_data(data)


class DataChannels:
    """The channels "reliable" and "lossy" that a client opens (RFC 8831, RFC 8832)."""

    def __init__(self, peer: Peer, on_message: Callable[[str, bool], None], spawn: Spawn) -> None:
        """Channels over `peer`, which must have negotiated an SCTP port.

        Args:
            peer: May still be connecting.
            on_message: Called with the text of each message and whether it came reliably.
            spawn: Starts a task, and keeps it until it has ended.
        """
        assert peer.remote is not None
        assert peer.remote.sctp_port is not None
        self._peer = peer
        self._on_message = on_message
        self._dtls = _DtlsTransport(peer)
        self._sctp = RTCSctpTransport(cast(Any, self._dtls), port=SCTP_PORT)
        self._capabilities = RTCSctpCapabilities(maxMessageSize=peer.remote.max_message_size)
        self._remote_port = peer.remote.sctp_port
        self._channels: dict[str, RTCDataChannel] = {}
        self._received: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self._spawn = spawn
        self._task: asyncio.Task[None] | None = None
        self._opened = 0
        self._ended = False
        self._sctp.on("datachannel", self._channel_opened)
        peer.on_data = self._receive
        peer.listeners.append(self._peer_changed)
        if peer.transport.state == "connected":
            self._peer_changed("connected", "")

    def _peer_changed(self, state: str, _: str) -> None:
        if state == "connected" and self._task is None and not self._ended:
            self._task = self._spawn(self._run())
        elif state != "connected":
            self.close()

    def _receive(self, data: bytes) -> None:
        if not self._received.full():
            self._received.put_nowait(data)  # else lost, as on any network: SCTP repairs it

    async def _run(self) -> None:
        """Feed SCTP in the order of arrival; whatever it cannot stand costs the channels alone."""
        try:
            await self._sctp.start(self._capabilities, self._remote_port)
            while True:
                data = await self._received.get()
                if self._dtls.receiver is not None:
                    await self._dtls.receiver._handle_data(data)
                    self._check_backlog()
        except ConnectionError:
            pass
        except Exception as error:  # a library that reads untrusted bytes may raise anything
            log.warning("data channels failed", peer=self._peer.transport.name, error=repr(error))
        finally:
            self._end()

    def _check_backlog(self) -> None:
        """Bound what is received and not delivered.

        Raises:
            _Flood: It is beyond what an honest peer can cause.
        """
        streams = self._sctp._inbound_streams
        size = sum(
            PIECE_COST + len(piece.user_data)
            for stream in streams.values()
            for piece in stream.reassembly
        )
        if (
            size > MAX_UNDELIVERED
            or len(streams) > MAX_STREAMS
            or len(self._sctp._sack_misordered) > MAX_MISORDERED
        ):
            raise _Flood("too much was received that cannot be delivered")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self._opened += 1
        if channel.label not in LABELS or self._opened > MAX_CHANNELS:
            channel.close()
            return
        self._channels[channel.label] = channel
        reliable = channel.label == "reliable"

        def received(message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode("utf-8", "replace")
            self._on_message(text, reliable)

        channel.on("message", received)

    def send(self, text: str, *, reliable: bool) -> bool:
        """Send text on the channel of that kind.

        Returns:
            False when it is not open, or when so much waits already that it would not arrive soon.
        """
        channel = self._channels.get("reliable" if reliable else "lossy")
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount + len(text) > MAX_BUFFERED:
            return False
        channel.send(text)
        return True

    def close(self) -> None:
        """End the association; nothing happens when it has ended."""
        if self._task is not None:
            self._task.cancel()
        self._end()

    def _end(self) -> None:
        """From now on nothing is received, and nothing is open; whatever it was that ended it."""
        if self._ended:
            return
        self._ended = True
        self._peer.on_data = None
        self._channels.clear()
        if self._task is not None:
            self._spawn(self._sctp.stop())
