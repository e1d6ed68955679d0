"""One peer connection of the tester: ICE, DTLS and SRTP over a socket of its own."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from benchmarks.load.checks import Checks
from benchmarks.load.datagrams import Run, media_socket, receive_runs, socket_drops
from benchmarks.load.description import LocalEnd, RemoteEnd
from benchmarks.load.shared import Shared
from sfu.errors import ParseError
from sfu.transport.address import Address
from sfu.transport.demultiplexer import is_dtls, is_media, is_rtcp, is_stun
from sfu.transport.dtls import DtlsConnection
from sfu.transport.srtp import SrtpSession
from sfu.wire.parameters import IceParameters
from sfu.wire.rtcp import RtcpPacket, parse_compound
from sfu.wire.stun import binding_success, parse_stun

CHECK_INTERVAL = 0.1  # s between checks until one is answered
CONSENT_INTERVAL = 5.0  # s; RFC 7675 5.1
CONSENT_TIMEOUT = 30.0  # s without any answer
REFUSAL_TIMEOUT = 2.0  # s in which nothing came but refusals; a server may open its port again

Source = tuple[Any, ...]  # as the socket module has addresses: host, port, for IPv6 more


class MediaSink(Protocol):
    """Whoever takes what comes over a connection."""

    def receive_media(self, run: Run) -> None:
        """RTP packets, still protected, in the receiver's memory."""

    def receive_rtcp(self, packets: list[RtcpPacket]) -> None:
        """The packets of one RTCP datagram."""


class ConnectError(Exception):
    """The transport did not come about; the message is a sentence."""


class Connection:
    """Connects to a server's transport and carries media both ways.

    Args:
        shared: Of this process.
        controlling: Whether we nominate: where we offer, or where the server is an ICE-lite agent.
        on_closed: Told once, with a reason, when the connection ends by the server's doing.

    Attributes:
        local: For our description.
        srtp: The keys, once connected.
        sink: Who gets what is received.
    """

    def __init__(
        self, shared: Shared, *, controlling: bool = True, on_closed: Callable[[str], None]
    ) -> None:
        self.shared = shared
        self.srtp: SrtpSession | None = None
        self.sink: MediaSink | None = None
        self.local = LocalEnd(
            IceParameters(os.urandom(4).hex(), os.urandom(12).hex()),
            shared.certificate.fingerprint(),
        )
        self._controlling = controlling
        self._on_closed = on_closed
        self._sockets: list[socket.socket] = []
        self._socket: socket.socket | None = None
        self._dtls: DtlsConnection | None = None
        self._checks: Checks | None = None
        self._connected: asyncio.Future[None] | None = None
        self._closed = False
        self._refused_since = 0.0

    async def connect(self, remote: RemoteEnd, *, deadline: float) -> None:
        """Find a path and make keys.

        Args:
            remote: The server's end.
            deadline: When to give up, monotonic seconds.

        Raises:
            ConnectError: No path, no keys, or not in time.
            OSError: No socket could be opened.
        """
        controlling = self._controlling or remote.lite
        self._checks = Checks(self.local.ice, remote, controlling=controlling)
        self._dtls = DtlsConnection(
            self.shared.certificate, role=remote.role, fingerprints=remote.fingerprints
        )
        self._connected = asyncio.get_running_loop().create_future()
        self._open_sockets(remote.addresses)
        self.shared.scheduler.call_at(time.monotonic(), self._check)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connected
        except TimeoutError:
            what = "the DTLS handshake" if self._socket else "connectivity checks"
            raise ConnectError(f"The server did not answer {what} in time.") from None

    def close(self) -> None:
        """Say goodbye, as far as that is possible, and let go of the sockets."""
        if self._closed:
            return
        self._closed = True
        if self._dtls is not None:
            self._dtls.close()
            self._flush_dtls()
        for sock in self._sockets:
            self.shared.closed_drops += socket_drops(sock)
            self.shared.poller.remove(sock)
            sock.close()
        self._sockets.clear()
        self._socket = None
        self.srtp = None

    @property
    def overhead(self) -> int:
        """Bytes that protection adds to a packet; 0 before the connection is there."""
        return self.srtp.overhead if self.srtp is not None else 0

    @property
    def drops(self) -> int:
        """Datagrams that our own socket has dropped."""
        return sum(socket_drops(sock) for sock in self._sockets)

    def send(self, sizes: list[int]) -> int:
        """Protect and send packets that lie in the sender's memory, each followed by the overhead.

        Args:
            sizes: Plain bytes of each; the first is at the beginning of the memory.

        Returns:
            How many were sent.
        """
        srtp, sock = self.srtp, self._socket
        if srtp is None or sock is None:
            return 0
        sender = self.shared.sender
        if not srtp.protect_run(sender.base, 0, sizes):
            return 0
        overhead = srtp.overhead
        return sender.send(sock, [size + overhead for size in sizes])

    def send_rtcp(self, data: bytes) -> None:
        """Protect and send one compound packet."""
        if self.srtp is not None:
            self._send(self.srtp.protect_rtcp(data))

    # -- sockets

    def _open_sockets(self, addresses: tuple[Address, ...]) -> None:
        for family in dict.fromkeys(map(_family, addresses)):
            sock = media_socket(family)
            self._sockets.append(sock)
            self.shared.poller.add(sock, lambda sock=sock: self._readable(sock))  # type: ignore[misc]

    def _send(self, data: bytes) -> None:
        if self._socket is not None:
            with suppress(OSError):  # as the network would lose it; whoever waits notices
                self._socket.send(data)

    def _readable(self, sock: socket.socket) -> None:
        if sock is not self._socket:
            self._readable_early(sock)
            return
        receiver = self.shared.receiver
        view, sink = receiver.view, self.sink
        runs = receiver.receive(sock)
        if not runs:
            if receiver.refused:
                self._refuse(time.monotonic())
            return
        self._refused_since = 0.0
        waited = (time.monotonic_ns() - runs[0].time) / 1e9
        if waited > self.shared.backlog:
            self.shared.backlog = waited
        for run in runs:
            start = run.start
            if run.length > 12 and is_media(view[start]) and not is_rtcp(view[start + 1]):
                if sink is not None and self.srtp is not None:
                    sink.receive_media(run)
                continue
            for position in range(start, start + run.length, run.size):
                end = min(position + run.size, start + run.length)
                self._receive_control(bytes(view[position:end]), sock, None)

    def _refuse(self, now: float) -> None:
        """The server's machine said that its port is closed."""
        if not self._refused_since:
            self._refused_since = now
            self.shared.scheduler.call_at(now + REFUSAL_TIMEOUT, self._ask_again)
        elif now - self._refused_since >= REFUSAL_TIMEOUT:
            self._end("The server's media port is closed: the server has ended.")

    def _ask_again(self, _now: float) -> None:
        """Who sends little would not hear of it again for a long time."""
        if self._refused_since and self._checks is not None:
            self._send(self._checks.consent_check())

    def _readable_early(self, sock: socket.socket) -> None:
        """Before a path is chosen it matters where datagrams come from."""
        while not self._closed and sock is not self._socket:
            try:
                data, source = sock.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an address that refuses; another one may answer
            self._receive_control(data, sock, source)

    def _receive_control(self, data: bytes, sock: socket.socket, source: Source | None) -> None:
        if self._closed or not data:
            return
        if is_stun(data[0]):
            self._receive_stun(data, sock, source or sock.getpeername())
        elif is_dtls(data[0]):
            assert self._dtls is not None
            self._dtls.receive(data, now=time.monotonic())
            self._after_dtls()
        elif is_media(data[0]) and self.srtp is not None and self.sink is not None:
            plain = self.srtp.unprotect_rtcp(data)
            if plain is not None:
                try:
                    self.sink.receive_rtcp(parse_compound(plain))
                except ParseError:
                    return  # counted by nobody: it is the server that is tested, by its media

    # -- ICE

    def _check(self, now: float) -> float | None:
        """Look for a path until there is one, then keep it."""
        checks = self._checks
        if self._closed or checks is None:
            return None
        if self._socket is not None:
            if now - checks.answered > CONSENT_TIMEOUT:
                self._end("The server answers no more.")
                return None
            self._send(checks.consent_check())
            return now + CONSENT_INTERVAL
        address, request = checks.next_check()
        for sock in self._sockets:
            if sock.family == _family(address):
                with suppress(OSError):  # no route to there; another address may do
                    sock.sendto(request, address[:2])
        return now + CHECK_INTERVAL

    def _receive_stun(self, data: bytes, sock: socket.socket, source: Source) -> None:
        try:
            message = parse_stun(data)
        except ParseError:
            return
        if message.message_class == "request":
            if message.is_authentic(self.local.ice.password):
                # A full agent checks us as well.
                reply = binding_success(
                    message, host=source[0], port=source[1], password=self.local.ice.password
                )
                with suppress(OSError):  # as the network would lose it
                    sock.sendto(reply, source[:2])
            return
        if self._checks is not None:
            address = self._checks.receive_response(message, now=time.monotonic())
            if address is not None and self._socket is None:
                self._select(sock, address)

    def _select(self, sock: socket.socket, address: Address) -> None:
        assert self._dtls is not None
        try:
            sock.connect(address[:2])
        except OSError:
            return
        receive_runs(sock)
        self._socket = sock
        self._dtls.start(now=time.monotonic())
        self._after_dtls()

    # -- DTLS

    def _flush_dtls(self) -> None:
        if self._dtls is not None:
            for datagram in self._dtls.datagrams():
                self._send(datagram)

    def _after_dtls(self) -> None:
        dtls = self._dtls
        assert dtls is not None
        self._flush_dtls()
        if dtls.state == "connected" and self.srtp is None:
            self.srtp = dtls.srtp_session()
            if self.srtp is None:
                self._end("The server agreed to no SRTP profile.")
            elif self._connected is not None and not self._connected.done():
                self._connected.set_result(None)
        elif dtls.state in ("failed", "closed"):
            closed = dtls.state == "closed"
            self._end("The server closed the connection." if closed else "DTLS failed.")
        when = dtls.get_timer()
        if when is not None:
            self.shared.scheduler.call_at(when, self._retransmit)

    def _retransmit(self, now: float) -> None:
        if not self._closed and self._dtls is not None and self._dtls.state == "handshaking":
            when = self._dtls.get_timer()
            if when is not None and now >= when:
                self._dtls.handle_timer(now=now)
                self._after_dtls()

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        if self._connected is not None and not self._connected.done():
            self._connected.set_exception(ConnectError(reason))
            return
        self.close()
        self._on_closed(reason)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
