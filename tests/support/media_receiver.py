"""The receiving half of a browser's peer connection, as a model in virtual time."""

from typing import Literal

from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.stream.receiver_report import ReceptionStatistics
from sfu.stream.sequence_tracker import SequenceTracker
from sfu.wire.extensions import ABS_SEND_TIME_PERIOD, parse_audio_level
from sfu.wire.ntp import middle32
from sfu.wire.parameters import Extension
from sfu.wire.rtcp import (
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
)
from sfu.wire.rtp import RtpPacket
from tests.support.uplink_estimate import UplinkEstimate
from tests.support.video_receiver import PATIENCE, VideoReceiver
from tests.support.virtual_room import SEND_EXTENSIONS, VirtualClient

Feedback = Literal["transport_cc", "remb", "none"]

REPORT_INTERVAL = 1.0  # s
POLL_INTERVAL = 0.01  # s between looks at what is missing
REMB_INTERVAL = 0.2  # s
RECEIVER_SSRC = 1
AUDIO_CLOCK = 48_000
_SEQUENCE = SEND_EXTENSIONS[Extension.TRANSPORT_SEQUENCE_NUMBER]
_SEND_TIME = SEND_EXTENSIONS[Extension.ABS_SEND_TIME]
_LEVEL = SEND_EXTENSIONS[Extension.AUDIO_LEVEL]


class AudioReceiver:
    """Counts what comes of an audio stream, and when.

    Attributes:
        ssrc: Of the stream.
        arrivals: Monotonic seconds of each packet.
        level: Newest loudness, -dBov; None before the first.
    """

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.arrivals: list[float] = []
        self.level: int | None = None
        self._sequence = SequenceTracker()
        self._statistics = ReceptionStatistics(clock_rate=AUDIO_CLOCK)
        self._seen: set[int] = set()

    def receive(self, packet: RtpPacket) -> None:
        before = self._sequence.highest
        index = self._sequence.place(packet.sequence_number)
        if index < 0 or index in self._seen:
            return
        self._seen.add(index)
        if before < 0:
            self._statistics.start(index, packet.sequence_number)
        if index > before:
            self._statistics.add(index, packet.timestamp, packet.arrival)
        else:
            self._statistics.add_late(index)
        self.arrivals.append(packet.arrival)
        level = parse_audio_level(packet.extensions.get(_LEVEL, b""))
        if level is not None:
            self.level = level.level

    @property
    def lost(self) -> float:
        """Part of the packets that did not come, 0 to 1."""
        expected = self._statistics.expected
        return self._statistics.lost / expected if expected else 0.0

    def report_block(self, now: float) -> ReportBlock:
        return self._statistics.report_block(ssrc=self.ssrc, now=now)

    def receive_sender_report(self, middle: int, now: float) -> None:
        self._statistics.receive_sender_report(middle, now=now)


class MediaReceiver:
    """Takes all that one client receives, and tells the server what browsers tell.

    Args:
        client: A connected client.
        feedback: Transport-wide feedback, REMB, or receiver reports alone.
        nack: Whether lost video packets are asked for.
        patience: Seconds without a frame before a key frame is asked for.

    Attributes:
        video: By SSRC.
        audio: By SSRC.
        bytes: Of all RTP packets.
        padding: Bytes of those that carried no media: padding alone, or what was there already.
        unknown: Packets of SSRCs that nobody told of.
        estimate: Of the path, with REMB.
    """

    def __init__(
        self,
        client: VirtualClient,
        *,
        feedback: Feedback = "transport_cc",
        nack: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self.client = client
        self.video: dict[int, VideoReceiver] = {}
        self.audio: dict[int, AudioReceiver] = {}
        self.bytes = self.padding = self.unknown = 0
        self.estimate = UplinkEstimate()
        self._time = client.time
        self._feedback = feedback
        self._nack = nack
        self._patience = patience
        self._rtx: dict[int, VideoReceiver] = {}
        self._generator = TransportFeedbackGenerator(sender_ssrc=RECEIVER_SSRC)
        self._generator_armed = False
        self._queue = 0.0
        client.on_rtp = self._receive
        client.on_rtcp = self._receive_rtcp
        self._time.call_later(POLL_INTERVAL, self._poll)
        self._time.call_later(REPORT_INTERVAL, self._report)
        if feedback == "remb":
            self._time.call_later(REMB_INTERVAL, self._remb)

    def add_video(self, ssrc: int, rtx_ssrc: int | None) -> VideoReceiver:
        """Expect a video stream; returns the one that is there already where there is one."""
        known = self.video.get(ssrc)
        if known is not None:
            return known
        receiver = VideoReceiver(
            self._time, ssrc=ssrc, rtx_ssrc=rtx_ssrc, nack=self._nack, patience=self._patience
        )
        self.video[ssrc] = receiver
        if rtx_ssrc is not None:
            self._rtx[rtx_ssrc] = receiver
        return receiver

    def add_audio(self, ssrc: int) -> AudioReceiver:
        """Expect an audio stream; returns the one that is there already where there is one."""
        return self.audio.setdefault(ssrc, AudioReceiver(ssrc))

    def _receive(self, packet: RtpPacket) -> None:
        now = self._time.now
        self.bytes += packet.size
        if self._feedback == "transport_cc":
            number = packet.extensions.get(_SEQUENCE)
            if number is not None:
                self._generator.received(int.from_bytes(number), now)
                if not self._generator_armed:
                    self._arm()
        elif self._feedback == "remb":
            sent = packet.extensions.get(_SEND_TIME)
            if sent is not None:
                self._note_send_time(sent, packet.size)
        if not packet.payload:
            self.padding += packet.size
        if (video := self.video.get(packet.ssrc)) is not None:
            video.receive(packet)
        elif (audio := self.audio.get(packet.ssrc)) is not None:
            audio.receive(packet)
        elif (repaired := self._rtx.get(packet.ssrc)) is not None:
            before = repaired.repaired
            repaired.receive_rtx(packet)
            if packet.payload and repaired.repaired == before:
                self.padding += packet.size
        else:
            self.unknown += 1

    def _note_send_time(self, value: bytes, size: int) -> None:
        now = self._time.now
        sent = int.from_bytes(value) / 262_144
        # 64 s to a turn: take the one that is nearest to now.
        sent += round((now - sent) / ABS_SEND_TIME_PERIOD) * ABS_SEND_TIME_PERIOD
        self._queue += 0.1 * (self.estimate.add(sent, now, size) - self._queue)

    def _receive_rtcp(self, packet: RtcpPacket) -> None:
        if isinstance(packet, SenderReport):
            middle = middle32(packet.ntp_time)
            stream = self.video.get(packet.ssrc) or self.audio.get(packet.ssrc)
            if stream is not None:
                stream.receive_sender_report(middle, self._time.now)

    def _arm(self) -> None:
        when = self._generator.next_time()
        self._generator_armed = when is not None
        if when is not None:
            self._time.call_at(max(when, self._time.now), self._send_feedback)

    def _send_feedback(self) -> None:
        feedbacks = self._generator.build(now=self._time.now)
        if feedbacks:
            self.client.send_rtcp(feedbacks)
        self._arm()

    def _poll(self) -> None:
        packets = [packet for video in self.video.values() for packet in video.feedback()]
        if packets:
            self.client.send_rtcp(packets)
        self._time.call_later(POLL_INTERVAL, self._poll)

    def _report(self) -> None:
        now = self._time.now
        blocks = [stream.report_block(now) for stream in self.video.values()]
        blocks += [stream.report_block(now) for stream in self.audio.values()]
        for start in range(0, len(blocks), 31):
            report = ReceiverReport(RECEIVER_SSRC, tuple(blocks[start : start + 31]))
            self.client.send_rtcp((report,))
        self._time.call_later(REPORT_INTERVAL, self._report)

    def _remb(self) -> None:
        now = self._time.now
        self.estimate.update(self._queue, 0.0, now=now)
        ssrcs = tuple(self.video)[:255]
        self.client.send_rtcp(
            (ReceiverEstimatedMaximumBitrate(RECEIVER_SSRC, round(self.estimate.bitrate), ssrcs),)
        )
        self._time.call_later(REMB_INTERVAL, self._remb)
