"""The streams that one peer sends: which SSRC is whose (RFC 8843 9.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.config import Config
from sfu.room.track import Track
from sfu.stream.inbound import InboundStream
from sfu.stream.sender_report import SenderClock
from sfu.timers import Timer
from sfu.transport.transport import Transport
from sfu.wire.parameters import Extension, ReceiveParameters
from sfu.wire.rtp import RtpPacket

if TYPE_CHECKING:
    from sfu.room.publisher import Publisher

MAX_STREAMS = 64  # SSRCs of one peer, retransmissions included; whoever needs more is not a browser
SILENCE_BEFORE_EVICTION = 5.0  # s; a muted encoder pauses, but then sends again under its SSRC

Section = tuple[ReceiveParameters, Track]


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

    publisher: Publisher
    stream: InboundStream
    parameters: ReceiveParameters
    track: Track
    nack_timer: Timer | None = None
    key_frame_timer: Timer | None = None
    fir_sequence: int = 0
    last_packet: float = 0.0
    gone: bool = False


class FeedTable:
    """The feeds of one peer by SSRC, and the m-lines on which others may come.

    An unknown SSRC is placed by the description's SSRCs, then by its MID (and RID) header
    extensions, then by its payload type where only one m-line has that (RFC 8843 9.2).

    Attributes:
        feeds: By the SSRC of the media.
        repairs: By the SSRC of its retransmissions (RFC 4588).
        sections: What is received on each m-line, and for which track, by MID.
    """

    def __init__(
        self, publisher: Publisher, *, transport: Transport, config: Config, wall_offset: float
    ) -> None:
        """Nothing is received before `configure`.

        Args:
            publisher: Whose feeds they are.
            transport: The peer's.
            config: Sizes.
            wall_offset: Unix seconds less monotonic seconds.
        """
        self.feeds: dict[int, Feed] = {}
        self.repairs: dict[int, Feed] = {}
        self.sections: dict[str, Section] = {}
        self._publisher = publisher
        self._transport = transport
        self._config = config
        self._clock = SenderClock(wall_offset=wall_offset)
        self._mid_id = self._rid_id = self._repaired_rid_id = 0
        self._descriptor_id: int | None = None

    def configure(self, sections: dict[str, Section], ids: Mapping[str, int]) -> None:
        """Receive on these m-lines from now on, and on no others.

        Args:
            sections: By MID.
            ids: Of header extensions, by their URI.
        """
        for mid, (_, track) in self.sections.items():
            if mid not in sections or sections[mid][1] is not track:
                self._drop(track)
        self.sections = sections
        self._mid_id = ids.get(Extension.MID, 0)
        self._rid_id = ids.get(Extension.RID, 0)
        self._repaired_rid_id = ids.get(Extension.REPAIRED_RID, 0)
        self._descriptor_id = ids.get(Extension.DEPENDENCY_DESCRIPTOR)
        for section, track in sections.values():
            for feed in self.feeds.values():
                if feed.track is track:
                    feed.parameters = section
                    feed.stream.update_codecs(section.codecs)

    def remove_track(self, track: Track) -> None:
        """Take no more packets for this track."""
        self.sections = {
            mid: section for mid, section in self.sections.items() if section[1] is not track
        }
        self._drop(track)

    def clear(self) -> None:
        """Take no more packets."""
        for _, track in self.sections.values():
            self._drop(track)
        self.sections = {}

    def end(self, feed: Feed) -> None:
        """Its stream has ended."""
        feed.track.remove_stream(feed.stream)
        self._forget({feed})

    def _drop(self, track: Track) -> None:
        track.remove_streams()
        self._forget({feed for feed in self.feeds.values() if feed.track is track})

    def _forget(self, gone: Collection[Feed]) -> None:
        """Forget feeds, their retransmission streams and what they wait for."""
        for table in (self.feeds, self.repairs):
            for ssrc in [ssrc for ssrc, feed in table.items() if feed in gone]:
                del table[ssrc]
        for feed in gone:
            feed.gone = True
            for timer in (feed.nack_timer, feed.key_frame_timer):
                if timer:
                    timer.cancel()

    # -- which stream

    def place(self, packet: RtpPacket, *, now: float) -> bool:
        """Find out what an unknown SSRC is; True when it is known from now on."""
        if self._transport.srtp:
            self._transport.srtp.note_remote(packet.ssrc, self.feeds.keys() | self.repairs.keys())
        section, rid = self._section_of(packet)
        if section is None or not self._has_room(now):
            return False
        parameters, track = section
        if packet.payload_type in parameters.rtx:
            feed = self._repaired_feed(packet, parameters)
            if feed is None:
                return False
            feed.stream.rtx_ssrc = packet.ssrc
            self.repairs[packet.ssrc] = feed
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
        self.feeds[packet.ssrc] = Feed(self._publisher, stream, parameters, track, last_packet=now)
        track.add_stream(stream)
        return True

    def _has_room(self, now: float) -> bool:
        """Whether another stream is taken; perhaps in place of the one that is silent longest."""
        if len(self.feeds) + len(self.repairs) < MAX_STREAMS:
            return True
        silent = min(self.feeds.values(), key=lambda feed: feed.last_packet, default=None)
        if silent is None or now - silent.last_packet < SILENCE_BEFORE_EVICTION:
            return False
        self.end(silent)
        return True

    def _section_of(self, packet: RtpPacket) -> tuple[Section | None, str]:
        ssrc, payload_type = packet.ssrc, packet.payload_type
        extensions = packet.extensions
        rid = extensions.get(self._rid_id, b"").decode("ascii", "replace") if self._rid_id else ""
        if self._mid_id:
            mid = extensions.get(self._mid_id)
            if mid is not None:
                return self.sections.get(mid.decode("ascii", "replace")), rid
        for section in self.sections.values():
            if ssrc in section[0].ssrcs or ssrc in section[0].rtx_ssrcs:
                return section, rid
        candidates = [
            section
            for section in self.sections.values()
            if payload_type in section[0].codecs or payload_type in section[0].rtx
        ]
        return (candidates[0] if len(candidates) == 1 else None), rid

    def _repaired_feed(self, packet: RtpPacket, parameters: ReceiveParameters) -> Feed | None:
        primary = parameters.rtx_ssrcs.get(packet.ssrc)
        if primary is not None:
            return self.feeds.get(primary)
        feeds = [feed for feed in self.feeds.values() if feed.parameters is parameters]
        if self._repaired_rid_id:
            rid = packet.extensions.get(self._repaired_rid_id)
            if rid is not None:
                text = rid.decode("ascii", "replace")
                feeds = [feed for feed in feeds if feed.stream.rid == text]
        return feeds[-1] if feeds else None
