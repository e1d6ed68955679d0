"""What a datagram is, by its first bytes (RFC 7983 section 7, RFC 5761 section 4)."""

from typing import Literal

PacketKind = Literal["stun", "dtls", "rtp", "rtcp", "unknown"]

MIN_SIZE = 12  # bytes; an RTP header. Everything else that we take is longer still.

# The first byte; between and above these lie ZRTP, TURN channels and what nobody has defined.
STUN_LAST = 3
DTLS_FIRST = 20
DTLS_LAST = 63
MEDIA_FIRST = 128  # (S)RTP and (S)RTCP
MEDIA_LAST = 191

# The second byte of RTCP. RFC 5761 4: these would be RTP payload types 64..95 with a marker, which
# must not be negotiated beside RTCP.
RTCP_FIRST = 192
RTCP_LAST = 223


def is_stun(first: int) -> bool:
    """Whether a datagram that begins with this byte is STUN."""
    return first <= STUN_LAST


def is_dtls(first: int) -> bool:
    """Whether a datagram that begins with this byte is DTLS."""
    return DTLS_FIRST <= first <= DTLS_LAST


def is_media(first: int) -> bool:
    """Whether a datagram that begins with this byte is (S)RTP or (S)RTCP."""
    return MEDIA_FIRST <= first <= MEDIA_LAST


def is_rtcp(second: int) -> bool:
    """Whether media with this second byte is RTCP."""
    return RTCP_FIRST <= second <= RTCP_LAST


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
