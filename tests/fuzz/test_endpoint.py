"""Invariant: no datagram makes the receive path raise, and none makes state grow without bound.

Strangers send anything. A peer that has passed ICE and DTLS sends anything too, properly encrypted:
what the parsers then read goes through streams, tracks and forwarders.
"""

from random import Random

from sfu.config import Config
from sfu.room.events import SpeakersChanged
from sfu.room.feeds import MAX_STREAMS
from sfu.transport.address import Address
from sfu.wire.parameters import OPUS, RED, VP8
from sfu.wire.rtp import build_rtp
from tests.fuzz.mutate import corpus, mutations
from tests.support.virtual_room import Member, VirtualServer

COUNT = 200_000
AUTHENTIC = 30_000  # encrypted and decrypted each, which takes its time
TURN = 500  # inputs between two looks at the clock
STRANGER = Address("203.0.113.9", 999)


def room() -> tuple[VirtualServer, Member, Member]:
    server = VirtualServer(Config(last_n=1, audio_top_k=1))
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("a", "audio", {111: OPUS, 63: RED}), ("v", "video", {96: VP8}), rtx={97: 96})
    bob.receive(rtx={96: 97})
    return server, alice, bob


def test_datagrams_of_strangers() -> None:
    rng = Random(11)
    server, alice, _ = room()
    seeds = [seed for parser in ("rtp", "rtcp", "stun") for seed in corpus(parser)]
    seeds += [b"\x16\xfe\xfd\x00\x00" + bytes(20), b"\x17\xfe\xfd" + bytes(30)]
    assert alice.publisher
    for number, data in enumerate(mutations(seeds, COUNT, rng)):
        source = STRANGER if number % 2 else alice.publisher.address
        server.endpoint.receive_datagram(data, source, now=server.time.now)
        if number % TURN == 0:
            server.time.run(0.01)
    assert alice.publisher.connected
    assert not [address for address, _ in server.unanswered if address == STRANGER]
    assert STRANGER not in server.endpoint._by_address


def test_authentic_rtp() -> None:
    rng = Random(12)
    server, alice, bob = room()
    client = alice.publisher
    assert client
    seeds = corpus("rtp") + [
        build_rtp(
            payload_type=payload_type,
            sequence_number=rng.randrange(1 << 16),
            timestamp=rng.randrange(1 << 32),
            ssrc=ssrc,
            payload=payload,
            extensions={4: mid, 3: b"\0\1", **extensions},
        )
        for extensions in ({}, {1: b"\x85"}, {1: b""}, {1: bytes(200)})
        for payload_type, ssrc, mid, payload in (
            (96, 1, b"v", b"\x10\x00\x00\x00\x9d\x01\x2a"),
            (97, 2, b"v", b"\x00\x01\x10\x01"),
            (111, 3, b"a", b"opus"),
            (63, 4, b"a", bytes([0x80 | 111, 0, 0, 3, 111]) + b"oldnew"),
        )
    ]
    for number, data in enumerate(mutations(seeds, AUTHENTIC, rng)):
        if 12 <= len(data) <= 1200 and data[0] >> 6 == 2 and not 192 <= data[1] <= 223:
            # libsrtp refuses what its own parser refuses, and what lies behind its window.
            client.try_rtp(data)
        if number % TURN == 0:
            server.time.run(0.01)
    server.time.run(1)
    assert client.connected
    assert len(alice.participant.tracks) == 2
    assert client.peer
    assert len(client.peer.publisher.streams) <= MAX_STREAMS
    assert bob.subscriber
    assert bob.subscriber.received, "some of it is forwarded"
    speakers = bob.heard(SpeakersChanged)
    assert speakers, "levels are among it"
    assert all(0 <= s.level <= 1 for e in speakers for s in e.speakers)  # type: ignore[attr-defined]


def test_authentic_rtcp() -> None:
    rng = Random(13)
    server, alice, bob = room()
    assert alice.publisher
    assert bob.subscriber
    assert bob.subscriber.srtp
    seeds = corpus("rtcp")
    for number, data in enumerate(mutations(seeds, AUTHENTIC, rng)):
        for client in (alice.publisher, bob.subscriber):
            assert client.srtp
            if 8 <= len(data) <= 1200:
                protected = client.srtp.protect_rtcp(data)
                server.endpoint.receive_datagram(protected, client.address, now=server.time.now)
        if number % TURN == 0:
            server.time.run(0.01)
    server.time.run(1)
    assert alice.publisher.connected
    assert bob.subscriber.connected
