"""Handshakes wait: for media, for each other, never for good, and nobody's data for them."""

from itertools import pairwise

import pytest

from sfu.room.handshakes import (
    HANDSHAKES_A_TURN,
    MAX_WAITING,
    MAX_WAITING_OF_PEER,
    HandshakeQueue,
)
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.demultiplexer import is_dtls, is_media
from sfu.transport.dtls import DtlsConnection
from sfu.wire.parameters import OPUS, DtlsRole, IceParameters, TransportParameters
from sfu.wire.rtp import build_rtp
from sfu.wire.stun import binding_request
from tests.support.virtual_room import CERTIFICATES, VirtualServer

ANYWHERE = Address("198.51.100.9", 9)


class Caller:
    """The far end of a peer whose path is chosen: each of its datagrams is a test's to deliver."""

    def __init__(self, server: VirtualServer, number: int, *, role: DtlsRole = "client") -> None:
        now = server.time.now
        self.server = server
        self.address = Address("198.51.100.9", 20000 + number)
        self.received: list[bytes] = []
        self.dtls = DtlsConnection(
            CERTIFICATES[1], role=role, fingerprints=(CERTIFICATES[0].fingerprint(),)
        )
        self.dtls.start(now=now)
        self.peer = server.endpoint.create_peer(f"caller{number}", now=now)
        self.peer.on_data = self.received.append
        self.peer.start(
            TransportParameters(
                ice=IceParameters(f"caller{number}", "password-of-the-caller-side"),
                fingerprints=(CERTIFICATES[1].fingerprint(),),
                dtls_role="server" if role == "client" else "client",
            ),
            now=now,
        )
        ice = self.peer.transport.local_ice
        check = binding_request(
            transaction_id=number.to_bytes(12),
            username=f"{ice.username_fragment}:caller{number}",
            password=ice.password,
            priority=1,
            controlling=1,
            use_candidate=True,
        )
        server.receive(check, self.address)
        self.take()

    def take(self) -> None:
        """Take what the server has sent to us."""
        for address, data in self.server.endpoint.outbox.datagrams():
            if address == self.address and is_dtls(data[0]):
                self.dtls.receive(data, now=self.server.time.now)

    def connect(self, *, but_last: bool = False) -> None:
        """Shake hands, with the last flight still to be delivered if so wished."""
        while self.dtls.state == "handshaking" or not but_last:
            flight = self.dtls.datagrams()
            if not flight:
                break
            for data in flight:
                self.server.receive(data, self.address)
            self.server.endpoint.handle_timer(now=self.server.time.now)
            self.take()

    def send(self, data: bytes) -> list[bytes]:
        """The datagrams of a record of application data, and whatever was to go before it."""
        self.dtls.send(data)
        return self.dtls.datagrams()


def deliver(server: VirtualServer, *datagrams: tuple[bytes, Address]) -> None:
    batch = ReceiveBatch()
    batch.load(datagrams)
    server.endpoint.receive_batch(batch, now=server.time.now)


def hellos(callers: list[Caller]) -> list[tuple[bytes, Address]]:
    return [(data, caller.address) for caller in callers for data in caller.dtls.datagrams()]


def turns(server: VirtualServer) -> list[list[Address]]:
    """Who is answered in each turn, until nothing is due any more."""
    answered = []
    while (when := server.endpoint.get_timer()) is not None and when <= server.time.now:
        server.endpoint.handle_timer(now=server.time.now)
        sent = server.endpoint.outbox.datagrams()
        answered.append(list(dict.fromkeys(address for address, data in sent if is_dtls(data[0]))))
    return answered


def test_media_goes_out_before_the_handshakes_that_came_before_it() -> None:
    server = VirtualServer()
    speaker, viewer = server.join("speaker"), server.join("viewer")
    speaker.publish(("a", "audio", {111: OPUS}))
    viewer.receive()
    assert speaker.publisher
    assert viewer.subscriber
    captured: list[bytes] = []
    speaker.publisher.up.drop = lambda data: not captured.append(data)
    speaker.publisher.send_rtp(
        build_rtp(
            payload_type=111,
            sequence_number=1,
            timestamp=960,
            ssrc=11,
            payload=b"opus",
            extensions={4: b"a"},
        )
    )
    callers = [Caller(server, number) for number in range(20)]
    deliver(server, *hellos(callers), (captured[0], speaker.publisher.address))
    sent = server.endpoint.outbox.datagrams()
    assert [address for address, data in sent if is_media(data[0])] == [viewer.subscriber.address]
    assert not [data for _, data in sent if is_dtls(data[0])]
    assert server.endpoint.get_timer() == server.time.now, "they are due at once"


def test_a_few_handshakes_go_on_in_each_turn_until_all_have() -> None:
    server = VirtualServer()
    callers = [Caller(server, number) for number in range(11)]
    deliver(server, *hellos(callers))
    answered = turns(server)
    assert [len(turn) for turn in answered[:-1]] == [HANDSHAKES_A_TURN] * (len(answered) - 1)
    order = [address for turn in answered for address in turn]
    assert order == [caller.address for caller in callers], "first come, first served"
    assert not server.endpoint.dropped


def test_one_that_sends_a_lot_keeps_out_nobody() -> None:
    server = VirtualServer()
    greedy, modest = Caller(server, 1), Caller(server, 2)
    (hello,) = greedy.dtls.datagrams()
    deliver(server, *[(hello, greedy.address)] * 10, *hellos([modest]))
    assert modest.address in turns(server)[0]


def test_everyone_connects() -> None:
    server = VirtualServer()
    for number in range(3):
        for role in ("client", "server"):
            caller = Caller(server, 2 * number + (role == "client"), role=role)
            caller.connect()
            assert caller.peer.transport.state == "connected"
            (record,) = caller.send(b"hello")
            server.receive(record, caller.address)
            assert caller.received == [b"hello"]


def test_data_of_the_connected_does_not_wait_for_handshakes_of_others() -> None:
    server = VirtualServer()
    early = Caller(server, 100)
    early.connect()
    callers = [Caller(server, number) for number in range(20)]
    (record,) = early.send(b"hello")
    deliver(server, *hellos(callers), (record, early.address))
    assert early.received == [b"hello"]


def test_data_behind_the_end_of_its_own_handshake_keeps_its_place() -> None:
    server = VirtualServer()
    caller = Caller(server, 100, role="server")
    caller.connect(but_last=True)
    last = caller.send(b"first") + caller.send(b"second")
    others = [Caller(server, number) for number in range(20)]
    deliver(server, *[(data, caller.address) for data in last], *hellos(others))
    assert caller.received == [], "the handshake is not done"
    server.endpoint.handle_timer(now=server.time.now)
    assert caller.received == [b"first", b"second"], "and now it waits for nobody else's"
    assert len(server.endpoint._handshakes.queue) == 21 - HANDSHAKES_A_TURN


def test_media_behind_the_end_of_its_handshake_is_not_lost() -> None:
    server = VirtualServer()
    caller = Caller(server, 100, role="server")
    caller.connect(but_last=True)
    srtp = caller.dtls.srtp_session()
    assert srtp is not None
    packet = build_rtp(payload_type=111, sequence_number=1, timestamp=1, ssrc=1, payload=b"key")
    memory = ReceiveBatch()
    memory.load(((packet + bytes(srtp.overhead), ANYWHERE),))
    assert srtp.protect_run(memory.base, 0, (len(packet),))
    last = [(data, caller.address) for data in caller.dtls.datagrams()]
    deliver(server, *last, (memory.datagram(0), caller.address))
    assert caller.peer.transport.state == "connected"
    assert not server.endpoint.dropped


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    server = VirtualServer()
    caller = Caller(server, 1)
    (hello,) = caller.dtls.datagrams()
    deliver(server, *[(hello, caller.address)] * (MAX_WAITING_OF_PEER + 3))
    assert server.endpoint.dropped == {"handshake_queue": 3}
    turns(server)
    deliver(server, (hello, caller.address))
    assert server.endpoint.dropped == {"handshake_queue": 3}, "there is room again"


def test_a_peer_that_ends_takes_along_what_waits_of_it() -> None:
    server = VirtualServer()
    callers = [Caller(server, number) for number in range(3)]
    deliver(server, *hellos(callers))
    for caller in callers:
        server.endpoint.close_peer(caller.peer, now=server.time.now)
    assert len(server.endpoint._handshakes.queue) == 0
    assert turns(server) == [[]]


def test_a_bug_in_a_handshake_ends_that_peer_alone() -> None:
    server = VirtualServer()
    errors: list[Exception] = []
    server.endpoint.on_error = errors.append
    broken, sound = Caller(server, 1), Caller(server, 2)

    def fail(data: bytes, address: Address, *, now: float) -> None:
        raise RuntimeError("a bug")

    broken.peer.transport.receive_dtls = fail  # type: ignore[method-assign]
    deliver(server, *hellos([broken, sound]))
    assert turns(server) == [[sound.address]]
    assert [str(error) for error in errors] == ["a bug"]
    assert broken.peer not in server.endpoint.peers


# -- the queue by itself


def test_the_queue_is_bounded_in_all() -> None:
    server, queue = VirtualServer(), HandshakeQueue()
    peers = [
        server.endpoint.create_peer("x", now=server.time.now)
        for _ in range(MAX_WAITING // MAX_WAITING_OF_PEER + 1)
    ]
    fitted = sum(
        queue.add(peer, b"hello", ANYWHERE) for peer in peers for _ in range(MAX_WAITING_OF_PEER)
    )
    assert fitted == len(queue) == MAX_WAITING
    queue.discard(peers[0])
    assert len(queue) == MAX_WAITING - MAX_WAITING_OF_PEER
    assert peers[0] not in queue
    assert queue.add(peers[-1], b"hello", ANYWHERE)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_peers_take_turns_and_keep_their_own_order(count: int) -> None:
    server, queue = VirtualServer(), HandshakeQueue()
    peers = [server.endpoint.create_peer("x", now=server.time.now) for _ in range(count)]
    for peer in peers:
        for number in range(4):
            assert queue.add(peer, bytes([number]), ANYWHERE)
    taken = []
    while (peer := queue.next_peer()) is not None:
        waiting = queue.take(peer)
        assert waiting is not None
        taken.append((peers.index(peer), waiting.data[0]))
    assert taken == [(index, number) for number in range(4) for index in range(count)]
    assert all(first[1] <= second[1] for first, second in pairwise(taken))
    assert len(queue) == 0
    assert queue.take(peers[0]) is None
