import random
from collections.abc import Mapping

import pytest

from sfu.stream.inbound import InboundStream
from sfu.stream.sender_report import SenderClock
from sfu.wire.ntp import middle32, to_ntp
from sfu.wire.parameters import OPUS, RED, VP8, Codec, Kind, h264
from sfu.wire.rtcp import SenderReport
from sfu.wire.rtp import RtpPacket, build_rtp, parse_rtp

SSRC, RTX_SSRC = 0x11111111, 0x22222222
H264 = h264("constrained-baseline", 1)
VIDEO: Mapping[int, Codec] = {96: VP8, 102: H264}
AUDIO: Mapping[int, Codec] = {111: OPUS, 63: RED}
RTX = {97: 96, 103: 102}
NUMBERS = [0, 1, 127, 32767, 32768, 65534, 65535]
KEY_FRAME = b"\x10\x00" + bytes(50)  # VP8: start of partition 0, P bit clear
DELTA_FRAME = b"\x10\x01" + bytes(50)
H264_KEY_FRAME = b"\x67\x42\xe0\x1f" + bytes(20)  # a sequence parameter set
WALL = 1.7e9


def stream(
    kind: Kind = "video", *, nack: bool = True, cache_size: int = 256, rid: str = ""
) -> InboundStream:
    return InboundStream(
        ssrc=SSRC,
        kind=kind,
        codecs=VIDEO if kind == "video" else AUDIO,
        nack=nack,
        cache_size=cache_size,
        sender_clock=SenderClock(wall_offset=WALL),
        rid=rid,
    )


def rtp(
    number: int,
    now: float = 1.0,
    *,
    payload: bytes = DELTA_FRAME,
    payload_type: int = 96,
    timestamp: int | None = None,
    padding: int = 0,
) -> RtpPacket:
    data = build_rtp(
        payload_type=payload_type,
        sequence_number=number & 0xFFFF,
        timestamp=(number * 3000 if timestamp is None else timestamp) & 0xFFFFFFFF,
        ssrc=SSRC,
        payload=payload,
        padding=padding,
    )
    return parse_rtp(data, arrival=now)


def rtx(number: int, now: float = 1.0, *, payload: bytes = DELTA_FRAME) -> RtpPacket:
    data = build_rtp(
        payload_type=97,
        sequence_number=7,
        timestamp=(number * 3000) & 0xFFFFFFFF,
        ssrc=RTX_SSRC,
        payload=(number & 0xFFFF).to_bytes(2, "big") + payload,
        marker=True,
        extensions={3: b"abc"},
    )
    return parse_rtp(data, arrival=now)


@pytest.mark.parametrize("start", NUMBERS)
def test_packets_in_order_are_handed_on_and_cached(start):
    inbound = stream()
    for i in range(70_000 if start == 65535 else 1000):
        packet = rtp(start + i, i / 1000)
        assert inbound.receive(packet, now=i / 1000)
        assert packet.index == start + 0x10000 + i
        assert packet.codec is VP8
        assert not packet.key_frame
        assert inbound.cache.get(packet.index) is packet
    assert inbound.next_nack_time() is None
    block = inbound.report_block(now=99.0)
    assert block.ssrc == SSRC
    assert block.highest_sequence == start + i
    assert (block.packets_lost, block.fraction_lost) == (0, 0)


@pytest.mark.parametrize("start", NUMBERS)
def test_a_lost_packet_is_asked_for_and_its_retransmission_handed_on(start):
    inbound = stream()
    inbound.rtx_ssrc = RTX_SSRC
    inbound.receive(rtp(start), now=1.0)
    inbound.receive(rtp(start + 2), now=1.0)
    when = inbound.next_nack_time()
    assert when is not None
    assert inbound.due_nacks(now=when) == [(start + 1) & 0xFFFF]
    repair = rtx(start + 1, 1.1)
    size = repair.size
    repaired = inbound.receive_rtx(repair, 96, now=1.1)
    assert repaired is not None
    assert repaired.index == start + 0x10001
    assert repaired.sequence_number == (start + 1) & 0xFFFF
    assert repaired.timestamp == (start + 1) * 3000 & 0xFFFFFFFF
    assert (repaired.ssrc, repaired.payload_type, repaired.codec) == (SSRC, 96, VP8)
    assert repaired.payload == DELTA_FRAME
    assert repaired.marker
    assert repaired.extensions == {3: b"abc"}
    assert repaired.size == size - 2
    assert inbound.cache.get(repaired.index) is repaired
    assert inbound.next_nack_time() is None
    stats = inbound.stats(now=2.0)
    assert (stats.packets, stats.packets_repaired, stats.nacks_sent) == (3, 1, 1)
    assert stats.packets_lost == 1, "the path has lost it, whatever repaired it"


def test_the_same_packet_is_handed_on_once_whichever_way_it_comes():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.receive(rtp(12), now=1.0)
    assert not inbound.receive(rtp(12), now=1.0)
    assert inbound.receive(rtp(11), now=1.0)
    assert not inbound.receive(rtp(11), now=1.0)
    assert inbound.receive_rtx(rtx(11), 96, now=1.0) is None
    assert inbound.receive_rtx(rtx(12), 96, now=1.0) is None
    assert not inbound.receive(rtp(10), now=1.0)
    assert inbound.stats(now=1.0).duplicates == 5
    assert inbound.stats(now=1.0).packets == 3


def test_a_packet_sent_again_under_its_own_number_is_a_late_one():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.receive(rtp(12), now=1.0)
    inbound.due_nacks(now=1.1)
    packet = rtp(11, 1.2)
    assert inbound.receive(packet, now=1.2)
    assert packet.index == 0x10000 + 11
    assert inbound.next_nack_time() is None
    assert inbound.report_block(now=1.3).packets_lost == 0


def test_a_packet_older_than_the_cache_is_too_late():
    inbound = stream(cache_size=64)
    inbound.receive(rtp(0), now=1.0)
    inbound.receive(rtp(100), now=1.0)
    assert not inbound.receive(rtp(36), now=1.0)
    assert inbound.receive(rtp(37), now=1.0)
    assert inbound.receive_rtx(rtx(30), 96, now=1.0) is None
    assert inbound.stats(now=1.0).discarded == 2


@pytest.mark.parametrize("payload", [b"", b"\x00"])
def test_a_retransmission_that_is_only_padding_is_nothing(payload):
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    packet = parse_rtp(
        build_rtp(
            payload_type=97,
            sequence_number=1,
            timestamp=0,
            ssrc=RTX_SSRC,
            payload=payload,
            padding=200,
        ),
        arrival=1.0,
    )
    assert inbound.receive_rtx(packet, 96, now=1.0) is None
    assert inbound.stats(now=1.0).discarded == 0


def test_retransmissions_before_the_first_packet_or_of_later_ones_are_nothing():
    inbound = stream()
    assert inbound.receive_rtx(rtx(10), 96, now=1.0) is None
    inbound.receive(rtp(20), now=1.0)
    assert inbound.receive_rtx(rtx(21), 96, now=1.0) is None
    assert inbound.receive_rtx(rtx(40_000), 96, now=1.0) is None
    packet = rtp(21)
    assert inbound.receive(packet, now=1.0)
    assert packet.index == 0x10000 + 21


def test_a_retransmission_of_an_unknown_format_fills_its_place():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.receive(rtp(12), now=1.0)
    repaired = inbound.receive_rtx(rtx(11), 55, now=1.0)
    assert repaired is not None
    assert (repaired.index, repaired.codec, repaired.payload) == (0x10000 + 11, None, b"")
    assert inbound.next_nack_time() is None


def test_padding_is_handed_on_empty_but_is_no_media():
    inbound = stream()
    inbound.receive(rtp(10, 1.0), now=1.0)
    rate = inbound.bitrate.bitrate(1.5)
    padding = rtp(11, 1.0, payload=b"", padding=255)
    assert inbound.receive(padding, now=1.0)
    assert padding.payload == b""
    assert padding.index == 0x10000 + 11
    assert inbound.bitrate.bitrate(1.5) == rate
    assert inbound.receive(rtp(12), now=1.0)
    assert inbound.next_nack_time() is None
    assert inbound.report_block(now=2.0).packets_lost == 0
    assert not inbound.receive(rtp(11, 1.0, payload=b"", padding=255), now=1.0)


@pytest.mark.parametrize("order", [(10, 11, 12), (10, 12, 11)])
def test_an_unknown_payload_type_is_no_media_but_fills_its_place(order):
    inbound = stream()
    for number in order:
        packet = rtp(number, payload_type=55 if number == 11 else 96)
        assert inbound.receive(packet, now=1.0)
        assert packet.index == 0x10000 + number
        if number == 11:
            unknown = packet
    assert (unknown.codec, unknown.payload, unknown.key_frame) == (None, b"", False)
    assert inbound.cache.get(unknown.index) is unknown
    assert inbound.next_nack_time() is None
    assert inbound.report_block(now=2.0).packets_lost == 0
    assert not inbound.receive(rtp(11, payload_type=55), now=1.0), "it came before"
    stats = inbound.stats(now=2.0)
    assert (stats.packets, stats.discarded, stats.duplicates) == (2, 1, 1)
    assert inbound.codec is VP8


def test_the_codec_may_change_in_the_middle():
    inbound = stream()
    inbound.receive(rtp(10, payload=KEY_FRAME), now=1.0)
    packet = rtp(12, payload=H264_KEY_FRAME, payload_type=102)
    assert inbound.receive(packet, now=1.1)
    assert packet.codec == H264
    assert packet.key_frame
    assert inbound.codec == H264
    late = rtp(11)
    assert inbound.receive(late, now=1.2)
    assert late.codec is VP8
    assert inbound.codec == H264, "a late packet is not the newest"


def test_a_renegotiation_changes_the_payload_types():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.update_codecs({120: H264})
    unknown = rtp(11)
    assert inbound.receive(unknown, now=1.0)
    assert (unknown.codec, unknown.payload) == (None, b"")
    packet = rtp(12, payload=H264_KEY_FRAME, payload_type=120)
    assert inbound.receive(packet, now=1.0)
    assert packet.codec == H264
    assert packet.key_frame


def test_a_key_frame_answers_the_wish_for_one():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.key_frames.request(1.0)
    assert inbound.key_frames.due(1.0)
    inbound.receive(rtp(11), now=1.1)
    assert inbound.key_frames.wanted
    packet = rtp(12, payload=KEY_FRAME)
    inbound.receive(packet, now=1.2)
    assert packet.key_frame
    assert not inbound.key_frames.wanted
    stats = inbound.stats(now=1.3)
    assert (stats.key_frames, stats.plis_sent) == (1, 1)


def test_a_repaired_key_frame_is_one_but_answers_nobody():
    inbound = stream()
    inbound.receive(rtp(10), now=1.0)
    inbound.key_frames.request(1.0)
    inbound.receive(rtp(12), now=1.0)
    repaired = inbound.receive_rtx(rtx(11, payload=KEY_FRAME), 96, now=1.1)
    assert repaired is not None
    assert repaired.key_frame
    assert inbound.key_frames.wanted


def test_parameter_sets_and_slices_of_one_key_frame_are_one_key_frame():
    inbound = stream()
    for i in range(3):
        packet = rtp(i, payload=H264_KEY_FRAME, payload_type=102, timestamp=9000)
        inbound.receive(packet, now=1.0)
    assert inbound.stats(now=1.0).key_frames == 1


@pytest.mark.parametrize("nack", [True, False])
def test_audio(nack):
    inbound = stream("audio", nack=nack)
    packet = rtp(1, payload=b"\x10\x00" + bytes(60), payload_type=111)
    assert inbound.receive(packet, now=1.0)
    assert packet.codec is OPUS
    assert not packet.key_frame
    assert inbound.receive(rtp(5, payload=b"abc", payload_type=63), now=1.0)
    assert inbound.due_nacks(now=1.1) == ([2, 3, 4] if nack else [])
    assert not inbound.key_frames.wanted
    assert inbound.receive(rtp(3, payload=b"abc", payload_type=111), now=1.0)
    assert (inbound.next_nack_time() is None) == (not nack)


def give_up(inbound: InboundStream) -> float:
    """Let nobody answer the NACKs; returns when the last loss was given up."""
    now = 0.0
    while (when := inbound.next_nack_time()) is not None:
        now = when
        inbound.due_nacks(now=now)
    return now


def test_a_loss_that_is_given_up_asks_for_a_key_frame():
    inbound = stream()
    inbound.receive(rtp(10, payload=KEY_FRAME), now=1.0)
    inbound.receive(rtp(12), now=1.0)
    now = inbound.next_nack_time()
    assert inbound.due_nacks(now=now) == [11]
    assert not inbound.key_frames.wanted, "it may still be repaired"
    now = give_up(inbound)
    assert inbound.key_frames.due(now)
    inbound.receive(rtp(13, payload=KEY_FRAME), now=now)
    assert inbound.due_nacks(now=now) == []
    assert not inbound.key_frames.wanted
    inbound.receive(rtp(15), now=now)
    give_up(inbound)
    assert inbound.key_frames.wanted, "another one"


def test_a_loss_before_the_newest_key_frame_is_given_up_without_another():
    inbound = stream()
    inbound.receive(rtp(10, payload=KEY_FRAME), now=1.0)
    inbound.receive(rtp(12, payload=KEY_FRAME), now=1.0)
    give_up(inbound)
    assert inbound.stats(now=9.0).packets_given_up == 1
    assert not inbound.key_frames.wanted


def test_audio_that_is_given_up_wishes_for_nothing():
    inbound = stream("audio")
    inbound.receive(rtp(10, payload=b"abc", payload_type=111), now=1.0)
    inbound.receive(rtp(12, payload=b"abc", payload_type=111), now=1.0)
    give_up(inbound)
    assert inbound.stats(now=9.0).packets_given_up == 1
    assert not inbound.key_frames.wanted


def test_an_outage_asks_for_a_key_frame_instead_of_a_thousand_packets():
    inbound = stream(cache_size=1024)
    inbound.receive(rtp(0), now=1.0)
    inbound.receive(rtp(1500), now=3.0)
    assert inbound.due_nacks(now=3.1) == []
    assert inbound.key_frames.due(3.1)
    assert inbound.stats(now=3.1).packets_given_up == 1499


@pytest.mark.parametrize("start", NUMBERS)
def test_a_source_that_restarts_goes_on_without_a_gap(start):
    inbound = stream()
    for i in range(10):
        inbound.receive(rtp(start + i), now=1.0)
    last = start + 0x10000 + 9
    inbound.receive(rtp(start + 11), now=1.0)  # 10 is lost for good
    inbound.receive_sender_report(SenderReport(SSRC, to_ntp(WALL), 5, 0, 0), now=1.0)
    after = start + 30_000
    assert not inbound.receive(rtp(after), now=1.1)
    packet = rtp(after + 1)
    assert inbound.receive(packet, now=1.1)
    assert packet.index == last + 4
    assert inbound.restarts == 1
    assert inbound.key_frames.due(1.1)
    assert not inbound.clock.reported
    when = inbound.next_nack_time()
    assert when is not None
    assert inbound.due_nacks(now=when) == [after & 0xFFFF], "the one that was not believed"
    repaired = inbound.receive_rtx(rtx(after), 96, now=1.2)
    assert repaired is not None
    assert repaired.index == last + 3
    assert inbound.receive(rtp(after + 2), now=1.2)
    block = inbound.report_block(now=1.3)
    assert block.highest_sequence == (after + 2) & 0xFFFF
    assert block.packets_lost == 0
    assert inbound.cache.get(last) is not None, "receivers may still ask for what was before"
    assert not inbound.receive(rtp(start + 10), now=1.3), "from before the restart"


def test_jitter_is_measured_on_packets_in_order_only():
    inbound = stream()
    for i in range(0, 300, 3):
        inbound.receive(rtp(i, i / 30), now=i / 30)
        inbound.receive(rtp(i + 2, (i + 2) / 30), now=(i + 2) / 30)
        inbound.receive_rtx(rtx(i + 1, (i + 2.5) / 30), 96, now=(i + 2.5) / 30)
    assert inbound.stats(now=10.0).jitter < 1e-4
    assert inbound.report_block(now=10.0).jitter <= 9


def test_the_sender_report_is_answered_and_sets_the_clock():
    inbound = stream()
    inbound.receive(rtp(1, 10.0, timestamp=90_000), now=10.0)
    assert inbound.clock.reference(now=10.0) == (WALL + 10.0, 90_000)
    ntp = to_ntp(1234567.5)
    inbound.receive_sender_report(SenderReport(SSRC, ntp, 180_000, 1, 1), now=11.0)
    assert inbound.clock.reference(now=12.0) == (WALL + 12.0, 270_000)
    block = inbound.report_block(now=11.5)
    assert block.last_sender_report == middle32(ntp)
    assert block.delay_since_last_sender_report == 0x8000


def test_a_sender_without_a_wall_clock_is_timed_by_arrival():
    inbound = stream()
    inbound.receive(rtp(1, 10.0, timestamp=90_000), now=10.0)
    inbound.receive_sender_report(SenderReport(SSRC, 0, 1, 1, 1), now=11.0)
    assert inbound.clock.reference(now=11.0) == (WALL + 11.0, 180_000)


def test_stats_name_the_stream():
    inbound = stream(rid="h")
    for i in range(200):
        inbound.receive(rtp(i, i / 100), now=i / 100)
    stats = inbound.stats(now=2.0)
    assert (stats.ssrc, stats.rid, stats.packets, stats.active) == (SSRC, "h", 200, True)
    assert stats.octets == 200 * (12 + len(DELTA_FRAME))
    assert stats.bitrate == 8 * 100 * (12 + len(DELTA_FRAME))
    assert stats.packet_rate == 100
    assert not inbound.stats(now=9.0).active


@pytest.mark.parametrize("seed", range(40))
def test_every_packet_is_handed_on_once_or_given_up(seed):
    """A bad network: loss, reordering, duplicates, and retransmissions that get lost as well."""
    rng = random.Random(seed)
    inbound = stream(cache_size=512)
    start = rng.choice(NUMBERS)
    loss = rng.uniform(0.0, 0.3)
    delay = rng.uniform(0.001, 0.1)
    plain = rng.random() < 0.3  # retransmissions under the media's own numbers
    total = 6000
    to_come = [(i / 500 + delay, i, False) for i in range(total) if rng.random() > loss]
    to_come += [(at + 0.02, i, again) for at, i, again in to_come if rng.random() < 0.02]
    to_come = sorted(
        (at + (rng.expovariate(200) if rng.random() < 0.1 else 0.0), i, again)
        for at, i, again in to_come
    )
    handed_on: dict[int, int] = {}
    base: int | None = None
    highest = -1
    now = 0.0
    while to_come or inbound.next_nack_time() is not None:
        when = inbound.next_nack_time()
        if when is not None and (not to_come or when <= to_come[0][0]):
            now = max(now, when)
            answers = []
            for number in inbound.due_nacks(now=now):
                i = highest - ((start + highest - number) & 0xFFFF)
                assert 0 <= i < highest
                assert i not in handed_on
                if rng.random() > loss:
                    answers.append((now + 2 * delay, i, True))
            to_come = sorted(to_come + answers)
            continue
        now, i, again = to_come.pop(0)
        now_packet: RtpPacket | None
        if again and not plain:
            now_packet = inbound.receive_rtx(rtx(start + i, now), 96, now=now)
        else:
            packet = rtp(start + i, now)
            now_packet = packet if inbound.receive(packet, now=now) else None
            highest = max(highest, i)
        if now_packet is not None:
            assert i not in handed_on
            handed_on[i] = now_packet.index
            if base is None:
                base = now_packet.index - i
            assert now_packet.index - i == base
            assert inbound.cache.get(now_packet.index) is now_packet
        # The ring holds what was handed on among the newest 512, and nothing else.
        assert base is not None
        for j in (*range(highest - 4, highest + 3), *range(highest - 514, highest - 509)):
            cached = inbound.cache.get(base + j)
            assert (cached is not None) == (j in handed_on and j > highest - 512)
    stats = inbound.stats(now=now)
    assert len(handed_on) == stats.packets
    first = min(handed_on)
    missing = highest + 1 - first - len(handed_on)
    assert missing <= stats.packets_given_up
    assert missing < 0.01 * total
    assert stats.packets_lost <= 0.4 * total
    assert stats.restarts == 0
