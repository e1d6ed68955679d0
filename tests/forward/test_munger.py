"""Sequence numbers stay gapless and timestamps continuous, whatever the sources do."""

from random import Random

import pytest

from sfu.forward.munger import SequenceMunger, TimestampMunger

STARTS = (0, 1, 127, 32767, 32768, 65534, 65535)
FIRST = 0x10000


def sent_as(munger: SequenceMunger, ssrc: int, index: int) -> int | None:
    """The index to send a packet as, None for one that is not sent."""
    mapped = munger.map(ssrc, index)
    return mapped[0] if mapped else None


@pytest.mark.parametrize("start", STARTS)
def test_a_source_is_sent_without_gaps_from_the_first_index(start: int) -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, start, 0)
    assert [sent_as(munger, 1, start + i) for i in range(5)] == [FIRST + i for i in range(5)]


@pytest.mark.parametrize("start", STARTS)
def test_dropped_packets_close_their_gap(start: int) -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, start, 0)
    sent = []
    for i in range(10):
        if i in (3, 4, 7):
            munger.drop(1, start + i)
        else:
            sent.append(sent_as(munger, 1, start + i))
    assert sent == [FIRST + i for i in range(7)]


def test_a_packet_lost_before_a_drop_keeps_its_place() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 0, 0)
    assert sent_as(munger, 1, 0) == FIRST
    munger.drop(1, 2)  # 1 has not come yet
    assert sent_as(munger, 1, 3) == FIRST + 2
    assert sent_as(munger, 1, 1) == FIRST + 1


def test_a_dropped_packet_that_comes_again_is_never_sent() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 0, 0)
    sent_as(munger, 1, 0)
    munger.drop(1, 1)
    assert sent_as(munger, 1, 2) == FIRST + 1
    assert sent_as(munger, 1, 1) is None


def test_dropping_behind_what_was_sent_leaves_the_numbers_alone() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 0, 0)
    sent_as(munger, 1, 0)
    sent_as(munger, 1, 2)
    munger.drop(1, 1)
    assert sent_as(munger, 1, 3) == FIRST + 3


def test_another_source_goes_on_behind_the_last_packet() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 100, 0)
    sent_as(munger, 1, 100)
    sent_as(munger, 1, 102)
    munger.start(2, 7, 0)
    assert sent_as(munger, 2, 7) == FIRST + 3
    assert sent_as(munger, 1, 101) == FIRST + 1  # late, and its place was kept
    assert sent_as(munger, 1, 103) is None  # never had a place
    assert sent_as(munger, 2, 6) is None  # from before the switch


@pytest.mark.parametrize("start", STARTS)
def test_reverse_is_the_inverse_of_map(start: int) -> None:
    random = Random(start)
    munger = SequenceMunger(FIRST)
    ssrc, index = 1, start
    munger.start(ssrc, index, 0)
    origins: dict[int, tuple[int, int]] = {}
    for _ in range(2000):
        event = random.random()
        if event < 0.02:
            munger.drop(ssrc, index)
        elif event < 0.03:
            ssrc, index = ssrc + 1, random.randrange(200000)
            munger.start(ssrc, index, 0)
            continue
        else:
            sent = sent_as(munger, ssrc, index)
            assert sent is not None
            assert sent not in origins
            origins[sent] = (ssrc, index)
        index += 1
    assert sorted(origins) == list(range(FIRST, FIRST + len(origins)))
    for sent in sorted(origins)[-500:]:
        assert munger.reverse(sent) == (*origins[sent], 0)
        assert munger.unwrap(sent & 0xFFFF) == sent


def test_nothing_is_found_for_numbers_that_were_not_sent() -> None:
    munger = SequenceMunger(FIRST)
    assert munger.reverse(FIRST) is None
    munger.start(1, 5, 0)
    sent_as(munger, 1, 5)
    assert munger.reverse(FIRST + 1) is None
    assert munger.reverse(FIRST - 1) is None


def test_old_segments_are_forgotten_and_the_memory_is_bounded() -> None:
    munger = SequenceMunger(FIRST)
    for source in range(1000):
        munger.start(source, 0, 0)
        sent_as(munger, source, 0)
    assert munger.reverse(FIRST) is None
    assert munger.reverse(FIRST + 999) == (999, 0, 0)


def test_packets_keep_the_timestamp_offset_of_their_time() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 10, 500)
    munger.map(1, 10)
    munger.map(1, 12)
    munger.start(2, 0, 900)
    assert munger.map(2, 0) == (FIRST + 3, 900)
    assert munger.map(1, 11) == (FIRST + 1, 500)
    assert munger.reverse(FIRST + 2) == (1, 12, 500)
    munger.drop(2, 1)
    assert munger.map(2, 2) == (FIRST + 4, 900)


def test_after_a_restart_nothing_from_before_is_found() -> None:
    munger = SequenceMunger(FIRST)
    munger.start(1, 10, 0)
    munger.map(1, 10)
    munger.restart()
    assert munger.reverse(FIRST) is None
    assert munger.map(1, 11) is None
    munger.start(1, 500, 7)
    assert munger.map(1, 500) == (FIRST + 1, 7)


def test_timestamps_go_on_by_the_time_that_has_passed_when_the_source_changes() -> None:
    munger = TimestampMunger()
    munger.start(1, 0xFFFFFF00, 90000, elapsed=0.0, now=10.0)
    assert munger.offset == 0
    munger.start(2, 5, 90000, elapsed=0.5, now=10.5)
    assert (5 + munger.offset) & 0xFFFFFFFF == (0xFFFFFF00 + 45000) & 0xFFFFFFFF


def test_timestamps_of_a_source_that_paused_keep_their_offset() -> None:
    munger = TimestampMunger()
    munger.start(1, 1000, 48000, elapsed=0.0, now=1.0)
    munger.start(1, 960000, 48000, elapsed=20.0, now=21.0)
    assert munger.offset == 0


def test_timestamps_go_on_when_a_source_begins_anew_under_its_ssrc() -> None:
    munger = TimestampMunger()
    munger.start(1, 1000, 48000, elapsed=0.0, now=1.0)
    munger.restart()
    munger.start(1, 77, 48000, elapsed=1.0, now=2.0)
    assert 77 + munger.offset == 49000
