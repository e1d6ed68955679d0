"""NTP timestamps: seconds since 1900 as 32.32 fixed point (RFC 3550 section 4)."""

from math import floor

UNIX_EPOCH = 2_208_988_800  # s; 1970 on the NTP scale (RFC 868)
FRACTION = 1 << 32


def to_ntp(seconds: float) -> int:
    """The 64-bit NTP timestamp of a Unix time in seconds; it wraps in 2036."""
    whole = floor(seconds)
    # A double holds today's time to 0.2 µs: split it so that the shift loses nothing more.
    fraction = int((seconds - whole) * FRACTION)
    return ((whole + UNIX_EPOCH) & 0xFFFFFFFF) << 32 | fraction


def from_ntp(ntp: int) -> float:
    """The Unix time in seconds of a 64-bit NTP timestamp, 1968 to 2104.

    RFC 4330 section 3: the highest bit is set until 2036, when the scale starts again from zero.
    """
    whole = ntp >> 32
    if whole < 0x80000000:
        whole += 1 << 32
    return whole - UNIX_EPOCH + (ntp & 0xFFFFFFFF) / FRACTION


def middle32(ntp: int) -> int:
    """The middle 32 bits (16.16 seconds), as report blocks name a sender report with."""
    return (ntp >> 16) & 0xFFFFFFFF
