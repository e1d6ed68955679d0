"""AV1 payloads: the aggregation header (AOMedia, RTP Payload Format For AV1 section 4.4)."""

from typing import NamedTuple


class AggregationHeader(NamedTuple):
    """The first byte of an AV1 payload.

    Attributes:
        continues: Whether the first element continues one of the packet before (Z).
        continued: Whether the last element goes on in the next packet (Y).
        elements: Number of elements, 1..3; 0 when each has its length in front (W).
        new_sequence: Whether this is the first packet of a coded video sequence (N).
    """

    continues: bool
    continued: bool
    elements: int
    new_sequence: bool


def parse_aggregation_header(payload: bytes) -> AggregationHeader | None:
    """Read the header; None for an empty payload."""
    if not payload:
        return None
    first = payload[0]
    return AggregationHeader(
        bool(first & 0x80), bool(first & 0x40), first >> 4 & 3, bool(first & 0x08)
    )


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: N is set, and nothing continues into it."""
    return len(payload) > 1 and payload[0] & 0x88 == 0x08
