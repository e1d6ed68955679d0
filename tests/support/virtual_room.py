"""A server core and its clients in virtual time: real ICE, DTLS, SRTP and RTP, no sockets."""

from collections.abc import Callable, Sequence
from random import Random

from sfu.config import Config
from sfu.room.endpoint import Endpoint
from sfu.room.events import RoomEvent
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from sfu.room.permissions import Permissions, Source
from sfu.room.rooms import Rooms
from sfu.room.track import Track
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.demultiplexer import is_dtls, is_stun
from sfu.transport.dtls import Certificate, DtlsConnection
from sfu.transport.outbox import Outbox
from sfu.transport.srtp import SrtpSession
from sfu.wire.parameters import (
    OPUS,
    VP8,
    Codec,
    Extension,
    IceParameters,
    Kind,
    ReceiveParameters,
    SendParameters,
    TransportParameters,
)
from sfu.wire.rtcp import (
    Nack,
    PictureLossIndication,
    ReceiverReport,
    RtcpPacket,
    parse_compound,
    serialize_compound,
)
from sfu.wire.rtp import RtpPacket, build_rtp, parse_rtp
from sfu.wire.stun import binding_request, parse_stun
from tests.support.link import Link, VirtualTime

SERVER = Address("192.0.2.1", 7882)
CHECK_INTERVAL = 0.05  # s, until the first answer
CONSENT_INTERVAL = 2.5  # s, afterwards
CERTIFICATES = (Certificate.generate(), Certificate.generate())  # keys are slow to make

SEND_EXTENSIONS = {
    Extension.TRANSPORT_SEQUENCE_NUMBER: 3,
    Extension.ABS_SEND_TIME: 2,
    Extension.AUDIO_LEVEL: 1,
}


class VirtualServer:
    """An endpoint and its rooms, between links."""

    def __init__(self, config: Config | None = None, *, seed: int = 1) -> None:
        self.time = VirtualTime()
        self.config = config or Config()
        self.endpoint = Endpoint(
            config=self.config,
            certificate=CERTIFICATES[0],
            random=Random(seed),
            wall_offset=1_700_000_000.0,
        )
        self.rooms = Rooms(self.config, self.endpoint)
        self.clients: dict[Address, VirtualClient] = {}
        self.unanswered: list[tuple[Address, bytes]] = []
        self.time.drive(self.endpoint)
        self.time.on_step.append(self._move)

    def _move(self) -> None:
        for address, data in self.endpoint.outbox.datagrams():
            client = self.clients.get(address)
            if client is None:
                self.unanswered.append((address, data))
            else:
                client.down.send(data, SERVER)

    def receive(self, data: bytes, source: Address) -> None:
        self.endpoint.receive_datagram(data, source, now=self.time.now)

    def join(
        self, identity: str, *, room: str = "room", permissions: Permissions | None = None
    ) -> "Member":
        return Member(self, identity, room, permissions or Permissions())


class VirtualClient:
    """The far end of one peer connection: a controlling ICE agent, DTLS client, SRTP.

    Attributes:
        up: The link to the server.
        down: The link from it.
        received: RTP packets in the order of arrival, retransmission streams included.
        rtcp: RTCP packets in the order of arrival.
        on_rtp: Called with each of `received`.
        on_rtcp: Called with each of `rtcp`.
    """

    _next_port = 50000

    def __init__(self, server: VirtualServer, *, seed: int, **conditions: float) -> None:
        VirtualClient._next_port = (VirtualClient._next_port + 1) % 10000 + 50000
        self.server = server
        self.time = server.time
        self.address = Address("198.51.100.7", VirtualClient._next_port)
        server.clients[self.address] = self
        self.up = Link(self.time, server.receive, seed=seed, **conditions)
        self.down = Link(self.time, self._receive, seed=seed + 1000, **conditions)
        self.ice = IceParameters(f"client{seed}", "password-of-the-client-side")
        self.random = Random(seed)
        self.peer: Peer | None = None
        self.remote_ice: IceParameters | None = None
        self.dtls: DtlsConnection | None = None
        self.srtp: SrtpSession | None = None
        self.answered = False
        self.received: list[RtpPacket] = []
        self.rtcp: list[RtcpPacket] = []
        self.on_rtp: Callable[[RtpPacket], None] = lambda packet: None
        self.on_rtcp: Callable[[RtcpPacket], None] = lambda packet: None
        self._transport_sequence = -1
        self._sources: set[int] = set()
        self._outbox = Outbox(1 << 16)
        self._batch = ReceiveBatch()

    @property
    def connected(self) -> bool:
        return (
            self.srtp is not None and self.peer is not None and self.peer.transport.srtp is not None
        )

    def parameters(self) -> TransportParameters:
        return TransportParameters(
            ice=self.ice, fingerprints=(CERTIFICATES[1].fingerprint(),), dtls_role="server"
        )

    def connect(self, peer: Peer) -> None:
        """Tell the server of our end, and begin to check."""
        self.peer = peer
        peer.start(self.parameters(), now=self.time.now)
        self.remote_ice = peer.transport.local_ice
        if self.dtls is None:
            self.dtls = DtlsConnection(
                CERTIFICATES[1],
                role="client",
                fingerprints=(self.server.endpoint.certificate.fingerprint(),),
            )
            self.time.drive(self.dtls)
            self.time.on_step.append(self._send_dtls)
            self.check()

    def settle(self) -> None:
        """The handshake is over and nobody will ask for another: look after DTLS no more.

        That would cost more than the media does where there are many clients.
        """
        assert self.connected
        assert self.dtls is not None
        self.time.release(self.dtls)
        self.time.on_step.remove(self._send_dtls)

    def restart_ice(self) -> None:
        """Offer new credentials, as a browser does after its network changed."""
        assert self.peer is not None
        self.ice = IceParameters(self.ice.username_fragment + "r", "another-password-of-the-client")
        self.server.endpoint.restart_ice(self.peer, now=self.time.now)
        self.answered = False
        self.connect(self.peer)
        self.check()

    def move(self) -> None:
        """Go on from another address, as behind a NAT that has forgotten us."""
        VirtualClient._next_port += 1
        self.address = Address(self.address.host, VirtualClient._next_port)
        self.server.clients[self.address] = self

    def check(self) -> None:
        """Send one check, and come back for the next."""
        assert self.remote_ice is not None
        self.up.send(
            binding_request(
                transaction_id=self.random.randbytes(12),
                username=f"{self.remote_ice.username_fragment}:{self.ice.username_fragment}",
                password=self.remote_ice.password,
                priority=100,
                controlling=7,
                use_candidate=True,
            ),
            self.address,
        )
        interval = CONSENT_INTERVAL if self.answered else CHECK_INTERVAL
        self.time.call_later(interval, self.check)

    def _send_dtls(self) -> None:
        assert self.dtls is not None
        for data in self.dtls.datagrams():
            self.up.send(data, self.address)

    def _receive(self, data: bytes, source: Address) -> None:
        assert source == SERVER
        assert self.dtls is not None
        if is_stun(data[0]):
            message = parse_stun(data)
            if message.message_class == "success" and not self.answered:
                assert self.remote_ice is not None
                assert message.is_authentic(self.remote_ice.password)
                self.answered = True
                if self.srtp is None:
                    self.dtls.start(now=self.time.now)
        elif is_dtls(data[0]):
            self.dtls.receive(data, now=self.time.now)
            if self.dtls.state == "connected" and self.srtp is None:
                self.srtp = self.dtls.srtp_session()
        elif self.srtp is not None:
            if 192 <= data[1] <= 223:
                plain = self.srtp.unprotect_rtcp(data)
                if plain is not None:  # else the link has doubled it
                    packets = parse_compound(plain)
                    self.rtcp += packets
                    for report in packets:
                        self.on_rtcp(report)
                return
            self._batch.load(((data, source),))
            length = self.srtp.unprotect_in_place(self._batch.pointers[0], len(data))
            if length > 0:  # a datagram that the link doubled is a replay
                packet = parse_rtp(bytes(self._batch.view[:length]), arrival=self.time.now)
                self.received.append(packet)
                self.on_rtp(packet)

    def send_rtp(self, data: bytes) -> None:
        assert self.try_rtp(data)

    def try_rtp(self, data: bytes) -> bool:
        """Send one RTP packet, unless libsrtp refuses it."""
        assert self.srtp is not None
        ssrc = int.from_bytes(data[8:12])
        if ssrc not in self._sources:
            self._sources.add(ssrc)
            self.srtp.widen(ssrc)  # it may be sent again as it is
        size = len(data)
        offset = self._outbox.reserve(size + self.srtp.overhead)
        self._outbox.view[offset : offset + size] = data
        if not self.srtp.protect_run(self._outbox.base, offset, (size,)):
            return False
        self._outbox.commit(self.address, offset, (size + self.srtp.overhead,))
        for _, datagram in self._outbox.datagrams():
            self.up.send(datagram, self.address)
        return True

    def send_rtcp(self, packets: Sequence[RtcpPacket]) -> None:
        assert self.srtp is not None
        data = serialize_compound((ReceiverReport(1, ()), *packets))
        self.up.send(self.srtp.protect_rtcp(data), self.address)

    def next_transport_sequence(self) -> bytes:
        self._transport_sequence += 1
        return (self._transport_sequence & 0xFFFF).to_bytes(2)

    def requests(self) -> int:
        """How often the server has asked for a key frame."""
        return sum(isinstance(packet, PictureLossIndication) for packet in self.rtcp)


class Member:
    """A participant with both of its peer connections.

    Attributes:
        events: What it was told, in order.
        on_event: Called with each of `events`.
    """

    def __init__(
        self, server: VirtualServer, identity: str, room: str, permissions: Permissions
    ) -> None:
        self.server = server
        self.events: list[RoomEvent] = []
        self.on_event: Callable[[RoomEvent], None] = lambda event: None
        now = server.time.now
        self.participant: Participant = server.rooms.open(room, now=now).join(
            identity=identity, permissions=permissions, listener=self._hear, now=now
        )
        self.publisher: VirtualClient | None = None
        self.subscriber: VirtualClient | None = None

    def _hear(self, event: RoomEvent) -> None:
        self.events.append(event)
        self.on_event(event)

    def heard(self, kind: type) -> list[RoomEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def publish(
        self,
        *tracks: tuple[str, Kind, dict[int, Codec]],
        seed: int = 10,
        rtx: dict[int, int] | None = None,
        source: Source = "unknown",
        transport_cc: bool = True,
        **conditions: float,
    ) -> dict[str, Track]:
        """Announce tracks (mid, kind, codecs) and connect the peer that carries them."""
        now = self.server.time.now
        made = {
            mid: self.participant.add_track(kind=kind, source=source, now=now)
            for mid, kind, _ in tracks
        }
        peer = self.server.endpoint.create_peer("publisher", now=now)
        self.participant.set_peer("publisher", peer, now=now)
        peer.publisher.configure(
            [
                ReceiveParameters(
                    mid=mid,
                    kind=kind,
                    codecs=codecs,
                    rtx=rtx or {} if kind == "video" else {},
                    extensions={
                        4: Extension.MID,
                        3: Extension.TRANSPORT_SEQUENCE_NUMBER,
                        **({1: Extension.AUDIO_LEVEL} if kind == "audio" else {}),
                    },
                    nack=kind == "video",
                    pli=kind == "video",
                    transport_cc=transport_cc,
                    remb=True,
                )
                for mid, kind, codecs in tracks
            ],
            made,
        )
        self.publisher = client = VirtualClient(self.server, seed=seed, **conditions)
        client.connect(peer)
        assert self.server.time.run(20, until=lambda: client.connected)
        return made

    def receive(
        self,
        *,
        seed: int = 20,
        payload_types: dict[Codec, int] | None = None,
        rtx: dict[int, int] | None = None,
        **conditions: float,
    ) -> VirtualClient:
        """Connect the peer that receives, if need be, and take all that is subscribed to."""
        now = self.server.time.now
        if self.subscriber is None:
            peer = self.server.endpoint.create_peer("subscriber", now=now)
            self.participant.set_peer("subscriber", peer, now=now)
            self.subscriber = client = VirtualClient(self.server, seed=seed, **conditions)
            client.connect(peer)
            assert self.server.time.run(20, until=lambda: client.connected)
        subscriptions = self.participant.subscriptions
        taken = payload_types or {VP8: 96, OPUS: 111}
        subscriptions.agreed(
            {
                slot.mid: SendParameters(
                    mid=slot.mid,
                    kind=slot.kind,
                    payload_types={c: pt for c, pt in taken.items() if c.kind == slot.kind},
                    rtx=rtx or {} if slot.kind == "video" else {},
                    extensions=SEND_EXTENSIONS,
                    nack=slot.kind == "video",
                    transport_cc=True,
                )
                for slot in subscriptions.plan()
                if slot.subscription
            },
            now=self.server.time.now,
        )
        self.server.time.step()
        return self.subscriber


class Sender:
    """An encoder's packets: frames of equal size, key frames when asked, retransmissions."""

    def __init__(
        self,
        client: VirtualClient,
        *,
        mid: str,
        ssrc: int,
        payload_type: int = 96,
        rtx: tuple[int, int] | None = None,
        first: int = 0,
        key_frame: bytes = b"\x10\x00\x00\x00\x9d\x01\x2a",
        delta_frame: bytes = b"\x10\x01\x00\x00",
        clock_step: int = 3000,
    ) -> None:
        """`rtx` is (payload type, SSRC); the default payloads are VP8's."""
        self.client = client
        self.mid = mid
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.sequence_number = first
        self.timestamp = (first * 7919) & 0xFFFFFFFF
        self.level = b""  # value of the audio-level extension, empty for none
        self.sent: dict[int, bytes] = {}
        self.payloads: list[bytes] = []
        self._rtx = rtx
        self._rtx_sequence = 0
        self._key_frame = key_frame
        self._delta_frame = delta_frame
        self._clock_step = clock_step
        self._answered = 0
        self._asked = client.requests()
        self._counter = 0

    def packet(self, payload: bytes, *, marker: bool = True, padding: int = 0) -> None:
        data = build_rtp(
            payload_type=self.payload_type,
            sequence_number=self.sequence_number,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            payload=payload,
            marker=marker,
            extensions={
                4: self.mid.encode(),
                3: self.client.next_transport_sequence(),
                **({1: self.level} if self.level else {}),
            },
            padding=padding,
        )
        self.sent[self.sequence_number] = data
        if payload:
            self.payloads.append(payload)
        self.client.send_rtp(data)
        self.sequence_number = (self.sequence_number + 1) & 0xFFFF

    def frame(self, packets: int = 3, *, key: bool | None = None) -> None:
        """One frame; a key frame when one was asked for since the last."""
        self._answer()
        if key is None:
            key = self.client.requests() > self._asked
        self._asked = self.client.requests()
        for i in range(packets):
            start = (self._key_frame if key else self._delta_frame) if i == 0 else b"\x00"
            self._counter += 1
            self.packet(start + self._counter.to_bytes(4), marker=i == packets - 1)
        self.timestamp = (self.timestamp + self._clock_step) & 0xFFFFFFFF

    def _answer(self) -> None:
        """Send again what the server has asked for."""
        for report in self.client.rtcp[self._answered :]:
            if isinstance(report, Nack) and report.media_ssrc == self.ssrc:
                for number in report.lost:
                    data = self.sent.get(number)
                    if data is None:
                        continue
                    if self._rtx is None:
                        self.client.send_rtp(data)
                        continue
                    packet = parse_rtp(data, arrival=0.0)
                    payload_type, ssrc = self._rtx
                    self.client.send_rtp(
                        build_rtp(
                            payload_type=payload_type,
                            sequence_number=self._rtx_sequence & 0xFFFF,
                            timestamp=packet.timestamp,
                            ssrc=ssrc,
                            payload=number.to_bytes(2) + packet.payload,
                            marker=packet.marker,
                            extensions={4: self.mid.encode()},
                        )
                    )
                    self._rtx_sequence += 1
        self._answered = len(self.client.rtcp)


class Receiver:
    """What a decoder would see: the media of one SSRC, repaired by asking for what is missing."""

    def __init__(self, client: VirtualClient, ssrc: int, rtx_ssrc: int | None = None) -> None:
        self.client = client
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.packets: dict[int, RtpPacket] = {}
        self.repaired = 0
        client.on_rtp = self._receive

    def _receive(self, packet: RtpPacket) -> None:
        if packet.ssrc == self.ssrc:
            number = packet.sequence_number
        elif packet.ssrc == self.rtx_ssrc:
            number = int.from_bytes(packet.payload[:2])
            packet.payload = packet.payload[2:]
            self.repaired += number not in self.packets
        else:
            return
        self.packets.setdefault(number, packet)

    def ask(self) -> list[int]:
        """Send a NACK for all gaps; returns them."""
        numbers = sorted(self.packets)
        missing = [n for n in range(numbers[0], numbers[-1]) if n not in self.packets]
        for start in range(0, len(missing), 100):
            chunk = tuple(missing[start : start + 100])
            self.client.send_rtcp((Nack(1, self.ssrc, chunk),))
        return missing

    @property
    def payloads(self) -> list[bytes]:
        """In the order of their numbers."""
        return [self.packets[number].payload for number in sorted(self.packets)]
