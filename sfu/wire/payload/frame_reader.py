"""Reads the frame and layer of each packet of one stream, once for all who choose among them."""

from typing import Protocol

from sfu.wire.payload import h264, vp8
from sfu.wire.payload.frame import FrameInfo, Vp8Frame
from sfu.wire.rtp import RtpPacket

# What numbers are unwrapped around: a multiple of every modulus, so that none gets negative.
_FIRST = 1 << 20


class _Reader(Protocol):
    def read(self, packet: RtpPacket) -> FrameInfo | None:
        """The packet's frame; None where its payload cannot be read."""


class FrameReader:
    """Sets `RtpPacket.frame` for the packets of one SSRC.

    It follows numbers that wrap, so it wants each packet once, in the order of arrival, late ones
    too. Nothing in a packet makes it raise.
    """

    __slots__ = ("_codec", "_reader")

    def __init__(self) -> None:
        self._codec = ""
        self._reader: _Reader = _PlainReader()

    def read(self, packet: RtpPacket) -> None:
        """Set `packet.frame`, or leave it None; `codec` and `key_frame` must be set before."""
        codec = packet.codec
        if codec is None or not packet.payload:
            return
        if codec.name != self._codec:
            self._codec = codec.name
            self._reader = _READERS.get(codec.name, _PlainReader)()
        packet.frame = self._reader.read(packet)


class _PlainReader:
    """Codecs that tell no layers in their payloads."""

    __slots__ = ("_timestamp",)

    def __init__(self) -> None:
        self._timestamp = -1

    def read(self, packet: RtpPacket) -> FrameInfo:
        start = packet.timestamp != self._timestamp
        self._timestamp = packet.timestamp
        key, marker = packet.key_frame, packet.marker
        return FrameInfo(0, 0, start, marker, key, False, key, marker, False)


class _H264Reader(_PlainReader):
    """H.264: NAL units tell whether they are references (RFC 6184 5.3, NRI)."""

    __slots__ = ()

    def read(self, packet: RtpPacket) -> FrameInfo:
        frame = super().read(packet)
        head = packet.payload[0]
        # Parameter sets and the like always are; a slice with NRI 0 is needed by nobody.
        frame.discardable = not head & 0x60 and (
            head & 0x1F == 1 or (head & 0x1F == h264.FU_A and len(packet.payload) > 1)
        )
        return frame


class _Vp8Reader:
    """VP8 (RFC 7741)."""

    __slots__ = ("_picture",)

    def __init__(self) -> None:
        self._picture: int | None = None

    def read(self, packet: RtpPacket) -> Vp8Frame | None:
        descriptor = vp8.parse_descriptor(packet.payload)
        if descriptor is None:
            return None
        key, marker = packet.key_frame, packet.marker
        temporal = descriptor.temporal_layer or 0
        frame = Vp8Frame(
            0,
            temporal,
            descriptor.start,
            marker,
            key,
            key or descriptor.layer_sync,
            key,
            marker,
            descriptor.non_reference,
        )
        picture_id = descriptor.picture_id
        frame.wide = wide = descriptor.picture_id_bits == 15
        frame.offset = descriptor.picture_id_offset
        tl0 = descriptor.tl0_picture_index
        frame.tl0 = -1 if tl0 is None else tl0
        frame.layer_sync = descriptor.layer_sync
        frame.place = frame.tl0 << 9 | frame.offset << 1 | wide
        if picture_id is None:
            # Without numbers a receiver cannot tell what is missing: everything has to be sent.
            frame.picture = frame.temporal = 0
            return frame
        frame.picture = picture = unwrap(picture_id, self._picture, 0x8000 if wide else 0x80)
        if self._picture is None or picture > self._picture:
            self._picture = picture
        return frame


def unwrap(number: int, newest: int | None, modulus: int) -> int:
    """`number` as the one nearest to `newest` that is equal to it modulo `modulus`."""
    if newest is None:
        return _FIRST + number
    half = modulus // 2
    return newest + (number - newest + half) % modulus - half


_READERS: dict[str, type[_Reader]] = {
    "VP8": _Vp8Reader,
    "H264": _H264Reader,
}
