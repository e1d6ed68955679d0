"""What one peer is told about the media that it sends: reports, losses, key frames, its rate."""

from collections.abc import Mapping
from operator import attrgetter

from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.congestion.receive_rate import ReceiveRate
from sfu.room.feeds import Feed
from sfu.stream.inbound import InboundStream
from sfu.stream.loss_meter import LossMeter
from sfu.timers import Timer, Timers
from sfu.transport.transport import Transport
from sfu.wire.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    RtcpPacket,
    serialize_compound,
)

REPORT_INTERVAL = 1.0  # s; RFC 3550's 5 s is for large groups, the field reports every second
BLOCKS_PER_REPORT = 31  # RFC 3550 6.4.2: a 5-bit count
NACKS_PER_PACKET = 250  # 4 bytes each at the worst: below 1,200
LOCAL_SSRC = 1  # of our receiver reports; we send no media under it


class ReceiverFeedback:
    """Sends a peer's RTCP as its feeds call for it.

    - Receiver reports each second (RFC 3550 6.4.2), with a REMB where that is all that it takes.
    - Transport-wide feedback, for its estimate of the bandwidth.
    - NACKs, and requests for key frames (RFC 4585 6.2.1 and 6.3.1, RFC 5104 4.3.1).

    Attributes:
        transport_wide: Takes the transport-wide numbers that arrive.
        transport_wide_timer: Pending while there is something to tell of them.
    """

    def __init__(self, feeds: Mapping[int, Feed], *, transport: Transport, timers: Timers) -> None:
        """Nothing has arrived.

        Args:
            feeds: All of the peer, by SSRC, at any time.
            transport: The peer's.
            timers: For reports, NACKs and key-frame requests.
        """
        self.transport_wide = TransportFeedbackGenerator(sender_ssrc=LOCAL_SSRC)
        self.transport_wide_timer: Timer | None = None
        self._feeds = feeds
        self._transport = transport
        self._timers = timers
        self._report_timer: Timer | None = None
        self._rate: ReceiveRate | None = None  # where it is to be told
        self._losses = LossMeter()

    def set_remb(self, wanted: bool) -> None:
        """Whether the peer is told at which rate it may send."""
        self._rate = (self._rate or ReceiveRate()) if wanted else None

    def close(self) -> None:
        """Tell nothing more."""
        for timer in (self._report_timer, self.transport_wide_timer):
            if timer:
                timer.cancel()

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

    # -- key frames

    def want_key_frame(self, stream: InboundStream, now: float) -> None:
        """Ask for one of this stream, unless that was done a moment ago."""
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

    # -- reports

    def _report(self, now: float) -> None:
        self._report_timer = None
        blocks = [feed.stream.report_block(now=now) for feed in self._feeds.values()]
        for start in range(0, len(blocks), BLOCKS_PER_REPORT):
            report = ReceiverReport(LOCAL_SSRC, tuple(blocks[start : start + BLOCKS_PER_REPORT]))
            self._transport.send_rtcp(serialize_compound((report,)))
        if self._rate is not None and blocks:
            self._tell_rate(self._rate, now)
        if blocks:
            self._report_timer = self._timers.call_at(now + REPORT_INTERVAL, self._report)

    def _tell_rate(self, rate: ReceiveRate, now: float) -> None:
        streams = [feed.stream for feed in self._feeds.values()]
        received = sum(stream.bitrate.bitrate(now) for stream in streams)
        bitrate = rate.update(received, self._losses.measure(streams))
        ssrcs = tuple([stream.ssrc for stream in streams])
        self._send(ReceiverEstimatedMaximumBitrate(LOCAL_SSRC, bitrate, ssrcs))

    def arm_transport_wide(self, now: float) -> None:
        """Tell of transport-wide numbers when it is time to; only where no timer is pending."""
        when = self.transport_wide.next_time()
        if when is not None:
            self.transport_wide_timer = self._timers.call_at(
                max(when, now), self._send_transport_wide
            )

    def _send_transport_wide(self, now: float) -> None:
        self.transport_wide_timer = None
        # libwebrtc takes no notice of feedback that names none of the streams that it sends now.
        newest = max(self._feeds.values(), key=attrgetter("last_packet"), default=None)
        self.transport_wide.media_ssrc = newest.stream.ssrc if newest else 0
        for feedback in self.transport_wide.build(now=now):
            self._send(feedback)
