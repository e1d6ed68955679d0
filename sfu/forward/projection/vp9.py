"""VP9 with temporal and spatial layers (RFC 9628), as one layer of each."""

from sfu.forward.projection.base import ALL_TEMPORAL, DROPPED, NO_PATCH, Patch, Pictures
from sfu.wire.payload.frame import Vp9Frame
from sfu.wire.rtp import RtpPacket

_PICTURE_ID_OFFSET = 1
_TL0_OFFSET = 4  # behind a picture id of 15 bits and the layer indices
_MARKER = Patch(marker=True)


class Vp9Projection:
    """VP9 up to one spatial and temporal layer.

    Pictures are told apart, and refer to each other, by distances of picture ids, so the ids of one
    stream are all shifted alike; receivers know from the scalability structure or the references
    that pictures of higher temporal layers are not for them.

    Where upper layers lean on lower ones in key pictures alone (K-SVC, told by Z), the lower ones
    of other pictures are not sent. Then every change of the spatial layer takes a key picture;
    else going down does not.
    """

    __slots__ = (
        "_answer",
        "_before",
        "_k_svc",
        "_key_picture",
        "_last",
        "_needs_key_frame",
        "_open",
        "_picture",
        "_pictures",
        "_place",
        "_shift",
        "_spatial",
        "_tl0",
        "_tl0_shift",
        "_top",
        "_top_temporal",
    )

    def __init__(self) -> None:
        self._pictures: Pictures | None = None
        self._before: tuple[Pictures, int, int] | None = None  # and the shifts it had
        self._shift = 0  # of picture ids: what to add to the source's
        self._last = -1  # picture id sent last, -1 before the first
        self._tl0_shift = 0
        self._tl0 = -1  # sent last
        self._spatial = 0  # up to this layer
        self._open = 1  # bit mask of the temporal layers that can be decoded
        self._top = self._top_temporal = 0  # highest layers seen
        self._k_svc = False
        self._key_picture = -1
        self._needs_key_frame = True
        # Picture and place of the packet before, and what was said of it.
        self._picture = -1
        self._place = -1
        self._answer: Patch | None = None

    @property
    def current(self) -> tuple[int, int]:
        """Spatial and temporal layers are sent up to these."""
        mask = self._open
        return self._spatial, (~mask & mask + 1).bit_length() - 2

    @property
    def needs_key_frame(self) -> bool:
        """Before the first one, and where the spatial layer wanted last takes one."""
        return self._needs_key_frame

    def start(self, packet: RtpPacket) -> None:
        """Go on behind what was sent, with the stream of this first packet of a key picture."""
        frame = packet.frame
        if not isinstance(frame, Vp9Frame):
            return
        if self._pictures is not None:
            same = self._pictures.ssrc == packet.ssrc
            before = (self._pictures, self._shift, self._tl0_shift)
            self._before = None if same else before
        self._pictures = Pictures(packet.ssrc, frame.picture)
        self._shift = self._last + 1 - frame.picture if self._last >= 0 else 0
        self._tl0_shift = self._tl0 + 1 - frame.tl0 if self._tl0 >= 0 <= frame.tl0 else 0
        self._picture = -1
        self._k_svc = False

    def accept(self, packet: RtpPacket, *, spatial: int, temporal: int) -> Patch | None:
        """See `Projection.accept`."""
        frame = packet.frame
        pictures = self._pictures
        if pictures is None or not isinstance(frame, Vp9Frame):
            return None
        if packet.ssrc != pictures.ssrc:
            return self._accept_before(packet, frame)
        if not frame.identified:
            return NO_PATCH  # nothing tells its packets from those of other pictures
        picture = frame.picture
        if picture == self._picture and frame.place == self._place and not packet.marker:
            return self._answer  # most packets are like those before
        ceiling = pictures.noted(picture)
        if ceiling is None:
            if picture > pictures.highest:
                ceiling = self._decide(pictures, frame, spatial, temporal)
            elif pictures.expected.pop(picture, None) is not None:
                ceiling = self._spatial if self._fits(pictures, frame, temporal) else DROPPED
                pictures.decide(picture, ceiling)
            elif frame.key_frame:
                # The source counts anew: nothing else brings a key frame from long ago.
                self.start(packet)
                assert self._pictures is not None
                pictures = self._pictures
                ceiling = self._decide(pictures, frame, spatial, temporal)
            else:
                return None
        elif frame.key_frame and picture == pictures.highest and picture != self._key_picture:
            # Upper layers of a key picture came before its base.
            ceiling = self._decide(pictures, frame, spatial, temporal)
        if packet.marker and frame.spatial < ceiling and picture == self._key_picture:
            self._spatial = frame.spatial  # there is no more of it: what comes above leans on it
        answer = None
        if self._passes(frame, ceiling):
            marker = frame.end and frame.spatial == ceiling and not packet.marker
            answer = _patch(frame, self._shift, self._tl0_shift, marker)
        self._picture, self._place, self._answer = picture, frame.place, answer
        return answer

    def steady(self, spatial: int, temporal: int) -> tuple[int, int] | None:
        """As long as all layers that there are, or will be, can be decoded and are wanted."""
        whole = (2 << self._top_temporal) - 1
        if (
            self._pictures is None
            or self._k_svc
            or spatial < self._top
            or self._spatial < self._top
            or temporal < ALL_TEMPORAL
            or self._open & whole != whole
        ):
            return None
        return self._shift, self._tl0_shift

    def resume(self, packet: RtpPacket) -> None:
        """See `Projection.resume`."""
        frame, pictures = packet.frame, self._pictures
        if pictures is None or not isinstance(frame, Vp9Frame) or packet.ssrc != pictures.ssrc:
            return
        pictures.span(frame.picture, self._spatial)
        self._last = max(self._last, frame.picture + self._shift)
        self._top = frame.top
        if frame.tl0 >= 0:
            self._tl0 = frame.tl0 + self._tl0_shift & 0xFF
        self._picture = -1

    def _passes(self, frame: Vp9Frame, ceiling: int) -> bool:
        """Whether this layer of a picture is sent, which is sent up to layer `ceiling`."""
        layer = frame.spatial
        return layer == ceiling or (layer < ceiling and not (self._k_svc and frame.not_reference))

    def _decide(self, pictures: Pictures, frame: Vp9Frame, spatial: int, temporal: int) -> int:
        """The highest spatial layer to send of a picture newer than all before, or `DROPPED`."""
        pictures.skip(frame.picture)
        self._top = frame.top
        if frame.temporal > self._top_temporal:
            self._top_temporal = frame.temporal
        wanted = min(spatial, frame.top)
        limit = (2 << temporal) - 1
        if frame.intra:
            # Nothing behind it needs what was before.
            self._key_picture = frame.picture
            self._spatial = wanted
            self._open = limit
        else:
            if frame.spatial == 0:
                # Z tells that the layer above does without, but for a stream of one layer.
                self._k_svc = frame.not_reference and frame.top > 0
            if spatial < self._spatial and not self._k_svc:
                self._spatial = spatial
            self._open &= limit
            self._open_layers(frame, limit)
        # A layer that stalls may come back as it was; in K-SVC the one below cannot fill in.
        self._needs_key_frame = wanted > self._spatial or (self._k_svc and wanted < self._spatial)
        if not self._fits(pictures, frame, temporal):
            self._open &= ~(1 << frame.temporal)
            pictures.decide(frame.picture, DROPPED)
            return DROPPED
        self._open |= 1 << frame.temporal
        self._last = frame.picture + self._shift
        if frame.tl0 >= 0:
            self._tl0 = frame.tl0 + self._tl0_shift & 0xFF
        pictures.decide(frame.picture, self._spatial)
        return self._spatial

    def _open_layers(self, frame: Vp9Frame, limit: int) -> None:
        """Learn from the U bit which temporal layers can be decoded from here on."""
        if not frame.switching_up:
            return
        layer = 1 << frame.temporal
        if self._open & (layer - 1) != layer - 1:
            return
        if self._open & layer:
            # RFC 9628 4.2: pictures of higher layers behind this one need none from before it.
            self._open = limit
        else:
            # Encoders tell it, too, of a picture that needs none of its own layer.
            self._open |= layer & limit

    def _fits(self, pictures: Pictures, frame: Vp9Frame, temporal: int) -> bool:
        """Whether this picture is wanted, and can be decoded with what was sent."""
        layer = frame.temporal
        if layer == 0 or layer > temporal:
            return layer == 0
        if frame.references:
            return pictures.sent(frame.picture, frame.references)
        needed = (2 << layer) - 1
        return self._open & needed == needed

    def _accept_before(self, packet: RtpPacket, frame: Vp9Frame) -> Patch | None:
        """A packet of another stream than the one that is sent now."""
        if self._before is None or self._before[0].ssrc != packet.ssrc or not frame.identified:
            return None
        pictures, shift, tl0_shift = self._before
        ceiling = pictures.noted(frame.picture)
        if ceiling is None or not self._passes(frame, ceiling):
            return None
        marker = frame.end and frame.spatial == ceiling and not packet.marker
        return _patch(frame, shift, tl0_shift, marker)


def _patch(frame: Vp9Frame, shift: int, tl0_shift: int, marker: bool) -> Patch:
    if frame.wide and not (shift & 0x7FFF or tl0_shift & 0xFF):
        return _MARKER if marker else NO_PATCH
    number = frame.picture + shift & 0x7FFF
    changes: tuple[tuple[int, bytes], ...] = (
        (_PICTURE_ID_OFFSET, (0x8000 | number).to_bytes(2, "big")),
    )
    if frame.tl0 >= 0:
        changes += ((_TL0_OFFSET, bytes((frame.tl0 + tl0_shift & 0xFF,))),)
    return Patch(changes, marker)
