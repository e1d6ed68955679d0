"""Arithmetic of numbers that wrap: 16-bit sequence numbers, 32-bit timestamps (RFC 1982)."""


def sequence_distance(a: int, b: int) -> int:
    """`a - b` on the 16-bit circle, -32768..32767."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(a: int, b: int) -> int:
    """`a - b` on the 32-bit circle, -2**31..2**31-1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000
