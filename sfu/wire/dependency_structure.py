"""The pattern of frames that dependency descriptors refer to.

AOMedia, RTP Payload Format For AV1, appendix A.8.2, template_dependency_structure().
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sfu.errors import ParseError
from sfu.wire.bits import BitReader, BitWriter

# Decode target indications (A.8.2, table A.1).
NOT_PRESENT = 0  # the frame is not part of the decode target
DISCARDABLE = 1  # nothing else of the decode target needs it
SWITCH = 2  # whoever can decode it can decode all of the decode target from here on
REQUIRED = 3

MAX_TEMPLATES = 64
MAX_SPATIAL, MAX_TEMPORAL = 3, 7  # layer ids, as AV1 can write them
MAX_FRAME_DIFFS = 32  # AV1 has 8 reference slots; a bound for what a peer makes us keep

_NEXT_TEMPORAL, _NEXT_SPATIAL, _NO_MORE = 1, 2, 3  # next_layer_idc; 0 stays in the layer


class Template(NamedTuple):
    """What is common to frames that stand at the same place of a pattern.

    Attributes:
        spatial: Spatial layer.
        temporal: Temporal layer.
        indications: For each decode target, how the frame belongs to it.
        frame_diffs: Distances in frame numbers to the frames that it needs.
        chain_diffs: For each chain, distance to its frame before this one; 0 where there is none.
    """

    spatial: int
    temporal: int
    indications: tuple[int, ...]
    frame_diffs: tuple[int, ...]
    chain_diffs: tuple[int, ...]


@dataclass(frozen=True)
class TemplateStructure:
    """The pattern that a key frame announces; it holds until another one is announced.

    Attributes:
        offset: Id of the first template.
        templates: In the order of their ids, sorted by layers.
        decode_targets: Number of decode targets.
        protected_by: For each decode target the chain that protects it; empty without chains.
        resolutions: Width and height of each spatial layer in pixels; empty where not told.
        target_layers: For each decode target its spatial and temporal layer.
    """

    offset: int
    templates: tuple[Template, ...]
    decode_targets: int
    protected_by: tuple[int, ...] = ()
    resolutions: tuple[tuple[int, int], ...] = ()
    target_layers: tuple[tuple[int, int], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        layers = []
        for target in range(self.decode_targets):
            among = [one for one in self.templates if one.indications[target] != NOT_PRESENT]
            spatial = max((one.spatial for one in among), default=0)
            layers.append((spatial, max((one.temporal for one in among), default=0)))
        object.__setattr__(self, "target_layers", tuple(layers))

    @property
    def chains(self) -> int:
        """Number of chains."""
        return len(self.templates[0].chain_diffs)

    @property
    def all_targets(self) -> int:
        """Bit mask of all decode targets."""
        return (1 << self.decode_targets) - 1


def read_structure(bits: BitReader) -> TemplateStructure:
    """Read one that begins here.

    Raises:
        ParseError: It passes the end, or has more layers or references than there can be.
    """
    offset = bits.read(6)
    targets = bits.read(5) + 1
    layers = _read_layers(bits)
    indications = [tuple(bits.read(2) for _ in range(targets)) for _ in layers]
    frame_diffs = []
    for _ in layers:
        diffs: list[int] = []
        while bits.flag():
            if len(diffs) == MAX_FRAME_DIFFS:
                raise ParseError("A dependency template has too many frame differences.")
            diffs.append(bits.read(4) + 1)
        frame_diffs.append(tuple(diffs))
    chains = bits.unsigned(targets + 1)
    protected_by: tuple[int, ...] = ()
    chain_diffs: list[tuple[int, ...]] = [()] * len(layers)
    if chains:
        protected_by = tuple(bits.unsigned(chains) for _ in range(targets))
        chain_diffs = [tuple(bits.read(4) for _ in range(chains)) for _ in layers]
    resolutions: tuple[tuple[int, int], ...] = ()
    if bits.flag():
        highest = layers[-1][0]
        resolutions = tuple((bits.read(16) + 1, bits.read(16) + 1) for _ in range(highest + 1))
    templates = tuple(
        Template(spatial, temporal, *rest)
        for (spatial, temporal), *rest in zip(
            layers, indications, frame_diffs, chain_diffs, strict=True
        )
    )
    return TemplateStructure(offset, templates, targets, protected_by, resolutions)


def _read_layers(bits: BitReader) -> list[tuple[int, int]]:
    spatial = temporal = 0
    layers: list[tuple[int, int]] = []
    while True:
        if len(layers) == MAX_TEMPLATES:
            raise ParseError("A dependency structure has too many templates.")
        layers.append((spatial, temporal))
        following = bits.read(2)
        if following == _NO_MORE:
            return layers
        if following == _NEXT_TEMPORAL:
            temporal += 1
        elif following == _NEXT_SPATIAL:
            spatial, temporal = spatial + 1, 0
        if spatial > MAX_SPATIAL or temporal > MAX_TEMPORAL:
            raise ParseError("A dependency structure has too many layers.")


def write_structure(writer: BitWriter, structure: TemplateStructure) -> None:
    """Write one."""
    writer.write(structure.offset, 6)
    writer.write(structure.decode_targets - 1, 5)
    templates = structure.templates
    for before, template in pairwise(templates):
        writer.write(_step(before, template), 2)
    writer.write(_NO_MORE, 2)
    for template in templates:
        for indication in template.indications:
            writer.write(indication, 2)
    for template in templates:
        for diff in template.frame_diffs:
            writer.write(1 << 4 | diff - 1, 5)
        writer.write(0, 1)
    writer.unsigned(structure.chains, structure.decode_targets + 1)
    if structure.chains:
        for chain in structure.protected_by:
            writer.unsigned(chain, structure.chains)
        for template in templates:
            for diff in template.chain_diffs:
                writer.write(diff, 4)
    writer.write(bool(structure.resolutions), 1)
    for width, height in structure.resolutions:
        writer.write(width - 1 << 16 | height - 1, 32)


def _step(before: Template, template: Template) -> int:
    if template.spatial != before.spatial:
        return _NEXT_SPATIAL
    return _NEXT_TEMPORAL if template.temporal != before.temporal else 0
