"""The newest packets of one stream, kept once for the retransmissions of all its receivers."""

from sfu.wire.rtp import RtpPacket


class PacketCache:
    """A ring of the newest packets, by index.

    Holds only packets of the `size` newest indexes. A packet that comes late finds its place,
    unless it is older than that.

    Args:
        size: How many indexes to hold; rounded up to a power of two.
    """

    __slots__ = ("_mask", "_newest", "_ring", "size")

    def __init__(self, size: int) -> None:
        assert size > 0
        self.size = 1 << (size - 1).bit_length()
        self._mask = self.size - 1
        self._ring: list[RtpPacket | None] = [None] * self.size
        self._newest = -1

    def add(self, packet: RtpPacket) -> bool:
        """Keep a packet, whose `index` must be set; returns False when it is too old to keep."""
        index = packet.index
        if index > self._newest:
            self._newest = index
        elif index <= self._newest - self.size:
            return False
        self._ring[index & self._mask] = packet
        return True

    def get(self, index: int) -> RtpPacket | None:
        """The packet of this index, if it came and is not too old."""
        packet = self._ring[index & self._mask]
        if packet is None or packet.index != index or index <= self._newest - self.size:
            return None
        return packet
