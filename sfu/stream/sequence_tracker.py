"""From the 16-bit sequence numbers of one source to indexes that never wrap (RFC 3550 A.1)."""

MAX_JUMP = 3000  # packets; RFC 3550's MAX_DROPOUT: a minute of audio, seconds of video


class SequenceTracker:
    """Gives each packet of one source its index, across wraps, gaps and restarts.

    A source restarts where its numbers jump by more than 3000 and the next one confirms the jump.
    Its indexes go on without a gap then: the first packet after the jump, which was not believed,
    has the index after the highest one, the second packet the index after that. So an index has the
    sequence number in its low 16 bits only until the first restart.

    Attributes:
        highest: The highest index so far; -1 before the first packet.
        restarts: How often the source has restarted.
    """

    __slots__ = ("_floor", "_next", "_shift", "_suspect", "highest", "restarts")

    def __init__(self) -> None:
        self.highest = -1
        self.restarts = 0
        self._next = -1  # the sequence number after the highest
        self._shift = 0  # index less sequence number, modulo 2**16
        self._floor = 0  # lowest index of the source since it restarted
        self._suspect = -1  # the sequence number that would confirm a jump

    def place(self, sequence_number: int) -> int:
        """The index of a packet that was received, noted where it is the highest.

        Returns:
            -1 for a packet that jumps and may be a stray one, or is from before a restart.
        """
        if sequence_number == self._next:
            self._next = (sequence_number + 1) & 0xFFFF
            self._suspect = -1
            index = self.highest + 1
            self.highest = index
            return index
        if self.highest < 0:
            # A turn above zero, so that what is older than the first packet has an index too.
            index = sequence_number + 0x10000
        else:
            distance = ((sequence_number - self._next + 0x8001) & 0xFFFF) - 0x8000
            if not -MAX_JUMP <= distance <= MAX_JUMP or sequence_number == self._suspect:
                return self._jump(sequence_number)
            index = self.highest + distance
            if index < self._floor:
                return -1
        self._suspect = -1
        if index > self.highest:
            self.highest = index
            self._next = (sequence_number + 1) & 0xFFFF
        return index

    def _jump(self, sequence_number: int) -> int:
        following = (sequence_number + 1) & 0xFFFF
        if sequence_number != self._suspect:
            self._suspect = following
            return -1
        self.restarts += 1
        self._floor = self.highest + 1
        self.highest += 2
        self._shift = (self.highest - sequence_number) & 0xFFFF
        self._next = following
        self._suspect = -1
        return self.highest

    def find(self, sequence_number: int) -> int:
        """The index of a packet that was sent before the newest one; -1 for any other."""
        if self.highest < 0:
            return -1
        distance = ((sequence_number - self._next + 0x8001) & 0xFFFF) - 0x8000
        if not -MAX_JUMP <= distance <= 0 or self.highest + distance < self._floor:
            return -1
        return self.highest + distance

    def sequence_number(self, index: int) -> int:
        """What the source calls the packet of this index, since its last restart."""
        return (index - self._shift) & 0xFFFF
