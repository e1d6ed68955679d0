"""A batch of packets of one stream, written once for all subscribers of one layout."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.forward.layout import HeaderLayout, Template
from sfu.wire.rtp import RtpPacket


@dataclass(slots=True)
class Run:
    """Packets of one stream, written once for all subscribers of one layout.

    Attributes:
        items: Per packet (template, size, index, timestamp, sequence offset).
        sizes: Sizes of the templates in bytes.
        size: Their sum.
        payload_size: Bytes of payload in all, for sender reports.
        ssrc: The source's SSRC.
        lowest: Lowest index.
        highest: Highest index.
        last_timestamp: Source timestamp of the last packet.
        plain: Whether every packet is simply to be sent.
    """

    items: list[tuple[bytes, int, int, int, int]]
    sizes: list[int]
    size: int
    payload_size: int
    ssrc: int
    lowest: int
    highest: int
    last_timestamp: int
    plain: bool


def write_run(
    packets: Sequence[RtpPacket],
    layout: HeaderLayout,
    extensions: tuple[tuple[int, str], ...],
) -> Run:
    """Write the packets of one stream, at least one, for one layout."""
    items: list[tuple[bytes, int, int, int, int]] = []
    sizes: list[int] = []
    size = payload_size = 0
    plain = True
    first = packets[0]
    lowest = highest = first.index
    for packet in packets:
        index = packet.index
        if index < lowest:
            lowest = index
        elif index > highest:
            highest = index
        template: Template | None = None
        if packet.payload:
            template = layout.template(packet, extensions)
        if template is None:
            plain = False
            continue
        data = template.data
        length = len(data)
        items.append((data, length, index, packet.timestamp, template.sequence_offset))
        sizes.append(length)
        size += length
        payload_size += len(packet.payload)
    return Run(
        items,
        sizes,
        size,
        payload_size,
        first.ssrc,
        lowest,
        highest,
        packets[-1].timestamp,
        plain,
    )
