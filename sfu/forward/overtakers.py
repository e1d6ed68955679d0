"""Packets that came before the one to begin with, and belong behind it."""

from collections.abc import Callable, Sequence

from sfu.forward.fanout import TrackSource
from sfu.wire.rtp import RtpPacket

MAX_MISSING = 16  # packets in a row; what came behind more lost ones, receivers ask for


def with_overtakers(
    packets: Sequence[RtpPacket], source: TrackSource, has_sent: Callable[[RtpPacket], bool]
) -> Sequence[RtpPacket]:
    """A batch for somebody who waits for a packet to begin with: a key frame's first, if video.

    Where that one comes late, be it reordered or sent again, packets behind it have come already
    and were passed over. Their numbers would stay open until the subscriber has asked for each.

    Args:
        packets: All of one stream, as they came.
        source: Whose cache has the packets that came before.
        has_sent: Whether a packet went out before a pause: it must not come again.

    Returns:
        The batch as it is, where nothing begins in it. Else what is in it up to the packet to
        begin with, then all behind that one in order of their indexes.
    """
    any_begins = source.kind != "video"
    starts = (at for at, packet in enumerate(packets) if any_begins or packet.key_frame)
    position = next(starts, None)
    if position is None:
        return packets
    first = packets[position]
    behind = {packet.index: packet for packet in packets[position + 1 :]}
    index, missing = first.index, 0
    while missing < MAX_MISSING:
        index += 1
        packet = source.cached_packet(first.ssrc, index)
        missing = missing + 1 if packet is None else 0
        if packet is not None and not has_sent(packet):
            behind[index] = packet
    return [*packets[: position + 1], *(behind[index] for index in sorted(behind))]
