"""What a datagram is, by its first bytes (RFC 7983 section 7, RFC 5761 section 4)."""

from typing import Literal

PacketKind = Literal["stun", "dtls", "rtp", "rtcp", "unknown"]

MIN_SIZE = 12  # bytes; an RTP header. Everything else that we take is longer still.


def is_stun(first: int) -> bool:
    """Whether a datagram that begins with this byte is STUN."""
    return first <= 3


def is_dtls(first: int) -> bool:
    """Whether a datagram that begins with this byte is DTLS."""
    return 20 <= first <= 63


def is_media(first: int) -> bool:
    """Whether a datagram that begins with this byte is (S)RTP or (S)RTCP."""
    return 128 <= first <= 191


def is_rtcp(second: int) -> bool:
    """Whether media with this second byte is RTCP.

    RFC 5761 4: packet types 192..223, which would be RTP payload types 64..95 with a marker; those
    must not be negotiated beside RTCP.
    """
    return 192 <= second <= 223


def classify(data: bytes | memoryview) -> PacketKind:
    """What this datagram is; "unknown" is to be dropped (TURN channels and ZRTP are, too)."""
    if len(data) < MIN_SIZE:
        return "unknown"
    first = data[0]
    if is_media(first):
        return "rtcp" if is_rtcp(data[1]) else "rtp"
    if is_stun(first):
        return "stun"
    if is_dtls(first):
        return "dtls"
    return "unknown"
