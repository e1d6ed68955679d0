import random

import pytest

from sfu.stream.receiver_report import ReceptionStatistics

NUMBERS = [0, 1, 127, 32767, 32768, 65534, 65535]


def started(sequence_number: int = 0, clock_rate: int = 90000) -> ReceptionStatistics:
    statistics = ReceptionStatistics(clock_rate=clock_rate)
    statistics.start(sequence_number + 0x10000, sequence_number)
    return statistics


def test_a_report_before_the_first_packet_is_empty():
    block = ReceptionStatistics(clock_rate=90000).report_block(ssrc=7, now=1.0)
    assert block.ssrc == 7
    assert (block.fraction_lost, block.packets_lost, block.highest_sequence) == (0, 0, 0)
    assert (block.last_sender_report, block.delay_since_last_sender_report) == (0, 0)


@pytest.mark.parametrize("start", NUMBERS)
def test_the_highest_sequence_counts_wraps(start):
    statistics = started(start)
    for i in range(70_000):
        statistics.add(start + 0x10000 + i, 0, 0.0)
    block = statistics.report_block(ssrc=1, now=1.0)
    assert block.highest_sequence == start + 69_999
    assert block.packets_lost == 0
    assert block.fraction_lost == 0


def test_loss_is_reported_by_interval_and_in_total():
    statistics = started()
    for i in range(0, 100, 2):
        statistics.add(0x10000 + i, 0, 0.0)
    block = statistics.report_block(ssrc=1, now=1.0)
    assert block.packets_lost == 49
    assert block.fraction_lost == 49 * 256 // 99
    for i in range(99, 200):
        statistics.add(0x10000 + i, 0, 0.0)
    block = statistics.report_block(ssrc=1, now=2.0)
    assert (block.packets_lost, block.fraction_lost) == (49, 0)
    assert statistics.report_block(ssrc=1, now=3.0).fraction_lost == 0


def test_an_interval_in_which_all_but_the_last_is_lost_fits_the_field():
    statistics = started()
    statistics.add(0x10000, 0, 0.0)
    statistics.report_block(ssrc=1, now=1.0)
    statistics.add(0x10000 + 2999, 0, 0.0)
    assert statistics.report_block(ssrc=1, now=2.0).fraction_lost == 255


def test_late_packets_and_duplicates_count_as_received():
    statistics = started()
    statistics.add(0x10000, 0, 0.0)
    statistics.add(0x10002, 0, 0.0)
    assert statistics.lost == 1
    statistics.add_late(0x10001)
    assert statistics.lost == 0
    statistics.add_late(0x10001)
    block = statistics.report_block(ssrc=1, now=1.0)
    assert block.packets_lost == -1
    assert block.fraction_lost == 0


def test_what_is_older_than_the_first_packet_is_expected_too():
    statistics = started(0)
    statistics.add(0x10000, 0, 0.0)
    statistics.add_late(0xFFFE)
    block = statistics.report_block(ssrc=1, now=1.0)
    assert block.packets_lost == 1
    assert block.highest_sequence == 0


def test_a_restart_counts_from_zero():
    statistics = started(100)
    statistics.add(0x10000 + 100, 0, 0.0)
    statistics.add(0x10000 + 110, 0, 0.0)
    statistics.report_block(ssrc=1, now=1.0)
    statistics.start(0x10000 + 112, 40_000)
    statistics.add(0x10000 + 112, 0, 2.0)
    block = statistics.report_block(ssrc=1, now=3.0)
    assert (block.packets_lost, block.fraction_lost) == (0, 0)
    assert block.highest_sequence == 40_000


def test_a_steady_path_has_no_jitter():
    statistics = started()
    for i in range(300):
        statistics.add(0x10000 + i, (0xFFFFF000 + 3000 * i) & 0xFFFFFFFF, 10 + i / 30)
    assert statistics.jitter == pytest.approx(0, abs=1e-3)


def test_jitter_converges_to_the_mean_deviation():
    """RFC 3550 A.8, for arrivals that alternate by ±5 ms: neighbours differ by 10 ms."""
    statistics = started(clock_rate=48000)
    for i in range(1000):
        statistics.add(0x10000 + i, 960 * i, 10 + i * 0.02 + (0.005 if i % 2 else -0.005))
    assert statistics.jitter == pytest.approx(480, rel=0.01)
    assert statistics.jitter_seconds == pytest.approx(0.01, rel=0.01)
    assert statistics.report_block(ssrc=1, now=99.0).jitter in (479, 480)


def test_packets_of_one_frame_are_no_jitter():
    statistics = started()
    index = 0x10000
    for frame in range(100):
        for packet in range(8):
            statistics.add(index, 3000 * frame, frame / 30 + packet * 0.003)
            index += 1
    assert statistics.jitter == pytest.approx(0, abs=1e-3)


def test_late_packets_do_not_touch_jitter():
    rng = random.Random(1)
    statistics = started()
    for i in range(500):
        statistics.add(0x10000 + 2 * i, 3000 * i, i / 30)
        if rng.random() < 0.5:
            statistics.add_late(0x10000 + 2 * i - 1)
    assert statistics.jitter == pytest.approx(0, abs=1e-3)


def test_the_last_sender_report_is_answered():
    statistics = started()
    statistics.receive_sender_report(0x12345678, now=10.0)
    block = statistics.report_block(ssrc=1, now=10.5)
    assert block.last_sender_report == 0x12345678
    assert block.delay_since_last_sender_report == 0x8000
    assert len(bytes(block)) == 24
    late = statistics.report_block(ssrc=1, now=10.0 + 100_000)
    assert late.delay_since_last_sender_report == 0xFFFFFFFF
    assert len(bytes(late)) == 24
