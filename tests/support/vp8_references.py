"""What a browser concludes from VP8 descriptors: which frames a frame refers to.

Three ways, as libwebrtc has them: with temporal layers by TL0PICIDX and layer, with picture ids
alone by the id before, and with neither by unbroken sequence numbers.
"""

from dataclasses import dataclass

from sfu.wire.payload.vp8 import Vp8Descriptor

HISTORY = 256  # frames and base layer frames that are remembered


@dataclass(eq=False)
class Frame:
    """A frame of which packets have come.

    Attributes:
        timestamp: RTP timestamp, unwrapped, in seconds.
        first: Index of the first packet, None while unknown.
        last: Index of the last packet, None while unknown.
        packets: How many have come.
        repaired: Whether some of them came again, over RTX.
        completed: When the last of them came, monotonic seconds.
        descriptor: Of the first packet.
        payload: Of the first packet.
        key: Whether it is a key frame.
        id: Unwrapped picture id, or index of the first packet.
        base: Unwrapped TL0PICIDX, where there is one.
        needs: Ids of the frames that it refers to; None while unknown.
    """

    timestamp: float
    first: int | None = None
    last: int | None = None
    packets: int = 0
    repaired: bool = False
    completed: float = 0.0
    descriptor: Vp8Descriptor | None = None
    payload: bytes = b""
    key: bool = False
    id: int = -1
    base: int = -1
    needs: tuple[int, ...] | None = None

    @property
    def complete(self) -> bool:
        return (
            self.first is not None
            and self.last is not None
            and self.packets == self.last - self.first + 1
        )


class _Unwrapper:
    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        if self._last is None:
            self._last = value + self._size  # what comes late must not be negative
        else:
            half = self._size // 2
            distance = (value - self._last + half) % self._size - half
            self._last += distance
        return self._last


class Vp8References:
    """Finds the references of complete frames, in whichever order they become complete.

    Attributes:
        dropped: Frames that contradict what was there before, and would not be decoded.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._picture_ids = _Unwrapper(15)
        self._tl0_indexes = _Unwrapper(8)
        self._newest = -1  # picture id
        self._missing: set[int] = set()  # picture ids up to the newest without a frame
        self._layers: dict[int, list[int]] = {}  # TL0 index → newest picture id of each layer
        self._waiting: list[Frame] = []
        self._ends: dict[int, int] = {}  # index behind a frame → its id, without picture ids

    def add(self, frame: Frame) -> list[Frame]:
        """Take a complete frame.

        Returns:
            The frames whose references are known now, `id` and `needs` set.
        """
        descriptor = frame.descriptor
        assert descriptor is not None
        assert frame.first is not None
        assert frame.last is not None
        if descriptor.picture_id is None:
            frame.id = frame.first
            self._ends[frame.last + 1] = frame.id
        else:
            frame.id = self._picture_ids.unwrap(descriptor.picture_id)
        if descriptor.tl0_picture_index is not None:
            # Once: what waits for long would be a turn away from what came since.
            frame.base = self._tl0_indexes.unwrap(descriptor.tl0_picture_index)
        self._waiting.append(frame)
        return self._settle()

    def padding(self, index: int) -> list[Frame]:
        """A packet without payload has this index: what ends before it, ends behind it.

        Returns:
            As `add`.
        """
        if (id_ := self._ends.get(index)) is not None:
            self._ends[index + 1] = id_
        return self._settle()

    def _settle(self) -> list[Frame]:
        """Look at what waits, as long as that finds anything."""
        found: list[Frame] = []
        progress = True
        while progress:
            progress = False
            for one in list(self._waiting):
                if self._find(one):
                    self._waiting.remove(one)
                    progress = True
                    if one.needs is not None:
                        found.append(one)
        del self._waiting[:-HISTORY]
        return found

    def _find(self, frame: Frame) -> bool:
        """Whether nothing more is to be waited for; without `needs`, the frame is dropped."""
        descriptor = frame.descriptor
        assert descriptor is not None
        if descriptor.picture_id is None:
            return self._find_by_sequence(frame)
        if descriptor.temporal_layer is None or descriptor.tl0_picture_index is None:
            frame.needs = () if frame.key else (frame.id - 1,)
            return True
        return self._find_by_layers(frame, descriptor.temporal_layer, sync=descriptor.layer_sync)

    def _find_by_sequence(self, frame: Frame) -> bool:
        if frame.key:
            frame.needs = ()
            return True
        assert frame.first is not None
        before = self._ends.get(frame.first)
        if before is None:
            return False
        frame.needs = (before,)
        return True

    def _find_by_layers(self, frame: Frame, layer: int, *, sync: bool | None) -> bool:
        id_, base = frame.id, frame.base
        if self._newest < 0:
            self._newest = id_
        if id_ > self._newest:
            self._missing.update(range(max(self._newest + 1, id_ - HISTORY), id_ + 1))
            self._newest = id_
            self._missing = {one for one in self._missing if one > id_ - HISTORY}
        if frame.key:
            self._layers[base] = [-1, -1, -1, -1]
            frame.needs = ()
            self._note(id_, base, layer)
            return True
        known = self._layers.get(base - 1 if layer == 0 else base)
        if known is None:
            return False
        if layer == 0:
            self._layers[base] = list(known)
        leans_on = known[:1] if layer == 0 or sync else known[: layer + 1]
        for newest in leans_on:
            if newest < 0:
                return False  # that layer has not begun
            if newest >= id_:
                self.dropped += 1
                return True  # its place is taken
            if any(newest < one < id_ for one in self._missing) and len(leans_on) > 1:
                return False  # one between them may be what it refers to
        frame.needs = tuple(set(leans_on))
        self._note(id_, base, layer)
        return True

    def _note(self, id_: int, base: int, layer: int) -> None:
        """This frame is the newest of its layer, also for base layer frames that came before it."""
        self._missing.discard(id_)
        while (layers := self._layers.get(base)) is not None:
            if layers[layer] > id_:
                break
            layers[layer] = id_
            base += 1
        if len(self._layers) > HISTORY:
            del self._layers[min(self._layers)]
