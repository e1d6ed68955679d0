"""What is told about one m-line on which we send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ForwarderStats:
    """What one subscriber got of one m-line.

    Attributes:
        packets: RTP packets sent, without retransmissions.
        octets: Their payload bytes.
        retransmitted: Packets sent again.
        not_found: Packets asked for again that the cache had no more.
        fraction_lost: Of the last interval that the receiver reported, 0 to 1.
        round_trip: Seconds, 0 while unknown.
        jitter: Seconds, as the receiver sees it.
    """

    packets: int
    octets: int
    retransmitted: int
    not_found: int
    fraction_lost: float
    round_trip: float
    jitter: float
