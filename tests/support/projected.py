"""Packets as a stream would hand them to a projection, and as they look behind it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfu.forward.projection.base import Patch, Projection
from sfu.wire.parameters import Codec
from sfu.wire.payload import key_frame_detector, picture_id_widener
from sfu.wire.payload.frame_reader import FrameReader
from sfu.wire.rtp import RtpPacket

DESCRIPTOR_ID = 5  # of the dependency descriptor, in the publisher's offer


@dataclass(frozen=True)
class Sent:
    """A packet as the subscriber gets it."""

    payload: bytes
    marker: bool
    timestamp: int
    descriptor: bytes | None
    source: RtpPacket


class Stream:
    """One incoming stream: makes packets, and reads their frames in the order of arrival."""

    def __init__(self, codec: Codec, ssrc: int) -> None:
        self.codec = codec
        self.ssrc = ssrc
        self._reader = FrameReader(DESCRIPTOR_ID)
        self._next = 0

    def packets(
        self,
        payloads: Sequence[bytes],
        timestamp: int,
        *,
        marker: bool = True,
        descriptors: Sequence[bytes] = (),
    ) -> list[RtpPacket]:
        """The packets of one frame, which have not arrived yet."""
        made = []
        for number, payload in enumerate(payloads):
            last = number == len(payloads) - 1
            packet = RtpPacket(
                96, self._next & 0xFFFF, timestamp, self.ssrc, payload, marker and last
            )
            if descriptors:
                packet.extensions = {DESCRIPTOR_ID: descriptors[number]}
            packet.index = self._next
            packet.codec = self.codec
            packet.key_frame = key_frame_detector(self.codec)(payload)
            self._next += 1
            made.append(packet)
        return made

    def arrive(self, packets: Iterable[RtpPacket]) -> list[RtpPacket]:
        """Read their frames."""
        packets = list(packets)
        for packet in packets:
            self._reader.read(packet)
        return packets


def project(
    projection: Projection, packets: Iterable[RtpPacket], *, spatial: int = 0, temporal: int = 0
) -> list[Sent]:
    """What a subscriber gets of these."""
    sent = []
    for packet in packets:
        patch = projection.accept(packet, spatial=spatial, temporal=temporal)
        if patch is not None:
            sent.append(apply(patch, packet))
    return sent


def apply(patch: Patch, packet: RtpPacket) -> Sent:
    """The packet with what the patch changes in it."""
    assert packet.codec is not None
    widen = picture_id_widener(packet.codec)
    payload = bytearray(widen(packet.payload) if widen else packet.payload)
    for offset, data in patch.payload:
        assert offset + len(data) <= len(payload)
        payload[offset : offset + len(data)] = data
    descriptor = patch.descriptor or packet.extensions.get(DESCRIPTOR_ID)
    return Sent(bytes(payload), packet.marker or patch.marker, packet.timestamp, descriptor, packet)


def pieces(data: bytes, size: int = 300) -> list[bytes]:
    """A frame cut as a packetizer does, in two at least."""
    size = min(size, (len(data) + 1) // 2)
    return [data[at : at + size] for at in range(0, len(data), size)]


def vp8_payloads(
    data: bytes,
    *,
    picture_id: int,
    tl0: int | None = None,
    temporal: int = 0,
    sync: bool = False,
    wide: bool = True,
    key_index: int | None = None,
) -> list[bytes]:
    """Payloads of a VP8 frame (RFC 7741 4.2)."""
    flags = 0x80
    numbers = (0x8000 | picture_id).to_bytes(2, "big") if wide else bytes((picture_id & 0x7F,))
    if tl0 is not None:
        flags |= 0x60
        numbers += bytes((tl0 & 0xFF, temporal << 6 | sync << 5 | (key_index or 0)))
        if key_index is not None:
            flags |= 0x10
    return [
        bytes((0x90 if number == 0 else 0x80, flags)) + numbers + piece
        for number, piece in enumerate(pieces(data))
    ]
