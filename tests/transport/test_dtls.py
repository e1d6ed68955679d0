import contextlib
import datetime
import itertools
import weakref
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL, crypto

from sfu.transport.address import Address
from sfu.transport.dtls import (
    MAX_DATAGRAM_SIZE,
    MAX_RECORD_SIZE,
    Certificate,
    DtlsConnection,
    certificate_fingerprint,
    fingerprints_match,
    split_datagrams,
)
from sfu.transport.srtp import PROFILES
from sfu.wire.parameters import DtlsRole, Fingerprint
from tests.support.link import Link, VirtualTime
from tests.transport.test_dtls_records import cut

CERTIFICATES = (Certificate.generate(), Certificate.generate())
ADDRESS = Address("192.0.2.1", 1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Pair:
    """A client and a server over two links."""

    def __init__(self, *, seed: int = 0, **conditions: float) -> None:
        self.time = VirtualTime()
        first, second = CERTIFICATES
        self.client = DtlsConnection(first, role="client", fingerprints=[second.fingerprint()])
        self.server = DtlsConnection(second, role="server", fingerprints=[first.fingerprint()])
        self.received: dict[str, list[bytes]] = {"client": [], "server": []}
        self.up = Link(self.time, self._deliver(self.server), seed=2 * seed, **conditions)
        self.down = Link(self.time, self._deliver(self.client), seed=2 * seed + 1, **conditions)
        self.time.on_step.append(self._flush)
        for end in (self.client, self.server):
            self.time.drive(end)
            end.start(now=self.time.now)

    def _deliver(self, end: DtlsConnection):
        return lambda data, _: self.received[end.role].extend(end.receive(data, now=self.time.now))

    def _flush(self) -> None:
        for end, link in ((self.client, self.up), (self.server, self.down)):
            for datagram in end.datagrams():
                assert len(datagram) <= MAX_DATAGRAM_SIZE
                link.send(datagram, ADDRESS)

    def connected(self) -> bool:
        return self.client.state == self.server.state == "connected"

    def connect(self) -> "Pair":
        assert self.time.run(60, until=self.connected)
        return self


def assert_same_keys(client: DtlsConnection, server: DtlsConnection) -> None:
    there, back = client.srtp_session(), server.srtp_session()
    assert there is not None
    assert back is not None
    report = bytes([0x80, 201, 0, 1, 0, 0, 0, 1])
    assert back.unprotect_rtcp(there.protect_rtcp(report)) == report
    assert there.unprotect_rtcp(back.protect_rtcp(report)) == report


@pytest.fixture(params=["ours", "openssl"])
def records(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who protects records after the handshake; OpenSSL where it has negotiated what we lack."""
    if request.param == "openssl":
        monkeypatch.setattr("sfu.transport.dtls.SUITES", {})


def test_handshake_in_two_round_trips_without_retransmission() -> None:
    pair = Pair().connect()
    assert pair.time.now == pytest.approx(1000 + 4 * 0.02)
    assert (pair.up.sent, pair.down.sent) == (2, 2)
    assert pair.client.get_timer() is pair.server.get_timer() is None
    assert_same_keys(pair.client, pair.server)
    session = pair.client.srtp_session()
    assert session is not None
    assert session.profile is PROFILES[0]


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
def test_handshake_succeeds_on_a_bad_network(loss: float) -> None:
    for seed in range(60):
        pair = Pair(seed=seed, loss=loss, jitter=0.02, reorder=0.1, duplicate=0.1).connect()
        assert_same_keys(pair.client, pair.server)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    ("lost_up", "lost_down"),
    [*itertools.product(([], [0], [1]), ([], [0], [1])), ([0, 1, 2], [0, 1, 2]), ([], [1, 2, 3])],
)
def test_every_lost_flight_is_repeated(lost_up: list[int], lost_down: list[int]) -> None:
    pair = Pair()
    pair.up.drop = lambda data: pair.up.sent - 1 in lost_up
    pair.down.drop = lambda data: pair.down.sent - 1 in lost_down
    pair.connect()
    assert_same_keys(pair.client, pair.server)


def test_retransmission_backs_off() -> None:
    pair = Pair(loss=1.0)
    times = []
    while pair.time.now < 1010:
        timer = pair.client.get_timer()
        assert timer is not None
        times.append(timer)
        pair.time.run(timer - pair.time.now + 0.001)
    gaps = [round(b - a, 3) for a, b in itertools.pairwise([1000.0, *times])]
    assert gaps == [0.25, 0.5, 1.0, *[2.0] * 5]


def test_no_timer_before_the_clients_hello() -> None:
    pair = Pair(loss=1.0)
    assert pair.server.get_timer() is None
    pair.server.handle_timer(now=pair.time.now + 100)
    assert pair.server.datagrams() == []


@pytest.mark.usefixtures("records")
def test_application_data_both_ways() -> None:
    pair = Pair().connect()
    pair.client.send(b"up")
    pair.server.send(b"down" * 300)
    pair.time.on_step.clear()
    for datagram in pair.client.datagrams():
        pair.received["server"] += pair.server.receive(datagram, now=0)
    for datagram in pair.server.datagrams():
        pair.received["client"] += pair.client.receive(datagram, now=0)
    assert pair.received["server"] == [b"up"]
    assert pair.received["client"] == [b"down" * 300]


@pytest.mark.usefixtures("records")
def test_data_that_overtakes_the_last_flight_does_no_harm() -> None:
    pair = Pair()
    pair.down.drop = lambda data: pair.down.sent == 2  # change cipher spec, finished
    assert pair.time.run(1, until=lambda: pair.server.state == "connected")
    pair.server.send(b"early")
    pair.connect()
    pair.server.send(b"later")
    pair.time.run(1)
    assert pair.received["client"] in ([b"later"], [b"early", b"later"])


@pytest.mark.usefixtures("records")
def test_close_notify_ends_the_other_end() -> None:
    pair = Pair().connect()
    pair.client.close()
    assert (pair.client.state, pair.client.reason) == ("closed", "closed")
    pair.time.run(1)
    assert (pair.server.state, pair.server.reason) == ("closed", "closed_by_peer")
    assert pair.server.receive(b"\x17" * 50, now=0) == []
    pair.server.close()


def test_a_fatal_alert_closes_and_a_warning_does_not() -> None:
    pair = Pair().connect()
    records = pair.client._records
    assert records is not None
    no_renegotiation, internal_error = b"\x01\x64", b"\x02\x50"
    pair.server.receive(records.seal(21, no_renegotiation), now=0)
    assert pair.server.state == "connected"
    pair.server.receive(records.seal(21, internal_error), now=0)
    assert (pair.server.state, pair.server.reason) == ("closed", "closed_by_peer")


def test_after_the_handshake_openssl_is_let_go() -> None:
    pair = Pair()
    connections = [weakref.ref(end._ssl) for end in (pair.client, pair.server) if end._ssl]
    assert [connection() is None for connection in connections] == [False, False]
    pair.connect()
    assert [connection() is None for connection in connections] == [True, True]


@pytest.mark.parametrize("role", ["client", "server"])
def test_no_record_number_or_nonce_is_used_twice(role: str) -> None:
    for seed in range(10):
        pair = Pair()
        chance = Random(seed).random
        sent: dict[str, list[bytes]] = {"client": [], "server": []}
        for one, link in (("client", pair.up), ("server", pair.down)):
            note = sent[one].append
            link.drop = lambda data, note=note, chance=chance: bool(note(data)) or chance() < 0.3
        end = pair.client if role == "client" else pair.server
        pair.connect()
        for number in range(3):
            end.send(b"data %d" % number)
        end.close()
        pair.time.run(1)
        protected = {
            record for data in sent[role] for record in cut(data) if record[3:5] == b"\0\1"
        }
        assert len(protected) >= 5  # what differs is not a copy
        assert len({record[5:11] for record in protected}) == len(protected)
        assert len({record[13:21] for record in protected}) == len(protected)


def test_close_during_the_handshake_sends_nothing() -> None:
    pair = Pair()
    pair.client.datagrams()
    pair.client.close()
    assert pair.client.datagrams() == []
    assert pair.client.get_timer() is None


@pytest.mark.parametrize("role", ["client", "server"])
def test_wrong_certificate_fails_the_end_that_sees_it(role: str) -> None:
    pair = Pair()
    end = pair.client if role == "client" else pair.server
    wrong = Certificate.generate().fingerprint()
    end._fingerprints = (wrong,)
    pair.time.run(5)
    assert (end.state, end.reason) == ("failed", "fingerprint_mismatch")
    assert end.get_timer() is None
    if role == "server":
        assert pair.client.state == "handshaking"  # it got no Finished


@pytest.mark.usefixtures("records")
def test_no_answer_is_longer_than_a_repeated_flight() -> None:
    pair = Pair().connect()
    for first in range(256):
        for length in (1, 13, 60):
            pair.server.receive(bytes([first]) * length, now=pair.time.now)
            assert sum(map(len, pair.server.datagrams())) <= length
    assert pair.connected()


@pytest.mark.usefixtures("records")
def test_junk_does_not_hurt_the_handshake_or_the_connection() -> None:
    pair = Pair()
    pair.down.deliver = lambda data, _: [
        pair.client.receive(junk, now=pair.time.now)
        for junk in (b"\x16", b"\x16\xfe\xfd", bytes(1200), b"\x3f" * 100, data)
    ]
    pair.connect()
    for junk in (b"", b"\x16", bytes(13), b"\x17\xfe\xfd\x00\x01" + bytes(40), b"\x15" * 1200):
        assert pair.client.receive(junk, now=0) == []
        assert pair.server.receive(junk, now=0) == []
    pair.client.send(b"alive")
    (datagram,) = pair.client.datagrams()
    assert pair.server.receive(datagram, now=0) == [b"alive"]


def openssl_peer(
    key: PrivateKey, profiles: bytes, ciphers: bytes = b""
) -> tuple[SSL.Connection, Fingerprint]:
    """A peer as FFmpeg and GStreamer build it, straight on OpenSSL."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lavf")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    if ciphers:
        context.set_cipher_list(ciphers)
    if profiles:
        context.set_tlsext_use_srtp(profiles)
    connection = SSL.Connection(context)
    connection.set_ciphertext_mtu(1200)
    return connection, certificate_fingerprint(
        crypto.X509.from_cryptography(certificate), "sha-256"
    )


def shake_hands(end: DtlsConnection, peer: SSL.Connection) -> None:
    end.start(now=0)
    for _ in range(10):
        with contextlib.suppress(SSL.WantReadError):
            peer.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            end.receive(peer.bio_read(65536), now=0)
        for datagram in end.datagrams():
            peer.bio_write(datagram)


KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-384": ec.generate_private_key(ec.SECP384R1()),
}


@pytest.mark.parametrize("profile", [profile.name for profile in PROFILES])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("role", ["client", "server"])
def test_plain_openssl_peers(role: DtlsRole, key: str, profile: bytes) -> None:
    peer, fingerprint = openssl_peer(KEYS[key], profile)
    if role == "client":
        peer.set_accept_state()
    else:
        peer.set_connect_state()
    end = DtlsConnection(CERTIFICATES[0], role=role, fingerprints=[fingerprint])
    shake_hands(end, peer)
    assert end.state == "connected"
    session = end.srtp_session()
    assert session is not None
    assert session.profile.name == profile


@pytest.mark.parametrize("closes", ["we", "they"])
@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
@pytest.mark.parametrize(
    ("role", "key"), [("server", "p-256"), ("client", "p-256"), ("client", "rsa")]
)
def test_openssl_understands_our_records(
    role: DtlsRole, key: str, cipher: str, closes: str
) -> None:
    suite = f"ECDHE-{'RSA' if key == 'rsa' else 'ECDSA'}-{cipher}"
    peer, fingerprint = openssl_peer(KEYS[key], PROFILES[0].name, suite.encode())
    if role == "client":
        peer.set_accept_state()
    else:
        peer.set_connect_state()
    end = DtlsConnection(CERTIFICATES[0], role=role, fingerprints=[fingerprint])
    shake_hands(end, peer)
    assert peer.get_cipher_name() == suite
    assert end._ssl is None
    for data in (b"a", b"data" * 250, bytes(MAX_RECORD_SIZE)):
        end.send(data)
        (datagram,) = end.datagrams()
        peer.bio_write(datagram)
        assert peer.recv(65536) == data
        peer.send(data)
        datagram = peer.bio_read(65536)
        assert end.receive(datagram, now=0) == [data]
        assert end.receive(datagram, now=0) == []
    if closes == "we":
        end.close()
        (datagram,) = end.datagrams()
        peer.bio_write(datagram)
        with pytest.raises(SSL.ZeroReturnError):
            peer.recv(65536)
    else:
        peer.shutdown()
        end.receive(peer.bio_read(65536), now=0)
        assert (end.state, end.reason) == ("closed", "closed_by_peer")


def test_peer_without_srtp_gives_no_session() -> None:
    peer, fingerprint = openssl_peer(KEYS["p-256"], b"")
    peer.set_accept_state()
    end = DtlsConnection(CERTIFICATES[0], role="client", fingerprints=[fingerprint])
    shake_hands(end, peer)
    assert end.state == "connected"
    assert end.srtp_session() is None


def test_peer_of_another_version_fails_with_an_alert() -> None:
    peer, fingerprint = openssl_peer(KEYS["p-256"], PROFILES[0].name)
    peer.set_connect_state()
    end = DtlsConnection(CERTIFICATES[0], role="server", fingerprints=[fingerprint])
    with contextlib.suppress(SSL.WantReadError):
        peer.do_handshake()
    hello = bytearray(peer.bio_read(65536))
    hello[25:27] = b"\xfe\xff"  # client_version: DTLS 1.0
    end.receive(bytes(hello), now=0)
    assert (end.state, end.reason) == ("failed", "handshake_failed")
    (alert,) = end.datagrams()
    assert alert[0] == 21
    assert len(alert) < len(hello)


def test_fingerprints_of_all_known_algorithms_must_match() -> None:
    certificate = crypto.X509.from_cryptography(CERTIFICATES[0]._certificate)
    sha256, sha384, sha512 = (
        certificate_fingerprint(certificate, name) for name in ("sha-256", "sha-384", "sha-512")
    )
    lower = Fingerprint("SHA-256", sha256.value.lower())
    sha1 = Fingerprint("sha-1", certificate.digest("sha1").decode())
    wrong = Fingerprint("sha-512", sha512.value.replace("A", "B"))
    assert CERTIFICATES[0].fingerprint() == sha256
    digest = CERTIFICATES[0]._certificate.fingerprint(hashes.SHA256())
    assert sha256.value == digest.hex(":").upper()
    for told in ([sha256], [sha384], [sha512], [sha256, sha512, sha1], [lower]):
        assert fingerprints_match(certificate, told)
    for told in ([], [sha1], [sha256, wrong], [wrong], [Fingerprint("sha-256", "\u00e9")]):
        assert not fingerprints_match(certificate, told)


def record(size: int) -> bytes:
    return b"\x16\xfe\xfd" + bytes(8) + (size - 13).to_bytes(2) + bytes(size - 13)


@pytest.mark.parametrize(
    ("sizes", "datagrams"),
    [
        ([], []),
        ([13], [13]),
        ([600, 600], [1200]),
        ([600, 601], [600, 601]),
        ([100, 1200, 100, 100], [100, 1200, 200]),
        ([1300, 20], [1300, 20]),
    ],
)
def test_records_are_packed_into_datagrams(sizes: list[int], datagrams: list[int]) -> None:
    records = b"".join(map(record, sizes))
    packed = split_datagrams(records)
    assert [len(datagram) for datagram in packed] == datagrams
    assert b"".join(packed) == records


def test_records_of_1_3_are_told_apart_by_their_unified_header() -> None:
    # RFC 9147 4: S (two bytes of sequence number) and L (a length) vary.
    long = b"\x2e\x00\x01" + (700).to_bytes(2) + bytes(700)
    short = b"\x26\x01" + (700).to_bytes(2) + bytes(700)
    last = b"\x22\x01" + bytes(40)
    packed = split_datagrams(long + short + last)
    assert packed == [long, short + last]
