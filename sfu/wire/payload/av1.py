"""AV1 payloads: the aggregation header (AOMedia, RTP Payload Format For AV1 section 4.4)."""

CONTINUES = 0x80  # Z: the first element continues one of the packet before
NEW_SEQUENCE = 0x08  # N: the first packet of a coded video sequence


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: N is set, and nothing continues into it."""
    return len(payload) > 1 and payload[0] & (CONTINUES | NEW_SEQUENCE) == NEW_SEQUENCE
