"""One track's packets to all its subscribers, a batch at a time."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sfu.forward.flow import Flow, Forwards
from sfu.forward.layout import HeaderLayout
from sfu.forward.run import write_run
from sfu.timers import reraise
from sfu.transport.srtp import SEND_WINDOW
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
    """

    kind: Kind

    def ssrc_of(self, spatial: int) -> int | None:
        """The stream that carries this spatial layer, or the best there is in its place."""

    def spatial_of(self, ssrc: int) -> int:
        """The spatial layer that this stream is, 0 where it is the only one."""

    def is_live(self, ssrc: int, *, now: float) -> bool:
        """Whether packets of this stream came lately."""

    def request_key_frame(self, spatial: int, *, now: float) -> None:
        """Ask the sender for a key frame of this layer; asking often is no harm."""

    def cached_packet(self, ssrc: int, index: int) -> RtpPacket | None:
        """A packet that was received lately."""

    def recent(self, spatial: int, *, now: float) -> Sequence[RtpPacket]:
        """The packets since the last key frame of this layer; none where that is long ago."""

    def reference(self, ssrc: int, *, now: float) -> tuple[float, int] | None:
        """(Wall-clock seconds, RTP timestamp) of the same moment of capture; None unknown."""

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> float | None:
        """When this was captured, wall-clock seconds as the sender reports them; None unknown."""

    def sent_extensions(self) -> tuple[tuple[int, str], ...]:
        """(id, URI) of the header extensions that subscribers get too."""


class _Group:
    """The forwarders of one layout: those in a flow, those who look at each packet, and the idle.

    What a viewer has hidden costs nothing: nobody goes through the idle ones.
    """

    __slots__ = ("flows", "idle", "layout", "singles")

    def __init__(self, layout: HeaderLayout) -> None:
        self.layout = layout
        self.flows: dict[int, Flow] = {}
        self.singles: list[Forwards] = []
        self.idle: list[Forwards] = []

    def __len__(self) -> int:
        return len(self.everyone())

    def place(self, forwarder: Forwards) -> None:
        """Where it belongs now."""
        if forwarder.idle:
            self.idle.append(forwarder)
            return
        ssrc = forwarder.following
        if ssrc is None:
            self.singles.append(forwarder)
            return
        flow = self.flows.get(ssrc)
        if flow is None:
            flow = self.flows[ssrc] = Flow(ssrc)
        flow.add(forwarder)

    def everyone(self) -> list[Forwards]:
        """All forwarders."""
        members = [m for flow in self.flows.values() for m in flow.members]
        return [*self.singles, *members, *self.idle]

    def take_singles(self) -> list[Forwards]:
        """Take out those who look at each packet; `place` them again."""
        singles, self.singles = self.singles, []
        return singles

    def take(self, flow: Flow) -> list[Forwards]:
        """Take out the members of a flow; `place` them again."""
        del self.flows[flow.ssrc]
        for forwarder in flow.members:
            forwarder.leave()
        return flow.members

    def take_all(self) -> list[Forwards]:
        """Take everyone out; `place` them again."""
        taken = self.take_singles()
        taken += self.idle
        self.idle = []
        for flow in list(self.flows.values()):
            taken += self.take(flow)
        return taken

    def remove(self, forwarder: Forwards) -> bool:
        """Take this one out; returns whether it was in."""
        for others in (self.singles, self.idle):
            if forwarder in others:
                others.remove(forwarder)
                return True
        for flow in self.flows.values():
            if forwarder in flow.members:
                flow.remove(forwarder)
                forwarder.leave()
                if not flow.members:
                    del self.flows[flow.ssrc]
                return True
        return False


class Fanout:
    """The sinks of one track, grouped so that each batch is written once per layout."""

    def __init__(self, on_error: Callable[[Exception], None] = reraise) -> None:
        """`on_error` is called with what a sink or forwarder raised: it is served no more."""
        self._on_error = on_error
        self._groups: dict[HeaderLayout, _Group] = {}
        self._sinks: list[TrackSink] = []

    def add(self, forwarder: Forwards) -> None:
        """Send to this subscriber too."""
        group = self._groups.get(forwarder.layout)
        if group is None:
            group = self._groups[forwarder.layout] = _Group(forwarder.layout)
        group.place(forwarder)

    def remove(self, forwarder: Forwards) -> None:
        """Send to this subscriber no more; nothing happens when we did not."""
        for layout, group in self._groups.items():
            if group.remove(forwarder):
                if not len(group):
                    del self._groups[layout]
                return

    def pause(self) -> None:
        """The track stops; when it goes on, everyone starts with a key frame."""
        for group in self._groups.values():
            for forwarder in group.take_all():
                forwarder.pause()
                group.place(forwarder)

    def restart(self) -> None:
        """As `pause`, where the timestamps of the source may jump."""
        for group in self._groups.values():
            for forwarder in group.take_all():
                forwarder.restart()
                group.place(forwarder)

    def look_again(self) -> None:
        """Other streams carry the layers now: everyone looks at the next packets."""
        for group in self._groups.values():
            for forwarder in group.take_all():
                group.place(forwarder)

    def aim(self, forwarder: Forwards, target: tuple[int, int] | None, *, now: float) -> None:
        """Send this subscriber up to this spatial and temporal layer; see `Forwarder.aim`."""
        group = self._groups.get(forwarder.layout)
        if group is not None and group.remove(forwarder):
            forwarder.aim(target, now=now)
            group.place(forwarder)

    def request_key_frames(self, *, now: float) -> None:
        """Ask for those that are waited for."""
        for group in self._groups.values():
            for forwarder in group.everyone():
                forwarder.request_key_frame(now=now)

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
        ssrc = packets[0].ssrc
        for group in list(self._groups.values()):
            # Those in another flow follow another layer, and have no wish for this one.
            flow = group.flows.get(ssrc)
            singles = group.take_singles()
            if flow is not None:
                run = write_run(packets, group.layout, extensions)
                spread = run.highest - run.lowest
                if run.plain and run.lowest >= flow.first and spread < SEND_WINDOW:
                    flow.send(run, now=now)
                else:  # some of them may be sent to some of its members
                    singles += group.take(flow)
            self._forward_singly(group, singles, packets, now=now)
        self.feed_sinks(packets, now=now)

    def feed_sinks(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Hand the packets, all of one stream, to the sinks alone."""
        for sink in self._sinks:
            try:
                sink.receive_packets(packets, now=now)
            except Exception as error:
                self.remove_sink(sink)
                self._on_error(error)

    def _forward_singly(
        self,
        group: _Group,
        forwarders: Sequence[Forwards],
        packets: Sequence[RtpPacket],
        *,
        now: float,
    ) -> None:
        for forwarder in forwarders:
            try:
                forwarder.forward(packets, now=now)
            except Exception as error:
                self._on_error(error)
            else:
                group.place(forwarder)
