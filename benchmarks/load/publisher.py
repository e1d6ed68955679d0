"""Sends clips: frame by frame, each as a burst, with answers to NACK, PLI and FIR."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.load.connection import Connection
from benchmarks.load.datagrams import MAX_BATCH, Run
from benchmarks.load.media import Clip
from benchmarks.load.model import LossPattern, MutePattern
from benchmarks.load.reactor import Job
from benchmarks.load.sent_stream import TRANSPORT_NUMBER, SentStream
from sfu.wire.ntp import to_ntp
from sfu.wire.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    serialize_compound,
)

AUDIO_INTERVAL = 0.02  # s
REPORT_INTERVAL = 1.0  # s between sender reports
NO_LOSS, NO_PAUSES = LossPattern(), MutePattern()
MAX_LAG = 0.25  # s; who is later than this leaves frames out


@dataclass(slots=True)
class SentCounters:
    """What a publisher did; see `ClientSample`."""

    packets: int = 0
    octets: int = 0
    dropped: int = 0
    resent: int = 0
    nacks: int = 0
    plis: int = 0


class Publisher:
    """The sending half of a client.

    Args:
        connection: That it sends over, from `start` on.
        streams: What to send.
        fps: Video frames a second; may be changed at any time.
        loss: What to drop.
        mute: When to pause; for a server that wants to know of it, see `on_mute`.
        answer_nacks: Whether to send lost packets again.
        phase: 0..1, where between two frames of others its own are: without, all publishers
            would send their bursts at the same moment.
        cname: For RTCP.
        numbered: Whether packets have room for a transport-wide number.

    Attributes:
        muted: Whether it pauses.
        on_mute: Called with True when it has begun to pause, and with False when it shall go on:
            whoever is called sets `muted` to False, as soon as the server lets media through.
    """

    def __init__(
        self,
        connection: Connection,
        streams: Sequence[SentStream],
        *,
        fps: float,
        loss: LossPattern = NO_LOSS,
        mute: MutePattern = NO_PAUSES,
        answer_nacks: bool = True,
        phase: float = 0.0,
        cname: str = "load",
        numbered: bool = False,
    ) -> None:
        self.fps = fps
        self.counters = SentCounters()
        self._connection = connection
        self._streams = {stream.ssrc: stream for stream in streams}
        self._loss = loss
        self._to_drop = 0
        self._mute = mute
        self.muted = False
        self.on_mute: Callable[[bool], None] | None = None
        self._answer_nacks = answer_nacks
        self._phase = phase
        self._cname = cname
        self._transport_number = 0 if numbered else None
        self._started = 0.0
        self._stopped = False
        connection.sink = self

    def start(self) -> None:
        """Begin to send."""
        self._started = now = time.monotonic()
        if self._connection.srtp is not None:
            for ssrc in self._streams:
                self._connection.srtp.widen(ssrc)  # what is lost is sent again as it is
        call_at = self._connection.shared.scheduler.call_at
        if self._mute.pausing:
            # Each publisher at its own time.
            into = self._phase * (self._mute.sending + self._mute.pausing)
            if into >= self._mute.sending:
                call_at(now, self._pauser(now - into + self._mute.sending, pausing=True))
            else:
                call_at(now, self._pauser(now - into, pausing=False))
        audio = [each for each in self._streams.values() if each.encoding.codec == "opus"]
        video = [each for each in self._streams.values() if each.encoding.codec != "opus"]
        if audio:
            due = now + self._phase * AUDIO_INTERVAL
            call_at(due, self._player(audio, due, audio=True))
        if video:
            due = now + self._phase / self.fps
            call_at(due, self._player(video, due, audio=False))
        call_at(now + 0.1 + self._phase * REPORT_INTERVAL, self._report)

    def stop(self) -> None:
        """Send nothing any more."""
        self._stopped = True

    def change(self, fps: float, clip: Clip) -> None:
        """Go on with another frame rate and other frames."""
        self.fps = fps
        for stream in self._streams.values():
            for encoding in clip.tracks.get(stream.encoding.codec, ()):
                if encoding.rid == stream.encoding.rid:
                    stream.change(encoding)

    def receive_media(self, run: Run) -> None:
        """Nothing is expected here, and what comes is ignored."""

    def receive_rtcp(self, packets: list[RtcpPacket]) -> None:
        """Answer what the server asks for."""
        counters = self.counters
        for packet in packets:
            if isinstance(packet, PictureLossIndication):
                counters.plis += 1
                self._want_key_frame(packet.media_ssrc)
            elif isinstance(packet, FullIntraRequest):
                counters.plis += 1
                for ssrc, _ in packet.entries:
                    self._want_key_frame(ssrc)
            elif isinstance(packet, Nack):
                counters.nacks += len(packet.lost)
                if self._answer_nacks:
                    self._resend(packet)

    def _player(self, streams: list[SentStream], first: float, *, audio: bool) -> Job:
        """The job that sends a frame of each of these streams whenever one is due."""
        due = first

        def play(now: float) -> float | None:
            nonlocal due
            if self._stopped:
                return None
            if not self.muted:
                for stream in streams:
                    self._send(stream.frame(due - self._started, now=now))
            due += AUDIO_INTERVAL if audio else 1 / self.fps
            if now - due > MAX_LAG:
                due = now
            return due

        return play

    def _pauser(self, began: float, *, pausing: bool) -> Job:
        """The job that pauses and goes on; `began` is when the present part of the pattern did."""
        due = began

        def turn(_now: float) -> float | None:
            nonlocal due, pausing
            if self._stopped:
                return None
            self._pause(pausing)
            due += self._mute.pausing if pausing else self._mute.sending
            pausing = not pausing
            return due

        return turn

    def _pause(self, pausing: bool) -> None:
        if pausing == self.muted:
            return
        if pausing or self.on_mute is None:
            self.muted = pausing
        if self.on_mute is not None:
            self.on_mute(pausing)

    def _send(self, packets: list[bytes]) -> None:
        if self._loss.share:
            packets = self._without_lost(packets)
        for start in range(0, len(packets), MAX_BATCH):
            self._send_batch(packets[start : start + MAX_BATCH])

    def _send_batch(self, packets: list[bytes]) -> None:
        overhead = self._connection.overhead
        view, position = self._connection.shared.sender.view, 0
        sizes = []
        for packet in packets:
            size = len(packet)
            view[position : position + size] = packet
            if self._transport_number is not None:
                at = position + TRANSPORT_NUMBER
                view[at : at + 2] = self._transport_number.to_bytes(2)
                self._transport_number = (self._transport_number + 1) & 0xFFFF
            position += size + overhead
            sizes.append(size)
        sent = self._connection.send(sizes)
        self.counters.packets += sent
        self.counters.octets += sum(sizes[:sent])

    def _without_lost(self, packets: list[bytes]) -> list[bytes]:
        kept = []
        for packet in packets:
            if not self._to_drop and random.random() < self._loss.share / self._loss.burst:
                self._to_drop = self._loss.burst
            if self._to_drop:
                self._to_drop -= 1
                self.counters.dropped += 1
            else:
                kept.append(packet)
        return kept

    def _resend(self, nack: Nack) -> None:
        stream = self._streams.get(nack.media_ssrc)
        if stream is None:
            return
        packets = [packet for number in nack.lost if (packet := stream.sent(number)) is not None]
        if packets:
            self.counters.resent += len(packets)
            self._send(packets)

    def _want_key_frame(self, ssrc: int) -> None:
        stream = self._streams.get(ssrc)
        if stream is not None:
            stream.key_frame_wanted = True

    def _report(self, now: float) -> float | None:
        if self._stopped:
            return None
        for stream in self._streams.values():
            if stream.packets:
                report = SenderReport(
                    stream.ssrc,
                    to_ntp(time.time()),
                    stream.timestamp(now - self._started),
                    stream.packets & 0xFFFFFFFF,
                    stream.octets & 0xFFFFFFFF,
                )
                name = SourceDescription(((stream.ssrc, self._cname),))
                self._connection.send_rtcp(serialize_compound([report, name]))
        return now + REPORT_INTERVAL
