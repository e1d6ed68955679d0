"""One outgoing stream: packets of changing sources, rewritten so that the seams do not show."""

from sfu.forward.fanout import TrackSource
from sfu.forward.flow import Flow
from sfu.forward.forwarder_stats import ForwarderStats
from sfu.forward.lane import Lane
from sfu.forward.layout import HeaderLayout
from sfu.forward.munger import SequenceMunger, TimestampMunger
from sfu.forward.projection import projection_for
from sfu.forward.projection.base import PlainProjection, Projection
from sfu.forward.repair import Repair, patched
from sfu.forward.reports import Reports
from sfu.forward.run import Numbers, single_run
from sfu.transport.srtp import REPLAY_WINDOW, SEND_WINDOW
from sfu.wire.parameters import Codec, Kind
from sfu.wire.rtcp import SenderReport
from sfu.wire.rtp import RtpPacket

MAX_CAPTURE_GAP = 1.0  # s by which capture clocks may differ from arrival before they are wrong


class OutboundStream:
    """What is sent under one SSRC, and again under that of its retransmissions.

    Attributes:
        layout: How its packets are written.
        nack: Whether packets are sent again.
        sequence: Its numbers.
        projection: What is left out of its source, and what looks otherwise then.
        repair: Sends its packets again.
        reports: What its receiver says.
        key_sent: Index, as sent, of the key frame sent last; -1 before.
    """

    __slots__ = (
        "_counted",
        "_flow",
        "_frames",
        "_lane",
        "_octets",
        "_packets",
        "_rtx_ssrc",
        "_ssrc",
        "_timestamp",
        "_window",
        "key_sent",
        "layout",
        "nack",
        "projection",
        "repair",
        "reports",
        "sequence",
    )

    def __init__(
        self,
        *,
        kind: Kind,
        nack: bool,
        layout: HeaderLayout,
        ssrc: int,
        rtx_ssrc: int | None,
        lane: Lane,
        first_sequence_number: int,
    ) -> None:
        """Nothing was sent yet; arguments as for `Forwarder`."""
        self.layout = layout
        self.nack = nack
        # A first index above 2^16: what is unwrapped around it never is negative.
        self.sequence = SequenceMunger(0x10000 + first_sequence_number)
        self.projection: Projection = PlainProjection()
        self.repair = Repair(
            self.sequence,
            layout=layout,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc,
            lane=lane,
            first_sequence_number=first_sequence_number,
        )
        self.reports = Reports(kind)
        self.key_sent = -1
        self._ssrc = ssrc
        self._rtx_ssrc = rtx_ssrc
        self._lane = lane
        self._timestamp = TimestampMunger()
        self._frames: type = type(None)  # that the projection is for
        self._window = 0  # how many packets late one may be sent; not yet decided
        self._flow: Flow | None = None
        self._counted = (0, 0)
        self._packets = self._octets = 0

    def renegotiate(self, layout: HeaderLayout, *, nack: bool) -> None:
        """Other payload types or extensions are agreed on.

        If RTX is lost in mid-stream, packets are sent again that are less than `SEND_WINDOW` old.
        """
        self.layout = layout
        self.nack = nack
        self.repair.renegotiate(layout)

    # -- where it comes from

    def start(self, packet: RtpPacket, source: TrackSource, *, now: float) -> None:
        """Go on with the stream of this packet, which is the next to be sent."""
        codec = packet.codec
        assert codec is not None
        if not self._window:
            self._choose_window()
        if packet.frame.__class__ is not self._frames:
            self._frames = packet.frame.__class__
            self.projection = self.repair.projection = projection_for(packet.frame)
        self.projection.start(packet)
        self.repair.note_extensions(source.sent_extensions())
        self._timestamp.start(
            packet.ssrc,
            packet.timestamp,
            codec.clock_rate,
            elapsed=self._elapsed(packet, codec, source, now=now),
            now=now,
        )
        self.sequence.start(packet.ssrc, packet.index, self._timestamp.offset)

    def _elapsed(
        self, packet: RtpPacket, codec: Codec, source: TrackSource, *, now: float
    ) -> float:
        """Seconds of capture time from the packet sent last to this one.

        By the sender's reports where it has sent some for both streams; else by arrival.
        """
        timestamp = self._timestamp
        arrived = now - timestamp.last_time
        old = source.captured(self.sequence.ssrc, timestamp.last_sent, codec, now=now)
        new = source.captured(packet.ssrc, packet.timestamp, codec, now=now)
        if old is None or new is None or abs(new - old - arrived) > MAX_CAPTURE_GAP:
            return arrived
        return new - old

    def _choose_window(self) -> None:
        """A large one, which costs with every packet, only where packets are repeated as they are.

        That is decided with the first packet, and cannot be changed any more.
        """
        layout = self.layout
        repeated = {*layout.payload_types.values()} - layout.rtx.keys()
        if self.nack and (self._rtx_ssrc is None or repeated):
            srtp = self._lane.transport.srtp
            assert srtp is not None
            srtp.widen(self._ssrc)
            self._window = REPLAY_WINDOW
        else:
            self._window = SEND_WINDOW

    def restart(self) -> None:
        """The timestamps of the source may jump."""
        self._timestamp.restart()

    # -- packet by packet

    def send(
        self,
        packet: RtpPacket,
        target: tuple[int, int],
        extensions: tuple[tuple[int, str], ...],
        *,
        now: float,
    ) -> bool:
        """Send a packet of what was started, or of what was sent before that.

        Args:
            packet: It may come late.
            target: Spatial and temporal layer that are wanted.
            extensions: Id and URI of those that it has.
            now: Monotonic seconds.

        Returns:
            False for one that is above the target.
        """
        sequence = self.sequence
        patch = self.projection.accept(packet, spatial=target[0], temporal=target[1])
        if patch is None:
            sequence.drop(packet.ssrc, packet.index)
            return False
        mapped = sequence.map(packet.ssrc, packet.index)
        if mapped is None:
            return True
        sent, timestamp_offset = mapped
        if packet.key_frame and packet.ssrc == sequence.ssrc and sent > self.key_sent:
            self.key_sent = sent
        if sequence.next - sent > self._window:
            # Repaired so late that SRTP leaves only the retransmission stream for it.
            if self.repair.send(packet, patch, sent, timestamp_offset, extensions, now=now):
                self.repair.counts.sent += 1
            return True
        template = self.layout.template(packet, extensions, descriptor=patch.descriptor)
        if template is None:
            sequence.drop(packet.ssrc, packet.index)
            return True
        # Not at once: behind what the lane still holds back, and paced like it.
        data = patched(template, patch)
        run = single_run(packet, bytes(data), sent, template.sequence_offset)
        self._lane.add((run, (0, timestamp_offset, self._ssrc, None)))
        self._packets += 1
        self._octets += len(packet.payload)
        if packet.ssrc == sequence.ssrc and sent + 1 == sequence.next:  # the newest
            self._timestamp.last_sent = packet.timestamp
            self._timestamp.last_time = now
        return True

    def has_sent(self, packet: RtpPacket) -> bool:
        """Whether this packet went out before a pause: it must not come again as something new."""
        sequence = self.sequence
        return packet.ssrc == sequence.ssrc and packet.index + sequence.offset < sequence.next

    # -- in a flow

    def enter(self, flow: Flow, target: tuple[int, int]) -> tuple[Numbers, int]:
        """What this flow sends belongs to it; see `Forwards`."""
        self._flow = flow
        self._counted = (flow.packets, flow.octets)
        sequence = self.sequence
        shifts = self.projection.steady(*target)
        numbers = (
            sequence.offset,
            self._timestamp.offset,
            self._ssrc,
            None if shifts == (0, 0) else shifts,
        )
        return numbers, max(sequence.first, sequence.next - sequence.offset - SEND_WINDOW)

    def leave(self) -> None:
        """The flow sends for it no more."""
        self.settle()
        self._flow = None

    def settle(self) -> None:
        """Take over what the flow has sent since the last look."""
        flow = self._flow
        if flow is None or flow.packets == self._counted[0]:
            return
        packets, octets = self._counted
        self._packets += flow.packets - packets
        self._octets += flow.octets - octets
        self._counted = (flow.packets, flow.octets)
        sequence = self.sequence
        if flow.key_index >= sequence.first:
            self.key_sent = max(self.key_sent, flow.key_index + sequence.offset)
        last = flow.last
        assert last is not None
        if last.index + sequence.offset < sequence.next:
            return  # all that it has sent came late
        sequence.sent(last.index)
        self.projection.resume(last)
        self._timestamp.last_sent = last.timestamp
        self._timestamp.last_time = flow.last_time

    # -- what is told of it

    def sender_report(self, source: TrackSource, *, now: float) -> SenderReport | None:
        """What ties its timestamps to the wall clock; None while the source does not know."""
        self.settle()
        reference = source.reference(self.sequence.ssrc, now=now)
        if reference is None:
            return None
        seconds, timestamp = reference
        return self.reports.write(
            ssrc=self._ssrc,
            seconds=seconds,
            timestamp=timestamp + self._timestamp.offset,
            packets=self._packets,
            octets=self._octets,
            now=now,
        )

    def stats(self) -> ForwarderStats:
        """A snapshot."""
        self.settle()
        return ForwarderStats(
            packets=self._packets,
            octets=self._octets,
            retransmitted=self.repair.counts.sent,
            not_found=self.repair.counts.not_found,
            fraction_lost=self.reports.fraction_lost,
            round_trip=self.reports.round_trip,
            jitter=self.reports.jitter,
        )
