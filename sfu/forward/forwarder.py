"""One m-line on which we send: whatever track it carries, as one continuous stream."""

from collections.abc import Callable, Sequence
from typing import Literal

from sfu.forward.fanout import TrackSource
from sfu.forward.flow import Flow
from sfu.forward.forwarder_stats import ForwarderStats
from sfu.forward.lane import Lane
from sfu.forward.layout import HeaderLayout
from sfu.forward.outbound import OutboundStream
from sfu.forward.overtakers import with_overtakers
from sfu.forward.run import Numbers
from sfu.wire.parameters import Codec, Kind, SendParameters
from sfu.wire.rtcp import ReportBlock, SenderReport
from sfu.wire.rtp import RtpPacket

SETTLING_TIME = 1.0  # s after a switch in which late packets of the stream before may come
HIGHEST = 7  # of all spatial and temporal layers that there can be: whatever there is
REPAIR_PATIENCE = 0.2  # s; a key frame is here sooner than repairs that take longer

ForwarderState = Literal["waiting", "active", "unsupported"]


class Forwarder:
    """Sends one track at a time to one subscriber; decides when to begin, switch and pause."""

    def __init__(
        self,
        *,
        parameters: SendParameters,
        layout: HeaderLayout,
        ssrc: int,
        rtx_ssrc: int | None,
        lane: Lane,
        first_sequence_number: int,
        on_state: Callable[[ForwarderState, Codec | None], None],
    ) -> None:
        """One m-line as negotiated.

        Args:
            parameters: What the subscriber takes on it.
            layout: The layout of these parameters.
            ssrc: Under which we send.
            rtx_ssrc: Under which we send again, None to repeat packets under `ssrc`.
            lane: The subscriber's.
            first_sequence_number: Random, below 2^15 (RFC 3711 3.3.1 wants no early wrap).
            on_state: Called when the state changes, with the codec at fault if there is one.
        """
        self.kind: Kind = parameters.kind
        self.layout = layout
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.lane = lane
        self.state: ForwarderState = "waiting"
        self._stream = OutboundStream(
            kind=parameters.kind,
            nack=parameters.nack,
            layout=layout,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc,
            lane=lane,
            first_sequence_number=first_sequence_number,
        )
        self._on_state = on_state
        self._source: TrackSource | None = None
        self._target: tuple[int, int] | None = None
        self._flowing = False
        self._settled_at = 0.0
        self._looked_at = 0.0

    # -- what is sent

    def attach(self, source: TrackSource) -> None:
        """Send this track, as soon as `aim` has told what of it."""
        self._source = source
        self._target = None
        self.restart()
        self._stream.sequence.restart()

    def detach(self) -> None:
        """Send nothing until something else is attached."""
        self._source = None
        self.pause()

    def aim(self, target: tuple[int, int] | None, *, now: float) -> None:
        """Send up to this spatial and temporal layer as soon as frames allow it.

        What begins, begins with a key frame. Where one came a moment ago, what came since is sent
        at once.

        Args:
            target: Both from 0 up, or `HIGHEST`; None for nothing at all.
            now: Monotonic seconds.
        """
        before, self._target = self._target, target
        source = self._source
        if target is None:
            self.pause()
        elif source is not None and self.kind == "video":
            if before is None:
                self._replay(source, target, now)
            if not self._flowing or source.ssrc_of(target[0]) != self._stream.sequence.ssrc:
                source.request_key_frame(target[0], now=now)

    def _replay(self, source: TrackSource, target: tuple[int, int], now: float) -> None:
        """Begin with what has come since the last key frame."""
        recent = source.recent(target[0], now=now)
        if recent and not self._stream.has_sent(recent[0]):
            self.forward(recent, now=now)

    def pause(self) -> None:
        """Start anew, without a gap, with the next key frame that comes."""
        self._flowing = False

    def restart(self) -> None:
        """As `pause`, where even the timestamps of the source may jump."""
        self.pause()
        self._stream.restart()

    def renegotiate(self, parameters: SendParameters, layout: HeaderLayout) -> None:
        """The same m-line was agreed on anew, with other payload types or extensions."""
        self.layout = layout
        self._stream.renegotiate(layout, nack=parameters.nack)
        self.pause()

    @property
    def target(self) -> tuple[int, int] | None:
        """As `aim` was told."""
        return self._target

    @property
    def current(self) -> tuple[int, int] | None:
        """Spatial and temporal layer that are sent now; None while nothing is."""
        if not self._flowing or self._source is None:
            return None
        spatial, temporal = self._stream.projection.current
        return max(spatial, self._source.spatial_of(self._stream.sequence.ssrc)), temporal

    # -- in a flow

    @property
    def idle(self) -> bool:
        """Whether it sends nothing, whatever comes."""
        return self._target is None

    @property
    def following(self) -> int | None:
        """The stream whose packets are simply sent; None while each has to be looked at."""
        source, target, stream = self._source, self._target, self._stream
        ssrc = stream.sequence.ssrc
        if (
            not self._flowing
            or source is None
            or target is None
            or source.ssrc_of(target[0]) != ssrc
            or self._looked_at < self._settled_at
            or stream.projection.steady(*target) is None
        ):
            return None
        return ssrc

    def enter(self, flow: Flow) -> tuple[Numbers, int]:
        """What this flow sends, it sends for us too: see `Forwards`."""
        assert self._target is not None
        return self._stream.enter(flow, self._target)

    def leave(self) -> None:
        """The flow sends for us no more."""
        self._stream.leave()

    # -- packet by packet

    def forward(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Look at each packet: starts, switches, layers, gaps to close, late ones."""
        source, target, stream = self._source, self._target, self._stream
        transport = self.lane.transport
        self._looked_at = now
        if source is None or target is None or transport.address is None or transport.srtp is None:
            return
        sequence = stream.sequence
        wanted = source.ssrc_of(target[0])
        extensions = source.sent_extensions()
        if packets[0].ssrc == wanted and not (self._flowing and wanted == sequence.ssrc):
            packets = with_overtakers(packets, source, stream.has_sent)
        for packet in packets:
            codec = packet.codec
            if not packet.payload or codec is None:
                sequence.drop(packet.ssrc, packet.index)
                continue
            if not self.layout.supports(codec):
                self._set_state("unsupported", codec)
                self._flowing = False
                continue
            if packet.ssrc == wanted and not (self._flowing and packet.ssrc == sequence.ssrc):
                if self.kind == "video" and not packet.key_frame:
                    if not source.is_live(sequence.ssrc, now=now):
                        self._flowing = False
                    source.request_key_frame(target[0], now=now)
                else:
                    self._switch(packet, source, now=now)
            if (
                self._flowing
                and not stream.send(packet, target, extensions, now=now)
                and stream.projection.needs_key_frame
            ):
                source.request_key_frame(target[0], now=now)

    def _switch(self, packet: RtpPacket, source: TrackSource, *, now: float) -> None:
        """Go on with the stream of this packet."""
        if self._flowing and packet.ssrc != self._stream.sequence.ssrc:
            self._settled_at = now + SETTLING_TIME
        self._stream.start(packet, source, now=now)
        self._flowing = True
        self._set_state("active", None)

    def _set_state(self, state: ForwarderState, codec: Codec | None) -> None:
        if state != self.state:
            self.state = state
            self._on_state(state, codec)

    # -- what the subscriber says about it

    def receive_nack(self, lost: Sequence[int], *, now: float) -> bool:
        """Send again what is still cached (RFC 4585 6.2.1, RFC 4588).

        What is older than the last key frame helps nobody any more; what the path cannot take
        besides the media is not sent either.

        Args:
            lost: 16-bit sequence numbers, as we sent them.
            now: Monotonic seconds.

        Returns:
            Whether that repairs it soon; else only a key frame does.
        """
        source, target, stream = self._source, self._target, self._stream
        if source is None or target is None or not stream.nack:
            return True
        stream.settle()
        takes = stream.repair.answer(
            lost,
            source,
            target,
            oldest=stream.key_sent,
            round_trip=stream.reports.round_trip,
            now=now,
        )
        return takes <= REPAIR_PATIENCE

    def probe(self, size: int, cluster: int, *, now: float) -> int:
        """Send packets of the last moment again, over RTX, to see whether more goes through.

        A receiver takes them for retransmissions of what it has, and drops them.

        Args:
            size: Bytes that would be of use.
            cluster: Number of the probe.
            now: Monotonic seconds.

        Returns:
            Bytes sent; padding fills up what there is nothing to repeat for, 0 without RTX.
        """
        source, target, stream = self._source, self._target, self._stream
        total = 0
        if source is not None and target is not None and self._flowing:
            stream.settle()
            total = stream.repair.repeat(size, cluster, source, target, now=now)
        return total + stream.repair.pad(size - total, cluster, now=now)

    def request_key_frame(self, *, now: float) -> None:
        """The subscriber cannot go on without one (PLI, FIR)."""
        source, target = self._source, self._target
        if source is not None and target is not None:
            ssrc = self._stream.sequence.ssrc
            spatial = source.spatial_of(ssrc) if self._flowing else target[0]
            source.request_key_frame(spatial, now=now)

    def receive_report(self, block: ReportBlock, *, now: float) -> None:
        """Note loss, jitter and round-trip time (RFC 3550 6.4.1) of what we send."""
        self._stream.reports.receive(block, now=now)

    def sender_report(self, *, now: float) -> SenderReport | None:
        """What ties our timestamps to the wall clock; None while nothing is sent."""
        if self._source is None or not self._flowing:
            return None
        return self._stream.sender_report(self._source, now=now)

    @property
    def round_trip(self) -> float:
        """Seconds; 0 while unknown."""
        return self._stream.reports.round_trip

    def stats(self) -> ForwarderStats:
        """A snapshot."""
        return self._stream.stats()
