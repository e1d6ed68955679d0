"""One stream as one subscriber gets it: which packets, and with what numbers in their payloads."""

from collections import deque
from typing import NamedTuple, Protocol

from sfu.wire.rtp import RtpPacket

MAX_PICTURES = 128  # remembered of a stream: 2 s at 60 pictures/s; later than that nothing helps
MAX_SPANS = 8  # of pictures that were sent unseen; each lasts at least a second
MAX_GAP = 64  # pictures; behind more lost ones than these, no late one is waited for

DROPPED = -(1 << 62)  # noted of a picture that is never sent; below every layer and shift


class Patch(NamedTuple):
    """What to change in a packet as it is sent.

    Attributes:
        payload: (Offset, bytes to put there), offsets in the payload with a picture id of 15 bits
            (`sfu.wire.payload.picture_id_widener`).
        marker: Whether to set the marker bit; else it stays as it came.
        descriptor: The dependency descriptor to send in place of the one that came, of whatever
            length; None to leave it.
    """

    payload: tuple[tuple[int, bytes], ...] = ()
    marker: bool = False
    descriptor: bytes | None = None


ALL_TEMPORAL = 3  # from this layer on a target means all that there may ever be

NO_PATCH = Patch()  # always this object: `patch is NO_PATCH`


class Projection(Protocol):
    """Chooses the packets of one layer out of a stream and hides that there were others.

    It expects packets whose `frame` a `FrameReader` has set. Sequence numbers are not its business:
    a packet that is not sent leaves a gap in them for whoever rewrites them.
    """

    @property
    def current(self) -> tuple[int, int]:
        """Spatial and temporal layer that are sent now, which follow the target as frames allow."""

    @property
    def needs_key_frame(self) -> bool:
        """Whether the spatial layer asked for last cannot be reached without a key frame."""

    def start(self, packet: RtpPacket) -> None:
        """Go on with another stream, or anew with the same.

        Numbers go on behind those that were sent. Late packets of the stream before still pass, but
        no picture of it of which nothing was decided by now: receivers go on at the key frame.

        Args:
            packet: The first one of a key frame, `accept` it next.
        """

    def accept(self, packet: RtpPacket, *, spatial: int, temporal: int) -> Patch | None:
        """How to send this packet.

        A late packet of a picture that was sent passes, with the numbers of that picture; one of a
        picture that was not never does.

        Args:
            packet: Of any stream.
            spatial: Highest spatial layer wanted.
            temporal: Highest temporal layer wanted.

        Returns:
            What to change in it, `NO_PATCH` where there is nothing; None when it is not sent.
        """

    def steady(self, spatial: int, temporal: int) -> tuple[int, int] | None:
        """Whether every packet that comes is to be sent, and shifted alike.

        Args:
            spatial: Highest spatial layer wanted.
            temporal: Highest temporal layer wanted.

        Returns:
            What to add to the numbers of pictures and to TL0PICIDX; None where `accept` must see
            each packet.
        """

    def resume(self, packet: RtpPacket) -> None:
        """All packets up to this newest one were sent as `steady` said; `accept` sees the next."""


class PlainProjection:
    """A stream without layers of its own: H.264, and whatever we know nothing of."""

    __slots__ = ()

    current = (0, 0)
    needs_key_frame = False

    def start(self, packet: RtpPacket) -> None:
        """Nothing in the payload counts."""

    def accept(self, packet: RtpPacket, *, spatial: int, temporal: int) -> Patch | None:  # noqa: ARG002
        """Everything is sent as it is."""
        return NO_PATCH

    def steady(self, spatial: int, temporal: int) -> tuple[int, int] | None:  # noqa: ARG002
        """Always, and as it is."""
        return 0, 0

    def resume(self, packet: RtpPacket) -> None:
        """Nothing in the payload counts."""


class Pictures:
    """What became of the newest pictures of one stream: a number for each, bounded.

    Attributes:
        ssrc: Of the stream.
        first: The picture that it began with.
        highest: Newest picture of all.
        decided: Picture → whatever its projection noted.
        expected: Picture → the like for those that have not come yet, but may come late.
    """

    __slots__ = ("_spans", "decided", "expected", "first", "highest", "ssrc")

    def __init__(self, ssrc: int, first: int) -> None:
        self.ssrc = ssrc
        self.first = first
        self.highest = first - 1
        self.decided: dict[int, int] = {}
        self.expected: dict[int, int] = {}
        self._spans: deque[tuple[int, int, int]] = deque(maxlen=MAX_SPANS)

    def noted(self, picture: int) -> int | None:
        """What was noted of it, or of the span that it is in; None where nothing was decided."""
        value = self.decided.get(picture)
        if value is not None:
            return value
        for first, last, value in self._spans:
            if first <= picture <= last:
                return value
        return None

    def span(self, last: int, value: int) -> None:
        """All pictures up to `last` were sent; note this of all of them."""
        spans, highest = self._spans, self.highest
        if last > highest:
            if spans and spans[-1][1:] == (highest, value):
                spans[-1] = (spans[-1][0], last, value)
            else:
                spans.append((highest + 1, last, value))
            self.highest = last

    def decide(self, picture: int, value: int) -> None:
        """Note what became of it, and forget the oldest."""
        decided = self.decided
        decided[picture] = value
        if len(decided) > MAX_PICTURES:
            del decided[next(iter(decided))]

    def skip(self, picture: int, value: int = 0) -> None:
        """`picture` is the new highest: expect those lost before it, noting `value` of each."""
        first = self.highest + 1
        if picture != first and picture - first <= MAX_GAP:
            expected = self.expected
            for lost in range(first, picture):
                expected[lost] = value
            while len(expected) > MAX_PICTURES:
                del expected[next(iter(expected))]
        self.highest = picture

    def sent(self, picture: int, distances: tuple[int, ...]) -> bool:
        """Whether all at these distances behind `picture` were sent, or may still come late."""
        decided, first = self.decided, self.first
        for distance in distances:
            other = picture - distance
            if other < first or decided.get(other) == DROPPED:
                return False
        return True
