"""Who gets in, who stays in, and what a stranger can cause: nothing."""

from random import Random

import pytest

from sfu.config import Config
from sfu.errors import LimitError, RemoteError
from sfu.room.events import MediaStateChanged, ParticipantLeft
from sfu.transport.address import Address
from sfu.transport.dtls import Certificate
from sfu.wire.extensions import ONE_BYTE_PROFILE, TWO_BYTE_PROFILE
from sfu.wire.parameters import OPUS, VP8, IceParameters, TransportParameters
from sfu.wire.rtp import build_rtp
from sfu.wire.stun import binding_request
from tests.support.virtual_room import (
    CERTIFICATES,
    Sender,
    VirtualClient,
    VirtualServer,
)

STRANGER = Address("203.0.113.66", 4444)


@pytest.mark.parametrize("seed", range(8))
def test_a_peer_connects_through_twenty_percent_loss_doubling_and_reordering(seed: int) -> None:
    server = VirtualServer()
    alice = server.join("alice")
    alice.publish(
        ("a", "audio", {111: OPUS}), seed=seed, loss=0.2, duplicate=0.1, reorder=0.1, jitter=0.03
    )
    assert alice.publisher
    assert alice.publisher.connected
    assert [e.state for e in alice.heard(MediaStateChanged)] == ["connected"]


@pytest.mark.parametrize("flight", range(4))
def test_a_peer_connects_when_a_whole_handshake_flight_is_lost(flight: int) -> None:
    server = VirtualServer()
    peer = server.endpoint.create_peer("x", now=server.time.now)
    client = VirtualClient(server, seed=3)
    seen = 0

    def drop(data: bytes) -> bool:
        nonlocal seen
        if 20 <= data[0] <= 63:
            seen += 1
            return seen - 1 == flight
        return False

    client.down.drop = drop
    client.connect(peer)
    assert server.time.run(20, until=lambda: client.connected)


def test_an_ice_restart_keeps_the_association_and_the_media() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}))
    client = bob.receive()
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    for _ in range(30):
        sender.frame()
        server.time.run(0.033)
    assert alice.publisher.peer
    old = alice.publisher.peer.transport.local_ice
    srtp = alice.publisher.peer.transport.srtp
    alice.publisher.restart_ice()
    alice.publisher.move()
    before = len(client.received)
    assert old.username_fragment in alice.publisher.peer.usernames, "old names route for a while"
    for _ in range(30):
        sender.frame()
        server.time.run(0.033)
    assert len(client.received) > before + 60
    assert alice.publisher.peer.transport.srtp is srtp, "the same keys: no new handshake"
    assert alice.publisher.peer.transport.local_ice != old
    server.time.run(20)
    assert old.username_fragment not in alice.publisher.peer.usernames


def test_a_peer_whose_address_changes_goes_on_after_its_next_check() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}))
    client = bob.receive()
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    client.move()
    for _ in range(200):
        sender.frame()
        server.time.run(0.033)
    assert client.peer
    assert client.peer.transport.address == client.address
    assert client.received[-1].arrival > server.time.now - 0.1


def test_a_stranger_gets_no_answer_and_makes_no_state() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    alice.publish(("a", "audio", {111: OPUS}))
    assert alice.publisher
    assert alice.publisher.remote_ice
    ice = alice.publisher.remote_ice
    random = Random(9)
    knocks = [
        random.randbytes(40),
        build_rtp(payload_type=0, sequence_number=0, timestamp=0, ssrc=1, payload=b"x" * 100),
        b"\x16\xfe\xfd" + random.randbytes(100),  # a DTLS handshake record
        binding_request(
            transaction_id=random.randbytes(12),
            username=f"{ice.username_fragment}:x",
            password="wrong",
            priority=1,
            controlling=1,
            use_candidate=True,
        ),
        binding_request(
            transaction_id=random.randbytes(12),
            username="nobody:x",
            password=ice.password,
            priority=1,
            controlling=1,
        ),
    ]
    addresses = dict(server.endpoint._by_address)
    for data in knocks:
        server.receive(data, STRANGER)
        server.time.step()
    assert server.unanswered == []
    assert server.endpoint._by_address == addresses
    assert sum(server.endpoint.dropped.values()) == len(knocks)


def test_a_changed_certificate_is_refused() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    alice.publish(("a", "audio", {111: OPUS}))
    assert alice.publisher
    assert alice.publisher.peer
    other = TransportParameters(
        ice=IceParameters("other", "other-password-of-the-client"),
        fingerprints=(Certificate.generate().fingerprint(),),
        dtls_role="server",
    )
    with pytest.raises(RemoteError, match="certificate"):
        alice.publisher.peer.start(other, now=server.time.now)


def test_a_peer_with_another_certificate_than_it_told_fails_and_is_forgotten() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    now = server.time.now
    peer = server.endpoint.create_peer("x", now=now)
    alice.participant.set_peer("publisher", peer, now=now)
    client = VirtualClient(server, seed=5)
    lie = Certificate.generate().fingerprint()
    client.parameters = lambda: TransportParameters(  # type: ignore[method-assign]
        ice=client.ice, fingerprints=(lie,), dtls_role="server"
    )
    client.connect(peer)
    server.time.run(5)
    (event,) = alice.heard(MediaStateChanged)
    assert (event.target, event.state, event.reason) == (
        "publisher",
        "failed",
        "fingerprint_mismatch",
    )
    assert peer not in server.endpoint.peers
    assert CERTIFICATES[1].fingerprint() != lie


def test_a_silent_peer_is_taken_as_gone_after_the_media_timeout() -> None:
    server = VirtualServer(Config(media_timeout=10.0))
    alice = server.join("alice")
    alice.publish(("a", "audio", {111: OPUS}))
    assert alice.publisher
    assert alice.publisher.peer
    alice.publisher.up.loss = 1.0
    server.time.run(9)
    assert alice.publisher.peer in server.endpoint.peers
    server.time.run(3)
    assert alice.publisher.peer not in server.endpoint.peers
    assert [(e.state, e.reason) for e in alice.heard(MediaStateChanged)] == [
        ("connected", ""),
        ("failed", "media_timeout"),
    ]


def test_handshakes_under_way_are_bounded() -> None:
    server = VirtualServer(Config(max_pending_transports=3))
    for _ in range(3):
        server.endpoint.create_peer("x", now=server.time.now)
    with pytest.raises(LimitError) as refusal:
        server.endpoint.create_peer("x", now=server.time.now)
    assert refusal.value.name == "server_full"


def test_a_closed_peer_leaves_nothing_behind() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}))
    bob.receive()
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    for _ in range(30):
        sender.frame()
        server.time.run(0.033)
    alice.participant.leave(now=server.time.now)
    bob.participant.leave(now=server.time.now)
    assert bob.heard(ParticipantLeft)
    endpoint = server.endpoint
    assert not endpoint.peers
    assert not endpoint._by_address
    assert not endpoint._routes.by_username
    assert not endpoint.pending
    server.time.run(60)
    assert len(server.rooms) == 0, "an empty room closes"
    assert endpoint.get_timer() is None, "nothing wants to be woken any more"


def test_datagrams_of_known_peers_may_be_garbage() -> None:
    server = VirtualServer()
    alice = server.join("alice")
    alice.publish(("v", "video", {96: VP8}))
    assert alice.publisher
    random = Random(1)
    for _ in range(20000):
        first = random.choice((0, 1, 20, 22, 40, 63, 64, 128, 144, 191, 200))
        data = bytes([first]) + random.randbytes(random.randrange(0, 200))
        server.receive(data, alice.publisher.address)
    server.time.step()
    assert alice.publisher.connected
    assert alice.publisher.peer in server.endpoint.peers


@pytest.mark.parametrize(
    ("profile", "elements"),
    [
        (ONE_BYTE_PROFILE, b"\x4f\x00\x00\x00"),  # id 4, 16 bytes
        (TWO_BYTE_PROFILE, b"\x04\xff\x00\x00"),  # id 4, 255 bytes
    ],
)
def test_authentic_rtp_with_a_forged_extension_length_is_counted_and_dropped(
    profile: int, elements: bytes
) -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}))
    client = bob.receive()
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    sender.frame(key=True)
    server.time.run(0.1)
    received = len(client.received)
    forged = bytearray(
        build_rtp(payload_type=96, sequence_number=3, timestamp=0, ssrc=1, payload=b"forged")
    )
    forged[0] |= 0x10  # RFC 3550 5.1: X, a header extension follows
    forged[12:12] = profile.to_bytes(2) + (1).to_bytes(2) + elements
    alice.publisher.send_rtp(bytes(forged))  # libsrtp looks at the length of the whole block alone
    server.time.run(0.1)
    assert server.endpoint.dropped["rtp"] == 1
    assert len(client.received) == received
    sender.frame()
    server.time.run(0.1)
    assert server.endpoint.dropped["rtp"] == 1
    assert len(client.received) > received, "it goes on"
