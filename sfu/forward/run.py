"""A batch of packets of one stream, written once for all subscribers of one layout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sfu.forward.layout import HeaderLayout, Picture, Template
from sfu.wire.rtp import RtpPacket

Item = tuple[bytes, int, int, int, int, Picture | None]
"""(packet, its size, index, timestamp, where the transport-wide number stands, numbers of its
picture)."""

Shifts = tuple[int, int]
"""(what to add to the numbers of pictures, what to add to TL0PICIDX)."""

Numbers = tuple[int, int, int, Shifts | None]
"""(what to add to indexes, what to add to timestamps, SSRC to send under, shifts of pictures)."""


@dataclass(slots=True)
class Run:
    """Packets of one stream, written once for all subscribers of one layout.

    Attributes:
        items: One for each packet.
        sizes: Sizes of the templates in bytes.
        size: Their sum.
        payload_size: Bytes of payload in all, for sender reports.
        ssrc: The source's SSRC.
        lowest: Lowest index.
        highest: Highest index.
        key_index: Highest index at which a key frame begins, -1 for none.
        last: The packet of the highest index.
        plain: Whether every packet is simply to be sent.
    """

    items: list[Item]
    sizes: list[int]
    size: int
    payload_size: int
    ssrc: int
    lowest: int
    highest: int
    key_index: int
    last: RtpPacket
    plain: bool

    def part(self, start: int, end: int) -> "Run":
        """Some of its packets, for the sender; what counts for all stays as it is."""
        sizes = self.sizes[start:end]
        return replace(self, items=self.items[start:end], sizes=sizes, size=sum(sizes))


Piece = tuple[Run, Numbers]
"""What to send to one subscriber, and how."""


def single_run(packet: RtpPacket, data: bytes, index: int, sequence_offset: int) -> Run:
    """A packet that was written for one subscriber alone, to be sent under this index."""
    size = len(data)
    item = (data, size, index, packet.timestamp, sequence_offset, None)
    return Run(
        [item], [size], size, len(packet.payload), packet.ssrc, index, index, -1, packet, True
    )


def write_run(
    packets: Sequence[RtpPacket],
    layout: HeaderLayout,
    extensions: tuple[tuple[int, str], ...],
) -> Run:
    """Write the packets of one stream, at least one, for one layout."""
    items: list[Item] = []
    sizes: list[int] = []
    size = payload_size = 0
    key_index = -1
    plain = True
    first = last = packets[0]
    lowest = highest = first.index
    for packet in packets:
        index = packet.index
        if index < lowest:
            lowest = index
        elif index > highest:
            highest = index
            last = packet
        if packet.key_frame and index > key_index:
            key_index = index
        template: Template | None = None
        if packet.payload:
            template = layout.template(packet, extensions)
        if template is None:
            plain = False
            continue
        data = template.data
        length = len(data)
        items.append(
            (
                data,
                length,
                index,
                packet.timestamp,
                template.sequence_offset,
                template.picture,
            )
        )
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
        key_index,
        last,
        plain,
    )
