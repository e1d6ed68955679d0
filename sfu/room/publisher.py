"""What one peer sends to us: its streams, their repair and the feedback that they need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, is_

from sfu.config import Config
from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.congestion.receive_rate import ReceiveRate
from sfu.forward.layout import forwarded_extensions
from sfu.room.track import Track
from sfu.stream.inbound import InboundStream
from sfu.stream.loss_meter import LossMeter
from sfu.stream.sender_report import SenderClock
from sfu.timers import Timer, Timers
from sfu.transport.transport import Transport
from sfu.wire.parameters import Extension, ReceiveParameters
from sfu.wire.rtcp import (
    FullIntraRequest,
    Goodbye,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    serialize_compound,
)
from sfu.wire.rtp import RtpPacket

REPORT_INTERVAL = 1.0  # s; RFC 3550's 5 s is for large groups, the field reports every second
MAX_STREAMS = 64  # SSRCs of one peer, retransmissions included; whoever needs more is not a browser
SILENCE_BEFORE_EVICTION = 5.0  # s; a muted encoder pauses, but then sends again under its SSRC
NACKS_PER_PACKET = 250  # 4 bytes each at the worst: below 1,200
LOCAL_SSRC = 1  # of our receiver reports; we send no media under it


@dataclass(slots=True, eq=False)
class Feed:
    """One stream, the m-line that it came on and the track that it belongs to.

    Attributes:
        publisher: Whose feed it is.
        stream: The stream.
        parameters: Of the m-line.
        track: The track.
        nack_timer: Pending while packets are missing.
        key_frame_timer: Pending while a key frame is wanted.
        fir_sequence: Of the last FIR (RFC 5104 4.3.1).
        last_packet: When the last packet came, monotonic seconds.
        gone: Whether the publisher has forgotten it.
    """

    publisher: "Publisher"
    stream: InboundStream
    parameters: ReceiveParameters
    track: Track
    nack_timer: Timer | None = None
    key_frame_timer: Timer | None = None
    fir_sequence: int = 0
    last_packet: float = 0.0
    gone: bool = False


class Publisher:
    """The receiving half of a peer.

    Packets find their stream by SSRC. An unknown SSRC is placed by the description's SSRCs, then by
    its MID (and RID) header extensions, then by its payload type where only one m-line has that
    (RFC 8843 9.2).
    """

    def __init__(
        self, *, transport: Transport, timers: Timers, config: Config, wall_offset: float
    ) -> None:
        """Nothing is received before `configure`.

        Args:
            transport: The peer's.
            timers: For reports, NACKs and key-frame requests.
            config: Limits and sizes.
            wall_offset: Unix seconds less monotonic seconds.
        """
        self._transport = transport
        self._timers = timers
        self._config = config
        self._clock = SenderClock(wall_offset=wall_offset)
        self._feedback = TransportFeedbackGenerator(sender_ssrc=LOCAL_SSRC)
        self._feedback_timer: Timer | None = None
        self._report_timer: Timer | None = None
        self._rate: ReceiveRate | None = None  # where it is to be told
        self._losses = LossMeter()
        self._sections: dict[str, tuple[ReceiveParameters, Track]] = {}
        self._feeds: dict[int, Feed] = {}
        self._repairs: dict[int, Feed] = {}
        self._mid_id = self._rid_id = self._repaired_rid_id = self._sequence_id = 0
        self._descriptor_id: int | None = None
        self.unroutable = 0

    def configure(
        self, parameters: Sequence[ReceiveParameters], tracks: Mapping[str, Track]
    ) -> None:
        """Receive on these m-lines from now on, each for the track of its MID; on no others."""
        sections = {p.mid: (p, tracks[p.mid]) for p in parameters if p.mid in tracks}
        for mid, (_, track) in self._sections.items():
            if mid not in sections or sections[mid][1] is not track:
                self._drop_section(track)
        self._sections = sections
        ids: dict[str, int] = {}
        for section in parameters:
            ids.update((uri, identifier) for identifier, uri in section.extensions.items())
        self._mid_id = ids.get(Extension.MID, 0)
        self._rid_id = ids.get(Extension.RID, 0)
        self._repaired_rid_id = ids.get(Extension.REPAIRED_RID, 0)
        self._descriptor_id = ids.get(Extension.DEPENDENCY_DESCRIPTOR)
        wants_feedback = any(section.transport_cc for section in parameters)
        self._sequence_id = ids.get(Extension.TRANSPORT_SEQUENCE_NUMBER, 0) if wants_feedback else 0
        wants_rate = not wants_feedback and any(section.remb for section in parameters)
        self._rate = (self._rate or ReceiveRate()) if wants_rate else None
        for section, track in sections.values():
            track.bind(forwarded_extensions(section.extensions), self._want_key_frame)
            for feed in self._feeds.values():
                if feed.track is track:
                    feed.parameters = section
                    feed.stream.update_codecs(section.codecs)

    def _drop_section(self, track: Track) -> None:
        track.remove_streams()
        self._forget(lambda feed: feed.track is track)

    def _forget(self, gone: Callable[[Feed], bool]) -> None:
        """Forget feeds, their retransmission streams and what they wait for."""
        for table in (self._feeds, self._repairs):
            for ssrc in [ssrc for ssrc, feed in table.items() if gone(feed)]:
                feed = table.pop(ssrc)
                feed.gone = True
                for timer in (feed.nack_timer, feed.key_frame_timer):
                    if timer:
                        timer.cancel()

    def remove_track(self, track: Track) -> None:
        """Take no more packets for this track."""
        self._sections = {
            mid: section for mid, section in self._sections.items() if section[1] is not track
        }
        self._drop_section(track)

    def close(self) -> None:
        """Stop all timers and forget all streams."""
        for _, track in self._sections.values():
            self._drop_section(track)
        self._sections = {}
        for timer in (self._report_timer, self._feedback_timer):
            if timer:
                timer.cancel()

    @property
    def streams(self) -> Sequence[InboundStream]:
        """Those that packets came from."""
        return [feed.stream for feed in self._feeds.values()]

    def note_round_trip(self, seconds: float) -> None:
        """Take this for the time that repairs need, where nothing better is known; 0 unknown."""
        if seconds > 0:
            for feed in self._feeds.values():
                feed.stream.note_round_trip(seconds)

    # -- the hot path

    def receive_rtp(self, packet: RtpPacket, *, now: float) -> tuple[Feed, RtpPacket] | None:
        """Account for one packet.

        Returns:
            The feed and the packet to forward (for a retransmission: the packet that it repairs),
            None where there is nothing to forward.
        """
        if self._sequence_id:
            value = packet.extensions.get(self._sequence_id)
            if value is not None and len(value) == 2:
                self._feedback.received((value[0] << 8) | value[1], now=now)
                if self._feedback_timer is None:
                    self._arm_feedback(now)
        feed = self._feeds.get(packet.ssrc)
        if feed is None:
            repaired = self._repairs.get(packet.ssrc)
            if repaired is None:
                if not self._place(packet, now=now):
                    self.unroutable += 1
                    return None
                feed = self._feeds.get(packet.ssrc)
                repaired = self._repairs.get(packet.ssrc)
            if feed is None:
                return self._receive_repair(repaired, packet, now=now) if repaired else None
        feed.last_packet = now
        return (feed, packet) if feed.stream.receive(packet, now=now) else None

    def _receive_repair(
        self, feed: Feed, packet: RtpPacket, *, now: float
    ) -> tuple[Feed, RtpPacket] | None:
        payload_type = feed.parameters.rtx.get(packet.payload_type)
        if payload_type is None:
            return None
        repaired = feed.stream.receive_rtx(packet, payload_type, now=now)
        return (feed, repaired) if repaired is not None else None

    def after_batch(self, feed: Feed, *, now: float) -> None:
        """Set the timers that what just arrived on `feed` calls for."""
        if feed.nack_timer is None:
            when = feed.stream.next_nack_time()
            if when is not None:
                feed.nack_timer = self._timers.call_at(when, lambda now: self._nack(feed, now))
        if feed.key_frame_timer is None and feed.stream.key_frames.wanted:
            self._ask_key_frame(feed, now)  # what was lost is beyond repair
        if self._report_timer is None:
            self._report_timer = self._timers.call_at(now + REPORT_INTERVAL, self._report)

    # -- which stream

    def _place(self, packet: RtpPacket, *, now: float) -> bool:
        """Find out what an unknown SSRC is; True when it is known from now on."""
        if self._transport.srtp:
            self._transport.srtp.note_remote(packet.ssrc, self._feeds.keys() | self._repairs.keys())
        section, rid = self._section_of(packet)
        if section is None or not self._has_room(now):
            return False
        parameters, track = section
        if packet.payload_type in parameters.rtx:
            feed = self._repaired_feed(packet, parameters)
            if feed is None:
                return False
            feed.stream.rtx_ssrc = packet.ssrc
            self._repairs[packet.ssrc] = feed
            return True
        if packet.payload_type not in parameters.codecs:
            return False
        stream = InboundStream(
            ssrc=packet.ssrc,
            kind=parameters.kind,
            codecs=parameters.codecs,
            nack=parameters.nack,
            cache_size=self._config.packet_cache_size,
            sender_clock=self._clock,
            rid=rid,
            dependency_descriptor=self._descriptor_id,
        )
        self._feeds[packet.ssrc] = Feed(self, stream, parameters, track, last_packet=now)
        track.add_stream(stream)
        if track.kind == "video":
            # Whoever waits for this track wants a key frame, and the sender's first may be lost.
            self._want_key_frame(stream, now)
        return True

    def _has_room(self, now: float) -> bool:
        """Whether another stream is taken; perhaps in place of the one that is silent longest."""
        if len(self._feeds) + len(self._repairs) < MAX_STREAMS:
            return True
        silent = min(self._feeds.values(), key=lambda feed: feed.last_packet, default=None)
        if silent is None or now - silent.last_packet < SILENCE_BEFORE_EVICTION:
            return False
        silent.track.remove_stream(silent.stream)
        self._forget(partial(is_, silent))
        return True

    def _section_of(self, packet: RtpPacket) -> tuple[tuple[ReceiveParameters, Track] | None, str]:
        ssrc, payload_type = packet.ssrc, packet.payload_type
        extensions = packet.extensions
        rid = extensions.get(self._rid_id, b"").decode("ascii", "replace") if self._rid_id else ""
        if self._mid_id:
            mid = extensions.get(self._mid_id)
            if mid is not None:
                return self._sections.get(mid.decode("ascii", "replace")), rid
        for section in self._sections.values():
            if ssrc in section[0].ssrcs or ssrc in section[0].rtx_ssrcs:
                return section, rid
        candidates = [
            section
            for section in self._sections.values()
            if payload_type in section[0].codecs or payload_type in section[0].rtx
        ]
        return (candidates[0] if len(candidates) == 1 else None), rid

    def _repaired_feed(self, packet: RtpPacket, parameters: ReceiveParameters) -> Feed | None:
        primary = parameters.rtx_ssrcs.get(packet.ssrc)
        if primary is not None:
            return self._feeds.get(primary)
        feeds = [feed for feed in self._feeds.values() if feed.parameters is parameters]
        if self._repaired_rid_id:
            rid = packet.extensions.get(self._repaired_rid_id)
            if rid is not None:
                text = rid.decode("ascii", "replace")
                feeds = [feed for feed in feeds if feed.stream.rid == text]
        return feeds[-1] if feeds else None

    # -- feedback

    def receive_rtcp(self, packet: RtcpPacket, *, now: float) -> None:
        """Take what the peer reports about the media that it sends."""
        if isinstance(packet, SenderReport):
            feed = self._feeds.get(packet.ssrc)
            if feed is not None:
                feed.stream.receive_sender_report(packet, now=now)
        elif isinstance(packet, Goodbye):
            for ssrc in packet.ssrcs:
                gone = self._feeds.get(ssrc)
                if gone is not None:
                    gone.track.remove_stream(gone.stream)
                    self._forget(partial(is_, gone))

    def _send(self, packet: RtcpPacket) -> None:
        # An empty report in front costs 8 bytes and makes a compound packet that also those read
        # who know no reduced-size RTCP (RFC 5506).
        self._transport.send_rtcp(serialize_compound((ReceiverReport(LOCAL_SSRC, ()), packet)))

    def _nack(self, feed: Feed, now: float) -> None:
        feed.nack_timer = None
        lost = feed.stream.due_nacks(now=now)
        for start in range(0, len(lost), NACKS_PER_PACKET):
            chunk = tuple(lost[start : start + NACKS_PER_PACKET])
            self._send(Nack(LOCAL_SSRC, feed.stream.ssrc, chunk))
        self.after_batch(feed, now=now)

    def _want_key_frame(self, stream: InboundStream, now: float) -> None:
        feed = self._feeds.get(stream.ssrc)
        if feed is not None:
            stream.key_frames.request(now)
            self._ask_key_frame(feed, now)

    def _ask_key_frame(self, feed: Feed, now: float) -> None:
        """Ask when it is time to, and come back as long as none has arrived."""
        requester = feed.stream.key_frames
        if requester.due(now):
            self._send_key_frame_request(feed)
        if feed.key_frame_timer is None:
            when = requester.next_time()
            if when is not None:
                feed.key_frame_timer = self._timers.call_at(
                    when, lambda now: self._key_frame_timer(feed, now)
                )

    def _key_frame_timer(self, feed: Feed, now: float) -> None:
        feed.key_frame_timer = None
        if not feed.track.muted:
            self._ask_key_frame(feed, now)

    def _send_key_frame_request(self, feed: Feed) -> None:
        ssrc = feed.stream.ssrc
        if feed.parameters.fir and not feed.parameters.pli:
            feed.fir_sequence = (feed.fir_sequence + 1) & 0xFF
            self._send(FullIntraRequest(LOCAL_SSRC, ((ssrc, feed.fir_sequence),)))
        else:
            # Also to those who did not say that they know PLI: they have nothing else.
            self._send(PictureLossIndication(LOCAL_SSRC, ssrc))

    def _report(self, now: float) -> None:
        self._report_timer = None
        blocks = [feed.stream.report_block(now=now) for feed in self._feeds.values()]
        for start in range(0, len(blocks), 31):  # RFC 3550 6.4.2: a 5-bit count
            report = ReceiverReport(LOCAL_SSRC, tuple(blocks[start : start + 31]))
            self._transport.send_rtcp(serialize_compound((report,)))
        if self._rate is not None and blocks:
            self._tell_rate(self._rate, now)
        if blocks:
            self._report_timer = self._timers.call_at(now + REPORT_INTERVAL, self._report)

    def _tell_rate(self, rate: ReceiveRate, now: float) -> None:
        streams = self.streams
        received = sum(stream.bitrate.bitrate(now) for stream in streams)
        bitrate = rate.update(received, self._losses.measure(streams))
        ssrcs = tuple([stream.ssrc for stream in streams])
        self._send(ReceiverEstimatedMaximumBitrate(LOCAL_SSRC, bitrate, ssrcs))

    def _arm_feedback(self, now: float) -> None:
        when = self._feedback.next_time()
        if when is not None:
            self._feedback_timer = self._timers.call_at(max(when, now), self._send_feedback)

    def _send_feedback(self, now: float) -> None:
        self._feedback_timer = None
        # libwebrtc takes no notice of feedback that names none of the streams that it sends now.
        newest = max(self._feeds.values(), key=attrgetter("last_packet"), default=None)
        self._feedback.media_ssrc = newest.stream.ssrc if newest else 0
        for feedback in self._feedback.build(now=now):
            self._send(feedback)
