"""Bits in the order of the video standards: the most significant first."""

from sfu.errors import ParseError

MAX_GOLOMB_ZEROS = 32  # ITU-T H.264 9.1: no syntax element has more


class BitReader:
    """Reads fields that are not aligned to bytes.

    Attributes:
        position: Bits read so far.
        size: Bits in all.
    """

    __slots__ = ("_value", "position", "size")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.position = 0
        self.size = 8 * len(data)

    def read(self, count: int) -> int:
        """The next `count` bits as a number.

        Raises:
            ParseError: Fewer are left.
        """
        end = self.position + count
        if end > self.size:
            raise ParseError("A bit field passes the end.")
        self.position = end
        return self._value >> (self.size - end) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit.

        Raises:
            ParseError: None is left.
        """
        return bool(self.read(1))

    def unsigned(self, count: int) -> int:
        """A number below `count`, in as few bits as that needs (AV1 4.10.7, ns(n)).

        Raises:
            ParseError: It passes the end.
        """
        width = count.bit_length()
        short = (1 << width) - count
        value = self.read(width - 1)
        if value < short:
            return value
        return (value << 1) - short + self.read(1)

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code (ITU-T H.264 9.1, ue(v); AV1 4.10.3, uvlc()).

        Raises:
            ParseError: It passes the end, or is longer than any that the standards have.
        """
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > MAX_GOLOMB_ZEROS:
                raise ParseError("An Exp-Golomb code is too long.")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb code (ITU-T H.264 9.1.1, se(v)).

        Raises:
            ParseError: As `golomb`.
        """
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)


class BitWriter:
    """Writes what `BitReader` reads.

    Attributes:
        size: Bits so far.
    """

    __slots__ = ("_value", "size")

    def __init__(self) -> None:
        self._value = 0
        self.size = 0

    def write(self, value: int, count: int) -> None:
        """Append `value`, 0 up to 2**count - 1, as `count` bits."""
        self._value = self._value << count | value
        self.size += count

    def unsigned(self, value: int, count: int) -> None:
        """Append a number below `count`, as `BitReader.unsigned` reads it."""
        width = count.bit_length()
        short = (1 << width) - count
        if value < short:
            self.write(value, width - 1)
        else:
            self.write(value + short, width)

    def __bytes__(self) -> bytes:
        """All that was written, with zero bits up to the next byte."""
        padding = -self.size % 8
        return (self._value << padding).to_bytes((self.size + padding) // 8, "big")
