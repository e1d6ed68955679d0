"""One track's packets to all its subscribers, a batch at a time."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sfu.forward.layout import HeaderLayout
from sfu.forward.run import Run, write_run
from sfu.timers import reraise
from sfu.wire.parameters import Kind
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


class Forwards(Protocol):
    """What the fan-out needs of a forwarder."""

    layout: HeaderLayout

    def forward(self, run: Run, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Send a run to one subscriber."""

    def pause(self) -> None:
        """Start anew with the next key frame."""

    def restart(self) -> None:
        """As `pause`, where the timestamps of the source may jump."""


class Fanout:
    """The sinks of one track, grouped so that each batch is written once per layout."""

    def __init__(self, on_error: Callable[[Exception], None] = reraise) -> None:
        """`on_error` is called with what a sink or forwarder raised: it is served no more."""
        self._on_error = on_error
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

    def add_sink(self, sink: TrackSink) -> None:
        """Hand the packets to `sink` too."""
        self._sinks = [*self._sinks, sink]

    def remove_sink(self, sink: TrackSink) -> None:
        """Hand `sink` no more."""
        self._sinks = [other for other in self._sinks if other is not sink]

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
                try:
                    forwarder.forward(run, packets, now=now)
                except Exception as error:
                    self.remove(forwarder)
                    self._on_error(error)
        for sink in self._sinks:
            try:
                sink.receive_packets(packets, now=now)
            except Exception as error:
                self.remove_sink(sink)
                self._on_error(error)
