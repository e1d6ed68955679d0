"""VP8 pictures from RTP payloads (RFC 7741 4)."""

from collections.abc import Sequence

from recorder.media.frame import Picture
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.payload import vp8


class Vp8Depacketizer:
    """Takes the payload descriptors off."""

    __slots__ = ()

    def read(self, packets: Sequence[RecordedPacket]) -> Picture:
        """See `Depacketizer`."""
        parts: list[bytes] = []
        for packet in packets:
            descriptor = vp8.parse_descriptor(packet.payload)
            if descriptor is None or descriptor.start != (not parts):
                raise ParseError("A VP8 frame does not begin with its first partition.")
            parts.append(packet.payload[descriptor.size :])
        data = b"".join(parts)
        if not data:
            raise ParseError("A VP8 frame is empty.")
        return Picture(data, not data[0] & 1)  # RFC 6386 9.1: 0 is a key frame
