"""What receiver reports tell about one stream: loss and jitter (RFC 3550 6.4.1, A.3, A.8)."""

from sfu.wire.rtcp import ReportBlock
from sfu.wire.sequence import timestamp_distance


class ReceptionStatistics:
    """Counts the packets of one stream as RFC 3550 wants them reported.

    Packets that come late or twice count as received, those that only a retransmission stream
    brought do not: the report is about the path, which the sender adapts to.

    Args:
        clock_rate: RTP clock of the stream in Hz.

    Attributes:
        base: Index of the first packet expected.
        highest: Highest index seen, -1 before the first packet.
        received: Packets received.
        jitter: Interarrival jitter in timestamp units, not rounded.
    """

    __slots__ = (
        "_arrival",
        "_clock_rate",
        "_expected_before",
        "_offset",
        "_received_before",
        "_report_arrival",
        "_report_time",
        "_timestamp",
        "base",
        "highest",
        "jitter",
        "received",
    )

    def __init__(self, *, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._report_time = 0
        self._report_arrival = 0.0
        self.start(0, 0)

    def start(self, index: int, sequence_number: int) -> None:
        """Begin, or begin anew, with a source whose first packet is about to be counted.

        Args:
            index: Its unwrapped sequence number.
            sequence_number: What the sender calls it, 16 bits.
        """
        self._offset = sequence_number - index
        self.base = index
        self.highest = -1
        self.received = 0
        self.jitter = 0.0
        self._timestamp = -1
        self._arrival = 0.0
        self._expected_before = 0
        self._received_before = 0

    def add(self, index: int, timestamp: int, arrival: float) -> None:
        """Count a packet that is newer than all before it.

        Args:
            index: Its unwrapped sequence number.
            timestamp: RTP timestamp.
            arrival: Monotonic seconds.
        """
        self.received += 1
        self.highest = index
        # RFC 5450 1: the packets of one frame share a timestamp, yet cannot be sent at one time.
        # So the first of each frame tells the jitter of the path, the others that of the pacing.
        if timestamp != self._timestamp:
            if self._timestamp >= 0:
                transit = (arrival - self._arrival) * self._clock_rate
                transit -= timestamp_distance(timestamp, self._timestamp)
                self.jitter += (abs(transit) - self.jitter) / 16
            self._timestamp = timestamp
            self._arrival = arrival

    def add_late(self, index: int) -> None:
        """Count a packet that is older than the newest, whether it came late or twice."""
        self.received += 1
        if index < self.base:
            self.base = index

    @property
    def expected(self) -> int:
        """Packets from the first to the newest."""
        return self.highest - self.base + 1 if self.highest >= 0 else 0

    @property
    def lost(self) -> int:
        """Packets expected less packets received; negative where many came twice."""
        return self.expected - self.received

    @property
    def jitter_seconds(self) -> float:
        """Interarrival jitter in seconds."""
        return self.jitter / self._clock_rate

    def receive_sender_report(self, ntp_time: int, *, now: float) -> None:
        """Remember a sender report, for its sender to measure the round trip with.

        Args:
            ntp_time: The middle 32 bits of its NTP time.
            now: When it came.
        """
        self._report_time = ntp_time
        self._report_arrival = now

    def report_block(self, *, ssrc: int, now: float) -> ReportBlock:
        """The report on the stream of `ssrc` for the interval since the last call."""
        expected = self.expected
        expected_interval = expected - self._expected_before
        lost_interval = expected_interval - (self.received - self._received_before)
        self._expected_before = expected
        self._received_before = self.received
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        delay = 0
        if self._report_time:
            delay = min(0xFFFFFFFF, round((now - self._report_arrival) * 65536))
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=fraction,
            packets_lost=self.lost,
            highest_sequence=(self.highest + self._offset) & 0xFFFFFFFF if expected else 0,
            jitter=int(self.jitter) & 0xFFFFFFFF,
            last_sender_report=self._report_time,
            delay_since_last_sender_report=delay,
        )
