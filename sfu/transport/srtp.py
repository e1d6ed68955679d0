"""SRTP and SRTCP (RFC 3711, RFC 7714) in place; the only module that touches pylibsrtp.

The public methods of pylibsrtp copy a packet twice and limit it to 1500 bytes; the hot path calls
the C functions below them on memory that is already where the system calls want it.
"""

from collections import OrderedDict
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

REPLAY_WINDOW = 1024  # packets; 0.3 s of a 30 Mbit/s stream, and NACKed packets come that late
SEND_WINDOW = 256  # packets of an SSRC that `widen` was not called for; libsrtp shifts the window's
# bits with every packet, which is 7 % of protection for 1024 of them and hardly anything for these
MAX_SOURCES = 256  # SSRCs that one peer may send RTP or RTCP from, and be remembered
MAX_SRTCP_SIZE = 1500  # bytes; what pylibsrtp's buffer takes
MAX_RTCP_SIZE = MAX_SRTCP_SIZE - 148  # bytes; plain, since it leaves room for its longest trailer

_cast = ffi.cast
_BYTES = ffi.typeof("char *")
_protect = lib.srtp_protect
_unprotect = lib.srtp_unprotect


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """One DTLS-SRTP protection profile (RFC 5764 4.1.2, RFC 7714 14.2).

    Attributes:
        name: As OpenSSL writes it.
        key_length: Bytes of a master key.
        salt_length: Bytes of a master salt.
        overhead: Bytes that protection adds to an RTP packet.
        policy: libsrtp's number of the profile.
    """

    name: bytes
    key_length: int
    salt_length: int
    overhead: int
    policy: int

    @property
    def material_length(self) -> int:
        """Bytes of keying material to export from DTLS, for both directions."""
        return 2 * (self.key_length + self.salt_length)

    def split(self, material: bytes) -> tuple[bytes, bytes]:
        """Cut exported keying material into (client key + salt, server key + salt).

        RFC 5764 4.2: client key, server key, client salt, server salt.
        """
        assert len(material) == self.material_length
        key, salts = self.key_length, 2 * self.key_length
        middle = salts + self.salt_length
        return (
            material[:key] + material[salts:middle],
            material[key:salts] + material[middle:],
        )


# In the order of our preference: 128-bit GCM is the quickest (no separate HMAC), and all browsers
# have it.
PROFILES = (
    SrtpProfile(b"SRTP_AEAD_AES_128_GCM", 16, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    SrtpProfile(b"SRTP_AEAD_AES_256_GCM", 32, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
    SrtpProfile(b"SRTP_AES128_CM_SHA1_80", 16, 14, 10, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
)


def find_profile(name: bytes) -> SrtpProfile | None:
    """The profile that OpenSSL calls `name`."""
    return next((profile for profile in PROFILES if profile.name == name), None)


def _policy(profile: SrtpProfile, key: bytes, kind: int, *, window: int, ssrc: int = 0) -> Policy:
    policy = Policy(key=key, ssrc_type=kind, ssrc_value=ssrc, srtp_profile=profile.policy)
    policy.window_size = window
    # Without RTX a retransmission is the same packet again, which protects to the same bytes.
    policy.allow_repeat_tx = True
    return policy


def _inbound_session(profile: SrtpProfile, key: bytes) -> Session:
    return Session(_policy(profile, key, Policy.SSRC_ANY_INBOUND, window=REPLAY_WINDOW))


class SrtpSession:
    """Protection of both directions of one transport.

    Args:
        profile: The negotiated profile.
        local_key: Master key + salt of what we send.
        remote_key: Master key + salt of what we receive.

    Attributes:
        profile: As given.
        overhead: Bytes that protection adds to an RTP packet.
    """

    __slots__ = (
        "_inbound",
        "_inbound_context",
        "_inbound_rtcp",
        "_length",
        "_local_key",
        "_outbound",
        "_outbound_context",
        "_remote_key",
        "_rtcp_sources",
        "_rtp_sources",
        "overhead",
        "profile",
    )

    def __init__(self, profile: SrtpProfile, *, local_key: bytes, remote_key: bytes) -> None:
        self.profile = profile
        self.overhead = profile.overhead
        self._local_key = local_key
        self._remote_key = remote_key
        self._outbound = Session(
            _policy(profile, local_key, Policy.SSRC_ANY_OUTBOUND, window=SEND_WINDOW)
        )
        # libsrtp keeps state for every SSRC that it meets. RTCP has its own context, so that its
        # sources can be bounded without losing the rollover counter of an RTP stream. The one of
        # RTP comes with the first packet (`_open_inbound`): most peers only receive.
        self._inbound_rtcp = _inbound_session(profile, remote_key)
        self._rtcp_sources: OrderedDict[int, None] = OrderedDict()
        self._rtp_sources: OrderedDict[int, None] = OrderedDict()
        self._outbound_context = self._outbound._srtp[0]
        self._length = ffi.new("int *")

    def _open_inbound(self) -> Any:
        self._inbound = _inbound_session(self.profile, self._remote_key)
        self._inbound_context = self._inbound._srtp[0]
        return self._inbound_context

    def unprotect_in_place(self, pointer: Any, length: int) -> int:
        """Check and decrypt one SRTP packet where it lies.

        libsrtp starts a stream for every new SSRC that passes the check: call `note_remote` with
        those that are new.

        Args:
            pointer: `void *` to the packet.
            length: Its bytes.

        Returns:
            Bytes of the plain packet, or -1: forged, damaged, replayed or too old.
        """
        try:
            context = self._inbound_context
        except AttributeError:
            context = self._open_inbound()
        box = self._length
        box[0] = length
        if _unprotect(context, pointer, box):
            return -1
        return box[0]  # type: ignore[no-any-return]

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """Check and decrypt one SRTCP packet; None when it is forged, damaged or replayed."""
        if not 8 <= len(data) <= MAX_SRTCP_SIZE:
            return None
        try:
            plain: bytes = self._inbound_rtcp.unprotect_rtcp(data)
        except SrtpError:
            return None
        sources = self._rtcp_sources
        source = int.from_bytes(data[4:8])
        sources[source] = None
        sources.move_to_end(source)
        if len(sources) > MAX_SOURCES:
            self._inbound_rtcp.remove_stream(sources.popitem(last=False)[0])
        return plain

    def protect_rtcp(self, data: bytes) -> bytes:
        """Encrypt one compound RTCP packet of at most `MAX_RTCP_SIZE` bytes."""
        protected: bytes = self._outbound.protect_rtcp(data)
        return protected

    def protect_run(self, base: int, offset: int, sizes: Sequence[int]) -> bool:
        """Encrypt several RTP packets where they lie.

        Args:
            base: Address of the buffer in this process.
            offset: Of the first packet in the buffer.
            sizes: Plain bytes of each packet. Each is followed by `overhead` free bytes, and then
                by the next packet.

        Returns:
            False when libsrtp refused one of them: it is `SEND_WINDOW` (after `widen`,
            `REPLAY_WINDOW`) or more packets behind the newest of its SSRC. The run must not be sent
            then.
        """
        box, overhead = self._length, self.overhead
        protect, context = _protect, self._outbound_context
        pointer = _cast(_BYTES, base + offset)
        for size in sizes:
            box[0] = size
            if protect(context, pointer, box):
                return False
            pointer += size + overhead  # quicker than a cast for each packet
        return True

    def note_remote(self, ssrc: int, living: Container[int]) -> None:
        """A packet of this SSRC was unprotected: keep its state, but not that of ever more SSRCs.

        What is forgotten begins anew with a rollover counter of 0 (RFC 3711 3.3.1): a stream that
        has wrapped could not be understood any more.

        Args:
            ssrc: Of the packet.
            living: SSRCs whose state must not go.
        """
        sources = self._rtp_sources
        sources[ssrc] = None
        sources.move_to_end(ssrc)
        if len(sources) > MAX_SOURCES:
            oldest = next((source for source in sources if source not in living), ssrc)
            del sources[oldest]
            _forget(self._inbound, oldest)

    def widen(self, ssrc: int) -> None:
        """Let packets of this SSRC be sent, or sent again, up to `REPLAY_WINDOW` packets late.

        To be called once, before its first packet of RTP or RTCP: libsrtp cannot change the window
        of a stream, and one that began anew would have lost its rollover counter.
        """
        policy = _policy(
            self.profile, self._local_key, Policy.SSRC_SPECIFIC, window=REPLAY_WINDOW, ssrc=ssrc
        )
        self._outbound.add_stream(policy)

    def forget_local(self, ssrc: int) -> None:
        """Drop the state of a stream that we sent; its SSRC must never be used again.

        RFC 3711 9.1: the same SSRC and index with the same key would be encrypted with the same
        keystream.
        """
        _forget(self._outbound, ssrc)


def _forget(session: Session, ssrc: int) -> None:
    try:
        session.remove_stream(ssrc)
    except SrtpError:
        return  # there was no such stream
