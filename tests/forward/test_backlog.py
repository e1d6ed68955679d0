"""What is held back, and in which portions it leaves."""

import pytest

from sfu.congestion.pacer import BURST
from sfu.forward.backlog import Backlog
from sfu.forward.layout import HeaderLayout
from sfu.forward.run import Piece, Run, single_run, write_run
from sfu.wire.parameters import VP8, SendParameters
from sfu.wire.rtp import RtpPacket

ESTIMATE = 300_000.0  # bit/s
NUMBERS = (0, 0, 1, None)
LAYOUT = HeaderLayout(
    SendParameters(
        mid="0",
        kind="video",
        payload_types={VP8: 96},
        rtx={},
        extensions={},
        mixed=False,
        nack=True,
    )
)


def run(count: int, size: int = 1000) -> Run:
    packets = []
    for index in range(count):
        packet = RtpPacket(96, index, 0, 1, bytes(size))
        packet.index, packet.codec = index, VP8
        packets.append(packet)
    return write_run(packets, LAYOUT, ())


def repair(index: int, size: int = 1000) -> Piece:
    return single_run(RtpPacket(96, index, 0, 1, bytes(size)), bytes(size), index, 0), NUMBERS


def test_a_run_leaves_in_parts_and_repairs_when_all_of_it_has_gone() -> None:
    backlog = Backlog()
    backlog.add((run(60), NUMBERS))
    for index in range(60):
        backlog.add_repair(repair(index))
    now = 1.0
    media: list[int] = []
    again: list[int] = []
    while backlog:
        pieces, repairs = backlog.take(now=now, estimate=ESTIMATE)
        size = sum(part.size for part, _ in pieces + repairs)
        assert size < BURST + 1100
        assert len(media) + sum(len(part.items) for part, _ in pieces) == 60 or not repairs
        media += [item[2] for part, _ in pieces for item in part.items]
        again += [item[2] for part, _ in repairs for item in part.items]
        when = backlog.next_time()
        assert (when is not None) == bool(backlog)
        now = when or now
    assert media == again == list(range(60))


def test_what_passed_by_takes_its_part() -> None:
    def first(spent: int) -> int:
        backlog = Backlog()
        backlog.note_sent(spent, now=1.0, estimate=ESTIMATE)
        backlog.add((run(60), NUMBERS))
        pieces, _ = backlog.take(now=1.0, estimate=ESTIMATE)
        return sum(part.size for part, _ in pieces)

    assert first(0) - first(8_000) == pytest.approx(8_000, abs=1100)


def test_nothing_is_left_once_it_is_cleared() -> None:
    backlog = Backlog()
    backlog.add((run(60), NUMBERS))
    backlog.add_repair(repair(1))
    backlog.clear()
    assert not backlog
    assert backlog.next_time() is None
    assert backlog.take(now=1.0, estimate=ESTIMATE) == ([], [])
