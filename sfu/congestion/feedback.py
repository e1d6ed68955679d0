"""The transport-wide feedback that we send to a publisher, for it to estimate its bandwidth with.

draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
"""

from itertools import islice

from sfu.wire.sequence import sequence_distance
from sfu.wire.twcc import (
    DELTA_MAX,
    DELTA_MIN,
    REFERENCE_PERIOD,
    REFERENCE_UNIT,
    TICK,
    TransportFeedback,
)

INTERVAL = 0.1  # s; the draft's default: quick enough for the estimator, 1 % of a thin uplink
TICKS_PER_SECOND = round(1 / TICK)
FULL = 450  # packets; with two bytes each and their statuses, a feedback is below 1100 bytes
MAX_GAP = 2048  # packets; a longer gap is an outage or a restart, not worth reporting as losses
HISTORY = 512  # packets that were reported, kept to be told again when an older one comes late
MAX_PENDING = 8192  # packets; 0.1 s at 800 Mbit/s, so only a shell that never builds gets there


class TransportFeedbackGenerator:
    """Notes when the packets of one transport came, and reports it every 100 ms while some come.

    A packet that comes late, after it was reported as missing, is reported again, with all those
    after it.

    Attributes:
        sender_ssrc: Ours.
        media_ssrc: Any SSRC of the publisher's, but one that it sends with at the moment.
    """

    __slots__ = (
        "_arrivals",
        "_due",
        "_feedback_count",
        "_first",
        "_floor",
        "_highest",
        "_pending",
        "_told",
        "media_ssrc",
        "sender_ssrc",
    )

    def __init__(self, *, sender_ssrc: int, media_ssrc: int = 0) -> None:
        self.sender_ssrc = sender_ssrc
        self.media_ssrc = media_ssrc
        self._arrivals: dict[int, int] = {}  # index → ticks of 250 µs
        self._highest = -1  # an index has the sequence number in its low 16 bits
        self._floor = 0  # lowest index that is not too late
        self._first = 0  # where the next report begins
        self._pending = 0  # packets not reported yet
        self._told = 0  # everything that was reported is below
        self._due = float("-inf")
        self._feedback_count = 0

    def received(self, sequence_number: int, now: float) -> None:
        """Note a packet.

        Args:
            sequence_number: Transport-wide, 16 bits.
            now: When it came, monotonic seconds.
        """
        index = self._highest + 1
        if sequence_number != index & 0xFFFF or not index:
            index = self._index(sequence_number)
            if index < self._floor or index in self._arrivals:
                return
        pending = self._pending
        if pending == MAX_PENDING:
            return
        following = self._highest + 1
        if not pending:
            # What was lost since the last report belongs into the next one.
            self._first = following if 0 <= index - following <= MAX_GAP and following else index
            if self._due <= now:
                self._due = now + INTERVAL
        elif index < self._first:
            self._first = index
        if index >= following:
            self._highest = index
        self._pending = pending + 1
        self._arrivals[index] = int(now * TICKS_PER_SECOND)

    def _index(self, sequence_number: int) -> int:
        """The index of a packet that is not the next one."""
        highest = self._highest
        if highest < 0:
            # A turn above zero, so that what is older than the first packet has an index too.
            self._floor = sequence_number + 0x10000 - HISTORY
            return sequence_number + 0x10000
        distance = sequence_distance(sequence_number, highest & 0xFFFF)
        if distance < -MAX_GAP:  # so late is none: the sender has begun to count anew
            distance += 0x10000
        return highest + distance

    def next_time(self) -> float | None:
        """When to call `build`; None for not before the next packet."""
        return self._due if self._pending else None

    def build(self, *, now: float) -> list[TransportFeedback]:
        """Report all packets that are not reported yet; several times where one has no room.

        No gap between two reports is left out, except one that is too long to be loss.
        """
        feedbacks: list[TransportFeedback] = []
        if not self._pending:
            return feedbacks
        arrivals = self._arrivals
        base = self._first
        previous = base - 1
        deltas: list[int | None] = []
        reference = last = 0
        for index in self._since(base):
            ticks = arrivals[index]
            lost = index - previous - 1
            if deltas and (
                len(deltas) >= FULL or lost > MAX_GAP or not DELTA_MIN <= ticks - last <= DELTA_MAX
            ):
                feedbacks.append(self._feedback(base, reference, deltas))
                deltas = []
                if lost > MAX_GAP:
                    lost = 0
                base = index - lost
            if not deltas:
                reference = ticks // REFERENCE_UNIT
                last = reference * REFERENCE_UNIT
            deltas += [None] * lost
            deltas.append(ticks - last)
            last = ticks
            previous = index
        feedbacks.append(self._feedback(base, reference, deltas))
        self._pending = 0
        self._told = self._highest + 1
        self._due = now + INTERVAL
        self._floor = floor = max(self._floor, self._highest - HISTORY)
        if len(arrivals) > 2 * HISTORY:
            self._arrivals = {i: ticks for i, ticks in arrivals.items() if i >= floor}
        return feedbacks

    def _since(self, base: int) -> list[int]:
        """The packets to report, in order."""
        arrivals = self._arrivals
        if base >= self._told:
            # None came late: they are those that came last.
            return sorted(islice(reversed(arrivals), self._pending))
        return sorted(index for index in arrivals if index >= base)

    def _feedback(self, base: int, reference: int, deltas: list[int | None]) -> TransportFeedback:
        count = self._feedback_count
        self._feedback_count = (count + 1) & 0xFF
        return TransportFeedback(
            sender_ssrc=self.sender_ssrc,
            media_ssrc=self.media_ssrc,
            base_sequence=base & 0xFFFF,
            reference_time=reference % REFERENCE_PERIOD,
            feedback_count=count,
            deltas=tuple(deltas),
        )
