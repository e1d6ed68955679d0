"""DTLS from 1.2 on (RFC 6347, RFC 9147) with SRTP keying (RFC 5764), through memory BIOs.

OpenSSL retransmits by the real clock, which a sans-IO core does not have. So the last flight is
kept here and sent again by our timer, in the bytes that OpenSSL made. A receiver takes such records
as it takes any datagram that the network duplicated: what was lost fills the gap, the rest are
replays. That alone does not help a client whose server has finished and sees nothing but replays:

- our server, once finished, answers a repeated flight with its own last flight;
- where OpenSSL finds its own timer expired too (1 s, 2 s, … of real time), the retransmission that
  it makes has new record numbers, and goes out in the place of our copy.

When the handshake is done, its keys go to our own `RecordLayer`, and OpenSSL's connection with its
80 KB goes. It stays where it has negotiated what we do not know: a newer version than 1.2.
"""

import datetime
import hmac
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from sfu.transport.dtls_records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLOSE_NOTIFY,
    FATAL,
    HANDSHAKE,
    MAX_RECORD_SIZE,
    RECORD_HEADER_SIZE,
    SUITES,
    RecordLayer,
    write_keys,
)
from sfu.transport.srtp import PROFILES, SrtpProfile, SrtpSession, find_profile
from sfu.wire.parameters import DtlsRole, Fingerprint

MAX_DATAGRAM_SIZE = 1200  # bytes; passes every path that WebRTC media passes (RFC 8831 5)
RETRANSMIT_INITIAL = 0.25  # s; over most round trips, and a quarter of RFC 6347 4.2.4.1's 1 s,
# because a person waits for the picture
RETRANSMIT_MAX = 2.0  # s

# RFC 8827 6.5 wants the first one. The RSA ones are for peers with RSA certificates, to which we
# are the client.
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
DTLS_1_2 = 0xFEFD  # the least; the newest is whatever OpenSSL has

_DIGESTS = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}


def certificate_fingerprint(certificate: crypto.X509, algorithm: str) -> Fingerprint:
    """Hash a certificate (RFC 8122 5) with "sha-256", "sha-384" or "sha-512"."""
    return Fingerprint(algorithm, certificate.digest(_DIGESTS[algorithm]).decode())


def fingerprints_match(certificate: crypto.X509, told: Sequence[Fingerprint]) -> bool:
    """Whether the certificate is the one that the peer's description told of.

    At least one of an algorithm that we know (SHA-1 is not one), and all of those, must match.
    Only the bytes of the certificate matter: nothing in it is parsed.
    """
    known = [fingerprint for fingerprint in told if fingerprint.algorithm.lower() in _DIGESTS]
    matches = [
        hmac.compare_digest(
            certificate_fingerprint(certificate, fingerprint.algorithm.lower()).value.encode(),
            fingerprint.value.upper().encode(),
        )
        for fingerprint in known
    ]
    return bool(matches) and all(matches)


class Certificate:
    """The key and self-signed certificate that identify this server to its peers.

    Args:
        key: Private key.
        certificate: Certificate of its public key.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._certificate = certificate
        self.context = _context(key, certificate)

    @classmethod
    def generate(cls) -> "Certificate":
        """Make a new key (P-256, RFC 8827 6.5) and certificate, from OpenSSL's random source.

        Peers know the certificate by its hash and look at no date in it, so that it needs no clock:
        it ends at the time that RFC 5280 4.1.2.5 gives for "no well-defined expiration date".
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "aiosfu")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
            .not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC))
        )
        return cls(key, builder.sign(key, hashes.SHA256()))

    def fingerprint(self) -> Fingerprint:
        """Its SHA-256 hash, for our session descriptions."""
        return certificate_fingerprint(crypto.X509.from_cryptography(self._certificate), "sha-256")


def _context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(DTLS_1_2)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_QUERY_MTU)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Whoever holds the key of the certificate is let through here; `fingerprints_match` decides.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
    return context


def split_datagrams(records: bytes, max_size: int = MAX_DATAGRAM_SIZE) -> list[bytes]:
    """Pack DTLS records into datagrams: as many in each as fit, none of them cut."""
    datagrams = []
    start = end = 0
    while end < len(records):
        size = _record_size(records, end)
        if start < end and end + size - start > max_size:
            datagrams.append(records[start:end])
            start = end
        end += size
    if start < end:
        datagrams.append(records[start:end])
    return datagrams


def _record_size(records: bytes, start: int) -> int:
    """Bytes of the record that begins at `start`."""
    first = records[start]
    if first & 0xE0 != 0x20:
        return RECORD_HEADER_SIZE + int.from_bytes(records[start + 11 : start + 13])
    # RFC 9147 4: the unified header of 1.3 has one or two bytes of sequence number, and a length
    # unless the record is the last of its datagram. Connection ids are not negotiated.
    header = 3 if first & 0x08 else 2
    if not first & 0x04:
        return len(records) - start
    return header + 2 + int.from_bytes(records[start + header : start + header + 2])


class DtlsConnection:
    """One DTLS association, without a socket.

    Feed it with `start`, `receive` and `handle_timer`; after each, send what `datagrams` returns
    and look at `state`.

    Args:
        certificate: Ours.
        role: Ours; the client begins.
        fingerprints: What the peer's description told of its certificate.

    Attributes:
        role: As given.
        state: "connected" once the handshake is done and the peer is who it should be; "failed"
            and "closed" are final.
        reason: Why it failed or closed: the `reason` of the transport's event.
    """

    def __init__(
        self, certificate: Certificate, *, role: DtlsRole, fingerprints: Sequence[Fingerprint]
    ) -> None:
        self.role = role
        self.state: Literal["handshaking", "connected", "failed", "closed"] = "handshaking"
        self.reason = ""
        self._fingerprints = tuple(fingerprints)
        ssl = SSL.Connection(certificate.context)
        ssl.set_ciphertext_mtu(MAX_DATAGRAM_SIZE)
        if role == "client":
            ssl.set_connect_state()
        else:
            ssl.set_accept_state()
        self._ssl: SSL.Connection | None = ssl
        self._records: RecordLayer | None = None  # in the place of `_ssl`
        self._srtp: tuple[SrtpProfile, bytes] | None = None
        self._flight: list[bytes] = []
        self._outgoing: list[bytes] = []
        self._interval = RETRANSMIT_INITIAL
        self._retransmit_at: float | None = None

    def start(self, *, now: float) -> None:
        """Begin the handshake, where that is on us."""
        if self.role == "client":
            self._handshake(now)

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Take one datagram from the peer; returns the application data in it, decrypted."""
        if self.state in ("failed", "closed") or not data:
            return []
        if self._ssl is not None:
            self._ssl.bio_write(data)
        if self.state == "handshaking":
            self._handshake(now)
            return self._read(data)
        application_data = self._read(data)
        self._outgoing += self._drain() or self._repeated_flight(data)
        return application_data

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called; None for never."""
        return self._retransmit_at

    def handle_timer(self, *, now: float) -> None:
        """Send the last flight again, if it is time."""
        if self._retransmit_at is None or now < self._retransmit_at:
            return
        assert self._ssl is not None
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self._end("failed", "handshake_failed")
            return
        self._flight = self._drain() or self._flight
        self._outgoing += self._flight
        self._interval = min(2 * self._interval, RETRANSMIT_MAX)
        self._retransmit_at = now + self._interval

    def datagrams(self) -> list[bytes]:
        """Take what is to be sent to the peer."""
        outgoing = self._outgoing
        self._outgoing = []
        return outgoing

    def send(self, data: bytes) -> None:
        """Send one record of application data, 1 to `MAX_RECORD_SIZE` bytes, once connected."""
        assert self.state == "connected"
        assert 0 < len(data) <= MAX_RECORD_SIZE
        if self._records is not None:
            self._outgoing.append(self._records.seal(APPLICATION_DATA, data))
        elif self._ssl is not None:
            self._ssl.send(data)
            self._outgoing += self._drain()

    def close(self) -> None:
        """End the association, telling the peer where it can be told (close_notify)."""
        if self.state == "connected":
            if self._records is not None:
                self._outgoing.append(self._records.seal(ALERT, CLOSE_NOTIFY))
            elif self._ssl is not None:
                with suppress(SSL.Error):  # the peer will notice by its timeout
                    self._ssl.shutdown()
                self._outgoing += self._drain()
        self._end("closed", "closed")

    def srtp_session(self) -> SrtpSession | None:
        """Make the SRTP session of this association; None if no profile was negotiated."""
        assert self.state == "connected"
        if self._srtp is None:
            return None
        profile, material = self._srtp
        client, server = profile.split(material)
        if self.role == "client":
            return SrtpSession(profile, local_key=client, remote_key=server)
        return SrtpSession(profile, local_key=server, remote_key=client)

    def _handshake(self, now: float) -> None:
        ssl = self._ssl
        assert ssl is not None
        try:
            ssl.do_handshake()
        except SSL.WantReadError:
            finished = False
        except SSL.Error:
            self._outgoing += self._drain()  # the alert
            self._end("failed", "handshake_failed")
            return
        else:
            finished = True
        flight = self._drain()
        if finished:
            certificate = ssl.get_peer_certificate()
            if certificate is None or not fingerprints_match(certificate, self._fingerprints):
                self._end("failed", "fingerprint_mismatch")
                return
            self.state = "connected"
            self._retransmit_at = None
            self._take_over(ssl, b"".join(self._flight + flight))
            if self.role == "client":
                self._flight = []  # the server has it
        elif flight:
            self._interval = RETRANSMIT_INITIAL
            self._retransmit_at = now + self._interval
        if flight:
            self._flight = flight
            self._outgoing += flight

    def _take_over(self, ssl: SSL.Connection, sent: bytes) -> None:
        """Keep what is needed of the handshake, and let go of the rest."""
        profile = find_profile(ssl.get_selected_srtp_profile())
        if profile is not None:
            material = ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.material_length)
            self._srtp = profile, material
        suite = SUITES.get(ssl.get_cipher_name() or "")
        master = ssl.master_key()
        client_random, server_random = ssl.client_random(), ssl.server_random()
        if suite is None or ssl.get_protocol_version() != DTLS_1_2:
            return
        assert master is not None
        assert client_random is not None
        assert server_random is not None
        client, server = write_keys(
            suite, master=master, client_random=client_random, server_random=server_random
        )
        local, remote = (client, server) if self.role == "client" else (server, client)
        self._records = RecordLayer(suite, local=local, remote=remote, sent=sent)
        self._ssl = None

    def _repeated_flight(self, data: bytes) -> list[bytes]:
        if self.role == "client" or data[0] not in (HANDSHAKE, CHANGE_CIPHER_SPEC):
            return []
        if len(data) < sum(map(len, self._flight)):  # never amplify
            return []
        return self._flight

    def _read(self, data: bytes) -> list[bytes]:
        """Application data of a datagram, which OpenSSL has if it is still there."""
        application_data = []
        if self._records is not None:
            for content_type, plain in self._records.open(data):
                if content_type == APPLICATION_DATA and plain:
                    application_data.append(plain)
                elif content_type == ALERT and (plain == CLOSE_NOTIFY or plain[:1] == FATAL):
                    self._end("closed", "closed_by_peer")
                    break
            return application_data
        while self.state == "connected" and self._ssl is not None:
            try:
                application_data.append(self._ssl.recv(MAX_RECORD_SIZE))
            except SSL.WantReadError:
                break
            except SSL.Error:  # close_notify or a fatal alert
                self._end("closed", "closed_by_peer")
        return application_data

    def _drain(self) -> list[bytes]:
        records = b""
        while self._ssl is not None:
            try:
                records += self._ssl.bio_read(65536)
            except SSL.Error:  # WantReadError: empty
                break
        return split_datagrams(records)

    def _end(self, state: Literal["failed", "closed"], reason: str) -> None:
        self.state = state
        self.reason = reason
        self._retransmit_at = None
