"""One peer connection: a transport, and what is received and sent over it."""

from collections.abc import Callable
from typing import Literal

from sfu.errors import ParseError
from sfu.room.publisher import Publisher
from sfu.room.subscriber import Subscriber
from sfu.transport.events import (
    ApplicationData,
    TransportClosed,
    TransportConnected,
    TransportEvent,
    TransportFailed,
)
from sfu.transport.transport import Transport
from sfu.wire.parameters import TransportParameters
from sfu.wire.rtcp import parse_compound

PeerState = Literal["connected", "failed", "closed"]


class Peer:
    """A transport with a publishing and a subscribing half, either of which may be idle.

    Attributes:
        transport: The path to the peer.
        publisher: What we receive.
        subscriber: What we send.
        remote: What the peer told about its end; None before the first negotiation.
        usernames: Our user name fragments that are routed to it; kept by the endpoint.
        listeners: Called with the new state and the reason when the transport changes.
        on_data: Called with each SCTP packet (RFC 8261).
        malformed: SRTCP packets that were not authentic, or malformed inside.
    """

    def __init__(self, transport: Transport, publisher: Publisher, subscriber: Subscriber) -> None:
        self.transport = transport
        self.publisher = publisher
        self.subscriber = subscriber
        self.remote: TransportParameters | None = None
        self.usernames: tuple[str, ...] = ()
        self.listeners: list[Callable[[PeerState, str], None]] = []
        self.on_data: Callable[[bytes], None] | None = None
        self.malformed = 0

    def start(self, remote: TransportParameters, *, now: float) -> None:
        """The peer's end is known, or has changed (ICE restart).

        Raises:
            RemoteError: The peer's certificate is another than before.
        """
        self.transport.start(remote, now=now)
        self.remote = remote

    @property
    def alive(self) -> bool:
        """Whether the transport works or may still come to work."""
        return self.transport.state not in ("failed", "closed")

    def drops(self) -> dict[str, int]:
        """What was not taken from the peer, and not sent to it, by reason."""
        counts = {
            "rtcp": self.malformed,
            "rtcp_too_long": self.transport.rtcp_dropped,
            "unroutable": self.publisher.unroutable,
            "key_frame_request": self.subscriber.refused,
            "transport_feedback": self.subscriber.bandwidth.estimator.refused,
        }
        return {reason: count for reason, count in counts.items() if count}

    def receive_rtcp(self, data: bytes, *, now: float) -> None:
        """Take one SRTCP packet from the network."""
        srtp = self.transport.srtp
        plain = srtp.unprotect_rtcp(data) if srtp else None
        if plain is None:
            self.malformed += 1
            return
        self.transport.touch(now)
        try:
            packets = parse_compound(plain)
        except ParseError:
            self.malformed += 1
            return
        for packet in packets:
            self.publisher.receive_rtcp(packet, now=now)
            self.subscriber.receive_rtcp(packet, now=now)

    def handle_event(self, event: TransportEvent) -> None:
        """Take what the transport says."""
        if isinstance(event, ApplicationData):
            if self.on_data:
                self.on_data(event.data)
            return
        if isinstance(event, TransportConnected):
            self._tell("connected", "")
        elif isinstance(event, TransportFailed):
            self._tell("failed", event.reason)
        elif isinstance(event, TransportClosed):
            self._tell("closed", event.reason)

    def _tell(self, state: PeerState, reason: str) -> None:
        for listener in list(self.listeners):
            listener(state, reason)
