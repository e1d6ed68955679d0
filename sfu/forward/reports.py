"""What one m-line's sender and receiver report: loss, jitter and the time of a round trip."""

from collections import OrderedDict

from sfu.wire.ntp import middle32, to_ntp
from sfu.wire.parameters import Kind
from sfu.wire.rtcp import ReportBlock, SenderReport

REMEMBERED = 8  # sender reports; a receiver answers one of the last few
MAX_ROUND_TRIP = 10.0  # s; more is a mistake


class Reports:
    """Reports on one stream that we send (RFC 3550 6.4.1).

    Attributes:
        fraction_lost: Of the last interval, 0 to 1.
        round_trip: Seconds, 0 while unknown.
        jitter: Seconds, as the receiver sees it.
    """

    __slots__ = ("_clock_rate", "_sent", "fraction_lost", "jitter", "round_trip")

    def __init__(self, kind: Kind) -> None:
        self.fraction_lost = self.round_trip = self.jitter = 0.0
        self._clock_rate = 90000 if kind == "video" else 48000
        self._sent: OrderedDict[int, float] = OrderedDict()

    def write(
        self, *, ssrc: int, seconds: float, timestamp: int, packets: int, octets: int, now: float
    ) -> SenderReport:
        """The sender report that goes out now.

        Args:
            ssrc: Of the stream.
            seconds: Wall-clock time of a moment.
            timestamp: RTP timestamp of the same moment, of any size.
            packets: Sent so far.
            octets: Their payload bytes.
            now: Monotonic seconds.
        """
        ntp_time = to_ntp(seconds)
        self._sent[middle32(ntp_time)] = now
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        return SenderReport(
            ssrc=ssrc,
            ntp_time=ntp_time,
            rtp_time=timestamp & 0xFFFFFFFF,
            packet_count=packets & 0xFFFFFFFF,
            octet_count=octets & 0xFFFFFFFF,
            reports=(),
        )

    def receive(self, block: ReportBlock, *, now: float) -> None:
        """Take what the receiver says."""
        self.fraction_lost = block.fraction_lost / 256
        self.jitter = block.jitter / self._clock_rate
        sent = self._sent.get(block.last_sender_report)
        if sent is not None:
            round_trip = now - sent - block.delay_since_last_sender_report / 65536
            if 0 <= round_trip < MAX_ROUND_TRIP:
                self.round_trip = round_trip
