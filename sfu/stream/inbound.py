"""One incoming stream: every packet with one SSRC, and the retransmissions that repair it."""

from collections.abc import Callable, Mapping

from sfu.stream.bitrate_meter import BitrateMeter
from sfu.stream.frame_tracker import FrameTracker
from sfu.stream.inbound_stats import InboundStats
from sfu.stream.keyframe_requester import KeyFrameRequester
from sfu.stream.loss_repair import LossRepair
from sfu.stream.nack_generator import NackGenerator
from sfu.stream.packet_cache import PacketCache
from sfu.stream.receiver_report import ReceptionStatistics
from sfu.stream.sender_report import RtpClock, SenderClock
from sfu.stream.sequence_tracker import SequenceTracker
from sfu.wire.ntp import from_ntp, middle32
from sfu.wire.parameters import Codec, Kind
from sfu.wire.payload import key_frame_detector
from sfu.wire.rtcp import ReportBlock, SenderReport
from sfu.wire.rtp import RtpPacket

_Format = tuple[Codec, Callable[[bytes], bool] | None]


class InboundStream:
    """Decides which packets of one SSRC are new media, and what to ask its sender for.

    Attributes:
        ssrc: Of the media.
        rtx_ssrc: Of its retransmission stream (RFC 4588), once known.
        kind: "audio" or "video".
        rid: Of the simulcast layer, "" without.
        codec: Of the newest packet; None before the first.
        cache: The newest packets, by index.
        key_frames: When to ask for a key frame. The stream itself wishes for one where loss is
            beyond repair or the source restarts, so look at its `next_time` after each batch.
        bitrate: Of the media, without packets that are only padding.
        layers: Of video, what each spatial and temporal layer takes.
        clock: When frames were sampled.
        reception: What receiver reports tell of it.
        restarts: How often the source jumped to other sequence numbers, and perhaps timestamps.
    """

    __slots__ = (
        "_discarded",
        "_duplicates",
        "_formats",
        "_frames",
        "_octets",
        "_packets",
        "_repair",
        "_repaired",
        "_sequence",
        "bitrate",
        "cache",
        "clock",
        "codec",
        "key_frames",
        "kind",
        "layers",
        "reception",
        "restarts",
        "rid",
        "rtx_ssrc",
        "ssrc",
    )

    def __init__(
        self,
        *,
        ssrc: int,
        kind: Kind,
        codecs: Mapping[int, Codec],
        nack: bool,
        cache_size: int,
        sender_clock: SenderClock,
        rid: str = "",
        dependency_descriptor: int | None = None,
    ) -> None:
        """A stream of which nothing has come yet.

        Args:
            ssrc: Of the media.
            kind: "audio" or "video".
            codecs: Payload type → codec. All share one clock rate: a stream whose clock changes in
                its midst cannot be timed (RFC 7160), so those of one m-line do not differ in it.
            nack: Whether to ask for lost packets.
            cache_size: Packets to keep; older ones are too late to be of use.
            sender_clock: Of the publisher.
            rid: Of the simulcast layer.
            dependency_descriptor: Id of that header extension, where it was negotiated.
        """
        clock_rate = next(iter(codecs.values())).clock_rate
        self.ssrc = ssrc
        self.rtx_ssrc: int | None = None
        self.kind = kind
        self.rid = rid
        self.codec: Codec | None = None
        self.cache = PacketCache(cache_size)
        self.key_frames = KeyFrameRequester()
        self.bitrate = BitrateMeter()
        self.clock = RtpClock(sender_clock=sender_clock, clock_rate=clock_rate)
        self.reception = ReceptionStatistics(clock_rate=clock_rate)
        self.restarts = 0
        self._sequence = SequenceTracker()
        self._frames = FrameTracker(dependency_descriptor)
        self.layers = self._frames.layers
        self._repair = LossRepair(
            NackGenerator(limit=self.cache.size) if nack else None,
            self.key_frames if kind == "video" else None,
        )
        self._formats: dict[int, _Format] = {}
        self._packets = self._octets = self._repaired = 0
        self._duplicates = self._discarded = 0
        self.update_codecs(codecs)

    def update_codecs(self, codecs: Mapping[int, Codec]) -> None:
        """Take these payload types from now on, after a renegotiation."""
        self._formats = {
            payload_type: (codec, key_frame_detector(codec) if codec.kind == "video" else None)
            for payload_type, codec in codecs.items()
        }

    def note_round_trip(self, seconds: float) -> None:
        """Take this for the time that a repair needs, until one has been timed."""
        self._repair.note_round_trip(seconds)

    @property
    def width(self) -> int:
        """Pixels of the newest key frame, 0 while unknown."""
        return self._frames.width

    @property
    def height(self) -> int:
        """Pixels of the newest key frame, 0 while unknown."""
        return self._frames.height

    @property
    def layer_sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each spatial layer in pixels; empty where they are not told."""
        return self._frames.layer_sizes

    def size_of(self, spatial: int) -> tuple[int, int]:
        """Width and height of a spatial layer in pixels, 0 while unknown."""
        return self._frames.size_of(spatial)

    # -- the hot path

    def receive(self, packet: RtpPacket, *, now: float) -> bool:
        """Account for one packet of the media SSRC.

        A packet that is only padding is handed on like any other, with its empty payload, so that
        whoever renumbers packets can close the gap. For the same reason one of an unknown payload
        type is handed on, emptied and without a codec. So is one that was lost and comes late, be
        it reordered or sent again: its index is lower than that of packets before it.

        Returns:
            True when the packet is new: its `index`, `codec` and `key_frame` are set, and it is
            cached. False for one that came before, comes too late, or whose sequence number jumps
            without a second packet to confirm it.
        """
        sequence = self._sequence
        before = sequence.highest
        index = sequence.place(packet.sequence_number)
        if index <= before:
            return self._receive_late(packet, index, now)
        if index != before + 1:
            self._skip(packet, before, index, now)
        self.reception.add(index, packet.timestamp, packet.arrival)
        packet.index = index
        known = self._formats.get(packet.payload_type)
        if known is None:
            self._empty(packet)
            return True
        codec, is_key_frame = known
        self.codec = packet.codec = codec
        payload = packet.payload
        if payload:
            self.bitrate.add(packet.size, now)
            if is_key_frame is not None:
                if is_key_frame(payload):
                    self._begin_key_frame(packet, now)
                self._frames.read(packet, now)
            if not self.clock.reported:
                self.clock.observe(packet.timestamp, packet.arrival)
        self._packets += 1
        self._octets += packet.size
        self.cache.add(packet)
        return True

    # -- off the hot path

    def _empty(self, packet: RtpPacket) -> None:
        """A packet whose payload type means nothing: its number alone is of use."""
        packet.payload = b""
        self._discarded += 1
        self.cache.add(packet)

    def _skip(self, packet: RtpPacket, before: int, index: int, now: float) -> None:
        """A packet begins the stream, begins it anew, or comes after a gap."""
        if before < 0:
            self.reception.start(index, packet.sequence_number)
            return
        if self._sequence.restarts != self.restarts:
            self.restarts = self._sequence.restarts
            self.reception.start(index, packet.sequence_number)
            self.clock.restart()
            self._repair.restart(now=now)
        self._repair.lost(before + 1, index, now=now)

    def _receive_late(self, packet: RtpPacket, index: int, now: float) -> bool:
        """A packet is older than the newest one, or wild."""
        if index < 0:
            self._discarded += 1
            return False
        self.reception.add_late(index)
        if not self._recover(packet, index, now):
            return False
        self._repair.late(index, now=now, answers=self.rtx_ssrc is None)
        return True

    def _recover(self, packet: RtpPacket, index: int, now: float) -> bool:
        """Hand on a packet from before the newest one, if it is still missing."""
        cache = self.cache
        if index <= self._sequence.highest - cache.size:
            self._discarded += 1
            return False
        if cache.get(index) is not None:
            self._duplicates += 1
            return False
        packet.index = index
        known = self._formats.get(packet.payload_type)
        if known is None:
            self._empty(packet)
            return True
        packet.codec, is_key_frame = known
        if packet.payload:
            self.bitrate.add(packet.size, now)
            if is_key_frame is not None:
                # It does not answer a wish: what follows it has passed those who wait for it.
                packet.key_frame = is_key_frame(packet.payload)
                self._frames.read(packet, now)
        self._packets += 1
        self._octets += packet.size
        cache.add(packet)
        return True

    def receive_rtx(self, packet: RtpPacket, payload_type: int, *, now: float) -> RtpPacket | None:
        """Account for one packet of the retransmission SSRC (RFC 4588).

        Args:
            packet: As it came; it becomes the packet that it repairs.
            payload_type: Of the repaired media: the `apt` of the packet's payload type.
            now: Monotonic seconds.

        Returns:
            The repaired packet, like one that comes late; None for one that is only padding, or
            brings what is not missing, as senders do to probe for bandwidth.
        """
        payload = packet.payload
        if len(payload) < 2:
            return None
        sequence_number = payload[0] << 8 | payload[1]
        index = self._sequence.find(sequence_number)
        if index < 0:
            self._discarded += 1
            return None
        packet.ssrc = self.ssrc
        packet.payload_type = payload_type
        packet.sequence_number = sequence_number
        packet.payload = payload[2:]
        packet.size -= 2
        if not self._recover(packet, index, now):
            return None
        self._repair.repaired(index, now=now)
        self._repaired += 1
        return packet

    def _begin_key_frame(self, packet: RtpPacket, now: float) -> None:
        packet.key_frame = True
        self._frames.begin(packet, now)
        self._repair.begin_key_frame(packet.index)

    def recent(self, *, now: float) -> list[RtpPacket]:
        """The packets since the last key frame, for whoever begins now.

        None where that is too long ago to be shown, or where one of them is missing.
        """
        return self._frames.recent(self.cache, self._sequence.highest, now=now)

    # -- what its sender tells and is told

    def due_nacks(self, *, now: float) -> list[int]:
        """The sequence numbers to ask for again now (RFC 4585 6.2.1); they count as asked for.

        Where some are given up instead, video wishes for a key frame.
        """
        sequence = self._sequence
        due = self._repair.due(now=now, oldest=sequence.highest - self.cache.size + 1)
        return [sequence.sequence_number(index) for index in due]

    def next_nack_time(self) -> float | None:
        """When to call `due_nacks`; None for not before the next loss."""
        return self._repair.next_time()

    def receive_sender_report(self, report: SenderReport, *, now: float) -> None:
        """Take the sender's clock, and remember the report for our next one to answer."""
        self.reception.receive_sender_report(middle32(report.ntp_time), now=now)
        if report.ntp_time:  # RFC 3550 6.4.1: zero where the sender has no notion of wall clock
            self.clock.receive(from_ntp(report.ntp_time), report.rtp_time, now=now)

    def report_block(self, *, now: float) -> ReportBlock:
        """What to tell the sender about the interval since the last call."""
        return self.reception.report_block(ssrc=self.ssrc, now=now)

    def stats(self, *, now: float) -> InboundStats:
        """A snapshot."""
        return InboundStats(
            ssrc=self.ssrc,
            rid=self.rid,
            packets=self._packets,
            octets=self._octets,
            packets_lost=self.reception.lost,
            packets_repaired=self._repaired,
            packets_given_up=self._repair.given_up,
            duplicates=self._duplicates,
            discarded=self._discarded,
            jitter=self.reception.jitter_seconds,
            bitrate=self.bitrate.bitrate(now),
            packet_rate=self.bitrate.packet_rate(now),
            active=self.bitrate.active(now),
            key_frames=self._frames.key_frames,
            nacks_sent=self._repair.asked,
            plis_sent=self.key_frames.sent,
            restarts=self.restarts,
        )
