"""The capacity of a phone on the move, which the stories share."""

from tests.scenarios.stories import TRACE
from tests.support.capacity import Capacity
from tests.support.cellular import SECONDS, text


def test_the_file_is_what_the_script_makes() -> None:
    assert TRACE.read_text(encoding="utf-8") == text()


def test_it_has_good_times_and_bad() -> None:
    capacity = Capacity.file(TRACE)
    means = [capacity.bits(t, t + 5) / 5 for t in range(0, SECONDS, 5)]
    assert max(means) > 3e6
    assert min(means) < 800_000
    assert capacity.bits(SECONDS, 2 * SECONDS) == capacity.bits(0, SECONDS)
