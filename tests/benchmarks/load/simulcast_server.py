"""A small WHIP and WHEP server that takes simulcast, and remembers each packet that it got."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from benchmarks.load.datagrams import receiver, sender
from benchmarks.load.description import read
from sfu.transport.demultiplexer import classify
from sfu.transport.dtls import Certificate, DtlsConnection
from sfu.transport.srtp import SrtpSession
from sfu.wire.parameters import Extension
from sfu.wire.rtp import parse_rtp
from sfu.wire.stun import binding_success, parse_stun
from tests.benchmarks.load.whip_proxy import serving

CERTIFICATE = Certificate.generate()
PASSWORD = "aPasswordForAllSessions+"
MID, RID = 4, 10  # ids of header extensions, as the offer has them


@dataclass(frozen=True)
class Got:
    """One packet of a publisher."""

    ssrc: int
    rid: str
    mid: str
    size: int
    payload: bytes


class Session:
    """One peer connection: a socket of its own, ICE-lite, the DTLS server."""

    def __init__(self, server: "SimulcastServer", offer: str) -> None:
        described = read(offer).media[0]
        self.server = server
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.dtls = DtlsConnection(CERTIFICATE, role="server", fingerprints=described.fingerprints)
        self.srtp: SrtpSession | None = None
        self.address: tuple[str, int] | None = None
        asyncio.get_running_loop().add_reader(self.socket, self._readable)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def send(self, packet: bytes) -> None:
        """Protect and send."""
        if self.srtp is None or self.address is None:
            return
        memory = self.server.sender
        memory.view[: len(packet)] = packet
        assert self.srtp.protect_run(memory.base, 0, [len(packet)])
        self.socket.sendto(memory.view[: len(packet) + self.srtp.overhead], self.address)

    def _readable(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            kind = classify(data)
            if kind == "stun":
                request = parse_stun(data)
                if request.message_class == "request" and request.is_authentic(PASSWORD):
                    self.address = source
                    host, port = source
                    reply = binding_success(request, host=host, port=port, password=PASSWORD)
                    self.socket.sendto(reply, source)
            elif kind == "dtls":
                self.dtls.receive(data, now=time.monotonic())
                for datagram in self.dtls.datagrams():
                    self.socket.sendto(datagram, source)
                if self.srtp is None and self.dtls.state == "connected":
                    self.srtp = self.dtls.srtp_session()
            elif kind == "rtp" and self.srtp is not None:
                self._take(data, self.srtp)

    def _take(self, data: bytes, srtp: SrtpSession) -> None:
        memory = self.server.receiver
        memory.view[: len(data)] = data
        size = srtp.unprotect_in_place(memory.pointer(0), len(data))
        assert size > 0
        plain = bytes(memory.view[:size])
        packet = parse_rtp(plain, arrival=0.0)
        extensions = packet.extensions
        rid = extensions.get(RID, b"").decode()
        mid = extensions.get(MID, b"").decode()
        self.server.got.append(Got(packet.ssrc, rid, mid, len(data), packet.payload))
        if rid == self.server.forwarded:
            for viewer in self.server.viewers:
                viewer.send(plain)


class SimulcastServer:
    """Takes encodings of one publisher, and forwards one of them to all viewers.

    Attributes:
        got: Packets of the publisher.
        taken: Rids that the answer takes.
        forwarded: The rid that viewers get.
        offer: The publisher's.
    """

    def __init__(self, *, taken: tuple[str, ...], forwarded: str) -> None:
        self.got: list[Got] = []
        self.taken = taken
        self.forwarded = forwarded
        self.offer = ""
        self.sessions: list[Session] = []
        self.viewers: list[Session] = []
        self.receiver, self.sender = receiver(), sender()

    async def answer(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return web.Response()
        offer = await request.text()
        session = Session(self, offer)
        self.sessions.append(session)
        publishes = request.path.startswith("/whip")
        if publishes:
            self.offer = offer
        else:
            self.viewers.append(session)
        lines = [
            *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"),
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{read(offer).media[0].mid}",
            "a=recvonly" if publishes else "a=sendonly",
            *("a=rtcp-mux", "a=rtpmap:96 VP8/90000", "a=setup:passive"),
            f"a=ice-ufrag:{os.urandom(4).hex()}",
            f"a=ice-pwd:{PASSWORD}",
            f"a=fingerprint:sha-256 {CERTIFICATE.fingerprint().value}",
            f"a=candidate:1 1 udp 1 127.0.0.1 {session.port} typ host",
        ]
        if publishes:
            lines += [f"a=extmap:{MID} {Extension.MID}", f"a=extmap:{RID} {Extension.RID}"]
            lines += [f"a=rid:{rid} recv" for rid in self.taken]
            lines += [f"a=simulcast:recv {';'.join(self.taken)}"]
        text = "".join(f"{line}\r\n" for line in lines)
        return web.Response(status=201, text=text, headers={"Location": "/session"})


@asynccontextmanager
async def simulcast_server(
    *, taken: tuple[str, ...] = ("q", "h", "f"), forwarded: str = "f"
) -> AsyncIterator[tuple[str, SimulcastServer]]:
    """The server's URL, and the server."""
    server = SimulcastServer(taken=taken, forwarded=forwarded)
    async with serving(server.answer) as url:
        try:
            yield url, server
        finally:
            for session in server.sessions:
                session.close()
