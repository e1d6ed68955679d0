"""Senders of spatial and temporal layers: what each frame needs, and how packets tell it.

Pictures follow the usual pattern of three temporal layers (0 2 1 2), or none. A frame needs the
newest one of its spatial layer in a lower temporal layer (or in the base layer, its own), and in
the same picture the spatial layer below: always, or in key pictures alone (K-SVC).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sfu.wire.dependency_descriptor import DependencyDescriptor
from sfu.wire.dependency_structure import (
    DISCARDABLE,
    NOT_PRESENT,
    REQUIRED,
    SWITCH,
    Template,
    TemplateStructure,
)
from sfu.wire.rtp import RtpPacket
from tests.support.projected import Stream

PERIOD = 4
PACKETS = 2  # of each frame


@dataclass(frozen=True)
class Frame:
    """One frame of one spatial layer.

    Attributes:
        number: Of all frames.
        picture: Number of its picture.
        spatial: Layer.
        temporal: Layer.
        key: Whether it is part of a key picture.
        needs: Numbers of the frames that it needs.
    """

    number: int
    picture: int
    spatial: int
    temporal: int
    key: bool
    needs: tuple[int, ...]


class Svc:
    """A scalability mode.

    Attributes:
        spatial: Number of spatial layers.
        temporal: Number of temporal layers, 1 or 3.
        k_svc: Whether upper layers lean on lower ones in key pictures alone.
    """

    def __init__(self, spatial: int, temporal: int, *, k_svc: bool = False) -> None:
        self.spatial = spatial
        self.temporal = temporal
        self.k_svc = k_svc

    def temporal_of(self, picture: int) -> int:
        """The layer of the picture with this number since the key picture."""
        return (0, 2, 1, 2)[picture % PERIOD] if self.temporal == 3 else 0

    def needed(self, picture: int) -> tuple[int, ...]:
        """Distances to the pictures that this one needs."""
        place = picture % PERIOD
        if self.temporal == 1:
            return (1,)
        return ((4,), (1,), (2,), (1,))[place]

    def pictures(self, count: int, *, key_every: int = 1000, layers: int = 0) -> list[list[Frame]]:
        """So many pictures, each with its frames, from a key picture on."""
        made: list[list[Frame]] = []
        number = since = 0
        for picture in range(count):
            key = picture % key_every == 0
            since = 0 if key else since + 1
            frames: list[Frame] = []
            for spatial in range(layers or self.spatial):
                needs: tuple[int, ...] = ()
                if not key:
                    needs = tuple(
                        made[picture - distance][spatial].number for distance in self.needed(since)
                    )
                if spatial and (key or not self.k_svc):
                    needs += (number - 1,)
                temporal = self.temporal_of(since)
                frames.append(Frame(number, picture, spatial, temporal, key, needs))
                number += 1
            made.append(frames)
        return made

    # -- dependency descriptors

    def structure(self, *, offset: int = 0, resolutions: bool = True) -> TemplateStructure:
        """One template for each layer at each place of the pattern, and key frames."""
        return TemplateStructure(
            offset,
            tuple(template for template, _, _ in self._templates()),
            self.spatial * self.temporal,
            tuple(spatial for spatial in range(self.spatial) for _ in range(self.temporal)),
            tuple((320 << one, 180 << one) for one in range(self.spatial)) if resolutions else (),
        )

    def _templates(self) -> list[tuple[Template, int, bool]]:
        """Sorted by layers, with the place in the pattern and whether of a key picture."""
        found = []
        places = range(PERIOD if self.temporal == 3 else 1)
        for spatial in range(self.spatial):
            for key, place in ((True, 0), *((False, place) for place in places)):
                temporal = self.temporal_of(place)
                distances = () if key else tuple(self.spatial * d for d in self.needed(place))
                if spatial and (key or not self.k_svc):
                    distances += (1,)
                template = Template(
                    spatial,
                    temporal,
                    self._indications(spatial, temporal, key),
                    distances,
                    self._chains(spatial, place, key),
                )
                found.append((template, place, key))
        return sorted(found, key=lambda one: one[0][:2])

    def _indications(self, spatial: int, temporal: int, key: bool) -> tuple[int, ...]:
        told = []
        for target_spatial in range(self.spatial):
            for target_temporal in range(self.temporal):
                leans = key or not self.k_svc
                if spatial > target_spatial or temporal > target_temporal:
                    told.append(NOT_PRESENT)
                elif spatial < target_spatial:
                    told.append(SWITCH if key else REQUIRED if leans else NOT_PRESENT)
                elif temporal == 0 or temporal < target_temporal:
                    told.append(SWITCH)
                else:
                    told.append(DISCARDABLE)
        return tuple(told)

    def _chains(self, spatial: int, place: int, key: bool) -> tuple[int, ...]:
        """Each chain is the base layer of a spatial layer, with those below where it leans."""
        if key:
            return tuple(
                0 if spatial == 0 else spatial if not chain else 1 for chain in range(self.spatial)
            )
        period = PERIOD if self.temporal == 3 else 1
        back = place or period
        told = []
        for chain in range(self.spatial):
            if place == 0 and spatial > chain:
                told.append(spatial - chain)
            elif place == 0 and spatial and not self.k_svc:
                told.append(1)
            else:
                told.append(back * self.spatial + spatial - chain)
        return tuple(told)

    def template_id(self, frame: Frame, place: int, offset: int) -> int:
        """Of the template that is this frame's."""
        for index, (template, at, key) in enumerate(self._templates()):
            if template.spatial == frame.spatial and key == frame.key and (key or at == place):
                return (offset + index) % 64
        raise AssertionError(frame)

    def described(
        self,
        stream: Stream,
        pictures: list[list[Frame]],
        *,
        first: int = 0,
        offset: int = 0,
        time: int = 0,
        active: int | None = None,
    ) -> Iterator[list[RtpPacket]]:
        """The packets of each picture, with dependency descriptors."""
        structure = self.structure(offset=offset)
        since = 0
        for frames in pictures:
            since = 0 if frames[0].key else since + 1
            period = PERIOD if self.temporal == 3 else 1
            made: list[RtpPacket] = []
            for frame in frames:
                template = self.template_id(frame, since % period, offset)
                layer = structure.templates[(template - offset) % 64]._replace(
                    frame_diffs=tuple(frame.number - one for one in frame.needs)
                )
                attached = frame.key and frame.spatial == 0
                values = []
                for part in range(PACKETS):
                    told = active if attached else None
                    values.append(
                        bytes(
                            DependencyDescriptor(
                                part == 0,
                                part == PACKETS - 1,
                                template,
                                first + frame.number,
                                layer,
                                structure,
                                attached and part == 0,
                                told if part == 0 else None,
                            )
                        )
                    )
                head = 0x18 if attached else 0x10
                payloads = [bytes((head,)) + b"\x32%d" % frame.number, b"\x00more"]
                made += stream.packets(
                    payloads,
                    time + 3000 * frame.picture,
                    marker=frame is frames[-1],
                    descriptors=values,
                )
            yield made

    # -- VP9 payload descriptors

    def vp9(
        self,
        stream: Stream,
        pictures: list[list[Frame]],
        *,
        flexible: bool,
        picture_id: int = 0x7FF0,
        tl0: int = 250,
        time: int = 0,
        wide: bool = True,
    ) -> Iterator[list[RtpPacket]]:
        """The packets of each picture, with VP9 payload descriptors as libwebrtc writes them."""
        since = 0
        for frames in pictures:
            key = frames[0].key
            since = 0 if key else since + 1
            tl0 += frames[0].temporal == 0
            made: list[RtpPacket] = []
            for frame in frames:
                payloads = [
                    self._vp9_descriptor(
                        frame,
                        part,
                        (picture_id + frame.picture) & (0x7FFF if wide else 0x7F),
                        None if flexible else tl0 & 0xFF,
                        since,
                        wide,
                    )
                    + b"%d" % frame.number
                    for part in range(PACKETS)
                ]
                made += stream.packets(
                    payloads, time + 3000 * frame.picture, marker=frame is frames[-1]
                )
            yield made

    def _vp9_descriptor(
        self, frame: Frame, part: int, picture_id: int, tl0: int | None, since: int, wide: bool
    ) -> bytes:
        flexible = tl0 is None
        above = frame.spatial < self.spatial - 1 and (frame.key or not self.k_svc)
        structure = frame.key and frame.spatial == 0 and part == 0
        first = 0x80 | 0x20 | (not frame.key) << 6 | flexible << 4 | (part == 0) << 3
        first |= (part == PACKETS - 1) << 2 | structure << 1 | (not above)
        data = bytes((first,))
        data += (0x8000 | picture_id).to_bytes(2, "big") if wide else bytes((picture_id,))
        up = frame.temporal > 0  # all it needs is in lower layers
        leans = frame.spatial > 0 and (frame.key or not self.k_svc)
        data += bytes((frame.temporal << 5 | up << 4 | frame.spatial << 1 | leans,))
        if tl0 is not None:
            data += bytes((tl0,))
        elif not frame.key:
            needed = self.needed(since)
            data += bytes(d << 1 | (d is not needed[-1]) for d in needed)
        if structure:
            data += bytes(((self.spatial - 1) << 5 | 0x10 | (not flexible) << 3,))
            for one in range(self.spatial):
                data += (320 << one).to_bytes(2, "big") + (180 << one).to_bytes(2, "big")
            if not flexible:
                places = PERIOD if self.temporal == 3 else 1
                data += bytes((places,))
                for place in range(places):
                    needed = self.needed(place)
                    layer = self.temporal_of(place)
                    data += bytes((layer << 5 | (layer > 0) << 4 | len(needed) << 2, *needed))
        return data


def undecodable(pictures: list[list[Frame]], sent: set[int]) -> list[Frame]:
    """Of the frames sent, those that need one that was not."""
    return [
        frame
        for frames in pictures
        for frame in frames
        if frame.number in sent and not sent.issuperset(frame.needs)
    ]
