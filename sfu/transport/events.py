"""What a transport tells its owner: rare things only, media never travels as events."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TransportConnected:
    """ICE has a path and the DTLS handshake succeeded: media can flow. Comes once."""


@dataclass(frozen=True, slots=True)
class ApplicationData:
    """One DTLS application-data record: an SCTP packet (RFC 8261).

    Attributes:
        data: The decrypted record.
    """

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """The transport ended without the peer's wish. Nothing comes after it.

    Attributes:
        reason: Stable machine name: "handshake_timeout", "handshake_failed",
            "fingerprint_mismatch", "no_srtp_profile" or "media_timeout".
    """

    reason: str


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The transport was ended by one of its ends. Nothing comes after it.

    Attributes:
        reason: "closed_by_peer" (DTLS close_notify) or "closed" (by our `close`).
    """

    reason: str


TransportEvent = TransportConnected | ApplicationData | TransportFailed | TransportClosed
