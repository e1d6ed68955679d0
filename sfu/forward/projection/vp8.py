"""VP8 with temporal layers: picture id and TL0PICIDX without gaps (RFC 7741 section 4.2)."""

from sfu.forward.projection.base import ALL_TEMPORAL, DROPPED, NO_PATCH, Patch, Pictures
from sfu.wire.payload.frame import Vp8Frame
from sfu.wire.rtp import RtpPacket


class Vp8Projection:
    """VP8 up to one temporal layer.

    Receivers take a gap in the picture ids for a loss, so the ids of pictures that are not sent are
    given to those behind them. TL0PICIDX counts pictures of the base layer, which are always sent.

    A frame of a higher layer than before is sent where it needs the base layer alone (Y), or where
    all layers below and its own have been sent since such a frame of each.
    """

    __slots__ = (
        "_before",
        "_next",
        "_open",
        "_patch",
        "_picture",
        "_pictures",
        "_place",
        "_shift",
        "_tl0",
        "_tl0_shift",
        "_top",
    )

    def __init__(self) -> None:
        self._pictures: Pictures | None = None
        self._before: tuple[Pictures, int] | None = None  # the stream before, its TL0PICIDX shift
        self._shift = 0  # of picture ids: what to add to the source's
        self._next = -1  # the picture id to give next, -1 before the first
        self._tl0_shift = 0
        self._tl0 = -1  # sent last
        self._top = 0  # highest temporal layer seen
        self._open = 1  # bit mask of the temporal layers that can be decoded
        # The newest picture, to which most packets belong, and what was said of the last of them.
        self._picture = -1
        self._place = -1
        self._patch: Patch | None = None

    @property
    def current(self) -> tuple[int, int]:
        """Temporal layers are sent up to this one."""
        mask = self._open
        return 0, (~mask & mask + 1).bit_length() - 2

    @property
    def needs_key_frame(self) -> bool:
        """Before the first one."""
        return self._pictures is None

    def start(self, packet: RtpPacket) -> None:
        """Go on behind what was sent, with the stream of this first packet of a key frame."""
        frame = packet.frame
        if not isinstance(frame, Vp8Frame):
            return
        if self._pictures is not None:
            same = self._pictures.ssrc == packet.ssrc
            self._before = None if same else (self._pictures, self._tl0_shift)
        self._pictures = Pictures(packet.ssrc, frame.picture)
        self._shift = self._next - frame.picture if self._next >= 0 else 0
        self._tl0_shift = self._tl0 + 1 - frame.tl0 if self._tl0 >= 0 <= frame.tl0 else 0
        self._picture = -1

    def accept(self, packet: RtpPacket, *, spatial: int, temporal: int) -> Patch | None:  # noqa: ARG002
        """See `Projection.accept`; `spatial` does not matter here."""
        frame = packet.frame
        pictures = self._pictures
        if pictures is None or not isinstance(frame, Vp8Frame):
            return None
        if packet.ssrc != pictures.ssrc:
            return self._accept_before(packet.ssrc, frame)
        picture = frame.picture
        if picture == self._picture and not frame.key_frame and frame.place == self._place:
            return self._patch
        if not frame.offset:
            return NO_PATCH
        shift = pictures.noted(picture)
        if shift is None:
            if picture > pictures.highest:
                shift = self._decide(pictures, frame, temporal)
            elif picture in pictures.expected:
                shift = pictures.expected.pop(picture)
                if not self._fits(frame, temporal):
                    shift = DROPPED
                pictures.decide(picture, shift)
            elif frame.key_frame:
                # The source counts anew: nothing else brings a key frame from long ago.
                self.start(packet)
                assert self._pictures is not None
                pictures = self._pictures
                shift = self._decide(pictures, frame, temporal)
            else:
                return None
        elif frame.key_frame and picture == pictures.highest:
            self._open = (2 << temporal) - 1  # its first packet came after another one
        patch = None if shift == DROPPED else _patch(frame, shift, self._tl0_shift)
        if picture == pictures.highest:
            self._picture, self._place, self._patch = picture, frame.place, patch
        return patch

    def steady(self, spatial: int, temporal: int) -> tuple[int, int] | None:  # noqa: ARG002
        """As long as all temporal layers that there are, or will be, can be decoded."""
        whole = (2 << self._top) - 1
        if self._pictures is None or temporal < ALL_TEMPORAL or self._open & whole != whole:
            return None
        return self._shift, self._tl0_shift

    def resume(self, packet: RtpPacket) -> None:
        """See `Projection.resume`."""
        frame, pictures = packet.frame, self._pictures
        if pictures is None or not isinstance(frame, Vp8Frame) or packet.ssrc != pictures.ssrc:
            return
        pictures.span(frame.picture, self._shift)
        self._next = max(self._next, frame.picture + self._shift + 1)
        if frame.tl0 >= 0:
            self._tl0 = frame.tl0 + self._tl0_shift & 0xFF
        self._picture = -1

    def _decide(self, pictures: Pictures, frame: Vp8Frame, temporal: int) -> int:
        """What to add to the id of a picture newer than all before, or `DROPPED`."""
        picture = frame.picture
        if frame.temporal > self._top:
            self._top = frame.temporal
        pictures.skip(picture, self._shift)
        if frame.key_frame:
            self._open = (2 << temporal) - 1  # nothing behind it needs what was before
        else:
            self._open &= (2 << temporal) - 1
            if frame.layer_sync and frame.temporal <= temporal:
                self._open |= 1 << frame.temporal
        if not self._fits(frame, temporal):
            self._open &= ~(1 << frame.temporal)
            self._shift -= 1
            pictures.decide(picture, DROPPED)
            return DROPPED
        self._next = picture + self._shift + 1
        if frame.tl0 >= 0:
            self._tl0 = frame.tl0 + self._tl0_shift & 0xFF
        pictures.decide(picture, self._shift)
        return self._shift

    def _fits(self, frame: Vp8Frame, temporal: int) -> bool:
        """Whether this picture is wanted, and can be decoded with what was sent."""
        layer = frame.temporal
        if layer == 0 or layer > temporal:
            return layer == 0
        needed = (2 << layer) - 1
        return frame.layer_sync or self._open & needed == needed

    def _accept_before(self, ssrc: int, frame: Vp8Frame) -> Patch | None:
        """A packet of another stream than the one that is sent now."""
        if self._before is None or self._before[0].ssrc != ssrc:
            return None
        pictures, tl0_shift = self._before
        if not frame.offset:
            return NO_PATCH  # without picture ids nothing was left out
        shift = pictures.noted(frame.picture)
        return None if shift is None or shift == DROPPED else _patch(frame, shift, tl0_shift)


def _patch(frame: Vp8Frame, shift: int, tl0_shift: int) -> Patch:
    """Put in the picture id, and the TL0PICIDX that follows it."""
    if frame.wide and not (shift & 0x7FFF or tl0_shift & 0xFF):
        return NO_PATCH
    number = frame.picture + shift
    high, low = 0x80 | number >> 8 & 0x7F, number & 0xFF
    if frame.tl0 < 0:
        return Patch(((frame.offset, bytes((high, low))),))
    return Patch(((frame.offset, bytes((high, low, frame.tl0 + tl0_shift & 0xFF))),))
