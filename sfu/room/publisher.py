"""What one peer sends to us: its streams, and the feedback that they need."""

from collections.abc import Mapping, Sequence

from sfu.config import Config
from sfu.forward.layout import forwarded_extensions
from sfu.room.feeds import Feed, FeedTable
from sfu.room.receiver_feedback import ReceiverFeedback
from sfu.room.track import Track
from sfu.stream.inbound import InboundStream
from sfu.timers import Timers
from sfu.transport.transport import Transport
from sfu.wire.parameters import Extension, ReceiveParameters
from sfu.wire.rtcp import Goodbye, RtcpPacket, SenderReport
from sfu.wire.rtp import RtpPacket


class Publisher:
    """The receiving half of a peer.

    Attributes:
        feedback: What the peer is told of what it sends.
        unroutable: Packets of streams that nobody knows.
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
        self._table = FeedTable(self, transport=transport, config=config, wall_offset=wall_offset)
        self.feedback = ReceiverFeedback(self._table.feeds, transport=transport, timers=timers)
        self.unroutable = 0
        # These are looked at with every packet.
        self._feeds = self._table.feeds
        self._repairs = self._table.repairs
        self._transport_wide = self.feedback.transport_wide
        self._sequence_id = 0

    def configure(
        self, parameters: Sequence[ReceiveParameters], tracks: Mapping[str, Track]
    ) -> None:
        """Receive on these m-lines from now on, each for the track of its MID; on no others."""
        ids: dict[str, int] = {}
        for section in parameters:
            ids.update((uri, identifier) for identifier, uri in section.extensions.items())
        sections = {p.mid: (p, tracks[p.mid]) for p in parameters if p.mid in tracks}
        self._table.configure(sections, ids)
        transport_cc = any(section.transport_cc for section in parameters)
        self._sequence_id = ids.get(Extension.TRANSPORT_SEQUENCE_NUMBER, 0) if transport_cc else 0
        self.feedback.set_remb(not transport_cc and any(section.remb for section in parameters))
        for section, track in sections.values():
            track.bind(forwarded_extensions(section.extensions), self.feedback.want_key_frame)

    def remove_track(self, track: Track) -> None:
        """Take no more packets for this track."""
        self._table.remove_track(track)

    def close(self) -> None:
        """Stop all timers and forget all streams."""
        self._table.clear()
        self.feedback.close()

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
                self._transport_wide.received((value[0] << 8) | value[1], now=now)
                if self.feedback.transport_wide_timer is None:
                    self.feedback.arm_transport_wide(now)
        feed = self._feeds.get(packet.ssrc)
        if feed is None:
            repaired = self._repairs.get(packet.ssrc)
            if repaired is None:
                if not self._table.place(packet, now=now):
                    self.unroutable += 1
                    return None
                feed = self._feeds.get(packet.ssrc)
                repaired = self._repairs.get(packet.ssrc)
                if feed is not None and feed.track.kind == "video":
                    # Whoever waits for it wants a key frame, and the sender's first may be lost.
                    self.feedback.want_key_frame(feed.stream, now)
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

    # -- what the peer reports

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
                    self._table.end(gone)
