"""The path to one peer: ICE chooses it, DTLS makes its keys, SRTP protects what goes over it."""

from collections.abc import Callable
from typing import Literal

from sfu.config import Config
from sfu.errors import RemoteError
from sfu.timers import Timer, Timers
from sfu.transport.address import Address
from sfu.transport.dtls import Certificate, DtlsConnection
from sfu.transport.events import (
    ApplicationData,
    TransportClosed,
    TransportConnected,
    TransportEvent,
    TransportFailed,
)
from sfu.transport.ice import IceLite
from sfu.transport.outbox import Outbox
from sfu.transport.srtp import MAX_RTCP_SIZE, SrtpSession
from sfu.wire.parameters import Fingerprint, IceParameters, TransportParameters
from sfu.wire.stun import StunMessage

TransportState = Literal["new", "connecting", "connected", "failed", "closed"]

MAX_EARLY_DATAGRAMS = 4  # one flight of a client that is quicker than its description


class Transport:
    """One peer's transport, driven by what arrives and by the timers that it sets.

    It becomes "connecting" with the first authentic check, and "connected" when the peer has both
    chosen a path and finished the handshake. "failed" and "closed" are final: nothing is sent and
    no event comes after them.

    Args:
        name: For logs.
        certificate: Ours.
        credentials: Our ICE user name fragment and password.
        outbox: Where datagrams go.
        timers: Where timers go.
        config: `handshake_timeout` counts from now on, whether the peer is ever described or not;
            `media_timeout` from the last authenticated packet.
        on_event: Called with each event, when the transport's own state is up to date.
        now: Monotonic seconds.

    Attributes:
        name: As given.
        state: See above.
        address: Where to send media; None until the peer has chosen.
        srtp: Keys of both directions; None until the handshake is done.
        transport_sequence: The transport-wide sequence number to use next
            (draft-holmer-rmcat-transport-wide-cc-extensions-01); the fan-out counts it up.
        last_received: When the last authenticated packet came, monotonic seconds.
        rtcp_dropped: How many RTCP packets were too long to be sent.
    """

    def __init__(
        self,
        *,
        name: str,
        certificate: Certificate,
        credentials: IceParameters,
        outbox: Outbox,
        timers: Timers,
        config: Config,
        on_event: Callable[[TransportEvent], None],
        now: float,
    ) -> None:
        self.name = name
        self.state: TransportState = "new"
        self.address: Address | None = None
        self.srtp: SrtpSession | None = None
        self.transport_sequence = 0
        self.last_received = now
        self.rtcp_dropped = 0
        self._certificate = certificate
        self._config = config
        self._on_event = on_event
        self._outbox = outbox
        self._timers = timers
        self._ice = IceLite(credentials)
        self._remote: TransportParameters | None = None
        self._dtls: DtlsConnection | None = None
        self._dtls_source: Address | None = None
        self._early: list[bytes] = []
        self._deadline = timers.call_at(now + config.handshake_timeout, self._handshake_overdue)
        self._retransmission: Timer | None = None
        self._restart_end: Timer | None = None

    @property
    def local_ice(self) -> IceParameters:
        """Our current credentials, for the next description."""
        return self._ice.local

    @property
    def username_fragments(self) -> tuple[str, ...]:
        """Those of ours whose checks must reach `receive_stun` now."""
        return () if self._ended else self._ice.username_fragments

    def start(self, remote: TransportParameters, *, now: float) -> None:
        """Take what the peer told about its end; again after each of its descriptions.

        New ICE credentials mean that the peer restarts ICE; what it sent with the old ones is
        still accepted.

        Raises:
            RemoteError: "negotiation_failed": the peer changed its certificate or DTLS role, which
                would need a new association (RFC 8842 3.1).
        """
        if self._ended:
            return
        if self._remote is not None and _identity(self._remote) != _identity(remote):
            raise RemoteError(
                "The certificate and DTLS role of a connection cannot change: open a new one.",
                name="negotiation_failed",
            )
        first = self._remote is None
        self._remote = remote
        self._ice.set_remote(remote.ice.username_fragment)
        if first:
            self._begin_handshake(now)

    def restart_ice(self, credentials: IceParameters, *, now: float) -> None:
        """Use new credentials of ours from now on.

        Checks with the ones before are answered until 5 s after the first with the new ones, and
        media flows where it did until the peer chooses a path anew.
        """
        del now
        _cancel(self._restart_end)
        self._restart_end = None
        self._ice.restart(credentials)

    def receive_stun(self, message: StunMessage, address: Address, *, now: float) -> bool:
        """Take a STUN message.

        Returns:
            Whether it was an authentic check: what comes from `address` is then to be routed here.
        """
        if self._ended or message.message_class != "request":
            return False
        response = self._ice.receive_request(message, address, now=now)
        if response is None:
            return False
        self.last_received = now
        self._outbox.send(address, response)
        if self.state == "new":
            self.state = "connecting"
        if self._ice.previous_expires is not None and self._restart_end is None:
            self._restart_end = self._timers.call_at(
                self._ice.previous_expires, self._restart_is_over
            )
        if self._ice.selected != self.address and self._ice.selected is not None:
            self.address = self._ice.selected
            self._begin_handshake(now)
            self._check_connected(now)
        return True

    def receive_dtls(self, data: bytes, address: Address, *, now: float) -> None:
        """Take a DTLS datagram; nothing happens unless an authentic check came from `address`."""
        if self._ended or not self._ice.knows(address):
            return
        self._dtls_source = address
        if self._dtls is None:
            if len(self._early) < MAX_EARLY_DATAGRAMS:
                self._early.append(data)
            return
        application_data = self._dtls.receive(data, now=now)
        self._after_dtls(now)
        for record in application_data:
            if self._ended:
                return
            self.last_received = now
            self._on_event(ApplicationData(record))

    def touch(self, now: float) -> None:
        """An authenticated media packet came from the peer."""
        self.last_received = now

    def forget_address(self, address: Address) -> None:
        """An ICE-TCP connection ended: the next check from anywhere else is the new path."""
        self._ice.forget_address(address)

    def send_rtcp(self, data: bytes) -> None:
        """Send a compound RTCP packet of at most `MAX_RTCP_SIZE` bytes.

        Nothing happens until there are keys and a path. A longer packet is dropped and counted:
        nothing that a peer makes us say may end in an exception.
        """
        if self.srtp is None or self.address is None:
            return
        if len(data) > MAX_RTCP_SIZE:
            self.rtcp_dropped += 1
            return
        self._outbox.send(self.address, self.srtp.protect_rtcp(data))

    def send_application_data(self, data: bytes) -> None:
        """Send one record of application data; nothing happens unless connected."""
        if self._dtls is not None and self.state == "connected" and data:
            self._dtls.send(data)
            self._flush_dtls()

    def close(self, *, now: float) -> None:
        """Say goodbye (close_notify) and end. No event follows, since the caller knows."""
        del now
        if self._ended:
            return
        if self._dtls is not None:
            self._dtls.close()
            self._flush_dtls()
        self._end("closed")

    @property
    def _ended(self) -> bool:
        return self.state in ("failed", "closed")

    def _begin_handshake(self, now: float) -> None:
        """Start DTLS as soon as it can: as its client, that needs an address."""
        remote = self._remote
        if self._dtls is not None or remote is None:
            return
        if remote.dtls_role == "client" and self.address is None:
            return
        self._dtls = DtlsConnection(
            self._certificate, role=remote.dtls_role, fingerprints=remote.fingerprints
        )
        self._dtls.start(now=now)
        early, self._early = self._early, []
        for data in early:
            self._dtls.receive(data, now=now)
        self._after_dtls(now)

    def _after_dtls(self, now: float) -> None:
        dtls = self._dtls
        assert dtls is not None
        self._flush_dtls()
        if dtls.state == "failed":
            self._fail(dtls.reason)
        elif dtls.state == "closed":
            self._end("closed")
            self._on_event(TransportClosed(dtls.reason))
        elif dtls.state == "connected" and self.srtp is None:
            self.srtp = dtls.srtp_session()
            if self.srtp is None:
                self._fail("no_srtp_profile")
                return
            self._check_connected(now)
        self._arm_retransmission()

    def _flush_dtls(self) -> None:
        assert self._dtls is not None
        # Before it nominates, a peer may begin the handshake on any path that its checks opened.
        address = self.address or self._dtls_source
        for datagram in self._dtls.datagrams():
            if address is not None:
                self._outbox.send(address, datagram)

    def _arm_retransmission(self) -> None:
        when = None if self._dtls is None or self._ended else self._dtls.get_timer()
        if self._retransmission is not None:
            if self._retransmission.active and self._retransmission.when == when:
                return
            self._retransmission.cancel()
            self._retransmission = None
        if when is not None:
            self._retransmission = self._timers.call_at(when, self._retransmit)

    def _retransmit(self, now: float) -> None:
        if self._dtls is not None and not self._ended:
            self._dtls.handle_timer(now=now)
            self._after_dtls(now)

    def _check_connected(self, now: float) -> None:
        if self.state != "connecting" or self.srtp is None or self.address is None:
            return
        self.state = "connected"
        _cancel(self._deadline)
        self._deadline = self._timers.call_at(
            now + self._config.media_timeout, self._check_media_timeout
        )
        self._on_event(TransportConnected())

    def _check_media_timeout(self, now: float) -> None:
        # Not re-armed by every packet: it looks how long ago the last one was, and waits again.
        due = self.last_received + self._config.media_timeout
        if now >= due:
            self._fail("media_timeout")
        else:
            self._deadline = self._timers.call_at(due, self._check_media_timeout)

    def _handshake_overdue(self, now: float) -> None:
        del now
        self._fail("handshake_timeout")

    def _restart_is_over(self, now: float) -> None:
        del now
        self._restart_end = None
        self._ice.end_restart()

    def _fail(self, reason: str) -> None:
        self._end("failed")
        self._on_event(TransportFailed(reason))

    def _end(self, state: Literal["failed", "closed"]) -> None:
        self.state = state
        self.address = None
        self.srtp = None
        self._dtls = None
        self._early.clear()
        for timer in (self._deadline, self._retransmission, self._restart_end):
            _cancel(timer)


def _cancel(timer: Timer | None) -> None:
    if timer is not None:
        timer.cancel()


def _identity(remote: TransportParameters) -> tuple[str, frozenset[Fingerprint]]:
    return remote.dtls_role, frozenset(
        Fingerprint(fingerprint.algorithm.lower(), fingerprint.value.upper())
        for fingerprint in remote.fingerprints
    )
