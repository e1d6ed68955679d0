"""All peers behind one port: which datagram is whose, and what it becomes."""

from collections import Counter
from collections.abc import Callable
from random import Random

from sfu.config import Config
from sfu.errors import LimitError, ParseError
from sfu.forward.dispatcher import Dispatcher
from sfu.forward.layout import LayoutTable
from sfu.room.feeds import Feed
from sfu.room.handshakes import Handshakes
from sfu.room.identifiers import Identifiers
from sfu.room.peer import Peer
from sfu.room.publisher import Publisher
from sfu.room.routes import RoutingTable
from sfu.room.subscriber import Subscriber
from sfu.timers import Timers, reraise
from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, ReceiveBatch
from sfu.transport.demultiplexer import MIN_SIZE, is_dtls, is_media, is_rtcp, is_stun
from sfu.transport.dtls import Certificate
from sfu.transport.events import (
    TransportClosed,
    TransportConnected,
    TransportEvent,
    TransportFailed,
)
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport
from sfu.wire.rtp import RtpPacket, parse_rtp
from sfu.wire.stun import parse_stun


class Endpoint:
    """Every peer of a worker, driven by `receive_batch`, `handle_timer` and the outbox.

    An address that is not known can become so in one way only: by a STUN check with one of our
    user names and a valid integrity. Everything else from it is dropped without an answer.

    Attributes:
        config: Limits and times.
        certificate: Ours, for all transports.
        identifiers: Source of names and numbers.
        timers: What wants to be called when.
        outbox: What is to be sent.
        wall_offset: Unix seconds less monotonic seconds.
        dropped: Datagrams that were not taken, by reason; those that a living peer counts itself
            are in `drops` alone.
        on_error: Called with what only a bug can raise; the default raises it again, the shell logs
            it.
    """

    def __init__(
        self, *, config: Config, certificate: Certificate, random: Random, wall_offset: float
    ) -> None:
        """No peers yet.

        Args:
            config: Limits and times.
            certificate: Presented in every DTLS handshake.
            random: Source of identifiers and keys; cryptographic outside tests.
            wall_offset: Unix seconds less monotonic seconds.
        """
        self.config = config
        self.certificate = certificate
        self.identifiers = Identifiers(random)
        self.timers = Timers()
        self.timers.on_error = self.report
        self.outbox = Outbox()
        self.wall_offset = wall_offset
        self.dropped: Counter[str] = Counter()
        self.on_error: Callable[[Exception], None] = reraise
        self.packets_received = 0
        self._dispatcher = Dispatcher(self.outbox, self.timers)
        self._layouts = LayoutTable()
        self._routes = RoutingTable()
        self._by_address = self._routes.by_address  # looked at with every packet
        self._handshakes = Handshakes(self.timers, self._contain)
        self._single = ReceiveBatch()

    # -- peers

    @property
    def peers(self) -> list[Peer]:
        """All that are not closed."""
        return list(self._routes)

    @property
    def pending(self) -> int:
        """How many of them have not finished ICE and DTLS."""
        return len(self._handshakes.pending)

    def drops(self) -> Counter[str]:
        """Everything that was not taken, of past peers as well, by reason."""
        total = self.dropped.copy()
        for peer in self._routes:
            total.update(peer.drops())
        return total

    def create_peer(self, name: str, *, now: float) -> Peer:
        """A new peer, whose transport waits for the first check.

        Args:
            name: For logs.
            now: Monotonic seconds.

        Raises:
            LimitError: "server_full": too many handshakes are under way.
        """
        if self.pending >= self.config.max_pending_transports:
            raise LimitError("too many connections are being set up: try again", name="server_full")
        transport = Transport(
            name=name,
            certificate=self.certificate,
            credentials=self.identifiers.ice(),
            outbox=self.outbox,
            timers=self.timers,
            config=self.config,
            on_event=lambda event: self._transport_event(peer, event),
            now=now,
        )
        peer = Peer(
            transport,
            Publisher(
                transport=transport,
                timers=self.timers,
                config=self.config,
                wall_offset=self.wall_offset,
            ),
            Subscriber(
                transport=transport,
                timers=self.timers,
                dispatcher=self._dispatcher,
                layouts=self._layouts,
                identifiers=self.identifiers,
            ),
        )
        self._routes.add(peer)
        self._handshakes.pending.add(peer)
        return peer

    def restart_ice(self, peer: Peer, *, now: float) -> None:
        """New local credentials for the next description; the old ones still route for a while."""
        peer.transport.restart_ice(self.identifiers.ice(), now=now)
        self._routes.route_usernames(peer)

    def close_peer(self, peer: Peer, *, now: float) -> None:
        """Say goodbye to a peer and forget it; nothing happens when that was done."""
        if peer in self._routes:
            peer.transport.close(now=now)
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        self._routes.remove(peer)
        self._handshakes.discard(peer)
        self.dropped.update(peer.drops())
        peer.publisher.close()
        peer.subscriber.close()

    def forget_address(self, address: Address) -> None:
        """An ICE-TCP connection has ended."""
        self._routes.forget_address(address)

    def _transport_event(self, peer: Peer, event: TransportEvent) -> None:
        if isinstance(event, TransportConnected):
            self._handshakes.pending.discard(peer)
        elif isinstance(event, TransportFailed | TransportClosed):
            self._forget(peer)
        peer.handle_event(event)

    # -- driving

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called; None for never."""
        return self.timers.get_timer()

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        self.timers.handle_timer(now=now)
        self._dispatcher.flush(now=now)

    def receive_datagram(self, data: bytes, address: Address, *, now: float) -> None:
        """Take one datagram, by the same path as a batch."""
        self._single.load(((data, address),))
        self.receive_batch(self._single, now=now)

    def receive_batch(self, batch: ReceiveBatch, *, now: float) -> None:
        """Take what the shell received; the batch's memory is decrypted in place.

        Packets are forwarded when the whole batch is read, subscriber by subscriber, so that what
        each of them gets can leave in few messages. Handshakes come last, a few at a time, by a
        timer that is due at once: between any two of its calls the shell reads its sockets.
        """
        arrived: dict[Feed, list[RtpPacket]] = {}
        for slot in range(batch.count):
            try:
                self._receive(batch, slot, arrived, now)
            except Exception as error:
                self._contain(error, self._by_address.get(batch.addresses[slot]), now=now)
        self.packets_received += batch.count
        for feed, packets in arrived.items():
            if feed.gone:  # by a goodbye in the same batch
                continue
            try:
                feed.track.receive(feed.stream, packets, now=now)
                feed.publisher.feedback.after_batch(feed, now=now)
            except Exception as error:
                self._contain(error, self._peer_of(feed), now=now)
        self._dispatcher.flush(now=now)

    def _receive(
        self, batch: ReceiveBatch, slot: int, arrived: dict[Feed, list[RtpPacket]], now: float
    ) -> None:
        """Take the datagram in one slot; media that is to be forwarded goes into `arrived`."""
        length = batch.lengths[slot]
        if length < MIN_SIZE:
            self.dropped["short"] += 1
            return
        view = batch.view
        offset = slot * SLOT_SIZE
        if not is_media(view[offset]):
            data = bytes(view[offset : offset + length])
            self._receive_control(data, batch.addresses[slot], now=now)
            return
        peer = self._by_address.get(batch.addresses[slot])
        if peer is None:
            self.dropped["unknown_address"] += 1
            return
        if is_rtcp(view[offset + 1]):
            peer.receive_rtcp(bytes(view[offset : offset + length]), now=now)
            return
        srtp = peer.transport.srtp
        if srtp is None:
            # A DTLS server sends its first key frame right behind the end of the handshake.
            self._handshakes.catch_up(peer, now=now)
            srtp = peer.transport.srtp
            if srtp is None:
                self.dropped["early_media"] += 1
                return
        length = srtp.unprotect_in_place(batch.pointers[slot], length)
        if length < 0:
            self.dropped["srtp"] += 1
            return
        try:
            packet = parse_rtp(view[offset : offset + length], arrival=now)
        except ParseError:
            self.dropped["rtp"] += 1
            # libsrtp keeps state for this SSRC too.
            srtp.note_remote(int.from_bytes(view[offset + 8 : offset + 12]), ())
            return
        peer.transport.touch(now)
        received = peer.publisher.receive_rtp(packet, now=now)
        if received is not None:
            feed, packet = received
            packets = arrived.get(feed)
            if packets is None:
                arrived[feed] = [packet]
            else:
                packets.append(packet)

    # -- bugs

    def report(self, error: Exception) -> None:
        """Tell the shell of what only a bug can raise."""
        self.on_error(error)

    def _contain(self, error: Exception, peer: Peer | None, *, now: float) -> None:
        """A bug costs one peer, never the others whose packets came in the same batch."""
        self.report(error)
        if peer is not None and peer in self._routes:
            self.close_peer(peer, now=now)
            peer.handle_event(TransportFailed("internal_error"))

    def _peer_of(self, feed: Feed) -> Peer | None:
        return next((p for p in self._routes if p.publisher is feed.publisher), None)

    # -- what is not media

    def _receive_control(self, data: bytes, address: Address, *, now: float) -> None:
        """STUN and DTLS (RFC 7983)."""
        if is_stun(data[0]):
            self._receive_stun(data, address, now=now)
        elif is_dtls(data[0]):
            peer = self._by_address.get(address)
            if peer is None:
                self.dropped["unknown_address"] += 1
            elif peer in self._handshakes.pending:
                if not self._handshakes.defer(peer, data, address, now=now):
                    self.dropped["handshake_queue"] += 1
            else:
                self._handshakes.catch_up(peer, now=now)
                peer.transport.receive_dtls(data, address, now=now)
        else:
            self.dropped["unknown_protocol"] += 1

    def _receive_stun(self, data: bytes, address: Address, *, now: float) -> None:
        try:
            message = parse_stun(data)
        except ParseError:
            self.dropped["stun"] += 1
            return
        # RFC 8445 7.2.2: the receiver's fragment comes first.
        peer = self._routes.by_username.get((message.username or "").partition(":")[0])
        if peer is None:
            self.dropped["unknown_username"] += 1
        elif peer.transport.receive_stun(message, address, now=now):
            if peer in self._routes:
                self._routes.route_address(peer, address)
                if peer.usernames != peer.transport.username_fragments:
                    self._routes.route_usernames(peer)
        else:
            self.dropped["stun_refused"] += 1
