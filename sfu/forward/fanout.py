"""One track's packets to all its subscribers, a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sfu.forward.layout import HeaderLayout, Template
from sfu.wire.parameters import Codec, Kind
from sfu.wire.rtp import RtpPacket


class TrackSink(Protocol):
    """Who wants a track's packets: a recorder, a relay, a participant in this process."""

    def receive_packets(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Take what arrived; the packets are shared and must not be changed."""


class TrackSource(Protocol):
    """Where a track's packets come from, as those who forward them see it.

    Attributes:
        kind: "audio" or "video".
        active_ssrc: The stream that is to be forwarded; late packets of another only fill gaps.
    """

    kind: Kind
    active_ssrc: int | None

    def request_key_frame(self, *, now: float) -> None:
        """Ask the sender for a key frame; asking often is no harm."""

    def cached_packet(self, ssrc: int, index: int) -> RtpPacket | None:
        """A packet that was received lately."""

    def reference(self, ssrc: int, *, now: float) -> tuple[float, int] | None:
        """(Wall-clock seconds, RTP timestamp) of the same moment of capture; None unknown."""

    def sent_extensions(self) -> tuple[tuple[int, str], ...]:
        """(id, URI) of the header extensions that subscribers get too."""


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
        unsupported: Codec of the first packet that the layout cannot take, None without one.
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
    unsupported: Codec | None


class Forwards(Protocol):
    """What the fan-out needs of a forwarder."""

    layout: HeaderLayout

    def forward(self, run: Run, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Send a run to one subscriber."""

    def pause(self) -> None:
        """Start anew with the next key frame."""

    def restart(self) -> None:
        """As `pause`, where the timestamps of the source may jump."""


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
    unsupported: Codec | None = None
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
                unsupported = unsupported or packet.codec
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
        unsupported,
    )


class Fanout:
    """The sinks of one track, grouped so that each batch is written once per layout."""

    def __init__(self) -> None:
        self._groups: dict[HeaderLayout, list[Forwards]] = {}
        self._sinks: list[TrackSink] = []

    def add(self, forwarder: Forwards) -> None:
        """Send to this subscriber too."""
        # Lists are replaced, not changed: one may be in use further up the stack.
        layout = forwarder.layout
        self._groups = {**self._groups, layout: [*self._groups.get(layout, ()), forwarder]}

    def remove(self, forwarder: Forwards) -> None:
        """Send to this subscriber no more; nothing happens when we did not."""
        groups = {
            layout: [other for other in group if other is not forwarder]
            for layout, group in self._groups.items()
        }
        self._groups = {layout: group for layout, group in groups.items() if group}

    def pause(self) -> None:
        """The track stops; when it goes on, everyone starts with a key frame."""
        for forwarders in self._groups.values():
            for forwarder in forwarders:
                forwarder.pause()

    def restart(self) -> None:
        """As `pause`, where the timestamps of the source may jump."""
        for forwarders in self._groups.values():
            for forwarder in forwarders:
                forwarder.restart()

    @property
    def has_forwarders(self) -> bool:
        """Whether any subscriber wants the track."""
        return bool(self._groups)

    def add_sink(self, sink: TrackSink) -> None:
        """Hand the packets to `sink` too."""
        self._sinks = [*self._sinks, sink]

    def remove_sink(self, sink: TrackSink) -> None:
        """Hand `sink` no more."""
        self._sinks = [other for other in self._sinks if other is not sink]

    @property
    def empty(self) -> bool:
        """Whether nobody wants the track."""
        return not self._groups and not self._sinks

    def forward(
        self,
        packets: Sequence[RtpPacket],
        extensions: tuple[tuple[int, str], ...],
        *,
        now: float,
    ) -> None:
        """Send the packets, all of one stream, to everyone."""
        for layout, forwarders in self._groups.items():
            run = write_run(packets, layout, extensions)
            for forwarder in forwarders:
                forwarder.forward(run, packets, now=now)
        for sink in self._sinks:
            sink.receive_packets(packets, now=now)
