"""Timers run in order, once, and one that fails takes no other with it."""

import pytest

from sfu.timers import Timers


def test_what_is_due_runs_in_order_and_the_rest_waits() -> None:
    timers = Timers()
    called: list[str] = []
    timers.call_at(2.0, lambda now: called.append(f"second at {now}"))
    timers.call_at(1.0, lambda now: called.append(f"first at {now}"))
    timers.call_at(9.0, lambda now: called.append("late"))
    timers.handle_timer(now=3.0)
    assert called == ["first at 3.0", "second at 3.0"]
    assert timers.get_timer() == 9.0


def test_a_cancelled_timer_is_not_called_and_not_waited_for() -> None:
    timers = Timers()
    timer = timers.call_at(1.0, lambda now: pytest.fail("cancelled"))
    timer.cancel()
    timer.cancel()
    assert not timer.active
    assert timers.get_timer() is None
    timers.handle_timer(now=2.0)


def test_a_timer_set_by_a_callback_waits_for_the_next_turn() -> None:
    timers = Timers()
    called: list[float] = []

    def again(now: float) -> None:
        called.append(now)
        timers.call_at(now, again)

    timers.call_at(1.0, again)
    timers.handle_timer(now=1.0)
    assert called == [1.0]
    timers.handle_timer(now=1.5)
    assert called == [1.0, 1.5]


def test_the_shell_hears_of_an_earlier_timer_only() -> None:
    timers = Timers()
    heard: list[float | None] = []
    timers.on_earlier = lambda: heard.append(timers.get_timer())
    timers.call_at(5.0, lambda now: None)
    timers.call_at(7.0, lambda now: None)
    timers.call_at(3.0, lambda now: None)
    assert heard == [5.0, 3.0]


def test_a_callback_that_fails_is_reported_and_the_others_run() -> None:
    timers = Timers()
    called: list[str] = []
    errors: list[Exception] = []
    timers.on_error = errors.append
    timers.call_at(1.0, lambda now: called.append("before"))
    timers.call_at(1.0, lambda now: 1 / 0)
    timers.call_at(1.0, lambda now: called.append("behind"))
    timers.handle_timer(now=1.0)
    assert called == ["before", "behind"]
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_without_anyone_to_tell_an_error_shows() -> None:
    timers = Timers()
    timers.call_at(1.0, lambda now: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timers.handle_timer(now=1.0)
