"""One m-line on which we send: whatever track it carries, as one continuous stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sfu.forward.fanout import TrackSource
from sfu.forward.flow import Flow
from sfu.forward.lane import Lane
from sfu.forward.layout import HeaderLayout
from sfu.forward.munger import SequenceMunger, TimestampMunger
from sfu.forward.projection import projection_for
from sfu.forward.projection.base import PlainProjection, Projection
from sfu.forward.repair import Repair, patched
from sfu.forward.reports import Reports
from sfu.forward.run import Numbers, single_run
from sfu.transport.srtp import REPLAY_WINDOW, SEND_WINDOW, SrtpSession
from sfu.wire.ntp import to_ntp
from sfu.wire.parameters import Codec, Kind, SendParameters
from sfu.wire.rtcp import ReportBlock, SenderReport
from sfu.wire.rtp import RtpPacket

SETTLING_TIME = 1.0  # s after a switch in which late packets of the stream before may come
HIGHEST = 7  # of all spatial and temporal layers that there can be: whatever there is
REPAIR_PATIENCE = 0.2  # s; a key frame is here sooner than repairs that take longer
MAX_CAPTURE_GAP = 1.0  # s by which capture clocks may differ from arrival before they are wrong

ForwarderState = Literal["waiting", "active", "unsupported"]


@dataclass(frozen=True, slots=True)
class ForwarderStats:
    """What one subscriber got of one m-line.

    Attributes:
        packets: RTP packets sent, without retransmissions.
        octets: Their payload bytes.
        retransmitted: Packets sent again.
        not_found: Packets asked for again that the cache had no more.
        fraction_lost: Of the last interval that the receiver reported, 0 to 1.
        round_trip: Seconds, 0 while unknown.
        jitter: Seconds, as the receiver sees it.
    """

    packets: int
    octets: int
    retransmitted: int
    not_found: int
    fraction_lost: float
    round_trip: float
    jitter: float


class Forwarder:
    """Sends one track at a time to one subscriber, rewritten so that the seams do not show."""

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
        self._nack = parameters.nack
        self._window = 0  # how many packets late one may be sent; not yet decided
        self._transport = lane.transport
        self._on_state = on_state
        self._source: TrackSource | None = None
        self._target: tuple[int, int] | None = None
        # A first index above 2^16: what is unwrapped around it never is negative.
        self._sequence = SequenceMunger(0x10000 + first_sequence_number)
        self._timestamp = TimestampMunger()
        self._frames: type = type(None)  # that the projection is for
        self._projection: Projection = PlainProjection()
        self._flowing = False
        self._key_sent = -1  # index, as sent, of the key frame sent last
        self._settled_at = 0.0
        self._looked_at = 0.0
        self._flow: Flow | None = None
        self._counted = (0, 0)
        self._repair = Repair(
            self._sequence,
            layout=layout,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc,
            lane=lane,
            first_sequence_number=first_sequence_number,
        )
        self._reports = Reports(self.kind)
        self._packets = self._octets = 0

    # -- what is sent

    def attach(self, source: TrackSource, *, now: float) -> None:
        """Send this track, as soon as `aim` has told what of it."""
        del now
        self._source = source
        self._target = None
        self.restart()
        self._sequence.restart()

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
        if target is None:
            self.pause()
        elif before is None:
            self._begin(now)
        else:
            self._request_missing(now)

    def _begin(self, now: float) -> None:
        """Start as soon as can be."""
        source, target = self._source, self._target
        if source is None or target is None or self.kind != "video":
            return
        recent = source.recent(target[0], now=now)
        if recent and not self._has_sent(recent[0]):
            self.forward(recent, now=now)
        if not self._flowing:
            source.request_key_frame(target[0], now=now)

    def _has_sent(self, packet: RtpPacket) -> bool:
        """Whether this packet went out before a pause: it must not come again as something new."""
        sequence = self._sequence
        return packet.ssrc == sequence.ssrc and packet.index + sequence.offset < sequence.next

    def pause(self) -> None:
        """Start anew, without a gap, with the next key frame that comes."""
        self._flowing = False

    def restart(self) -> None:
        """As `pause`, where even the timestamps of the source may jump."""
        self.pause()
        self._timestamp.restart()

    def renegotiate(self, parameters: SendParameters, layout: HeaderLayout) -> None:
        """The same m-line was agreed on anew, with other payload types or extensions.

        If RTX is lost in mid-stream, packets are sent again that are less than `SEND_WINDOW` old.
        """
        self.layout = layout
        self._nack = parameters.nack
        self._repair.renegotiate(layout)
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
        spatial, temporal = self._projection.current
        return max(spatial, self._source.spatial_of(self._sequence.ssrc)), temporal

    # -- in a flow

    @property
    def idle(self) -> bool:
        """Whether it sends nothing, whatever comes."""
        return self._target is None

    @property
    def following(self) -> int | None:
        """The stream whose packets are simply sent; None while each has to be looked at."""
        source, target = self._source, self._target
        ssrc = self._sequence.ssrc
        if (
            not self._flowing
            or source is None
            or target is None
            or source.ssrc_of(target[0]) != ssrc
            or self._looked_at < self._settled_at
            or self._projection.steady(*target) is None
        ):
            return None
        return ssrc

    @property
    def first(self) -> int:
        """Lowest index of the stream that `numbers` are right for, and that can still be sent."""
        sequence = self._sequence
        return max(sequence.first, sequence.next - sequence.offset - SEND_WINDOW)

    @property
    def numbers(self) -> Numbers:
        """How the stream that is followed is sent."""
        assert self._target is not None
        shifts = self._projection.steady(*self._target)
        return (
            self._sequence.offset,
            self._timestamp.offset,
            self.ssrc,
            None if shifts == (0, 0) else shifts,
        )

    def enter(self, flow: Flow) -> None:
        """What this flow sends, it sends for us too."""
        self._flow = flow
        self._counted = (flow.packets, flow.octets)

    def leave(self) -> None:
        """The flow sends for us no more."""
        self._settle()
        self._flow = None

    def _settle(self) -> None:
        """Take over what the flow has sent for us since we last looked."""
        flow = self._flow
        if flow is None or flow.packets == self._counted[0]:
            return
        packets, octets = self._counted
        self._packets += flow.packets - packets
        self._octets += flow.octets - octets
        self._counted = (flow.packets, flow.octets)
        self._sequence.sent(flow.highest)
        last = flow.last
        assert last is not None
        self._projection.resume(last)
        if flow.key_index >= self._sequence.first:
            self._key_sent = max(self._key_sent, flow.key_index + self._sequence.offset)
        self._timestamp.last_sent = last.timestamp
        self._timestamp.last_time = flow.last_time

    # -- packet by packet

    def forward(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Look at each packet: starts, switches, layers, gaps to close, late ones."""
        source, target = self._source, self._target
        transport = self._transport
        self._looked_at = now
        if source is None or target is None or transport.address is None or transport.srtp is None:
            return
        wanted = source.ssrc_of(target[0])
        extensions = source.sent_extensions()
        for packet in packets:
            codec = packet.codec
            if not packet.payload or codec is None:
                self._sequence.drop(packet.ssrc, packet.index)
                continue
            if not self.layout.supports(codec):
                self._set_state("unsupported", codec)
                self._flowing = False
                continue
            if packet.ssrc == wanted and not (self._flowing and packet.ssrc == self._sequence.ssrc):
                if self.kind == "video" and not packet.key_frame:
                    if not source.is_live(self._sequence.ssrc, now=now):
                        self._flowing = False
                    source.request_key_frame(target[0], now=now)
                else:
                    self._switch(packet, codec, source, transport.srtp, now=now)
            elif packet.key_frame and packet.ssrc == self._sequence.ssrc:
                self._key_sent = max(self._key_sent, packet.index + self._sequence.offset)
            if self._flowing:
                self._forward(packet, target, source, extensions, now=now)

    def _switch(
        self,
        packet: RtpPacket,
        codec: Codec,
        source: TrackSource,
        srtp: SrtpSession,
        *,
        now: float,
    ) -> None:
        """Go on with the stream of this packet."""
        if not self._window:
            self._choose_window(srtp)
        if self._flowing and packet.ssrc != self._sequence.ssrc:
            self._settled_at = now + SETTLING_TIME
        if packet.frame.__class__ is not self._frames:
            self._frames = packet.frame.__class__
            self._projection = self._repair.projection = projection_for(packet.frame)
        self._projection.start(packet)
        self._repair.note_extensions(source.sent_extensions())
        self._timestamp.start(
            packet.ssrc,
            packet.timestamp,
            codec.clock_rate,
            elapsed=self._elapsed(packet, codec, source, now=now),
            now=now,
        )
        self._sequence.start(packet.ssrc, packet.index, self._timestamp.offset)
        if self.kind == "video":
            self._key_sent = packet.index + self._sequence.offset
        self._flowing = True
        self._set_state("active", None)

    def _elapsed(
        self, packet: RtpPacket, codec: Codec, source: TrackSource, *, now: float
    ) -> float:
        """Seconds of capture time from the packet sent last to this one.

        By the sender's reports where it has sent some for both streams; else by arrival.
        """
        timestamp = self._timestamp
        arrived = now - timestamp.last_time
        old = source.captured(self._sequence.ssrc, timestamp.last_sent, codec, now=now)
        new = source.captured(packet.ssrc, packet.timestamp, codec, now=now)
        if old is None or new is None or abs(new - old - arrived) > MAX_CAPTURE_GAP:
            return arrived
        return new - old

    def _forward(
        self,
        packet: RtpPacket,
        target: tuple[int, int],
        source: TrackSource,
        extensions: tuple[tuple[int, str], ...],
        *,
        now: float,
    ) -> None:
        patch = self._projection.accept(packet, spatial=target[0], temporal=target[1])
        if patch is None:
            self._sequence.drop(packet.ssrc, packet.index)
            if self._projection.needs_key_frame:
                source.request_key_frame(target[0], now=now)
            return
        mapped = self._sequence.map(packet.ssrc, packet.index)
        if mapped is None:
            return
        sent, timestamp_offset = mapped
        if self._sequence.next - sent > self._window:
            # Repaired so late that SRTP leaves only the retransmission stream for it.
            if self._repair.send(packet, patch, sent, timestamp_offset, extensions, now=now):
                self._repair.counts.sent += 1
            return
        template = self.layout.template(packet, extensions, descriptor=patch.descriptor)
        if template is None:
            self._sequence.drop(packet.ssrc, packet.index)
            return
        # Not at once: behind what the lane still holds back, and paced like it.
        data = patched(template, patch)
        run = single_run(packet, bytes(data), sent, template.sequence_offset)
        self.lane.add((run, (0, timestamp_offset, self.ssrc, None)))
        self._packets += 1
        self._octets += len(packet.payload)
        if packet.ssrc == self._sequence.ssrc:
            self._timestamp.last_sent = packet.timestamp
            self._timestamp.last_time = now

    def _request_missing(self, now: float) -> None:
        """Ask for the key frame without which the target cannot be reached."""
        source, target = self._source, self._target
        if source is None or target is None or self.kind != "video":
            return
        if source.ssrc_of(target[0]) != self._sequence.ssrc or not self._flowing:
            source.request_key_frame(target[0], now=now)

    def _choose_window(self, srtp: SrtpSession) -> None:
        """A large one, which costs with every packet, only where packets are repeated as they are.

        That is decided with the first packet, and cannot be changed any more.
        """
        layout = self.layout
        repeated = {*layout.payload_types.values()} - layout.rtx.keys()
        if self._nack and (self.rtx_ssrc is None or repeated):
            srtp.widen(self.ssrc)
            self._window = REPLAY_WINDOW
        else:
            self._window = SEND_WINDOW

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
        source, target = self._source, self._target
        if source is None or target is None or not self._nack:
            return True
        self._settle()
        takes = self._repair.answer(
            lost,
            source,
            target,
            oldest=self._key_sent,
            round_trip=self._reports.round_trip,
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
        source, target = self._source, self._target
        total = 0
        if source is not None and target is not None and self._flowing:
            self._settle()
            total = self._repair.repeat(size, cluster, source, target, now=now)
        return total + self._repair.pad(size - total, cluster, now=now)

    def request_key_frame(self, *, now: float) -> None:
        """The subscriber cannot go on without one (PLI, FIR)."""
        source, target = self._source, self._target
        if source is not None and target is not None:
            spatial = source.spatial_of(self._sequence.ssrc) if self._flowing else target[0]
            source.request_key_frame(spatial, now=now)

    def receive_report(self, block: ReportBlock, *, now: float) -> None:
        """Note loss, jitter and round-trip time (RFC 3550 6.4.1) of what we send."""
        self._reports.receive(block, now=now)

    def sender_report(self, *, now: float) -> SenderReport | None:
        """What ties our timestamps to the wall clock; None while nothing is sent."""
        if self._source is None or not self._flowing:
            return None
        self._settle()
        reference = self._source.reference(self._sequence.ssrc, now=now)
        if reference is None:
            return None
        seconds, timestamp = reference
        ntp_time = to_ntp(seconds)
        self._reports.sent(ntp_time, now=now)
        return SenderReport(
            ssrc=self.ssrc,
            ntp_time=ntp_time,
            rtp_time=(timestamp + self._timestamp.offset) & 0xFFFFFFFF,
            packet_count=self._packets & 0xFFFFFFFF,
            octet_count=self._octets & 0xFFFFFFFF,
            reports=(),
        )

    @property
    def round_trip(self) -> float:
        """Seconds; 0 while unknown."""
        return self._reports.round_trip

    def stats(self) -> ForwarderStats:
        """A snapshot."""
        self._settle()
        return ForwarderStats(
            packets=self._packets,
            octets=self._octets,
            retransmitted=self._repair.counts.sent,
            not_found=self._repair.counts.not_found,
            fraction_lost=self._reports.fraction_lost,
            round_trip=self._reports.round_trip,
            jitter=self._reports.jitter,
        )
