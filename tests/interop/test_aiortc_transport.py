"""Our transport and UDP port against aioice's ICE and aiortc's DTLS and SRTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc import (
    RTCCertificate,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceTransport,
)
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceParameters
from aiortc.rtp import RtcpPacket, RtcpRrPacket

from sfu.config import Config
from sfu.net import mmsg
from sfu.net.udp import UdpPort
from sfu.timers import Timers
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.demultiplexer import classify
from sfu.transport.dtls import Certificate
from sfu.transport.events import ApplicationData, TransportConnected, TransportEvent
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport
from sfu.wire.parameters import DtlsRole, Fingerprint, IceParameters, TransportParameters
from sfu.wire.stun import parse_stun

OURS = IceParameters("ours", "our-password-of-22-chars")


class Server:
    """The smallest shell around one transport."""

    def __init__(self, *, batched: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[TransportEvent] = []
        self.rtcp: list[bytes] = []
        self.outbox = Outbox()
        self.timers = Timers()
        self.certificate = Certificate.generate()
        self.port = UdpPort(("127.0.0.1",), 0, on_batch=self.receive, batched=batched)
        self.transport = Transport(
            name="server",
            certificate=self.certificate,
            credentials=OURS,
            outbox=self.outbox,
            timers=self.timers,
            config=Config(),
            on_event=self.events.append,
            now=self.loop.time(),
        )
        self.outbox.on_pending = lambda: self.loop.call_soon(self.flush)

    def receive(self, batch: ReceiveBatch) -> None:
        now = self.loop.time()
        for slot in range(batch.count):
            data, address = batch.datagram(slot), batch.addresses[slot]
            match classify(data):
                case "stun":
                    self.transport.receive_stun(parse_stun(data), address, now=now)
                case "dtls":
                    self.transport.receive_dtls(data, address, now=now)
                case "rtcp" if self.transport.srtp:
                    plain = self.transport.srtp.unprotect_rtcp(data)
                    assert plain is not None
                    self.rtcp.append(plain)
        self.flush()

    def flush(self) -> None:
        self.port.flush(self.outbox)
        self.outbox.clear()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.timers.handle_timer(now=self.loop.time())
                self.flush()
                await asyncio.sleep(0.01)


class Peer:
    """aiortc's half of a connection, without its peer connection."""

    def __init__(self) -> None:
        self.gatherer = RTCIceGatherer()
        self.ice = RTCIceTransport(self.gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = RTCDtlsTransport(self.ice, [RTCCertificate.generateCertificate()])
        self.data: list[bytes] = []

    async def _handle_data(self, data: bytes) -> None:
        self.data.append(data)

    async def start(self, server: Server, role: DtlsRole) -> None:
        await self.gatherer.gather()
        ice = self.gatherer.getLocalParameters()
        fingerprints = tuple(
            Fingerprint(fingerprint.algorithm, fingerprint.value)
            for fingerprint in self.dtls.getLocalParameters().fingerprints
        )
        server.transport.start(
            TransportParameters(
                IceParameters(ice.usernameFragment, ice.password),
                fingerprints,
                "server" if role == "client" else "client",
            ),
            now=server.loop.time(),
        )
        await self.ice.addRemoteCandidate(
            RTCIceCandidate(
                component=1,
                foundation="1",
                ip="127.0.0.1",
                port=server.port.port,
                priority=2130706431,
                protocol="udp",
                type="host",
            )
        )
        self.dtls._set_role(role)
        self.dtls._register_data_receiver(self)
        await self.ice.start(RTCIceParameters(OURS.username_fragment, OURS.password, iceLite=True))
        ours = server.certificate.fingerprint()
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(ours.algorithm, ours.value)]))

    async def stop(self) -> None:
        await self.dtls.stop()
        await self.ice.stop()


@pytest.fixture(params=[True, False] if mmsg.available() else [False])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    server = Server(batched=request.param)
    server.port.open()
    yield server
    server.port.close()


@pytest.mark.parametrize("role", ["client", "server"])
async def test_aiortc_connects_in_either_role(server: Server, role: DtlsRole) -> None:
    peer = Peer()
    connecting = asyncio.ensure_future(peer.start(server, role))
    await server.until(lambda: server.transport.state == "connected")
    await connecting
    assert peer.dtls.state == "connected"
    assert server.events == [TransportConnected()]

    report = RtcpRrPacket(ssrc=1234)
    await peer.dtls._send_rtp(bytes(report))
    await peer.dtls._send_data(b"up")
    await server.until(lambda: server.rtcp and len(server.events) == 2)
    assert [type(packet) for packet in RtcpPacket.parse(server.rtcp[0])] == [RtcpRrPacket]
    assert server.events[-1] == ApplicationData(b"up")
    server.transport.send_application_data(b"down")
    await server.until(lambda: peer.data)
    assert peer.data == [b"down"]

    await peer.stop()
    await server.until(lambda: server.transport.state == "closed")


async def test_aioice_that_changes_its_port_is_followed(server: Server) -> None:
    """Its consent checks carry no USE-CANDIDATE."""
    peer = Peer()
    connecting = asyncio.ensure_future(peer.start(server, "client"))
    await server.until(lambda: server.transport.state == "connected")
    await connecting
    before = server.transport.address
    assert before is not None
    # The path as the server sees it: from now on all comes from another port, as behind a NAT.
    moved: dict[Address, Address] = {before: before._replace(port=1)}
    checks = []

    def receive(batch: ReceiveBatch) -> None:
        for slot in range(batch.count):
            if batch.view[slot * 2048] < 4:
                message = parse_stun(batch.datagram(slot))
                checks.append(message.use_candidate)
                address = moved[batch.addresses[slot]]
                server.transport.receive_stun(message, address, now=server.loop.time() + 60)

    server.port._on_batch = receive
    await server.until(lambda: checks)
    assert checks == [False]
    assert server.transport.address == before._replace(port=1)
    await peer.stop()
