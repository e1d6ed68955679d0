"""Models of how libwebrtc's receiver finds out what a frame needs, from payload descriptors alone.

They take whole frames. A frame whose needs are not met waits there for a retransmission or a key
frame; to a viewer it is a freeze. So `receive` tells whether a frame goes to the decoder at once.
"""

from sfu.wire.dependency_descriptor import DependencyDescriptorReader
from sfu.wire.payload.vp8 import Vp8Descriptor
from sfu.wire.payload.vp9 import Vp9Descriptor
from sfu.wire.payload.vp9 import parse_descriptor as parse_vp9


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


class Vp9ReferenceFinder:
    """VP9: references of flexible mode, or by the group of pictures that a key picture tells.

    Without flexible mode, a frame waits while a picture of a lower temporal layer is missing
    between it and one that it needs.
    """

    def __init__(self) -> None:
        self._frames: set[tuple[int, int]] = set()
        self._came: set[int] = set()
        self._base: dict[int, int] = {}
        self._group: list[tuple[int, tuple[int, ...]]] = []
        self._start = 0

    def receive(self, descriptor: Vp9Descriptor, group: list[tuple[int, tuple[int, ...]]]) -> bool:
        """Take a frame; tells whether all that it needs is known and has come.

        Args:
            descriptor: Of its first packet.
            group: Temporal layer and references of each picture of the scalability structure in
                it; empty without.
        """
        picture, layer = descriptor.picture_id, descriptor.spatial_layer
        assert picture is not None
        assert descriptor.picture_id_bits == 15
        needed: list[int] = []
        if descriptor.inter_predicted and descriptor.flexible:
            needed = [(picture - one) & 0x7FFF for one in descriptor.references]
        elif not descriptor.flexible:
            tl0 = descriptor.tl0_picture_index
            assert tl0 is not None
            if not descriptor.inter_predicted and layer == 0:
                self._group, self._start = group, picture
                self._base = {}
            elif not descriptor.temporal_layer and (tl0 - 1) & 0xFF not in self._base:
                if self._base.get(tl0) != picture:
                    return False
            elif descriptor.temporal_layer and tl0 not in self._base:
                return False
            if not descriptor.temporal_layer:
                self._base[tl0] = picture
            place = (picture - self._start) % 0x8000 % len(self._group)
            temporal, distances = self._group[place]
            assert temporal == descriptor.temporal_layer
            if descriptor.inter_predicted:
                needed = [(picture - one) & 0x7FFF for one in distances]
                for one in range(1, max(distances)):
                    between = (picture - one - self._start) % 0x8000 % len(self._group)
                    missing = (picture - one) & 0x7FFF not in self._came
                    if missing and self._group[between][0] < temporal:
                        return False
        if any((one, layer) not in self._frames for one in needed):
            return False
        if descriptor.inter_layer_predicted and (picture, layer - 1) not in self._frames:
            return False
        self._frames.add((picture, layer))
        self._came.add(picture)
        return True


def vp9_group(payload: bytes) -> list[tuple[int, tuple[int, ...]]]:
    """Temporal layer and references of each picture that a scalability structure tells of."""
    descriptor = parse_vp9(payload)
    assert descriptor is not None
    if not descriptor.spatial_layers:
        return []
    position = 4 + (descriptor.tl0_picture_index is not None)
    head = payload[position]
    position += 1 + (4 * descriptor.spatial_layers if head & 0x10 else 0)
    if not head & 0x08:
        return []
    group = []
    count = payload[position]
    position += 1
    for _ in range(count):
        first = payload[position]
        references = first >> 2 & 3
        group.append((first >> 5, tuple(payload[position + 1 : position + 1 + references])))
        position += 1 + references
    return group
