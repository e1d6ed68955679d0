"""Names and numbers that nobody can guess."""

from random import Random

from sfu.wire.parameters import IceParameters

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SID_LENGTH = 14  # 83 bits: a sid is part of the right to resume


class Identifiers:
    """Makes identifiers from a random source that is given: a seeded one makes tests repeatable."""

    def __init__(self, random: Random) -> None:
        """Outside tests `random` must be cryptographic (`random.SystemRandom`)."""
        self._random = random

    def text(self, length: int) -> str:
        """Random letters and digits; just below 6 bits of entropy each."""
        return "".join(self._random.choices(_ALPHABET, k=length))

    def sid(self, prefix: str) -> str:
        """For example "RM_…" for a room."""
        return f"{prefix}_{self.text(_SID_LENGTH)}"

    def ice(self) -> IceParameters:
        """ICE credentials (RFC 8445 5.3 asks for 24 and 128 bits)."""
        return IceParameters(self.text(8), self.text(24))

    def ssrc(self) -> int:
        """A 32-bit SSRC that is neither 0 nor one of the few that we use for reports."""
        return self._random.randrange(0x10000, 0xFFFFFFFF)

    def sequence_number(self) -> int:
        """A first RTP sequence number, below 2^15 so that it does not wrap at once."""
        return self._random.randrange(0x8000)
