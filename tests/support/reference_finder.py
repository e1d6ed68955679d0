"""Models of how libwebrtc's receiver finds out what a frame needs, from payload descriptors alone.

They take whole frames. A frame whose needs are not met waits there for a retransmission or a key
frame; to a viewer it is a freeze. So `receive` tells whether a frame goes to the decoder at once.
"""

from sfu.wire.dependency_descriptor import DependencyDescriptorReader
from sfu.wire.payload.vp8 import Vp8Descriptor


def behind(number: int, other: int, modulus: int = 0x8000) -> int:
    """How far `number` is ahead of `other`, negative when it is behind."""
    return (number - other + modulus // 2) % modulus - modulus // 2


class Vp8ReferenceFinder:
    """VP8: picture ids without gaps, and the base layer pictures by TL0PICIDX.

    For each base layer picture it keeps the newest picture of each layer until then.
    """

    def __init__(self) -> None:
        self._layers: dict[int, dict[int, int]] = {}
        self._newest = -1
        self._missing: set[int] = set()

    def receive(self, descriptor: Vp8Descriptor, *, key: bool) -> bool:
        """Take a frame; tells whether all that it needs is known and has come."""
        picture, tl0 = descriptor.picture_id, descriptor.tl0_picture_index
        layer = descriptor.temporal_layer or 0
        assert picture is not None
        assert tl0 is not None
        if self._newest < 0:
            self._newest = (picture - 1) & 0x7FFF
        while behind(picture, self._newest) > 0:
            self._newest = (self._newest + 1) & 0x7FFF
            self._missing.add(self._newest)
        self._missing = {one for one in self._missing if behind(picture, one) < 100}
        if key:
            self._layers = {tl0: {0: picture}}
        elif layer == 0:
            before = self._layers.get((tl0 - 1) & 0xFF)
            if before is None or behind(picture, before[0]) <= 0:
                return False
            self._layers[tl0] = before | {0: picture}
        else:
            known = self._layers.get(tl0)
            if known is None:
                return False
            if not descriptor.layer_sync:
                for below in range(layer + 1):
                    needed = known.get(below)
                    if needed is None or behind(picture, needed) <= 0:
                        return False
                    if any(needed < one < picture for one in self._missing):
                        return False
            known[layer] = picture
        self._missing.discard(picture)
        return True


class DescriptorReferenceFinder:
    """Any codec by dependency descriptor: frame numbers, and what each frame needs."""

    def __init__(self) -> None:
        self._reader = DependencyDescriptorReader()
        self._frames: set[int] = set()

    def receive(self, value: bytes) -> bool:
        """Take a packet; tells whether all frames that it needs have come."""
        descriptor = self._reader.read(value)
        if descriptor is None:
            return False
        if descriptor.first:
            if any(
                descriptor.frame - one not in self._frames for one in descriptor.layer.frame_diffs
            ):
                return False
            self._frames.add(descriptor.frame)
        return descriptor.frame in self._frames
