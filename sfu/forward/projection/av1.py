"""Streams with a dependency descriptor: AV1, and whatever else has one, as one decode target."""

from sfu.forward.projection.base import ALL_TEMPORAL, DROPPED, NO_PATCH, Patch, Pictures
from sfu.wire.dependency_descriptor import rewrite
from sfu.wire.dependency_structure import TemplateStructure
from sfu.wire.payload.frame import DescribedFrame
from sfu.wire.rtp import RtpPacket

_MARKER = Patch(marker=True)


class Av1Projection:
    """The frames of one decode target.

    A decode target can be received once all of its frames, but for those that nothing needs, have
    been sent since one at which it may be begun. We note for each target whether that is so, which
    makes one rule of all: going down at once in L3T3, at key pictures alone in K-SVC, temporal
    layers up and down where the encoder made them so.

    Frames refer to each other by distances of frame numbers, so the numbers of one stream are all
    shifted alike. Spatial layers change between pictures only, because the one before has been sent
    with its marker by then.
    """

    __slots__ = (
        "_answer",
        "_before",
        "_choice",
        "_frames",
        "_layers",
        "_mask",
        "_needs_key_frame",
        "_number",
        "_shift",
        "_structure",
        "_target",
        "_tell",
        "_timestamp",
        "_value",
        "_whole",
    )

    def __init__(self) -> None:
        self._frames: Pictures | None = None
        self._before: tuple[Pictures, int] | None = None  # the stream before, its shift
        self._shift = 0  # of frame numbers: what to add to the source's
        self._structure: TemplateStructure | None = None
        self._whole = 0  # mask of the decode targets that can be received
        self._target = -1  # the one that is
        self._layers = (0, 0)  # of the target
        self._mask = 0  # of the decode targets that are sent with it
        self._timestamp = -1  # of the newest picture
        self._tell = -1  # timestamp of the picture to tell the mask with
        self._choice: tuple[int, ...] = ()  # what the target was chosen from
        self._needs_key_frame = True
        # Frame and descriptor of the packet before, and what was said of it.
        self._number = -1
        self._value = b""
        self._answer: Patch | None = None

    @property
    def current(self) -> tuple[int, int]:
        """Layers of the decode target that is sent."""
        return self._layers

    @property
    def needs_key_frame(self) -> bool:
        """Before the first one, and where the spatial layer wanted last takes one."""
        return self._needs_key_frame

    def start(self, packet: RtpPacket) -> None:
        """Go on behind what was sent, with the stream of this first packet of a key frame."""
        frame = packet.frame
        if not isinstance(frame, DescribedFrame):
            return
        shift = 0
        if self._frames is not None:
            before = self._frames
            self._before = None if before.ssrc == packet.ssrc else (before, self._shift)
            shift = before.highest + self._shift + 1 - frame.number
        self._frames = Pictures(packet.ssrc, frame.number)
        self._shift = shift
        self._structure = None
        self._timestamp = self._number = -1

    def accept(self, packet: RtpPacket, *, spatial: int, temporal: int) -> Patch | None:
        """See `Projection.accept`."""
        frame = packet.frame
        if not isinstance(frame, DescribedFrame):
            # Without descriptors there are no layers that we know of.
            return NO_PATCH if frame is not None and self._frames is None else None
        frames = self._frames
        if frames is None:
            return None
        if packet.ssrc != frames.ssrc:
            return self._accept_before(packet, frame)
        number = frame.number
        if number == self._number and frame.value == self._value:
            return self._answer  # most packets are like those before
        ceiling = frames.noted(number)
        if ceiling is None:
            if number > frames.highest:
                frames.skip(number)
                self._begin(frames, packet, frame, spatial, temporal)
            elif frames.expected.pop(number, None) is None:
                if not frame.key_frame:
                    return None
                # The source counts anew: nothing else brings a key frame from long ago.
                self.start(packet)
                return self.accept(packet, spatial=spatial, temporal=temporal)
            ceiling = self._decide(frames, frame)
        self._number, self._value = number, frame.value
        self._answer = None if ceiling == DROPPED else self._write(packet, frame, ceiling)
        return self._answer

    def steady(self, spatial: int, temporal: int) -> tuple[int, int] | None:  # noqa: ARG002
        """As long as there is one spatial layer, and all temporal ones are sent.

        With more of them there are marker bits to set and frames to leave out.
        """
        structure = self._structure
        if (
            structure is None
            or self._target < 0
            or temporal < ALL_TEMPORAL
            or self._layers[0]
            or self._layers != max(structure.target_layers)
            or self._tell == self._timestamp  # receivers are just being told of the targets
        ):
            return None
        return self._shift, 0

    def resume(self, packet: RtpPacket) -> None:
        """See `Projection.resume`."""
        frame, frames = packet.frame, self._frames
        if frames is None or not isinstance(frame, DescribedFrame) or packet.ssrc != frames.ssrc:
            return
        frames.span(frame.number, 0)
        if frame.structure is not self._structure:
            self._structure = frame.structure
            self._target = -1
        # Nothing was left out, so that whatever is sent can be received.
        self._whole = frame.structure.all_targets
        self._choose(frame.structure, self._whole, frame.active, 0, ALL_TEMPORAL)
        self._choice = ()
        self._timestamp = packet.timestamp
        self._number = -1

    def _begin(
        self,
        frames: Pictures,
        packet: RtpPacket,
        frame: DescribedFrame,
        spatial: int,
        temporal: int,
    ) -> None:
        """With the first frame of a picture, choose what to send of it."""
        if frame.structure is not self._structure:
            self._structure = frame.structure
            self._whole = 0
            self._target = -1
            self._choice = ()
        elif packet.timestamp == self._timestamp:
            return
        self._timestamp = packet.timestamp
        possible = self._whole
        if frames.sent(frame.number, frame.needs):
            possible |= frame.switch
        choice = (possible, frame.active, spatial, temporal)
        if choice != self._choice:
            self._choice = choice
            before = self._mask
            self._choose(frame.structure, *choice)
            if self._mask != before and frame.descriptor.active is None:
                self._tell = packet.timestamp  # with all of its packets, as one may be lost

    def _choose(
        self, structure: TemplateStructure, possible: int, active: int, spatial: int, temporal: int
    ) -> None:
        wanted = chosen = lower = -1
        layers = structure.target_layers
        here = self._layers[0] if self._target >= 0 else -1
        for target in sorted(range(len(layers)), key=layers.__getitem__):
            if not active >> target & 1:
                continue
            can = possible >> target & 1
            if layers[target][1] <= temporal:
                if layers[target][0] <= spatial:
                    wanted = target
                    chosen = target if can else chosen
                elif layers[target][0] == here and can:
                    lower = target  # not as low as it is wanted, but less than all of it
        self._needs_key_frame = wanted < 0 or chosen < 0 or layers[wanted][0] != layers[chosen][0]
        if chosen < 0:
            chosen = lower
        if chosen < 0 or chosen == self._target:
            return
        self._target = chosen
        self._layers = layers[chosen]
        highest, fastest = self._layers
        self._mask = sum(
            1 << target
            for target, (one, other) in enumerate(layers)
            if one <= highest and other <= fastest
        )

    def _decide(self, frames: Pictures, frame: DescribedFrame) -> int:
        """The spatial layer up to which this frame's picture is sent, or `DROPPED`."""
        ceiling = DROPPED
        wanted = self._target >= 0 and frame.present >> self._target & 1
        if wanted and frames.sent(frame.number, frame.needs):
            ceiling = self._layers[0]
            self._whole |= frame.switch
        if ceiling == DROPPED:
            self._whole &= ~frame.required
        frames.decide(frame.number, ceiling)
        return ceiling

    def _write(self, packet: RtpPacket, frame: DescribedFrame, ceiling: int) -> Patch:
        told = frame.descriptor.active
        mask: int | None = None
        if told is not None:
            mask = told & self._mask
            if mask in (0, told):
                mask = None
        elif packet.timestamp == self._tell:
            mask = frame.active & self._mask or None
        marker = frame.end and frame.spatial == ceiling and not packet.marker
        return _patch(frame, self._shift & 0xFFFF, mask, marker)

    def _accept_before(self, packet: RtpPacket, frame: DescribedFrame) -> Patch | None:
        """A packet of another stream than the one that is sent now."""
        if self._before is None or self._before[0].ssrc != packet.ssrc:
            return None
        frames, shift = self._before
        ceiling = frames.noted(frame.number)
        if ceiling is None or ceiling == DROPPED:
            return None
        marker = frame.end and frame.spatial == ceiling and not packet.marker
        return _patch(frame, shift & 0xFFFF, None, marker)


def _patch(frame: DescribedFrame, shift: int, mask: int | None, marker: bool) -> Patch:
    if not shift and mask is None:
        return _MARKER if marker else NO_PATCH
    number = frame.number + shift & 0xFFFF
    descriptor = rewrite(frame.value, frame.descriptor, frame_number=number, active=mask)
    return Patch((), marker, descriptor)
