from random import Random

import pytest
from aiortc import rtp as aiortc_rtp

from sfu.wire.rtcp import parse_compound
from sfu.wire.rtcp_feedback import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
)

STARTS = (0, 1, 127, 32767, 32768, 65534, 65535)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("offsets", [(0,), (0, 1), (0, 16), (0, 17), (0, 1, 16, 17, 33, 34, 1000)])
def test_nack_names_the_lost_packets_across_the_wrap(start, offsets):
    nack = Nack(1, 2, tuple((start + offset) & 0xFFFF for offset in offsets))
    assert parse_compound(bytes(nack)) == [nack]


def test_nack_shares_a_word_among_seventeen_neighbours():
    assert len(bytes(Nack(1, 2, tuple(range(100, 117))))) == 12 + 4
    assert len(bytes(Nack(1, 2, tuple(range(100, 118))))) == 12 + 8
    assert len(bytes(Nack(1, 2, ()))) == 12


def test_nack_out_of_order_is_written_whole():
    (nack,) = parse_compound(bytes(Nack(1, 2, (5, 3, 4, 5))))
    assert set(nack.lost) == {3, 4, 5}


def test_nack_is_what_aiortc_writes_and_reads():
    rng = Random(2)
    for _ in range(500):
        start = rng.randrange(60_000)
        lost = sorted({start + rng.randrange(200) for _ in range(rng.randrange(1, 60))})
        theirs = aiortc_rtp.RtcpRtpfbPacket(
            fmt=aiortc_rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=lost
        )
        ours = Nack(1, 2, tuple(lost))
        assert bytes(ours) == bytes(theirs)
        assert parse_compound(bytes(theirs)) == [ours]
        assert aiortc_rtp.RtcpPacket.parse(bytes(ours)) == [theirs]


def test_picture_loss_indication_is_what_aiortc_writes():
    theirs = aiortc_rtp.RtcpPsfbPacket(fmt=aiortc_rtp.RTCP_PSFB_PLI, ssrc=1, media_ssrc=2)
    assert bytes(PictureLossIndication(1, 2)) == bytes(theirs)


def test_full_intra_request_bytes():
    request = FullIntraRequest(1, ((0x89ABCDEF, 7),))
    assert bytes(request) == bytes.fromhex("84ce0004 00000001 00000000 89abcdef 07000000")


@pytest.mark.parametrize("bitrate", [0, 1, 262_143, 262_144, 1_000_000, 4_160_000_000, 2**62])
@pytest.mark.parametrize("ssrcs", [(), (1,), (1, 2, 0xFFFFFFFF)])
def test_remb_is_what_aiortc_writes_and_reads(bitrate, ssrcs):
    ours = ReceiverEstimatedMaximumBitrate(1, bitrate, ssrcs)
    fci = aiortc_rtp.pack_remb_fci(bitrate, list(ssrcs))
    theirs = aiortc_rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=fci)
    assert bytes(ours) == bytes(theirs)
    (back,) = parse_compound(bytes(ours))
    assert (back.bitrate, list(back.ssrcs)) == aiortc_rtp.unpack_remb_fci(fci)
    assert 0 <= bitrate - back.bitrate <= bitrate >> 17
