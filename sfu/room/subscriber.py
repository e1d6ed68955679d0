"""What we send to one peer: a forwarder per m-line, and the reports around them."""

from collections.abc import Callable
from dataclasses import dataclass

from sfu.forward.dispatcher import Dispatcher
from sfu.forward.forwarder import Forwarder, ForwarderState
from sfu.forward.layout import LayoutTable
from sfu.room.bandwidth import Bandwidth
from sfu.room.identifiers import Identifiers
from sfu.stream.key_frame_allowance import KeyFrameAllowance
from sfu.timers import Timer, Timers
from sfu.transport.transport import Transport
from sfu.wire.parameters import Codec, Extension, SendParameters
from sfu.wire.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    serialize_compound,
)

REPORT_INTERVAL = 1.0  # s
REPORTS_PER_COMPOUND = 16  # a sender report and its CNAME take some 60 bytes: stay below 1,200
MAX_NACKED = 1024  # sequence numbers of one RTCP packet that are looked at


@dataclass(frozen=True, slots=True)
class SendIdentity:
    """Under which names a media stream is sent.

    Attributes:
        ssrc: Of the stream.
        rtx_ssrc: Of its retransmissions.
        cname: RTCP canonical name; streams of one capture clock share it.
    """

    ssrc: int
    rtx_ssrc: int
    cname: str


class Subscriber:
    """The sending half of a peer.

    Attributes:
        bandwidth: What the path to it takes.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        timers: Timers,
        dispatcher: Dispatcher,
        layouts: LayoutTable,
        identifiers: Identifiers,
    ) -> None:
        self._transport = transport
        self._timers = timers
        self._lane = dispatcher.lane(transport)
        self._layouts = layouts
        self._identifiers = identifiers
        self._forwarders: dict[int, Forwarder] = {}
        self._names: dict[int, str] = {}
        self._allowances: dict[int, KeyFrameAllowance] = {}
        self._refused = 0
        self._report_timer: Timer | None = None
        self.bandwidth = Bandwidth(lane=self._lane, timers=timers)

    def add(
        self,
        parameters: SendParameters,
        identity: SendIdentity,
        on_state: Callable[[ForwarderState, Codec | None], None],
        *,
        now: float,
    ) -> Forwarder:
        """Send on one m-line from now on; what, is up to `Forwarder.attach`."""
        forwarder = Forwarder(
            parameters=parameters,
            layout=self._layouts.layout(parameters),
            ssrc=identity.ssrc,
            rtx_ssrc=identity.rtx_ssrc if parameters.rtx else None,
            lane=self._lane,
            first_sequence_number=self._identifiers.sequence_number(),
            on_state=on_state,
        )
        self._forwarders[identity.ssrc] = forwarder
        self._begin(forwarder, parameters, now)
        self._names[identity.ssrc] = identity.cname
        self._allowances[identity.ssrc] = KeyFrameAllowance()
        if self._report_timer is None:
            self._report_timer = self._timers.call_at(now + REPORT_INTERVAL, self._report)
        return forwarder

    def renegotiate(self, forwarder: Forwarder, parameters: SendParameters, *, now: float) -> None:
        """The peer agreed to the forwarder's m-line anew."""
        forwarder.renegotiate(parameters, self._layouts.layout(parameters))
        self._begin(forwarder, parameters, now)

    def _begin(self, forwarder: Forwarder, parameters: SendParameters, now: float) -> None:
        if forwarder.kind == "audio":
            self._lane.urgent.add(forwarder.ssrc)
        # What a layout without the number cannot be told about gives no feedback.
        numbered = Extension.TRANSPORT_SEQUENCE_NUMBER in forwarder.layout.extensions
        self.bandwidth.begin(
            transport_cc=parameters.transport_cc and numbered, remb=parameters.remb, now=now
        )

    def remove(self, forwarder: Forwarder) -> None:
        """Send no more on this m-line, nor ever again under its SSRCs."""
        self._forwarders.pop(forwarder.ssrc, None)
        self._names.pop(forwarder.ssrc, None)
        if allowance := self._allowances.pop(forwarder.ssrc, None):
            self._refused += allowance.refused
        self._lane.urgent.discard(forwarder.ssrc)
        if self._transport.srtp is not None:
            for ssrc in (forwarder.ssrc, forwarder.rtx_ssrc):
                if ssrc is not None:
                    self._transport.srtp.forget_local(ssrc)

    def close(self) -> None:
        """Stop reporting."""
        self._forwarders = {}
        self.bandwidth.close()
        if self._report_timer:
            self._report_timer.cancel()

    def receive_rtcp(self, packet: RtcpPacket, *, now: float) -> None:
        """Take what the peer reports about the media that it gets."""
        forwarders = self._forwarders
        if isinstance(packet, ReceiverReport | SenderReport):
            for block in packet.reports:
                if forwarder := forwarders.get(block.ssrc):
                    forwarder.receive_report(block, now=now)
            known = [block for block in packet.reports if block.ssrc in forwarders]
            if known:
                self.bandwidth.receive_reports(
                    known, min(forwarders[block.ssrc].round_trip for block in known), now=now
                )
        elif isinstance(packet, Nack):
            forwarder = forwarders.get(packet.media_ssrc)
            if forwarder and not forwarder.receive_nack(packet.lost[:MAX_NACKED], now=now):
                # After an outage: the client would find out when its patience has ended.
                self._request_key_frame(packet.media_ssrc, now)
        elif isinstance(packet, PictureLossIndication):
            self._request_key_frame(packet.media_ssrc, now)
        elif isinstance(packet, FullIntraRequest):
            for ssrc, _ in packet.entries:
                self._request_key_frame(ssrc, now)
        else:
            self.bandwidth.receive(packet, now=now)

    def _request_key_frame(self, ssrc: int, now: float) -> None:
        forwarder = self._forwarders.get(ssrc)
        if forwarder is not None and self._allowances[ssrc].take(now=now):
            forwarder.request_key_frame(now=now)

    @property
    def refused(self) -> int:
        """Requests for key frames that were too many."""
        return self._refused + sum(a.refused for a in self._allowances.values())

    def _report(self, now: float) -> None:
        self._report_timer = None
        if not self._forwarders:
            return
        self._report_timer = self._timers.call_at(now + REPORT_INTERVAL, self._report)
        reports = [
            report
            for forwarder in self._forwarders.values()
            if (report := forwarder.sender_report(now=now)) is not None
        ]
        for start in range(0, len(reports), REPORTS_PER_COMPOUND):
            chunk = reports[start : start + REPORTS_PER_COMPOUND]
            # One packet for each name: aiortc misreads those that have several chunks.
            names = [SourceDescription(((r.ssrc, self._names[r.ssrc]),)) for r in chunk]
            self._transport.send_rtcp(serialize_compound((*chunk, *names)))
