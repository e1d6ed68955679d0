"""WHIP and WHEP clients that send and receive RTP packets of a test's own making, unrepaired."""

import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from struct import Struct

import aiohttp

from benchmarks.load import offers
from benchmarks.load.connection import Connection
from benchmarks.load.datagrams import Run, receiver, sender
from benchmarks.load.description import Agreed, Line, agreed, read, remote_end
from benchmarks.load.shared import Shared
from sfu.wire.rtcp import RtcpPacket
from sfu.wire.rtp import parse_rtp
from tests.support.clients import Rewrite

DEADLINE = 15.0  # s to connect
KEY_FRAME = b"\x10\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01"  # RFC 7741 4.2, RFC 6386 9.1
DELTA_FRAME = b"\x10\x11\x00\x00"
CONTINUATION = b"\x00"

_header = Struct("!BBHII")


def vp8_frame(number: int, *, packets: int = 8, size: int = 1088) -> list[bytes]:
    """Payloads of a frame, no two of them alike; the first frame is a key frame."""
    noise = Random(number)
    heads = [KEY_FRAME if number == 0 else DELTA_FRAME] + [CONTINUATION] * (packets - 1)
    sizes = [size] * (packets - 1) + [size // 2]
    return [head + noise.randbytes(n - len(head)) for head, n in zip(heads, sizes, strict=True)]


class PacketPublisher:
    """Publishes one VP8 stream.

    Attributes:
        connection: That it sends over.
        payload_type: Of its packets.
        ssrc: Of its packets.
        sent: Payloads, in order.
    """

    def __init__(self, connection: Connection, payload_type: int, ssrc: int) -> None:
        self.sent: list[bytes] = []
        self.connection = connection
        self.payload_type = payload_type
        self.ssrc = ssrc
        self._timestamp = 0
        connection.sink = self

    def send(self, payloads: Sequence[bytes]) -> None:
        """Send a frame."""
        view, overhead = self.connection.shared.sender.view, self.connection.overhead
        position, sizes = 0, []
        for number, payload in enumerate(payloads, 1):
            marker = 0x80 if number == len(payloads) else 0
            sequence_number = len(self.sent) + 65_500 & 0xFFFF  # it wraps soon
            packet = (
                _header.pack(
                    0x80, self.payload_type | marker, sequence_number, self._timestamp, self.ssrc
                )
                + payload
            )
            view[position : position + len(packet)] = packet
            position += len(packet) + overhead
            sizes.append(len(packet))
            self.sent.append(payload)
        self._timestamp += 3000
        assert self.connection.send(sizes) == len(sizes)

    def receive_media(self, run: Run) -> None:
        raise AssertionError("a publisher receives no media")

    def receive_rtcp(self, packets: list[RtcpPacket]) -> None:
        """What is asked for is not sent: a test decides on its own."""


class PacketViewer:
    """Receives whatever a room has.

    Attributes:
        connection: That it receives over.
        received: Payloads, in the order of their arrival.
        numbers: Their sequence numbers.
        pieces: In how many pieces they came: the kernel hands over a segmented run as one.
    """

    def __init__(self, connection: Connection) -> None:
        self.received: list[bytes] = []
        self.numbers: list[int] = []
        self.pieces = 0
        self.connection = connection
        connection.sink = self

    def receive_media(self, run: Run) -> None:
        shared, srtp = self.connection.shared, self.connection.srtp
        assert srtp is not None
        self.pieces += 1
        for start in range(run.start, run.start + run.length, run.size):
            length = min(run.size, run.start + run.length - start)
            length = srtp.unprotect_in_place(shared.receiver.pointer(start), length)
            if length < 0:
                self.received.append(b"it is not authentic, or came twice")
                continue
            packet = parse_rtp(bytes(shared.receiver.view[start : start + length]), arrival=0.0)
            self.received.append(bytes(packet.payload))
            self.numbers.append(packet.sequence_number)

    def receive_rtcp(self, packets: list[RtcpPacket]) -> None:
        """Reports do not matter here."""


class PacketClients:
    """Makes them, and closes them all."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self._shared = Shared(receiver(), sender())
        self._connections: list[Connection] = []

    async def publish(self, room: str) -> PacketPublisher:
        """A publisher that is connected."""
        line = Line("0", "sendonly", ("vp8",), ssrc=0x1234, cname="publisher")
        connection, answer = await self._connect(f"{self._url}/whip/{room}", line)
        return PacketPublisher(connection, answer.payload_types["vp8"], line.ssrc)

    async def watch(
        self,
        room: str,
        *,
        family: socket.AddressFamily = socket.AF_INET,
        rewrite: Rewrite = lambda sdp: sdp,
    ) -> PacketViewer:
        """A viewer that is connected.

        Args:
            room: Its name.
            family: Of the server's address that is used.
            rewrite: Applied to the server's answer.
        """
        line = Line("0", "recvonly", ("vp8",))
        connection, _ = await self._connect(f"{self._url}/whep/{room}", line, family, rewrite)
        return PacketViewer(connection)

    async def _connect(
        self,
        url: str,
        line: Line,
        family: socket.AddressFamily = socket.AF_INET,
        rewrite: Rewrite = lambda sdp: sdp,
    ) -> tuple[Connection, Agreed]:
        connection = Connection(self._shared, on_closed=lambda reason: None)
        self._connections.append(connection)
        headers = {"Content-Type": "application/sdp"}
        data = offers.offer([line], connection.local).encode()
        async with self._http.post(url, data=data, headers=headers) as response:
            text = await response.text()
            assert response.status == 201, text
        text = rewrite(text)
        described = read(text)
        end = remote_end(described, text)
        wanted = [one for one in end.addresses if (":" in one.host) == (family == socket.AF_INET6)]
        end = replace(end, addresses=tuple(wanted))
        await connection.connect(end, deadline=time.monotonic() + DEADLINE)
        return connection, agreed(described)[0]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._shared.close()


@asynccontextmanager
async def packet_clients(url: str) -> AsyncIterator[PacketClients]:
    """Clients of the server at `url`."""
    async with aiohttp.ClientSession() as http:
        clients = PacketClients(url, http)
        try:
            yield clients
        finally:
            clients.close()
