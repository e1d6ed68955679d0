"""Sequence numbers and timestamps rewritten, so that a subscriber sees one gapless stream."""

from collections import deque
from typing import NamedTuple

_MAX_SEGMENTS = 128  # a NACK reaches back about a second; drops are rare within one


class _Segment(NamedTuple):
    """From `first` on, packets of `ssrc` are sent as `index + offset`, from `sent_from` on."""

    ssrc: int
    first: int
    offset: int
    sent_from: int
    timestamp_offset: int


class SequenceMunger:
    """Maps the indexes (unwrapped sequence numbers) of changing sources to gapless ones.

    `start` begins a new segment behind all that was sent; `drop` closes the gap of a packet that is
    never sent; `map` and `reverse` translate. The newest segment's `ssrc`, `first` and `offset` are
    plain attributes so that the fan-out can use them for a whole run of packets. Each segment keeps
    the timestamp offset of its time: a packet is always sent with the timestamp that it had first.
    """

    def __init__(self, first: int) -> None:
        """`first` is the first index that will be sent."""
        self.next = first
        self._forget()

    def _forget(self) -> None:
        self.ssrc = -1
        self.first = 0
        self.offset = 0
        self._segments: deque[_Segment] = deque(maxlen=_MAX_SEGMENTS)

    def start(self, ssrc: int, index: int, timestamp_offset: int) -> None:
        """From `index` of `ssrc` on, go on behind the last packet sent."""
        self._push(ssrc, index, self.next - index, timestamp_offset)

    def restart(self) -> None:
        """Other sources follow, which may have the SSRCs of those before."""
        self._forget()

    def _push(self, ssrc: int, first: int, offset: int, timestamp_offset: int) -> None:
        self.ssrc, self.first, self.offset = ssrc, first, offset
        self._segments.append(_Segment(ssrc, first, offset, first + offset, timestamp_offset))

    def map(self, ssrc: int, index: int) -> tuple[int, int] | None:
        """How to send this packet; None for one that must not be sent.

        A packet older than what was started last goes out only where its place was kept free.

        Returns:
            The index to send it as, and what to add to its timestamp.
        """
        segments = self._segments
        if ssrc == self.ssrc and index >= self.first:
            sent = index + self.offset
            if sent >= self.next:
                self.next = sent + 1
            return sent, segments[-1].timestamp_offset
        for position in range(len(segments) - 2, -1, -1):
            segment = segments[position]
            if segment.ssrc == ssrc and index >= segment.first:
                sent = index + segment.offset
                if sent < segments[position + 1].sent_from:
                    return sent, segment.timestamp_offset
                return None
        return None

    def sent(self, index: int) -> None:
        """Packets of the newest segment up to `index` were sent."""
        self.next = max(self.next, index + self.offset + 1)

    def drop(self, ssrc: int, index: int) -> None:
        """`index` is never sent; those behind it move up.

        Too late for a packet behind which others were sent already: its number stays unused, and
        the subscriber takes it as lost.
        """
        if ssrc == self.ssrc and index >= self.first and index + self.offset >= self.next:
            if index == self.first and len(self._segments) > 1:
                before = self._segments[-2]
                if before.ssrc == ssrc:
                    self._segments.pop()  # nothing was sent in it
            self._push(ssrc, index + 1, self.offset - 1, self._segments[-1].timestamp_offset)

    def reverse(self, sent: int) -> tuple[int, int, int] | None:
        """(SSRC, index, timestamp offset) of the packet that was or would have been `sent`."""
        if sent >= self.next:
            return None
        for segment in reversed(self._segments):
            if sent >= segment.sent_from:
                return segment.ssrc, sent - segment.offset, segment.timestamp_offset
        return None

    def unwrap(self, sequence_number: int) -> int:
        """The index sent last that has these lower 16 bits."""
        return self.next - 1 - ((self.next - 1 - sequence_number) & 0xFFFF)


class TimestampMunger:
    """Keeps RTP timestamps continuous when the source changes.

    The offset changes only with the source: one that pauses goes on counting, and so must we.

    Attributes:
        offset: What to add to the source's timestamps.
        last_sent: The source's timestamp of the newest packet sent; kept by the outbound stream.
        last_time: When that was sent, monotonic seconds.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.last_sent = 0
        self.last_time = 0.0
        self._ssrc: int | None = None

    def start(
        self, ssrc: int, timestamp: int, clock_rate: int, *, elapsed: float, now: float
    ) -> None:
        """`timestamp` of `ssrc` is the next to be sent, at `now`.

        `elapsed` seconds of capture time passed since what was sent last.
        """
        if self._ssrc == ssrc:
            return
        if self._ssrc is not None:
            ticks = max(1, round(elapsed * clock_rate))
            self.offset = (self.last_sent + self.offset + ticks - timestamp) & 0xFFFFFFFF
        self._ssrc = ssrc
        self.last_sent = timestamp
        self.last_time = now

    def restart(self) -> None:
        """The source begins anew, perhaps with other timestamps under its old SSRC."""
        if self._ssrc is not None:
            self._ssrc = -1
