"""One worker: the sockets, the clock and the timers around one endpoint and its rooms."""

import asyncio
import time
from collections.abc import Coroutine
from random import SystemRandom
from typing import Any

import structlog

from sfu.config import Config
from sfu.net.data_channels import DataChannels
from sfu.net.tcp import TcpPort
from sfu.net.trace_files import TraceFiles
from sfu.net.udp import UdpPort
from sfu.room.endpoint import Endpoint
from sfu.room.events import ChannelMessage
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from sfu.room.rooms import Rooms
from sfu.transport.address import Address
from sfu.transport.buffers import SLOTS, ReceiveBatch
from sfu.transport.dtls import Certificate

log = structlog.get_logger(__name__)


def _log_error(error: Exception) -> None:
    """A bug: what it costs is contained, and the log says where to look."""
    log.error("internal error", exc_info=error)


class Worker:
    """Feeds the endpoint, flushes what it wants sent, and wakes it when it wants to be woken.

    Attributes:
        endpoint: All peers.
        rooms: All rooms.
        udp: The UDP port of all media.
        tcp: The TCP port for networks without UDP; None when it is switched off.
    """

    def __init__(self, config: Config) -> None:
        """Nothing is opened before `start`."""
        self.config = config
        self._loop = asyncio.get_running_loop()
        self.endpoint = Endpoint(
            config=config,
            certificate=Certificate.generate(),
            random=SystemRandom(),
            wall_offset=time.time() - self._loop.time(),
        )
        self.endpoint.on_error = _log_error
        self.rooms = Rooms(config, self.endpoint)
        self._traces = TraceFiles(config.trace) if config.trace else None
        self.udp = UdpPort(config.media_hosts, config.udp_port, on_batch=self._receive_batch)
        self.tcp: TcpPort | None = None
        if config.ice_tcp:
            self.tcp = TcpPort(
                config.media_hosts,
                config.tcp_port,
                config=config,
                on_datagrams=self._receive_datagrams,
                on_closed=self._tcp_closed,
            )
        self._tcp_batch = ReceiveBatch()
        self._timer: asyncio.TimerHandle | None = None
        self._flush_pending = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the ports.

        Raises:
            OSError: A port is in use, or an address is not ours.
            LocalError: Traces cannot be written.
        """
        if self._traces is not None:
            self._traces.open()
            self.rooms.trace_sink = self._traces.sink
        self.udp.open()
        try:
            if self.tcp is not None:
                await self.tcp.open()
        except OSError:
            self.udp.close()
            raise
        self.endpoint.outbox.on_full = self._flush
        self.endpoint.outbox.on_enough = self._flush
        self.endpoint.outbox.on_pending = self._flush_soon
        self.endpoint.timers.on_earlier = self._flush_soon

    async def close(self) -> None:
        """Close all rooms and ports."""
        if self._closed:
            return
        self._closed = True
        self.rooms.close(now=self.now())
        self._flush()
        if self._timer:
            self._timer.cancel()
        self.udp.close()
        if self.tcp is not None:
            await self.tcp.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)

    def now(self) -> float:
        """Monotonic seconds: the `now` of everything below."""
        return self._loop.time()

    # -- driving

    def _receive_batch(self, batch: ReceiveBatch) -> None:
        try:
            self.endpoint.receive_batch(batch, now=self.now())
        finally:
            self._transmit()

    def _receive_datagrams(self, datagrams: list[tuple[bytes, Address]]) -> None:
        now = self.now()
        try:
            for start in range(0, len(datagrams), SLOTS):
                self._tcp_batch.load(datagrams[start : start + SLOTS])
                self.endpoint.receive_batch(self._tcp_batch, now=now)
        finally:
            self._transmit()

    def _tcp_closed(self, address: Address) -> None:
        self.endpoint.forget_address(address)

    def _handle_timer(self) -> None:
        self._timer = None
        try:
            self.endpoint.handle_timer(now=self.now())
        finally:
            self._transmit()

    def _flush_soon(self) -> None:
        """Something wants to be sent or woken that no datagram caused."""
        if not self._flush_pending and not self._closed:
            self._flush_pending = True
            self._loop.call_soon(self._transmit)

    def _transmit(self) -> None:
        """Flush and re-arm the one timer."""
        self._flush_pending = False
        if self._closed:
            return
        if self.endpoint.outbox.runs:
            self._flush()
        when = self.endpoint.get_timer()
        if self._timer is not None:
            if self._timer.when() == when:
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._loop.call_at(when, self._handle_timer)

    def _flush(self) -> None:
        outbox = self.endpoint.outbox
        self.udp.flush(outbox)
        if self.tcp is not None:
            self.tcp.flush(outbox)
        outbox.clear()

    # -- data channels

    def open_channels(self, participant: Participant, peer: Peer) -> None:
        """Give the participant the data channels that it has negotiated on `peer`."""
        if participant.channels is not None:
            return

        def received(text: str, reliable: bool) -> None:
            participant.notify(ChannelMessage(text, reliable))

        participant.channels = DataChannels(peer, received, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
