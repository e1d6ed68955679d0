"""The dependency descriptor: what each frame needs, in a header extension.

AOMedia, RTP Payload Format For AV1, appendix A. It is AV1's, but says nothing that is special to
AV1, so senders use it with other codecs too.
"""

from typing import NamedTuple

from sfu.errors import ParseError
from sfu.wire.bits import BitReader, BitWriter
from sfu.wire.dependency_structure import (
    MAX_FRAME_DIFFS,
    Template,
    TemplateStructure,
    read_structure,
    write_structure,
)

_PLAIN_SIZE = 3  # bytes of a descriptor with the mandatory fields alone
_MAX_LATE = 1024  # frames; a structure that seems to be older announces numbers that begin anew
_EXTENDED = 24  # bits before the extended fields
_MASK_FLAG = 1 << 3  # active_decode_targets_present_flag among the five flags


class DependencyDescriptor(NamedTuple):
    """One packet's descriptor.

    Attributes:
        first: Whether the packet is the first of its frame.
        last: Whether it is the last.
        template_id: 0..63.
        frame: Frame number; 16 bits are written, a reader unwraps them.
        layer: Template of the frame, with what is special to this frame put in.
        structure: By which it was read; every packet has one, sent with it or before.
        attached: Whether the structure is written in this packet.
        active: Bit mask of the decode targets that are sent, lowest first; None where this packet
            does not tell.
        mask_position: Where in the bits of the value `active` stands, or would stand.
        bits: Of the value, without padding.
    """

    first: bool
    last: bool
    template_id: int
    frame: int
    layer: Template
    structure: TemplateStructure
    attached: bool = False
    active: int | None = None
    mask_position: int = _EXTENDED + 5
    bits: int = _EXTENDED

    @property
    def frame_number(self) -> int:
        """As it is written, 16 bits."""
        return self.frame & 0xFFFF

    def __bytes__(self) -> bytes:
        """The header extension's value, as short as can be."""
        writer = BitWriter()
        writer.write(self.first << 7 | self.last << 6 | self.template_id, 8)
        writer.write(self.frame_number, 16)
        structure, layer = self.structure, self.layer
        template = structure.templates[(self.template_id - structure.offset) % 64]
        custom = (
            layer.indications != template.indications,
            layer.frame_diffs != template.frame_diffs,
            layer.chain_diffs != template.chain_diffs,
        )
        active = self.active
        if self.attached and active == structure.all_targets:
            active = None  # it says so itself
        if not (self.attached or active is not None or any(custom)):
            return bytes(writer)
        writer.write(self.attached << 1 | (active is not None), 2)
        for flag in custom:
            writer.write(flag, 1)
        if self.attached:
            write_structure(writer, structure)
        if active is not None:
            writer.write(active, structure.decode_targets)
        if custom[0]:
            for indication in layer.indications:
                writer.write(indication, 2)
        if custom[1]:
            for diff in layer.frame_diffs:
                size = ((diff - 1).bit_length() + 3) // 4 or 1
                writer.write(size, 2)
                writer.write(diff - 1, 4 * size)
            writer.write(0, 2)
        if custom[2]:
            for diff in layer.chain_diffs:
                writer.write(diff, 8)
        return bytes(writer)


def rewrite(
    value: bytes, descriptor: DependencyDescriptor, *, frame_number: int, active: int | None = None
) -> bytes:
    """The same value with another frame number, and perhaps other active decode targets.

    Args:
        value: As it came.
        descriptor: Read from it.
        frame_number: 16 bits.
        active: Bit mask of the decode targets that are sent, written where it is given.
    """
    value = b"%b%b%b" % (value[:1], frame_number.to_bytes(2, "big"), value[_PLAIN_SIZE:])
    if active is None:
        return value
    count = descriptor.structure.decode_targets
    writer = BitWriter()
    if len(value) == _PLAIN_SIZE:
        writer.write(int.from_bytes(value, "big"), _EXTENDED)
        writer.write(_MASK_FLAG, 5)
        writer.write(active, count)
        return bytes(writer)
    reader = BitReader(value)
    writer.write(reader.read(_EXTENDED), _EXTENDED)
    flags = reader.read(5)
    writer.write(flags | _MASK_FLAG, 5)
    between = descriptor.mask_position - reader.position
    writer.write(reader.read(between), between)
    writer.write(active, count)
    if flags & _MASK_FLAG:
        reader.read(count)
    rest = descriptor.bits - reader.position
    writer.write(reader.read(rest), rest)
    return bytes(writer)


class DependencyDescriptorReader:
    """Reads the descriptors of one stream, which need the structure sent before.

    Attributes:
        structure: The newest one; None before the first.
        active: Bit mask of the decode targets that are sent now.
    """

    __slots__ = ("_before", "_newest", "_since", "_told", "active", "structure")

    def __init__(self) -> None:
        self.structure: TemplateStructure | None = None
        self.active = 0
        self._since = 0  # the frame that brought the structure
        self._before: TemplateStructure | None = None  # for late packets from before that frame
        self._newest: int | None = None
        self._told = 0  # the frame that told `active`

    def read(self, value: bytes) -> DependencyDescriptor | None:
        """Read one value.

        Returns:
            None where it cannot be read, because it is malformed or no structure has come.
        """
        size = len(value)
        if size < _PLAIN_SIZE:
            return None
        number = value[1] << 8 | value[2]
        newest = self._newest
        # Around 2^20, so that no late one is negative.
        frame = (
            0x100000 + number
            if newest is None
            else newest + (number - newest + 0x8000 & 0xFFFF) - 0x8000
        )
        if newest is not None and frame < newest - _MAX_LATE and size > _PLAIN_SIZE:
            frame += 0x10000 * (value[3] >> 7)
        if size == _PLAIN_SIZE:
            structure = self._structure_for(frame)
            if structure is None:
                return None
            index = (value[0] & 0x3F) - structure.offset & 0x3F
            if index >= len(structure.templates):
                return None
            head = value[0]
            descriptor = DependencyDescriptor(
                head > 0x7F,
                head & 0x40 > 0,
                head & 0x3F,
                frame,
                structure.templates[index],
                structure,
            )
        else:
            try:
                descriptor = self._read_extended(BitReader(value), frame)
            except ParseError:
                return None
            self._learn(descriptor)
        if newest is None or frame > newest:
            self._newest = frame
        return descriptor

    def _structure_for(self, frame: int) -> TemplateStructure | None:
        return self.structure if frame >= self._since else self._before

    def _learn(self, descriptor: DependencyDescriptor) -> None:
        frame = descriptor.frame
        structure = descriptor.structure
        newer = self.structure is None or frame >= self._since
        if descriptor.attached and newer and structure is not self.structure:
            self._before, self.structure = self.structure, structure
            self._since = frame
        if descriptor.active is not None and frame >= self._told:
            self.active = descriptor.active
            self._told = frame

    def _read_extended(self, bits: BitReader, frame: int) -> DependencyDescriptor:
        first, last, template_id = bits.flag(), bits.flag(), bits.read(6)
        bits.read(16)
        attached, masked = bits.flag(), bits.flag()
        custom = bits.flag(), bits.flag(), bits.flag()
        structure = self._structure_for(frame)
        active = None
        if attached:
            read = read_structure(bits)
            # Every packet of a key frame repeats it: one object for all of them.
            if read != structure:
                structure = read
            active = read.all_targets
        if structure is None:
            raise ParseError("A dependency descriptor came before its structure.")
        mask_position = bits.position
        if masked:
            active = bits.read(structure.decode_targets)
        index = template_id - structure.offset & 0x3F
        if index >= len(structure.templates):
            raise ParseError("A dependency descriptor has an unknown template.")
        layer = structure.templates[index]
        if custom[0]:
            indications = tuple(bits.read(2) for _ in range(structure.decode_targets))
            layer = layer._replace(indications=indications)
        if custom[1]:
            layer = layer._replace(frame_diffs=_read_custom_diffs(bits))
        if custom[2]:
            diffs = tuple(bits.read(8) for _ in range(structure.chains))
            layer = layer._replace(chain_diffs=diffs)
        return DependencyDescriptor(
            first,
            last,
            template_id,
            frame,
            layer,
            structure,
            attached,
            active,
            mask_position,
            bits.position,
        )


def _read_custom_diffs(bits: BitReader) -> tuple[int, ...]:
    diffs: list[int] = []
    while size := bits.read(2):
        if len(diffs) == MAX_FRAME_DIFFS:
            raise ParseError("A dependency descriptor has too many frame differences.")
        diffs.append(bits.read(4 * size) + 1)
    return tuple(diffs)
