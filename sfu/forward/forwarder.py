"""One m-line on which we send: whatever track it carries, as one continuous stream."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Literal

from sfu.forward.dispatcher import Lane, Numbers
from sfu.forward.fanout import TrackSource
from sfu.forward.flow import Flow
from sfu.forward.layout import HeaderLayout
from sfu.forward.munger import SequenceMunger, TimestampMunger
from sfu.forward.run import write_run
from sfu.transport.srtp import REPLAY_WINDOW, SEND_WINDOW, SrtpSession
from sfu.wire.extensions import encode_abs_send_time
from sfu.wire.ntp import middle32, to_ntp
from sfu.wire.parameters import Codec, Kind, SendParameters
from sfu.wire.rtcp import ReportBlock, SenderReport
from sfu.wire.rtp import RtpPacket

_PATCH = Struct("!HII").pack_into  # sequence number, timestamp, SSRC: bytes 2 to 12
_PATCH_SEQUENCE = Struct("!H").pack_into

MAX_RESENDS = 5  # of one packet; a path that loses it more often needs a key frame, not more copies
RESEND_INTERVAL = 0.02  # s; the least time between two copies, whatever the round trip is
REMEMBERED_RESENDS = 512  # packets; as many as a NACK-happy client can make us keep count of
REMEMBERED_REPORTS = 8  # sender reports; a receiver answers one of the last few

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
        # A first index above 2^16: what is unwrapped around it never is negative.
        self._sequence = SequenceMunger(0x10000 + first_sequence_number)
        self._timestamp = TimestampMunger()
        self._flowing = False
        self._flow: Flow | None = None
        self._counted = (0, 0)
        self._rtx_sequence = first_sequence_number
        self._plain_extensions: tuple[tuple[int, str], ...] = ()
        self._plain_from = self._sequence.next
        self._resends: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._reports: OrderedDict[int, float] = OrderedDict()
        self._packets = self._octets = 0
        self._retransmitted = self._not_found = 0
        self._fraction_lost = self._round_trip = self._jitter = 0.0

    # -- what is sent

    def attach(self, source: TrackSource, *, now: float) -> None:
        """Send this track from its next key frame (audio: from its next packet) on."""
        self._source = source
        self.restart()
        self._sequence.restart()
        if self.kind == "video":
            source.request_key_frame(now=now)

    def detach(self) -> None:
        """Send nothing until something else is attached."""
        self._source = None
        self.pause()

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
        self._plain_from = self._sequence.next
        self.pause()

    @property
    def following(self) -> int | None:
        """The stream whose packets are simply sent; None while each has to be looked at."""
        return self._sequence.ssrc if self._flowing else None

    @property
    def first(self) -> int:
        """Lowest index of the stream that `numbers` are right for, and that can still be sent."""
        sequence = self._sequence
        return max(sequence.first, sequence.next - sequence.offset - SEND_WINDOW)

    @property
    def numbers(self) -> Numbers:
        """How the stream that is followed is sent."""
        return self._sequence.offset, self._timestamp.offset, self.ssrc

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
        self._timestamp.last_sent = flow.last_timestamp
        self._timestamp.last_time = flow.last_time

    def forward(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Look at each packet: starts, switches, gaps to close, packets from before a switch."""
        source = self._source
        if source is None or self._transport.address is None or self._transport.srtp is None:
            return
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
            active = packet.ssrc == source.active_ssrc
            if active and not (self._flowing and packet.ssrc == self._sequence.ssrc):
                if self.kind == "video" and not packet.key_frame:
                    self._flowing = False
                    source.request_key_frame(now=now)
                    continue
                if not self._window:
                    self._choose_window(self._transport.srtp)
                self._timestamp.start(packet.ssrc, packet.timestamp, codec.clock_rate, now=now)
                self._sequence.start(packet.ssrc, packet.index, self._timestamp.offset)
                self._flowing = True
                self._set_state("active", None)
            mapped = self._sequence.map(packet.ssrc, packet.index) if self._flowing else None
            if mapped is None:
                continue
            sent, timestamp_offset = mapped
            if self._sequence.next - sent > self._window:
                # Repaired so late that SRTP leaves only the retransmission stream for it.
                if self._resend(packet, sent, timestamp_offset, source, now=now):
                    self._retransmitted += 1
                continue
            run = write_run((packet,), self.layout, extensions)
            if not run.items:
                self._sequence.drop(packet.ssrc, packet.index)
                continue
            data = bytearray(run.items[0][0])
            timestamp = (packet.timestamp + timestamp_offset) & 0xFFFFFFFF
            _PATCH(data, 2, sent & 0xFFFF, timestamp, self.ssrc)
            if self._send(data, run.items[0][4]):
                self._packets += 1
                self._octets += run.payload_size
                if active:
                    self._timestamp.last_sent = packet.timestamp
                    self._timestamp.last_time = now

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

    def _send(self, data: bytearray, sequence_offset: int) -> bool:
        """Number, protect and send one packet."""
        transport = self._transport
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return False
        if sequence_offset:
            _PATCH_SEQUENCE(data, sequence_offset, transport.transport_sequence & 0xFFFF)
            transport.transport_sequence += 1
        size = len(data)
        outbox = self.lane.outbox
        start = outbox.reserve(size + srtp.overhead)
        outbox.view[start : start + size] = data
        if not srtp.protect_run(outbox.base, start, (size,)):
            return False
        outbox.commit(address, start, (size + srtp.overhead,))
        return True

    def _set_state(self, state: ForwarderState, codec: Codec | None) -> None:
        if state != self.state:
            self.state = state
            self._on_state(state, codec)

    # -- what the subscriber says about it

    def receive_nack(self, lost: Sequence[int], *, now: float) -> None:
        """Send again what is still cached (RFC 4585 6.2.1, RFC 4588).

        Args:
            lost: 16-bit sequence numbers, as we sent them.
            now: Monotonic seconds.
        """
        source = self._source
        if source is None or not self._nack:
            return
        self._settle()
        interval = max(RESEND_INTERVAL, self._round_trip)
        for sequence_number in lost:
            sent = self._sequence.unwrap(sequence_number)
            count, last = self._resends.get(sent, (0, -interval))
            if count >= MAX_RESENDS or (count and now - last < interval):
                continue
            origin = self._sequence.reverse(sent)
            packet = source.cached_packet(origin[0], origin[1]) if origin else None
            if (
                origin is None
                or packet is None
                or not self._resend(packet, sent, origin[2], source, now=now)
            ):
                self._not_found += 1
                continue
            self._retransmitted += 1
            self._resends[sent] = (count + 1, now)
            self._resends.move_to_end(sent)
            if len(self._resends) > REMEMBERED_RESENDS:
                self._resends.popitem(last=False)

    def _resend(
        self,
        packet: RtpPacket,
        sent: int,
        timestamp_offset: int,
        source: TrackSource,
        *,
        now: float,
    ) -> bool:
        extensions = source.sent_extensions()
        template = self.layout.template(packet, extensions)
        if template is None:
            return False
        data = bytearray(template.data)
        timestamp = (packet.timestamp + timestamp_offset) & 0xFFFFFFFF
        rtx_payload_type = self.layout.rtx.get(data[1] & 0x7F)
        if rtx_payload_type is None or self.rtx_ssrc is None:
            # Plain retransmission: the same packet, to the last bit (see `HeaderLayout`), or none.
            if extensions != self._plain_extensions:
                self._plain_extensions = extensions
                self._plain_from = max(self._plain_from, self._sequence.next)
            if sent < self._plain_from:
                return False
            _PATCH(data, 2, sent & 0xFFFF, timestamp, self.ssrc)
            return self._send(data, 0)
        start = template.payload_offset
        data[start:start] = (sent & 0xFFFF).to_bytes(2)
        data[1] = (data[1] & 0x80) | rtx_payload_type
        _PATCH(data, 2, self._rtx_sequence & 0xFFFF, timestamp, self.rtx_ssrc)
        self._rtx_sequence += 1
        if template.send_time_offset:
            offset = template.send_time_offset
            data[offset : offset + 3] = encode_abs_send_time(now)
        return self._send(data, template.sequence_offset)

    def request_key_frame(self, *, now: float) -> None:
        """The subscriber cannot go on without one (PLI, FIR)."""
        if self._source is not None:
            self._source.request_key_frame(now=now)

    def receive_report(self, block: ReportBlock, *, now: float) -> None:
        """Note loss, jitter and round-trip time (RFC 3550 6.4.1) of what we send."""
        self._fraction_lost = block.fraction_lost / 256
        self._jitter = block.jitter / (90000 if self.kind == "video" else 48000)
        sent = self._reports.get(block.last_sender_report)
        if sent is not None:
            round_trip = now - sent - block.delay_since_last_sender_report / 65536
            if 0 <= round_trip < 10:
                self._round_trip = round_trip

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
        self._reports[middle32(ntp_time)] = now
        if len(self._reports) > REMEMBERED_REPORTS:
            self._reports.popitem(last=False)
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
        return self._round_trip

    def stats(self) -> ForwarderStats:
        """A snapshot."""
        self._settle()
        return ForwarderStats(
            packets=self._packets,
            octets=self._octets,
            retransmitted=self._retransmitted,
            not_found=self._not_found,
            fraction_lost=self._fraction_lost,
            round_trip=self._round_trip,
            jitter=self._jitter,
        )
