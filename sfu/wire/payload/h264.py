"""H.264 payloads: NAL units in RTP packets (RFC 6184 section 5) and key frames."""

IDR = 5
SPS = 7
PPS = 8
STAP_A = 24
FU_A = 28


def nal_types(payload: bytes) -> tuple[int, ...]:
    """Types of the NAL units that begin in this payload.

    Single NAL unit packets, STAP-A and FU-A are read, which is all that packetization modes 0 and 1
    have. A payload that is cut short gives those before the cut.
    """
    if not payload:
        return ()
    kind = payload[0] & 0x1F
    if 0 < kind < STAP_A:
        return (kind,)
    size = len(payload)
    if kind == FU_A:
        # The S bit marks the first fragment.
        return (payload[1] & 0x1F,) if size > 1 and payload[1] & 0x80 else ()
    if kind != STAP_A:
        return ()
    types = []
    position = 1
    while position + 2 < size:
        length = payload[position] << 8 | payload[position + 1]
        if length:
            types.append(payload[position + 2] & 0x1F)
        position += 2 + length
    return tuple(types)


def is_key_frame(payload: bytes) -> bool:
    """Whether a key frame begins in this payload: its sequence parameter set is here.

    RFC 7742 6.2 has parameter sets sent in band. An IDR picture alone does not count: a receiver
    that is switched to it without the parameter sets in front cannot decode it.
    """
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == FU_A:  # most packets of most streams
        return len(payload) > 1 and payload[1] & 0x9F == 0x80 | SPS
    return kind == SPS or (kind == STAP_A and SPS in nal_types(payload))
