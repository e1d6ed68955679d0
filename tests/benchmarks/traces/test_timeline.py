import pytest

from benchmarks.traces.timeline import Choice, Pause, Timeline
from sfu.forward.allocation import Cause, Decision, Layer

LOW, HIGH = Layer(0, 0, 100_000.0), Layer(1, 0, 500_000.0)


def decision(layer: Layer | None, cause: Cause) -> Decision:
    following = LOW if layer is None else HIGH
    return Decision(7, layer, cause, 500_000.0, following if cause == "bandwidth" else None, 90_000)


def timeline() -> Timeline:
    found = Timeline(end=20.0)
    found.choose(7, decision(None, "not_live"), now=0.0)
    found.choose(7, decision(LOW, "bandwidth"), now=2.0)
    found.choose(7, decision(LOW, "bandwidth"), now=3.0)
    found.choose(7, decision(HIGH, "wanted"), now=6.0)
    found.choose(7, decision(None, "bandwidth"), now=8.0)
    found.choose(7, decision(LOW, "bandwidth"), now=9.0)
    found.choose(7, decision(None, "bandwidth"), now=10.0)
    found.drop(7, now=12.0)
    return found


def test_what_does_not_differ_is_noted_once() -> None:
    assert [choice.time for choice in timeline().choices[7]] == [0, 2, 6, 8, 9, 10, 12]


def test_shares_are_of_the_time_that_a_track_was_carried() -> None:
    assert timeline().shares(7) == pytest.approx({None: 5 / 12, (0, 0): 5 / 12, (1, 0): 2 / 12})
    assert timeline().shares(8) == {}


def test_changes_are_ours_alone() -> None:
    assert timeline().changes(7) == 4  # not the beginning, and not the end


def test_pauses_have_their_reasons() -> None:
    pauses = timeline().pauses(7)
    assert pauses["not_live"][:2] == (1, 2.0)
    reason = "paused: 90 kb/s available, the lowest layer needs 100"
    assert pauses["bandwidth"] == Pause(2, 3.0, reason)


def test_an_estimate_counts_for_as_long_as_it_lasts() -> None:
    found = Timeline(end=10.0, estimates=[(0.0, 100.0), (1.0, 200.0), (9.0, 1000.0)])
    assert found.mean_estimate == (100 + 8 * 200 + 1000) / 10
    assert Timeline().mean_estimate == 0.0


def test_a_choice_is_a_value() -> None:
    assert timeline().choices[7][0] == Choice(
        0.0, None, "not_live", "paused: nothing of it arrives from its publisher"
    )
