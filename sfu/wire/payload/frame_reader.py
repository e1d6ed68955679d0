"""Reads the frame and layer of each packet of one stream, once for all who choose among them."""

from typing import Protocol

from sfu.wire.dependency_descriptor import DependencyDescriptorReader
from sfu.wire.dependency_structure import NOT_PRESENT, REQUIRED, SWITCH
from sfu.wire.payload import h264, vp8, vp9
from sfu.wire.payload.frame import DescribedFrame, FrameInfo, Vp8Frame, Vp9Frame
from sfu.wire.rtp import RtpPacket

# What numbers are unwrapped around: a multiple of every modulus, so that none gets negative.
_FIRST = 1 << 20
_MAX_MASKS = 256  # sets of indications; a stream has as many as templates, unless it means harm


class _Reader(Protocol):
    def read(self, packet: RtpPacket) -> FrameInfo | None:
        """The packet's frame; None where its payload cannot be read."""


class FrameReader:
    """Sets `RtpPacket.frame` for the packets of one SSRC.

    It follows numbers that wrap, so it wants each packet once, in the order of arrival, late ones
    too. Nothing in a packet makes it raise.
    """

    __slots__ = ("_codec", "_descriptor_id", "_reader")

    def __init__(self, dependency_descriptor: int | None = None) -> None:
        """`dependency_descriptor` is the id of that header extension, where it was negotiated."""
        self._codec = ""
        self._descriptor_id = dependency_descriptor
        self._reader: _Reader = _PlainReader()

    def read(self, packet: RtpPacket) -> None:
        """Set `packet.frame`, or leave it None; `codec` and `key_frame` must be set before."""
        codec = packet.codec
        if codec is None or not packet.payload:
            return
        if codec.name != self._codec:
            self._codec = codec.name
            make = _READERS.get(codec.name)
            if make is not None:
                self._reader = make()
                if make is _Vp8Reader and self._descriptor_id is not None:
                    self._reader = _Vp8OrDescriptorReader(self._descriptor_id)
            else:
                self._reader = _H264Reader() if codec.name == "H264" else _PlainReader()
                if self._descriptor_id is not None:
                    self._reader = _DescriptorReader(self._descriptor_id, self._reader)
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


class _Vp9Reader:
    """VP9 (RFC 9628)."""

    __slots__ = ("_picture", "_top")

    def __init__(self) -> None:
        self._picture: int | None = None
        self._top = 0

    def read(self, packet: RtpPacket) -> Vp9Frame | None:
        descriptor = vp9.parse_descriptor(packet.payload)
        if descriptor is None:
            return None
        marker = packet.marker
        spatial = descriptor.spatial_layer
        intra = not descriptor.inter_predicted and spatial == 0
        start = descriptor.start
        frame = Vp9Frame(
            spatial,
            descriptor.temporal_layer,
            start,
            descriptor.end,
            intra and start,
            intra or descriptor.switching_up,
            intra,
            marker,
            False,  # Z speaks of this picture's layers alone
        )
        frame.intra = intra
        frame.switching_up = descriptor.switching_up
        frame.not_reference = descriptor.not_reference
        frame.references = descriptor.references
        frame.wide = descriptor.picture_id_bits == 15
        tl0 = descriptor.tl0_picture_index
        frame.tl0 = -1 if tl0 is None else tl0
        place = frame.tl0 << 8 | spatial << 5 | frame.wide << 4
        frame.place = place | frame.not_reference << 3 | descriptor.end << 1 | frame.key_frame
        # How many layers there are is told with key frames; how many come shows at each marker.
        if descriptor.spatial_layers:
            self._top = max(spatial, descriptor.spatial_layers - 1)
        if spatial > self._top or marker:
            self._top = spatial
        frame.top = self._top
        picture_id = descriptor.picture_id
        frame.identified = picture_id is not None
        if picture_id is None:
            frame.picture = 0
            return frame
        frame.picture = picture = unwrap(picture_id, self._picture, 0x8000 if frame.wide else 0x80)
        if self._picture is None or picture > self._picture:
            self._picture = picture
        return frame


class _DescriptorReader:
    """Whatever codec has a dependency descriptor: AV1, and H.264 with temporal layers."""

    __slots__ = ("_first", "_id", "_masks", "_plain", "_reader", "_timestamp")

    def __init__(self, identifier: int, plain: _Reader) -> None:
        """`plain` reads what comes without descriptors before the first one."""
        self._id = identifier
        self._reader = DependencyDescriptorReader()
        self._plain = plain
        self._masks: dict[tuple[int, ...], tuple[int, int, int]] = {}
        self._timestamp = -1
        self._first = 0  # frame of the picture with this timestamp

    def read(self, packet: RtpPacket) -> FrameInfo | None:
        value = packet.extensions.get(self._id)
        if value is None:
            # It was agreed on, but is not used; where it was, without it nothing is known.
            return self._plain.read(packet) if self._reader.structure is None else None
        descriptor = self._reader.read(value)
        if descriptor is None:
            return None
        first, last, _, number, layer, structure = descriptor[:6]
        masks = self._masks.get(layer.indications)
        if masks is None:
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            masks = self._masks[layer.indications] = _masks(layer.indications)
        if packet.timestamp != self._timestamp:
            self._timestamp, self._first = packet.timestamp, number
        needs = layer.frame_diffs
        within = number - self._first
        key = packet.key_frame
        present, switch, required = masks
        frame = DescribedFrame(
            layer.spatial,
            layer.temporal,
            first,
            last,
            key,
            switch != 0,
            switch != 0 and all(diff <= within for diff in needs),
            packet.marker,
            not (switch or required),
        )
        frame.number = number
        frame.needs = needs
        frame.present = present
        frame.switch = switch
        frame.required = required
        frame.active = self._reader.active
        frame.structure = structure
        frame.descriptor = descriptor
        frame.value = value
        return frame


class _Vp8OrDescriptorReader:
    """VP8 that may come without numbers of its own, where a dependency descriptor has them."""

    __slots__ = ("_described", "_id", "_vp8")

    def __init__(self, identifier: int) -> None:
        self._id = identifier
        self._described = _DescriptorReader(identifier, _PlainReader())
        self._vp8 = _Vp8Reader()

    def read(self, packet: RtpPacket) -> FrameInfo | None:
        # Chromium leaves picture id and layer out of the payload when it sends descriptors.
        if packet.payload[0] < 0x80 and self._id in packet.extensions:
            return self._described.read(packet)
        return self._vp8.read(packet)


def _masks(indications: tuple[int, ...]) -> tuple[int, int, int]:
    """Which decode targets a frame is part of, can be begun with it, and need it."""
    present = switch = required = 0
    for target, indication in enumerate(indications):
        bit = 1 << target
        present |= bit if indication != NOT_PRESENT else 0
        switch |= bit if indication == SWITCH else 0
        required |= bit if indication in (SWITCH, REQUIRED) else 0
    return present, switch, required


def unwrap(number: int, newest: int | None, modulus: int) -> int:
    """`number` as the one nearest to `newest` that is equal to it modulo `modulus`."""
    if newest is None:
        return _FIRST + number
    half = modulus // 2
    return newest + (number - newest + half) % modulus - half


_READERS: dict[str, type[_Reader]] = {
    "VP8": _Vp8Reader,
    "VP9": _Vp9Reader,
}
