import pytest
from aiortc import rtp as aiortc_rtp

from sfu.errors import ParseError
from sfu.wire.rtcp import (
    FullIntraRequest,
    Goodbye,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    parse_compound,
    serialize_compound,
)

BLOCK = ReportBlock(0x89ABCDEF, 255, 12345, 0x0001FFFF, 77, 0x12345678, 65536)
REPORT = SenderReport(1, 0xE6A1B2C3_80000000, 0xFFFFFFFF, 100, 120_000, (BLOCK,))
PACKETS = [
    REPORT,
    SenderReport(1, 0, 0, 0, 0),
    SenderReport(0xFFFFFFFF, 1, 2, 3, 4, (BLOCK,) * 31),
    ReceiverReport(7),
    ReceiverReport(7, (BLOCK, BLOCK)),
    SourceDescription(()),
    SourceDescription(((1, "a"), (2, "ab"), (3, "abc"), (4, "abcd"), (5, ""), (6, "é" * 127))),
    Goodbye(()),
    Goodbye((1, 0xFFFFFFFF)),
    Nack(1, 2, (65534, 65535, 0, 15)),
    PictureLossIndication(1, 2),
    FullIntraRequest(1, ((2, 0), (3, 255))),
    ReceiverEstimatedMaximumBitrate(1, 1_000_000, (2, 3)),
    TransportFeedback(1, 2, 65535, 5, 6, (1, None, 300)),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: type(p).__name__)
def test_each_packet_survives_alone(packet):
    data = bytes(packet)
    assert len(data) % 4 == 0
    assert parse_compound(data) == [packet]


def test_all_survive_together():
    data = serialize_compound(PACKETS)
    assert data == b"".join(map(bytes, PACKETS))
    assert parse_compound(data) == PACKETS
    assert parse_compound(b"") == []


@pytest.mark.parametrize("lost", [-0x800000, -1, 0, 1, 0x7FFFFF])
def test_packets_lost_is_signed(lost):
    report = ReceiverReport(1, (ReportBlock(2, 0, lost, 0, 0, 0, 0),))
    assert parse_compound(bytes(report)) == [report]


@pytest.mark.parametrize(("lost", "written"), [(-(1 << 30), -0x800000), (1 << 30, 0x7FFFFF)])
def test_packets_lost_is_cut_to_24_bits(lost, written):
    report = ReceiverReport(1, (ReportBlock(2, 0, lost, 0, 0, 0, 0),))
    (back,) = parse_compound(bytes(report))
    assert back.reports[0].packets_lost == written


def aiortc_block(block: ReportBlock) -> aiortc_rtp.RtcpReceiverInfo:
    return aiortc_rtp.RtcpReceiverInfo(
        ssrc=block.ssrc,
        fraction_lost=block.fraction_lost,
        packets_lost=block.packets_lost,
        highest_sequence=block.highest_sequence,
        jitter=block.jitter,
        lsr=block.last_sender_report,
        dlsr=block.delay_since_last_sender_report,
    )


def test_reports_are_what_aiortc_writes_and_reads():
    sender = aiortc_rtp.RtcpSrPacket(
        ssrc=REPORT.ssrc,
        sender_info=aiortc_rtp.RtcpSenderInfo(
            ntp_timestamp=REPORT.ntp_time,
            rtp_timestamp=REPORT.rtp_time,
            packet_count=REPORT.packet_count,
            octet_count=REPORT.octet_count,
        ),
        reports=[aiortc_block(BLOCK)],
    )
    receiver = aiortc_rtp.RtcpRrPacket(ssrc=7, reports=[aiortc_block(BLOCK)] * 2)
    goodbye = aiortc_rtp.RtcpByePacket(sources=[1, 2])
    ours = [REPORT, ReceiverReport(7, (BLOCK, BLOCK)), Goodbye((1, 2))]
    theirs = [sender, receiver, goodbye]
    assert serialize_compound(ours) == b"".join(map(bytes, theirs))
    assert aiortc_rtp.RtcpPacket.parse(serialize_compound(ours)) == theirs


@pytest.mark.parametrize("cname", ["a", "ab", "abc", "abcd", "{d8f9a6e1}", "x" * 255])
def test_source_description_is_understood_by_aiortc_and_the_other_way(cname):
    items = [(1, cname.encode())]
    theirs = aiortc_rtp.RtcpSdesPacket(chunks=[aiortc_rtp.RtcpSourceInfo(ssrc=1, items=items)])
    ours = SourceDescription(((1, cname),))
    assert aiortc_rtp.RtcpPacket.parse(bytes(ours)) == [theirs]
    assert parse_compound(bytes(theirs)) == [ours]


def test_only_the_cname_of_a_source_is_kept():
    chunk = bytes.fromhex("00000001 0203616263 01026162 08020000 00")
    data = bytes.fromhex("81ca0005") + chunk + bytes(-len(chunk) % 4)
    assert parse_compound(data) == [SourceDescription(((1, "ab"),))]


def test_cname_that_is_no_text_does_not_cost_the_report_beside_it():
    data = bytes(REPORT) + bytes.fromhex("81ca0003 00000001 0102fffe 00000000")
    assert parse_compound(data) == [REPORT, SourceDescription(((1, ""),))]


def test_goodbye_may_tell_a_reason():
    data = bytes.fromhex("81cb0003 00000001 04746865 79000000")
    assert parse_compound(data) == [Goodbye((1,))]


def test_report_may_have_a_profile_extension():
    data = bytes(ReceiverReport(7, (BLOCK,))) + b"more"
    data = data[:2] + (int.from_bytes(data[2:4], "big") + 1).to_bytes(2, "big") + data[4:]
    assert parse_compound(data) == [ReceiverReport(7, (BLOCK,))]


@pytest.mark.parametrize(
    "unknown",
    [
        "80cc0002 00000001 6e616d65",  # application-defined
        "80cf0001 00000001",  # extended report
        "80c00000",
        "83cd0003 00000001 00000002 00000003",  # temporary maximum bitrate request
        "8fce0003 00000001 00000002 41424344",  # application layer feedback that is not REMB
        "8fce0002 00000001 00000002",
    ],
)
def test_what_we_do_not_know_is_skipped(unknown):
    pli = PictureLossIndication(1, 2)
    assert parse_compound(bytes.fromhex(unknown) + bytes(pli)) == [pli]


def test_padding_is_taken_off():
    data = bytearray(bytes(Nack(1, 2, (3,))) + b"\0\0\0\4")
    data[0] |= 0x20
    data[3] += 1
    assert parse_compound(bytes(data)) == [Nack(1, 2, (3,))]


@pytest.mark.parametrize(
    "data",
    [
        "80",
        "80c900",
        "40c90001 00000001",  # version 1
        "00c90001 00000001",
        "80c90002 00000001",  # longer than the datagram
        "80c90000",  # no SSRC
        "81c90001 00000001",  # no block
        "80c80001 00000001",
        "81c80006" + "00" * 24,
        "82ca0002 00000001 00000000",  # one chunk of two
        "81ca0001 00000001",  # a chunk that does not end
        "81ca0002 00000001 01056162",
        "81ca0002 00000001 01026162",  # no zero behind the last item
        "81ca0000",
        "82cb0001 00000001",
        "a0c90001 00000000",  # padding of zero
        "a0c90001 00000005",
        "a0c90000",
        "81cd0001 00000001",
        "81ce0001 00000001",
        "8fce0003 00000001 00000000 52454d42",
        "8fce0004 00000001 00000000 52454d42 01000001",
        "8fce0004 00000001 00000000 52454d42 00ffffff",  # 2**81 bit/s
    ],
)
def test_malformed_packets_are_refused_with_all_that_came_beside(data):
    with pytest.raises(ParseError):
        parse_compound(bytes.fromhex(data))
    with pytest.raises(ParseError):
        parse_compound(bytes(REPORT) + bytes.fromhex(data))
