"""What a forwarder must know of the frame that a packet is part of, whatever its codec."""

from sfu.wire.dependency_descriptor import DependencyDescriptor
from sfu.wire.dependency_structure import TemplateStructure


class FrameInfo:
    """One packet's frame, as those who choose layers see it.

    A picture is what was captured at one time; a frame is one spatial layer of it. `FrameReader`
    makes these, once for each packet and not for each subscriber.

    Attributes:
        spatial: Spatial layer, 0 is the lowest.
        temporal: Temporal layer, 0 is the lowest.
        start: Whether this is the first packet of its frame.
        end: Whether it is the last one.
        key_frame: Whether a key frame begins here.
        switch_up_temporal: Whether a receiver of lower temporal layers may begin this one here.
        switch_spatial: Whether a receiver of other spatial layers may begin this one here.
        end_of_picture: Whether it is the last packet of the picture, as its sender sent it.
        discardable: Whether no other frame needs this one.
    """

    __slots__ = (
        "discardable",
        "end",
        "end_of_picture",
        "key_frame",
        "spatial",
        "start",
        "switch_spatial",
        "switch_up_temporal",
        "temporal",
    )

    def __init__(
        self,
        spatial: int,
        temporal: int,
        start: bool,
        end: bool,
        key_frame: bool,
        switch_up_temporal: bool,
        switch_spatial: bool,
        end_of_picture: bool,
        discardable: bool,
    ) -> None:
        self.spatial = spatial
        self.temporal = temporal
        self.start = start
        self.end = end
        self.key_frame = key_frame
        self.switch_up_temporal = switch_up_temporal
        self.switch_spatial = switch_spatial
        self.end_of_picture = end_of_picture
        self.discardable = discardable


class Vp8Frame(FrameInfo):
    """A frame with a VP8 payload descriptor.

    Attributes:
        picture: Picture id unwrapped; 0 without one.
        offset: Where in the payload the picture id begins; 0 without one.
        tl0: TL0PICIDX, -1 without one. It follows the picture id.
        wide: Whether the picture id has 15 bits in the payload as it came.
        layer_sync: The Y bit: the frame needs the temporal base layer alone.
        place: Equal in packets that are patched alike, if they are of one picture.
    """

    __slots__ = ("layer_sync", "offset", "picture", "place", "tl0", "wide")

    picture: int
    offset: int
    tl0: int
    wide: bool
    layer_sync: bool
    place: int


class Vp9Frame(FrameInfo):
    """A frame with a VP9 payload descriptor.

    Attributes:
        picture: Picture id unwrapped; 0 without one.
        identified: Whether there is a picture id; it begins at offset 1 of the payload.
        tl0: TL0PICIDX, -1 without one (flexible mode).
        wide: Whether the picture id has 15 bits in the payload as it came.
        intra: Whether this is the lowest spatial layer of a key picture, at any of its packets.
        switching_up: The U bit.
        not_reference: The Z bit: no higher spatial layer of this picture needs this frame.
        top: Highest spatial layer that the stream has now.
        references: In flexible mode, distances to the pictures that are needed; else empty.
        place: Equal in packets that are treated alike, if they are of one picture; other for those
            that begin a key frame.
    """

    __slots__ = (
        "identified",
        "intra",
        "not_reference",
        "picture",
        "place",
        "references",
        "switching_up",
        "tl0",
        "top",
        "wide",
    )

    picture: int
    identified: bool
    tl0: int
    wide: bool
    intra: bool
    switching_up: bool
    not_reference: bool
    top: int
    references: tuple[int, ...]
    place: int


class DescribedFrame(FrameInfo):
    """A frame with a dependency descriptor.

    Masks have a bit for each decode target, the lowest for the first.

    Attributes:
        number: Frame number unwrapped.
        needs: Distances to the frames that it needs.
        present: Mask of the decode targets that it is part of.
        switch: Mask of those that can be begun here.
        required: Mask of those of which other frames need it.
        active: Mask of those that the sender sends now.
        structure: What the decode targets are.
        descriptor: As read from this packet.
        value: Its bytes.
    """

    __slots__ = (
        "active",
        "descriptor",
        "needs",
        "number",
        "present",
        "required",
        "structure",
        "switch",
        "value",
    )

    number: int
    needs: tuple[int, ...]
    present: int
    switch: int
    required: int
    active: int
    structure: TemplateStructure
    descriptor: DependencyDescriptor
    value: bytes
