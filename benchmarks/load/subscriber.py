"""Receives without decoding: sorts packets by stream, asks for what is missing, reports."""

import random
import time
from collections.abc import Iterable, Mapping
from struct import Struct

from benchmarks.load.connection import Connection
from benchmarks.load.datagrams import Run
from benchmarks.load.description import Agreed, Format, formats
from benchmarks.load.received_stream import ReceivedStream
from benchmarks.load.transport_reporter import TransportReporter
from sfu.errors import ParseError
from sfu.wire.ntp import middle32
from sfu.wire.rtcp import (
    Goodbye,
    Nack,
    PictureLossIndication,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    serialize_compound,
)
from sfu.wire.rtp import parse_rtp

REPORT_INTERVAL = 1.0  # s between receiver reports
TROUBLE_INTERVAL = 0.01  # s between looks at streams that miss something
MAX_REPORTS = 31  # blocks of one receiver report (RFC 3550 6.4.2)
RAMP = bytes(range(256)) * 2  # low bytes of consecutive sequence numbers, from any on

_second = Struct("!xBxxxxxxI").unpack_from
_fields = Struct("!xxHII").unpack_from
_original = Struct("!H").unpack_from


class Subscriber:
    """The receiving half of a client, for all streams of one connection.

    Args:
        connection: That they come over.
        stamp_every: See `ReceivedStream`.
        nacks: Whether lost packets are asked for again.
        excuse_pauses: Whether publishers may pause.
        transport_feedback: Whether to report when packets with transport-wide numbers came.

    Attributes:
        streams: By SSRC.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        stamp_every: int,
        nacks: bool,
        excuse_pauses: bool,
        transport_feedback: bool = False,
    ) -> None:
        self.streams: dict[int, ReceivedStream] = {}
        self._connection = connection
        self._receiver = connection.shared.receiver
        self._ssrc = random.getrandbits(32)
        self._stamp_every = stamp_every
        self._nacks = nacks
        self._excuse_pauses = excuse_pauses
        self._formats: Mapping[int, Format] = {}
        self._rtx_ssrcs: dict[int, int] = {}
        self._reporter: TransportReporter | None = None
        if transport_feedback:
            self._reporter = TransportReporter(connection, self._ssrc)
        self._stopped = False
        self._watching = False
        connection.sink = self

    def agree(self, lines: Iterable[Agreed]) -> None:
        """Learn what the server sends under which number; again after each negotiation."""
        lines = tuple(lines)
        self._formats = formats(lines)
        told: set[int] = set()
        if self._reporter is not None:
            self._reporter.agree(lines)
        for line in lines:
            self._rtx_ssrcs.update(line.rtx_ssrcs)
            if line.direction in ("sendonly", "sendrecv"):
                told.update(line.ssrcs)
        for ssrc, stream in self.streams.items():
            if told and ssrc not in told:
                stream.end()

    def start(self) -> None:
        """Begin to report; the connection is there."""
        now = time.monotonic()
        scheduler = self._connection.shared.scheduler
        scheduler.call_at(now + random.random() * REPORT_INTERVAL, self._report)
        if self._reporter is not None:
            scheduler.call_at(now, self._report_transport)

    def stop(self) -> None:
        """Report no more."""
        self._stopped = True

    def receive_media(self, run: Run) -> None:
        """Take packets as they lie in the receiver's memory. Hot path."""
        if self._reporter is not None:
            self._reporter.receive(run)
        self._receive(run)

    def _receive(self, run: Run) -> None:
        start, length, size, _ = run
        view = self._receiver.view
        second, ssrc = _second(view, start)
        if length > size:
            count = (length + size - 1) // size
            low = view[start + 3]
            end = start + length
            if (
                view[start + 3 : end : size].tobytes() != RAMP[low : low + count]
                or view[start + 11 : end : size].tobytes().count(ssrc & 0xFF) != count
            ):
                self._receive_mixed(run)
                return
        else:
            count = 1
        stream = self.streams.get(ssrc)
        if stream is None:
            if self._repairs(second & 0x7F):
                for single in ReceivedStream.split(run):
                    self._receive_rtx(single, ssrc)
                return
            stream = self._new_stream(ssrc, second & 0x7F)
            if stream is None:
                return
        stream.receive(run, count)
        if stream.trouble and not self._watching:
            self._watching = True
            scheduler = self._connection.shared.scheduler
            scheduler.call_at(time.monotonic() + TROUBLE_INTERVAL, self._repair)

    def _receive_mixed(self, run: Run) -> None:
        """Take packets of several streams, as those of many microphones come. Hot path, too."""
        start, length, size, moment = run
        view, streams, end = self._receiver.view, self.streams, start + length
        for position in range(start, end, size):
            number, timestamp, ssrc = _fields(view, position)
            stream = streams.get(ssrc)
            wire_size = min(size, end - position)
            if stream is None or not stream.receive_simple(number, timestamp, wire_size, moment):
                self._receive(Run(position, wire_size, size, moment))

    def receive_rtcp(self, packets: list[RtcpPacket]) -> None:
        """Take what senders report."""
        now = time.monotonic()
        for packet in packets:
            if isinstance(packet, SenderReport) and packet.ssrc in self.streams:
                statistics = self.streams[packet.ssrc].statistics
                statistics.receive_sender_report(middle32(packet.ntp_time), now=now)
            elif isinstance(packet, Goodbye):
                for ssrc in packet.ssrcs:
                    if ssrc in self.streams:
                        self.streams[ssrc].end()

    def _new_stream(self, ssrc: int, payload_type: int) -> ReceivedStream | None:
        meaning, srtp = self._formats.get(payload_type), self._connection.srtp
        if meaning is None or srtp is None:
            return None
        stream = self.streams[ssrc] = ReceivedStream(
            ssrc,
            meaning.codec,
            meaning.clock_rate,
            receiver=self._receiver,
            srtp=srtp,
            stamp_every=self._stamp_every,
            nacks=self._nacks,
            excuse_pauses=self._excuse_pauses,
        )
        return stream

    def _repairs(self, payload_type: int) -> bool:
        meaning = self._formats.get(payload_type)
        return meaning is not None and meaning.retransmits is not None

    def _receive_rtx(self, run: Run, ssrc: int) -> None:
        """Take one packet of a retransmission stream."""
        srtp = self._connection.srtp
        stream = self.streams.get(self._rtx_ssrcs.get(ssrc, -1))
        if srtp is None or stream is None:
            return
        size = srtp.unprotect_in_place(self._receiver.pointer(run.start), run.length)
        if size < 0:
            return
        try:
            packet = parse_rtp(self._receiver.view[run.start : run.start + size], arrival=0.0)
        except ParseError:
            return
        if len(packet.payload) > 2:  # less is padding, to probe the path with
            (number,) = _original(packet.payload)
            packet.payload = packet.payload[2:]
            stream.repair(packet, number, now=run.time / 1e9)

    def _repair(self, now: float) -> float | None:
        """Ask for what is missing, as long as anything is."""
        trouble = False
        for stream in self.streams.values() if not self._stopped else ():
            if stream.trouble:
                missing = stream.missing(now=now)
                if missing:
                    nack = Nack(self._ssrc, stream.ssrc, tuple(missing))
                    self._connection.send_rtcp(bytes(nack))
                if stream.wants_key_frame(now=now):
                    request = PictureLossIndication(self._ssrc, stream.ssrc)
                    self._connection.send_rtcp(bytes(request))
                trouble |= stream.trouble
        self._watching = trouble
        return now + TROUBLE_INTERVAL if trouble else None

    def _report_transport(self, now: float) -> float | None:
        assert self._reporter is not None
        return None if self._stopped else self._reporter.report(now)

    def _report(self, now: float) -> float | None:
        if self._stopped:
            return None
        blocks = [
            stream.statistics.report_block(ssrc=stream.ssrc, now=now)
            for stream in self.streams.values()
        ]
        for start in range(0, len(blocks), MAX_REPORTS):
            report = ReceiverReport(self._ssrc, tuple(blocks[start : start + MAX_REPORTS]))
            self._connection.send_rtcp(serialize_compound([report]))
        return now + REPORT_INTERVAL
