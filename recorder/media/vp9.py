"""VP9 pictures from RTP payloads (RFC 9628 4), all their spatial layers in one superframe."""

from collections.abc import Sequence

from recorder.media.frame import Picture
from recorder.media.vp9_header import Vp9Hider
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.payload import vp9

MAX_FRAMES = 8  # of a superframe (VP9 bitstream specification annex B)
_LAYER_INDICES = 0x20  # L, a flag of a descriptor


class Vp9Depacketizer:
    """Takes the payload descriptors off, and has only the highest layer of each picture shown."""

    __slots__ = ("_hider",)

    def __init__(self) -> None:
        self._hider = Vp9Hider()

    def read(self, packets: Sequence[RecordedPacket]) -> Picture:
        """See `Depacketizer`."""
        layers: list[list[bytes]] = []
        key_frame = False
        layered = False
        whole = True
        for packet in packets:
            descriptor = vp9.parse_descriptor(packet.payload)
            if descriptor is None or descriptor.start != whole:
                raise ParseError("A VP9 frame does not begin with its first packet.")
            if descriptor.start:
                if not layers:
                    key_frame = not descriptor.inter_predicted and not descriptor.spatial_layer
                layered |= bool(packet.payload[0] & _LAYER_INDICES)
                layers.append([])
            layers[-1].append(packet.payload[descriptor.size :])
            whole = descriptor.end
        if not whole:
            raise ParseError("The end of a VP9 frame is missing.")
        frames = [frame for layer in layers if (frame := b"".join(layer))]
        if not 0 < len(frames) <= MAX_FRAMES:
            raise ParseError("A VP9 picture has no frame, or too many.")
        if layered:
            top = len(frames) - 1
            read = self._hider.read
            frames = [read(frame, hide=number < top) for number, frame in enumerate(frames)]
            frames = [frame for frame in frames if frame]
        return Picture(frames[0] if len(frames) == 1 else _superframe(frames), key_frame)


def _superframe(frames: Sequence[bytes]) -> bytes:
    """The frames with an index behind them (VP9 bitstream specification annex B)."""
    width = (max(map(len, frames)).bit_length() + 7) // 8
    marker = bytes((0xC0 | width - 1 << 3 | len(frames) - 1,))
    sizes = b"".join(len(frame).to_bytes(width, "little") for frame in frames)
    return b"".join((*frames, marker, sizes, marker))
