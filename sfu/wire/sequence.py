"""Arithmetic of numbers that wrap: 16-bit sequence numbers, 32-bit timestamps (RFC 1982)."""


def sequence_newer(a: int, b: int) -> bool:
    """Whether sequence number `a` comes after `b`; numbers half a circle apart are not newer."""
    return 0 < ((a - b) & 0xFFFF) < 0x8000


def sequence_distance(a: int, b: int) -> int:
    """`a - b` on the 16-bit circle, -32768..32767."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(a: int, b: int) -> int:
    """`a - b` on the 32-bit circle, -2**31..2**31-1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Unwrapper:
    """Extends 16-bit sequence numbers to indices that never wrap.

    An index keeps its sequence number in the low 16 bits. The first value `v` gets `v + 65536`, so
    that packets that come late from before it still get an index that is not negative.

    Attributes:
        highest: The highest index so far, -1 before the first value. An index is taken to be within
            half a circle of it, so a late packet does not move it.
    """

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest = -1

    def unwrap(self, value: int) -> int:
        """The index of `value` (0..65535)."""
        highest = self.highest
        if highest < 0:
            self.highest = index = value + 0x10000
            return index
        index = highest + ((value - highest + 0x8000) & 0xFFFF) - 0x8000
        if index > highest:
            self.highest = index
        return index
