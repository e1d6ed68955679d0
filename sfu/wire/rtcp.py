"""RTCP packets (RFC 3550 section 6) as values, and the datagrams that they come in.

Every class gives its bytes by `bytes(packet)`, header included. Types that we have no use for
(application-defined, extended reports) are skipped. Feedback messages are in `rtcp_feedback` and
`twcc`, and can be had from here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from struct import Struct, unpack_from

from sfu.errors import ParseError
from sfu.wire.rtcp_feedback import (
    PAYLOAD_SPECIFIC_FEEDBACK,
    TRANSPORT_LAYER_FEEDBACK,
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    pack_packet,
    parse_payload_specific_feedback,
    parse_transport_layer_feedback,
    require_size,
)
from sfu.wire.twcc import TransportFeedback

__all__ = [
    "FullIntraRequest",
    "Goodbye",
    "Nack",
    "PictureLossIndication",
    "ReceiverEstimatedMaximumBitrate",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "parse_compound",
    "serialize_compound",
]

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203

CNAME_ITEM = 1
MAX_PACKETS_LOST = 0x7FFFFF  # RFC 3550 6.4.1: 24 bits, signed, does not wrap

_report_block = Struct("!IIIIII")
_sender_info = Struct("!IQIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source is received (RFC 3550 6.4.1).

    Attributes:
        ssrc: The source.
        fraction_lost: Loss since the last report, 0..255 for 0..100 %.
        packets_lost: Loss since the beginning; negative after duplicates. Cut to 24 bits, signed.
        highest_sequence: Highest sequence number, with the number of wraps in the upper 16 bits.
        jitter: Interarrival jitter in units of the RTP clock.
        last_sender_report: `ntp.middle32` of the last sender report's time; 0 before the first.
        delay_since_last_sender_report: 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int
    delay_since_last_sender_report: int

    def __bytes__(self) -> bytes:
        lost = min(max(self.packets_lost, -MAX_PACKETS_LOST - 1), MAX_PACKETS_LOST) & 0xFFFFFF
        return _report_block.pack(
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay_since_last_sender_report,
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a source has sent, and what its RTP clock showed when (RFC 3550 6.4.1).

    Attributes:
        ssrc: The source.
        ntp_time: 64-bit NTP timestamp of its wall clock (`ntp.from_ntp` makes seconds of it).
        rtp_time: The same moment on its RTP clock.
        packet_count: Packets sent, 32 bits.
        octet_count: Payload bytes sent, 32 bits.
        reports: What it receives, at most 31.
    """

    ssrc: int
    ntp_time: int
    rtp_time: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        info = _sender_info.pack(
            self.ssrc, self.ntp_time, self.rtp_time, self.packet_count, self.octet_count
        )
        return pack_packet(
            len(self.reports), SENDER_REPORT, info + b"".join(map(bytes, self.reports))
        )


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """How sources are received by someone who sends nothing (RFC 3550 6.4.2); at most 31."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        body = self.ssrc.to_bytes(4, "big") + b"".join(map(bytes, self.reports))
        return pack_packet(len(self.reports), RECEIVER_REPORT, body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Canonical names of sources (RFC 3550 6.5); the other items are skipped.

    Attributes:
        chunks: SSRC and CNAME, at most 31; the CNAME is empty when there is none, or none that is
            UTF-8, and is at most 255 bytes.
    """

    chunks: tuple[tuple[int, str], ...]

    def __bytes__(self) -> bytes:
        parts = []
        for ssrc, cname in self.chunks:
            text = cname.encode()
            chunk = ssrc.to_bytes(4, "big")
            if text:
                chunk += bytes((CNAME_ITEM, len(text))) + text
            # One to four zeros: the list of items ends with one and fills its word.
            parts.append(chunk + bytes(4 - len(chunk) % 4))
        return pack_packet(len(self.chunks), SOURCE_DESCRIPTION, b"".join(parts))


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that have ended (RFC 3550 6.6); at most 31."""

    ssrcs: tuple[int, ...]

    def __bytes__(self) -> bytes:
        body = b"".join([ssrc.to_bytes(4, "big") for ssrc in self.ssrcs])
        return pack_packet(len(self.ssrcs), GOODBYE, body)


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimatedMaximumBitrate
    | TransportFeedback
)


def serialize_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """One datagram of these packets, in their order.

    RFC 3550 6.1 wants a report first and a CNAME with it; RFC 5506 lets them be left out.
    """
    return b"".join(map(bytes, packets))


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read the RTCP packets of one datagram, at most one for each four bytes.

    A packet may stand alone (reduced size, RFC 5506). Unknown types and formats are skipped.

    Raises:
        ParseError: When a packet is not of version 2, or a length in it passes the end; nothing of
            the datagram is to be used then.
    """
    packets: list[RtcpPacket] = []
    position = 0
    size = len(data)
    while position < size:
        if position + 4 > size:
            raise ParseError("An RTCP packet is shorter than its header.")
        first, packet_type, words = unpack_from("!BBH", data, position)
        if first & 0xC0 != 0x80:
            raise ParseError("An RTCP packet is not of version 2.")
        end = position + 4 + 4 * words
        if end > size:
            raise ParseError("An RTCP packet is longer than its datagram.")
        parse = _parsers.get(packet_type)
        if parse is not None:
            body = data[position + 4 : end]
            if first & 0x20:
                body = _without_padding(body)
            packet = parse(first & 0x1F, body)
            if packet is not None:
                packets.append(packet)
        position = end
    return packets


def _without_padding(body: bytes) -> bytes:
    padding = body[-1] if body else 0
    if not padding or padding > len(body):
        raise ParseError("The padding of an RTCP packet is longer than the packet.")
    return body[:-padding]


def _parse_reports(body: bytes, position: int, count: int) -> tuple[ReportBlock, ...]:
    # What follows the last block is a profile-specific extension (RFC 3550 6.4.3): not ours.
    end = position + count * _report_block.size
    require_size(body, end)
    return tuple(
        [
            ReportBlock(ssrc, loss >> 24, ((loss & 0xFFFFFF) ^ 0x800000) - 0x800000, *others)
            for ssrc, loss, *others in _report_block.iter_unpack(body[position:end])
        ]
    )


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    require_size(body, _sender_info.size)
    ssrc, ntp_time, rtp_time, packets, octets = _sender_info.unpack_from(body)
    reports = _parse_reports(body, _sender_info.size, count)
    return SenderReport(ssrc, ntp_time, rtp_time, packets, octets, reports)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    require_size(body, 4)
    return ReceiverReport(int.from_bytes(body[:4], "big"), _parse_reports(body, 4, count))


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    chunks = []
    position = 0
    for _ in range(count):
        require_size(body, position + 4)
        ssrc = int.from_bytes(body[position : position + 4], "big")
        position += 4
        cname = ""
        while True:
            require_size(body, position + 1)
            item = body[position]
            if not item:
                position += 4 - position % 4  # the end of the items, and the rest of its word
                break
            require_size(body, position + 2)
            end = position + 2 + body[position + 1]
            require_size(body, end)
            if item == CNAME_ITEM:
                cname = _text(body[position + 2 : end])
            position = end
        chunks.append((ssrc, cname))
    return SourceDescription(tuple(chunks))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""  # a bad name must not cost the reports that share the datagram


def _parse_goodbye(count: int, body: bytes) -> Goodbye:
    require_size(body, 4 * count)
    return Goodbye(unpack_from(f"!{count}I", body))


_parsers: dict[int, Callable[[int, bytes], RtcpPacket | None]] = {
    SENDER_REPORT: _parse_sender_report,
    RECEIVER_REPORT: _parse_receiver_report,
    SOURCE_DESCRIPTION: _parse_source_description,
    GOODBYE: _parse_goodbye,
    TRANSPORT_LAYER_FEEDBACK: parse_transport_layer_feedback,
    PAYLOAD_SPECIFIC_FEEDBACK: parse_payload_specific_feedback,
}
