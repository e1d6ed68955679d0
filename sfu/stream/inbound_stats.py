"""What is told about one incoming stream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InboundStats:
    """A snapshot of one incoming stream.

    Attributes:
        ssrc: Of the stream.
        rid: Of its simulcast layer, "" without.
        packets: New packets handed on, repaired and padding-only ones included.
        octets: Their bytes, headers included.
        packets_lost: Lost on the path since the stream (re)started, repaired ones included
            (RFC 3550 6.4.1); negative where many came twice.
        packets_repaired: Lost ones that a retransmission stream brought.
        packets_given_up: Lost ones that are no longer asked for.
        duplicates: Packets that came again.
        discarded: Packets that came too late, with an unknown payload type or a wild number.
        jitter: Interarrival jitter in seconds.
        bitrate: Bit/s over the last second.
        packet_rate: Packets per second over the last second.
        active: Whether media came lately.
        key_frames: Key frames that began.
        nacks_sent: Packets asked for again, each time counted.
        plis_sent: Requests for a key frame.
        restarts: How often the source jumped to other sequence numbers.
    """

    ssrc: int
    rid: str
    packets: int
    octets: int
    packets_lost: int
    packets_repaired: int
    packets_given_up: int
    duplicates: int
    discarded: int
    jitter: float
    bitrate: int
    packet_rate: float
    active: bool
    key_frames: int
    nacks_sent: int
    plis_sent: int
    restarts: int
