"""Two transports in virtual time: each checks the other as a browser would, over a bad network."""

from random import Random

from sfu.config import Config
from sfu.timers import Timers
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.demultiplexer import classify
from sfu.transport.dtls import Certificate
from sfu.transport.events import ApplicationData, TransportEvent
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport
from sfu.wire.parameters import DtlsRole, IceParameters, TransportParameters
from sfu.wire.stun import StunMessage, binding_request, parse_stun
from tests.support.link import Link, VirtualTime

CERTIFICATES = (Certificate.generate(), Certificate.generate())
CHECK_INTERVAL = 0.1  # s until the first answer
CONSENT_INTERVAL = 4.0  # s after it


class Host:
    """One end: a transport, and the checks that a lite agent never sends and its peer must.

    Attributes:
        transport: The real thing.
        events: What it told, application data excepted.
        data: Application data that it received.
        rtp: Plain RTP packets that it received.
        rtcp: Plain RTCP packets that it received.
        address: Where its datagrams come from; assign another one to move behind a new NAT.
        nominate: Whether its checks carry USE-CANDIDATE after the first answer, too.
        checking: Whether it sends checks at all.
    """

    def __init__(
        self,
        time: VirtualTime,
        name: str,
        address: Address,
        certificate: Certificate,
        config: Config,
        random: Random,
    ) -> None:
        self.address = address
        self.nominate = True
        self.checking = True
        self.events: list[TransportEvent] = []
        self.data: list[bytes] = []
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.outbox = Outbox(1 << 18)
        self.timers = Timers()
        self.certificate = certificate
        self._time = time
        self._random = random
        self._batch = ReceiveBatch()
        self._answered = False
        self._check_sent: set[bytes] = set()
        self.peer: Host | None = None
        self.link: Link | None = None
        self.transport = Transport(
            name=name,
            certificate=certificate,
            credentials=self.credentials(),
            outbox=self.outbox,
            timers=self.timers,
            config=config,
            on_event=self._on_event,
            now=time.now,
        )
        time.drive(self.timers)
        time.on_step.append(self._flush)

    def credentials(self) -> IceParameters:
        return IceParameters(
            f"{self._random.getrandbits(32):x}", f"{self._random.getrandbits(96):x}"
        )

    def parameters(self, role_of_the_other: DtlsRole) -> TransportParameters:
        return TransportParameters(
            ice=self.transport.local_ice,
            fingerprints=(self.certificate.fingerprint(),),
            dtls_role=role_of_the_other,
        )

    def check(self) -> None:
        """Send a check, and go on doing so."""
        assert self.peer is not None
        peer = self.peer.transport
        if self.checking:
            identifier = self._random.randbytes(12)
            self._check_sent.add(identifier)
            request = binding_request(
                transaction_id=identifier,
                username=f"{peer.local_ice.username_fragment}:"
                f"{self.transport.local_ice.username_fragment}",
                password=peer.local_ice.password,
                priority=1,
                controlling=1,
                use_candidate=self.nominate or not self._answered,
            )
            self.send(request)
        interval = CONSENT_INTERVAL if self._answered else CHECK_INTERVAL
        self._time.call_later(interval, self.check)

    def send(self, data: bytes) -> None:
        """Send a datagram past the transport."""
        assert self.link is not None
        self.link.send(data, self.address)

    def send_rtp(self, *packets: bytes) -> None:
        """Protect and send, as the fan-out does."""
        transport = self.transport
        assert transport.srtp is not None
        assert transport.address is not None
        overhead = transport.srtp.overhead
        sizes = [len(packet) for packet in packets]
        offset = start = self.outbox.reserve(sum(sizes) + overhead * len(sizes))
        for packet in packets:
            self.outbox.view[offset : offset + len(packet)] = packet
            offset += len(packet) + overhead
        assert transport.srtp.protect_run(self.outbox.base, start, sizes)
        self.outbox.commit(transport.address, start, [size + overhead for size in sizes])

    def receive(self, data: bytes, source: Address) -> None:
        now, transport = self._time.now, self.transport
        match classify(data):
            case "stun":
                message = parse_stun(data)
                if message.message_class == "request":
                    transport.receive_stun(message, source, now=now)
                else:
                    self._take_answer(message)
            case "dtls":
                transport.receive_dtls(data, source, now=now)
            case "rtp" if transport.srtp:
                self._batch.load([(data, source)])
                size = transport.srtp.unprotect_in_place(self._batch.pointers[0], len(data))
                if size >= 0:
                    transport.touch(now)
                    self.rtp.append(bytes(self._batch.view[:size]))
            case "rtcp" if transport.srtp:
                plain = transport.srtp.unprotect_rtcp(data)
                if plain is not None:
                    transport.touch(now)
                    self.rtcp.append(plain)

    def _take_answer(self, message: StunMessage) -> None:
        assert self.peer is not None
        if message.transaction_id in self._check_sent:
            self._check_sent.clear()
            self._answered = message.message_class == "success"

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, ApplicationData):
            self.data.append(event.data)
        else:
            self.events.append(event)

    def _flush(self) -> None:
        assert self.link is not None
        assert self.peer is not None
        for address, data in self.outbox.datagrams():
            if address == self.peer.address:  # where it was before, nobody listens
                self.link.send(data, self.address)


class TransportPair:
    """Two hosts over two links with the same conditions.

    Args:
        seed: The same seed makes the same network.
        role: The DTLS role of the first host.
        config: Settings of both.
        conditions: Of both links; see `Link`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        role: DtlsRole = "server",
        config: Config | None = None,
        **conditions: float,
    ) -> None:
        self.time = VirtualTime()
        random = Random(seed)
        config = config or Config()
        self.first = Host(
            self.time, "first", Address("192.0.2.1", 1), CERTIFICATES[0], config, random
        )
        self.second = Host(
            self.time, "second", Address("2001:db8::2", 2), CERTIFICATES[1], config, random
        )
        self.roles: tuple[DtlsRole, DtlsRole] = (role, "client" if role == "server" else "server")
        for one, other, number in ((self.first, self.second, 0), (self.second, self.first, 1)):
            one.peer = other
            one.link = Link(self.time, other.receive, seed=2 * seed + number, **conditions)

    def start(self) -> "TransportPair":
        """Tell each of the other, and begin to check."""
        for one, other, role in (
            (self.first, self.second, self.roles[0]),
            (self.second, self.first, self.roles[1]),
        ):
            one.transport.start(other.parameters(role), now=self.time.now)
            one.check()
        return self

    def connected(self) -> bool:
        return self.first.transport.state == self.second.transport.state == "connected"

    def connect(self) -> "TransportPair":
        """Start, and run until both are connected."""
        self.start()
        assert self.time.run(30, until=self.connected)
        return self
