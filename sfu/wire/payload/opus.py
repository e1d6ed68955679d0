"""Audio payloads: Opus, and the redundancy around it (RFC 2198)."""

MAX_BLOCKS = 32  # of one packet; browsers send two or three


def is_key_frame(payload: bytes) -> bool:  # noqa: ARG001 - the signature of all formats
    """False: every Opus packet can be decoded on its own (RFC 7587 section 4)."""
    return False


def frame_size(payload: bytes) -> None:
    """None: sound has no size."""


def red_primary(payload: bytes) -> tuple[int, bytes] | None:
    """The newest block of a redundant payload: its payload type and its bytes.

    None when the payload is cut short or has more than `MAX_BLOCKS` blocks. The bytes may be empty:
    that is a redundant packet for silence.
    """
    size = len(payload)
    header = redundancy = 0
    for _ in range(MAX_BLOCKS):
        if header >= size:
            return None
        first = payload[header]
        if first < 0x80:  # F clear: the last header is one byte, its block is all that is left
            start = header + 1 + redundancy
            return (first, payload[start:]) if start <= size else None
        if header + 4 > size:
            return None
        redundancy += (payload[header + 2] & 0x03) << 8 | payload[header + 3]
        header += 4
    return None
