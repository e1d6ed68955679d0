"""What the comparison with two browsers makes of their statistics."""

import pytest

from benchmarks.webrtc_compare import Sample, measure, row


def samples(*rates: tuple[float, int]) -> list[Sample]:
    """Five a second: for each (frames/s, bytes/s) one second."""
    made = [Sample(100.0, 0, 0, 1, 0.5, 960)]
    for frame_rate, octets in rates:
        for _ in range(5):
            last = made[-1]
            made.append(
                Sample(
                    last.time + 0.2,
                    last.octets + octets // 5,
                    last.decoded + round(frame_rate / 5),
                    last.freezes,
                    last.frozen,
                    last.width,
                )
            )
    return made


def test_rates_are_those_of_the_second_half() -> None:
    phase = measure(samples(*[(0, 0)] * 3, *[(15, 50_000)] * 7))
    assert phase.rate == pytest.approx(400_000)
    assert phase.frame_rate == pytest.approx(15)
    assert phase.pause == pytest.approx(3.0)
    assert 3.0 <= phase.settled <= 5.0
    assert (phase.freezes, phase.frozen, phase.width) == (0, 0, 960)


def test_a_steady_picture_has_settled_at_once() -> None:
    phase = measure(samples(*[(15, 50_000)] * 10))
    assert phase.settled == 0
    assert phase.pause == 0


def test_a_row_has_the_medians() -> None:
    phases = [measure(samples(*[(15, octets)] * 10)) for octets in (50_000, 70_000, 60_000)]
    assert row(600_000, "directly", phases)[:3] == ["600 kb/s", "directly", "480 kb/s (80 %)"]
