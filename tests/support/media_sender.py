"""The sending half of a browser's peer connection, as a model in virtual time."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sfu.wire.extensions import encode_audio_level
from sfu.wire.ntp import to_ntp
from sfu.wire.parameters import Extension
from sfu.wire.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
)
from sfu.wire.rtp import build_rtp
from sfu.wire.twcc import TICK
from tests.support.uplink_estimate import UplinkEstimate
from tests.support.virtual_room import VirtualClient

AUDIO_LEVEL, ABS_SEND_TIME, SEQUENCE, MID, RID, REPAIRED_RID = 1, 2, 3, 4, 10, 11
EXTENSIONS = {
    AUDIO_LEVEL: Extension.AUDIO_LEVEL,
    SEQUENCE: Extension.TRANSPORT_SEQUENCE_NUMBER,
    MID: Extension.MID,
    RID: Extension.RID,
    REPAIRED_RID: Extension.REPAIRED_RID,
}
REPORT_INTERVAL = 1.0  # s
WALL_OFFSET = 1_600_000_000.0  # s; the clock of the publisher's machine, which is not ours
LOSS_WEIGHT = 0.2  # of a feedback's share of lost packets in the average
QUEUE_WEIGHT = 0.3  # of a feedback's queue in the average

SPEECH, SILENCE = 30, 127  # -dBov
PACKET_TIME = 0.02  # s of audio in a packet
AUDIO_CLOCK = 48_000


class Outgoing(NamedTuple):
    """An RTP packet before it gets its transport-wide sequence number."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool
    extensions: dict[int, bytes]


class Stream(Protocol):
    """What sends over a `MediaSender`."""

    @property
    def ssrcs(self) -> Sequence[int]: ...

    @property
    def share(self) -> float:
        """Weight in the division of the estimate; 0 for who does not ask."""

    def start(self) -> None: ...

    def set_bitrate(self, bitrate: float) -> None: ...

    def receive_rtcp(self, packet: RtcpPacket) -> None: ...

    def reports(self) -> list[SenderReport]: ...


class MediaSender:
    """Transport-wide numbers, the estimate of the uplink and RTCP for all streams of one client.

    Args:
        client: A connected client.
        start: Bit/s that the estimate begins with.

    Attributes:
        client: The client.
        time: Its clock.
        estimate: Of the uplink.
    """

    def __init__(self, client: VirtualClient, *, start: float) -> None:
        self.client = client
        self.time = client.time
        self.estimate = UplinkEstimate(start=start)
        self._streams: list[Stream] = []
        self._by_ssrc: dict[int, Stream] = {}
        self._sent: dict[int, tuple[float, int]] = {}
        self._loss = self._queue = 0.0
        client.on_rtcp = self._receive_rtcp

    def add(self, stream: Stream) -> None:
        """Send this too."""
        self._streams.append(stream)
        for ssrc in stream.ssrcs:
            self._by_ssrc[ssrc] = stream

    def start(self) -> None:
        """Let all streams begin."""
        self._divide()
        for stream in self._streams:
            stream.start()
        self.time.call_later(REPORT_INTERVAL, self._report)

    def send(self, packets: Sequence[Outgoing]) -> None:
        """Send packets at once."""
        now = self.time.now
        for packet in packets:
            number = self.client.next_transport_sequence()
            extensions = packet.extensions | {SEQUENCE: number}
            data = build_rtp(
                payload_type=packet.payload_type,
                sequence_number=packet.sequence_number,
                timestamp=packet.timestamp,
                ssrc=packet.ssrc,
                payload=packet.payload,
                marker=packet.marker,
                extensions=extensions,
            )
            self._sent[int.from_bytes(number)] = now, len(data)
            self.client.send_rtp(data)

    def ntp(self) -> int:
        """What the wall clock shows, as a sender report tells it."""
        return to_ntp(WALL_OFFSET + self.time.now)

    def _report(self) -> None:
        reports = [report for stream in self._streams for report in stream.reports()]
        if reports:
            self.client.send_rtcp(reports)
        self.time.call_later(REPORT_INTERVAL, self._report)

    def _receive_rtcp(self, packet: RtcpPacket) -> None:
        if isinstance(packet, Nack | PictureLossIndication):
            if stream := self._by_ssrc.get(packet.media_ssrc):
                stream.receive_rtcp(packet)
        elif isinstance(packet, FullIntraRequest):
            for ssrc, _ in packet.entries:
                if stream := self._by_ssrc.get(ssrc):
                    stream.receive_rtcp(PictureLossIndication(packet.sender_ssrc, ssrc))
        elif isinstance(packet, ReceiverEstimatedMaximumBitrate):
            self.estimate.cap = packet.bitrate
            self.estimate.update(self._queue, self._loss, now=self.time.now)
            self._divide()
        elif isinstance(packet, TransportFeedback):
            self._receive_feedback(packet)

    def _receive_feedback(self, feedback: TransportFeedback) -> None:
        lost = feedback.deltas.count(None) / max(len(feedback.deltas), 1)
        self._loss += LOSS_WEIGHT * (lost - self._loss)
        for number, ticks in feedback.arrivals():
            sent = self._sent.pop(number, None)
            if sent is not None:
                queue = self.estimate.add(sent[0], ticks * TICK, sent[1])
                self._queue += QUEUE_WEIGHT * (queue - self._queue)
        self.estimate.update(self._queue, self._loss, now=self.time.now)
        self._divide()

    def _divide(self) -> None:
        total = sum(stream.share for stream in self._streams)
        for stream in self._streams:
            if stream.share:
                stream.set_bitrate(self.estimate.bitrate * stream.share / total)


class AudioSender:
    """An Opus stream: 20 ms a packet, with its loudness (RFC 6464).

    Args:
        sender: Over which it is sent.
        mid: Of its m-line.
        ssrc: Of the stream.
        payload_type: Of Opus.
        size: Bytes of a payload; 80 are 32 kbit/s.

    Attributes:
        level: -dBov, 0 to 127.
        sent: Packets.
        muted: Whether nothing is sent.
    """

    share = 0.0

    def __init__(
        self,
        sender: MediaSender,
        *,
        mid: str,
        ssrc: int,
        payload_type: int = 111,
        size: int = 80,
    ) -> None:
        self.level = SPEECH
        self.sent = 0
        self.muted = False
        self.ssrcs = (ssrc,)
        self._sender = sender
        self._mid = mid.encode()
        self._payload_type = payload_type
        self._payload = b"\x78" + bytes(size - 1)
        self._sequence_number = ssrc & 0x7FFF
        self._timestamp = (ssrc * 7919) & 0xFFFFFFFF
        sender.add(self)

    def start(self) -> None:
        self._tick()

    def set_bitrate(self, bitrate: float) -> None:
        """Audio is as it is."""

    def receive_rtcp(self, packet: RtcpPacket) -> None:
        """Nothing is sent again."""

    def reports(self) -> list[SenderReport]:
        octets = self.sent * len(self._payload)
        return [SenderReport(self.ssrcs[0], self._sender.ntp(), self._timestamp, self.sent, octets)]

    def _tick(self) -> None:
        if not self.muted:
            level = encode_audio_level(self.level, voice=self.level < SILENCE)
            packet = Outgoing(
                self._payload_type,
                self._sequence_number,
                self._timestamp,
                self.ssrcs[0],
                self._payload,
                False,
                {MID: self._mid, AUDIO_LEVEL: level},
            )
            self._sender.send((packet,))
            self.sent += 1
            self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self._timestamp = (self._timestamp + round(PACKET_TIME * AUDIO_CLOCK)) & 0xFFFFFFFF
        self._sender.time.call_later(PACKET_TIME, self._tick)
