"""The records that follow a DTLS 1.2 handshake (RFC 6347 4.1), without OpenSSL's connection.

That connection holds 80 KB for as long as it lives, nearly all of it buffers of the handshake. What
is left to do for a peer is little: the packets of its data channels, if it has any, and goodbye.
"""

import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23  # RFC 5246 6.2.1
CLOSE_NOTIFY = b"\x01\x00"  # level and description of an alert, RFC 5246 7.2
FATAL = b"\x02"  # the other level
RECORD_HEADER_SIZE = 13  # bytes: type, version, epoch and sequence number, length; RFC 6347 4.1
MAX_RECORD_SIZE = 16384  # bytes of plain text, RFC 5246 6.2.1

_VERSION = b"\xfe\xfd"
_EPOCH = 1  # of the only handshake: we never renegotiate
_EXPLICIT_SIZE = 8  # bytes of a GCM nonce that stand in the record, RFC 5288 3
_WINDOW = 64  # records; what RFC 6347 4.1.2.6 prefers


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """How one cipher suite protects records.

    Attributes:
        aead: Its algorithm.
        digest: Of its pseudorandom function (RFC 5246 5).
        key_length: Bytes of a key.
        iv_length: Bytes of a nonce that are secret. Where they are not all, the others stand in
            each record (RFC 5288 3); where they are, the sequence number goes in (RFC 7905 2).
    """

    aead: type[AESGCM] | type[ChaCha20Poly1305]
    digest: str
    key_length: int
    iv_length: int

    @property
    def explicit_size(self) -> int:
        """Bytes of the nonce that stand in each record."""
        return 12 - self.iv_length


_AES_128 = CipherSuite(AESGCM, "sha256", 16, 4)
_AES_256 = CipherSuite(AESGCM, "sha384", 32, 4)
_CHACHA20 = CipherSuite(ChaCha20Poly1305, "sha256", 32, 12)

# By OpenSSL's names.
SUITES = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": _AES_128,
    "ECDHE-RSA-AES128-GCM-SHA256": _AES_128,
    "ECDHE-ECDSA-AES256-GCM-SHA384": _AES_256,
    "ECDHE-RSA-AES256-GCM-SHA384": _AES_256,
    "ECDHE-ECDSA-CHACHA20-POLY1305": _CHACHA20,
    "ECDHE-RSA-CHACHA20-POLY1305": _CHACHA20,
}


@dataclass(frozen=True, slots=True)
class WriteKey:
    """What one end protects its records with.

    Attributes:
        key: Of the algorithm.
        iv: The secret bytes of its nonces.
    """

    key: bytes
    iv: bytes


def write_keys(
    suite: CipherSuite, *, master: bytes, client_random: bytes, server_random: bytes
) -> tuple[WriteKey, WriteKey]:
    """The keys of (client, server), from the secrets of the handshake (RFC 5246 6.3)."""
    seed = block = b"key expansion" + server_random + client_random
    key, iv = suite.key_length, suite.iv_length
    material = b""
    while len(material) < 2 * (key + iv):  # P_hash, RFC 5246 5
        block = hmac.digest(master, block, suite.digest)
        material += hmac.digest(master, block + seed, suite.digest)
    ivs = 2 * key
    return (
        WriteKey(material[:key], material[ivs : ivs + iv]),
        WriteKey(material[key:ivs], material[ivs + iv : ivs + 2 * iv]),
    )


class RecordLayer:
    """Both directions of one association, from where OpenSSL left off.

    Args:
        suite: What was negotiated.
        local: Protects what we send.
        remote: Protects what we receive.
        sent: Records that OpenSSL sent, up to its last one: no nonce may be used a second time.
    """

    __slots__ = ("_explicit", "_highest", "_local", "_remote", "_seen", "_sequence", "_suite")

    def __init__(
        self, suite: CipherSuite, *, local: WriteKey, remote: WriteKey, sent: bytes
    ) -> None:
        self._suite = suite
        self._local = local
        self._remote = remote
        self._sequence = self._explicit = -1
        for record in _records(sent):
            number = int.from_bytes(record[3:11])
            if number >> 48 == _EPOCH and number > self._sequence:
                self._sequence = number
                explicit = record[RECORD_HEADER_SIZE : RECORD_HEADER_SIZE + _EXPLICIT_SIZE]
                self._explicit = int.from_bytes(explicit)
        assert self._sequence >= 0, "a handshake ends with a protected record of each side"
        # Which of the last numbers have been taken: bit n is that of `_highest` - n.
        self._highest = _EPOCH << 48
        self._seen = 0

    def seal(self, content_type: int, data: bytes) -> bytes:
        """Make a record of at most `MAX_RECORD_SIZE` bytes of `data`."""
        suite = self._suite
        self._sequence += 1
        # Those of OpenSSL count up from a random one.
        self._explicit = (self._explicit + 1) % (1 << 64)
        number = self._sequence.to_bytes(8)
        explicit = self._explicit.to_bytes(8)[: suite.explicit_size]
        start = bytes((content_type,)) + _VERSION
        sealed = explicit + suite.aead(self._local.key).encrypt(
            _nonce(self._local, explicit, number),
            data,
            number + start + len(data).to_bytes(2),
        )
        return start + number + len(sealed).to_bytes(2) + sealed

    def open(self, datagram: bytes) -> list[tuple[int, bytes]]:
        """Take the records of a datagram.

        Returns:
            (content type, plain text) of each that is authentic and new. Others are dropped, as
            RFC 6347 4.1.2.7 wants it.
        """
        opened = []
        for record in _records(datagram):
            plain = self._open(record)
            if plain is not None:
                opened.append((record[0], plain))
        return opened

    def _open(self, record: bytes) -> bytes | None:
        suite = self._suite
        number = int.from_bytes(record[3:11])
        if number >> 48 != _EPOCH or not self._is_new(number):
            return None
        begin = RECORD_HEADER_SIZE + suite.explicit_size
        length = len(record) - begin - 16  # both algorithms have tags of 16 bytes
        if not 0 <= length <= MAX_RECORD_SIZE:
            return None
        try:
            # The objects of the AEADs take 2.5 KB each, and next to no time to make.
            plain = suite.aead(self._remote.key).decrypt(
                _nonce(self._remote, record[RECORD_HEADER_SIZE:begin], record[3:11]),
                record[begin:],
                record[3:11] + record[:3] + length.to_bytes(2),
            )
        except InvalidTag:
            return None
        self._take(number)
        return plain

    def _is_new(self, number: int) -> bool:
        age = self._highest - number
        return age < 0 or (age < _WINDOW and not self._seen >> age & 1)

    def _take(self, number: int) -> None:
        age = self._highest - number
        if age < 0:
            self._seen = (self._seen << min(-age, _WINDOW)) & ((1 << _WINDOW) - 1)
            self._highest = number
            age = 0
        self._seen |= 1 << age


def _nonce(key: WriteKey, explicit: bytes, number: bytes) -> bytes:
    if explicit:
        return key.iv + explicit
    return (int.from_bytes(key.iv) ^ int.from_bytes(number)).to_bytes(len(key.iv))


def _records(datagrams: bytes) -> list[bytes]:
    """Cut DTLS 1.2 records; what follows something else is dropped."""
    records = []
    start = 0
    while start + RECORD_HEADER_SIZE <= len(datagrams):
        end = start + RECORD_HEADER_SIZE + int.from_bytes(datagrams[start + 11 : start + 13])
        if datagrams[start + 1 : start + 3] != _VERSION or end > len(datagrams):
            break
        records.append(datagrams[start:end])
        start = end
    return records
