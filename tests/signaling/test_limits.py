"""Token buckets, and bounds on names and attributes."""

import pytest

from sfu.config import Config
from sfu.errors import LimitError, RemoteError
from signaling.limits import TokenBucket, check_attributes, check_names


def passed(bucket: TokenBucket, times: int, *, now: float) -> int:
    return sum(bucket.take(now=now) for _ in range(times))


def test_a_burst_passes_and_no_more() -> None:
    bucket = TokenBucket(rate=10, burst=40, now=100.0)
    assert passed(bucket, 100, now=100.0) == 40


def test_the_rate_holds_after_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=40, now=0.0)
    passed(bucket, 100, now=0.0)
    assert [passed(bucket, 100, now=float(second)) for second in range(1, 6)] == [10] * 5


def test_a_long_pause_gives_one_burst() -> None:
    bucket = TokenBucket(rate=10, burst=40, now=0.0)
    passed(bucket, 100, now=0.0)
    assert passed(bucket, 100, now=1e9) == 40


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=4, now=0.0)
    assert not bucket.take(5, now=0.0)
    assert bucket.take(4, now=0.0)
    assert not bucket.take(4, now=3.9)
    assert bucket.take(4, now=4.0)


def test_fractions_add_up() -> None:
    bucket = TokenBucket(rate=3, burst=3, now=0.0)
    passed(bucket, 3, now=0.0)
    assert sum(passed(bucket, 1, now=step / 100) for step in range(1, 1001)) in (29, 30)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1, now=5.0)
    assert bucket.take(now=5.0)
    assert not bucket.take(now=5.0)
    assert not bucket.take(now=1.0)


def test_names_are_bounded_in_characters() -> None:
    config = Config(max_name_size=4)
    check_names(config, identity="anné", name="")
    with pytest.raises(LimitError, match="The identity may have 4 characters") as refusal:
        check_names(config, name="ok", identity="annie")
    assert refusal.value.name == "too_large"


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1b", "\x1f", "\x7f", "\x80", "\x9f"])
def test_names_have_no_control_characters(character: str) -> None:
    with pytest.raises(RemoteError, match="The topic may not have control") as refusal:
        check_names(Config(), name="ok", topic=f"a{character}[31m")
    assert refusal.value.name == "bad_request"


def test_names_may_have_all_that_can_be_shown() -> None:
    check_names(Config(), name="Zoë ~\xa0 😀 עברית", identity=" ")


def test_attributes_are_bounded_in_number() -> None:
    config = Config(max_attributes=2)
    check_attributes(config, {"a": "1", "b": "2"})
    with pytest.raises(LimitError) as refusal:
        check_attributes(config, {"a": "1", "b": "2", "c": "3"})
    assert refusal.value.name == "too_large"
