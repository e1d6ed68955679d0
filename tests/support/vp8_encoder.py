"""What a VP8 encoder gives to RTP: real descriptors and frame headers around bytes of no meaning.

Behind the header of each frame stands a stamp that tells what the frame really is and needs, so
that a receiver can find out whether what it concluded from the descriptors was true.
"""

from random import Random
from struct import Struct
from typing import NamedTuple

MAX_PAYLOAD = 1150  # bytes of one packet, as browsers cut them
_STAMP = Struct("!BIBBd")

# Temporal layer of each frame of a period, by the number of layers (L1T1, L1T2, L1T3).
PATTERNS = {1: (0,), 2: (0, 1), 3: (0, 2, 1, 2)}
# Bits of a frame of each temporal layer, relative to the mean.
WEIGHTS = {1: (1.0,), 2: (1.2, 0.8), 3: (1.6, 0.8, 0.8)}


class Stamp(NamedTuple):
    """The truth about a frame.

    Attributes:
        layer: Number of the simulcast layer.
        number: Of the frame in its layer, from 0.
        needs: Numbers of the frames that it refers to.
        captured: Monotonic seconds.
    """

    layer: int
    number: int
    needs: tuple[int, ...]
    captured: float


def read_stamp(payload: bytes, descriptor_size: int) -> Stamp:
    """The stamp in the first packet of a frame."""
    position = descriptor_size + (3 if payload[descriptor_size] & 1 else 10)
    layer, number, first, second, captured = _STAMP.unpack_from(payload, position)
    return Stamp(layer, number, tuple(number - d for d in (first, second) if d), captured)


def read_size(payload: bytes, descriptor_size: int) -> tuple[int, int] | None:
    """Width and height of a key frame (RFC 6386 9.1), from its first packet; None for others."""
    if payload[descriptor_size] & 1:
        return None
    size = payload[descriptor_size + 6 : descriptor_size + 10]
    return int.from_bytes(size[:2], "little") & 0x3FFF, int.from_bytes(size[2:], "little") & 0x3FFF


class Vp8Encoder:
    """One simulcast layer.

    Args:
        layer: Its number.
        width: Pixels.
        height: Pixels.
        temporal_layers: 1, 2 or 3; with 1 only picture ids are sent.
        random: Where the first picture id comes from.
    """

    def __init__(
        self, layer: int, width: int, height: int, *, temporal_layers: int, random: Random
    ) -> None:
        self.layer = layer
        self._size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
        self._pattern = PATTERNS[temporal_layers]
        self._weights = WEIGHTS[temporal_layers]
        self._picture_id = random.randrange(0x8000)
        self._tl0_index = random.randrange(0x100)
        self._key_index = 0
        self._number = 0
        self._position = 0
        self._last = [0, 0]  # newest frames of temporal layers 0 and 1

    def weight(self, *, key: bool) -> float:
        """Bits of the next frame relative to the mean, but for its being a key frame."""
        return 1.0 if key else self._weights[self._pattern[self._position]]

    def encode(self, size: int, *, key: bool, captured: float) -> list[bytes]:
        """The payloads of the next frame, about `size` bytes together."""
        if key:
            self._position = 0
            self._key_index += 1
        temporal = self._pattern[self._position]
        if not temporal:
            self._tl0_index = (self._tl0_index + 1) & 0xFF
        number = self._number
        sync = needs_1 = needs_2 = 0
        if not key:
            needs_1 = number - self._last[0]
            if temporal:
                # The last frame of a period leans on layer 1 as well: who came from layer 0 cannot
                # begin there.
                leans = self._position == 3
                sync = not leans
                needs_2 = number - self._last[1] if leans else 0
        if temporal < 2:
            self._last[temporal] = number
        head = self._descriptor(temporal, sync=bool(sync))
        frame = b"\x11\x00\x00" if not key else b"\x10\x00\x00\x9d\x01\x2a" + self._size
        frame += _STAMP.pack(self.layer, number, needs_1, needs_2, captured)
        self._number += 1
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        self._position = (self._position + 1) % len(self._pattern)
        room = MAX_PAYLOAD - len(head)
        size = max(size, len(frame))
        count = -(-size // room)
        sizes = [size // count + (i < size % count) for i in range(count)]
        # S (0x10) only in the first packet of the partition.
        other = bytes((head[0] & ~0x10,)) + head[1:]
        payloads = [head + frame + bytes(max(sizes[0] - len(frame), 0))]
        payloads += [other + bytes(part) for part in sizes[1:]]
        return payloads

    def _descriptor(self, temporal: int, *, sync: bool) -> bytes:
        """RFC 7741 4.2, as it stands in the first packet of the frame."""
        picture_id = (0x8000 | self._picture_id).to_bytes(2)
        if len(self._pattern) == 1:
            return b"\x90\x80" + picture_id
        non_reference = 0x20 if temporal == self._pattern[-1] else 0
        return (
            bytes((0x90 | non_reference, 0xF0))
            + picture_id
            + bytes((self._tl0_index, temporal << 6 | sync << 5 | self._key_index & 0x1F))
        )
