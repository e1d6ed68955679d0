import pytest

from benchmarks.traces.overrides import OverrideError, constants, overridden, parse
from sfu.congestion import estimator, rate_control
from sfu.forward import allocator, patience, track_share


def test_a_name_is_found_with_and_without_its_module() -> None:
    assert parse(["STICKINESS=0.5"]) == {"allocator.STICKINESS": 0.5}
    assert parse(["allocator.HEADROOM=2", "rate_control.HEADROOM=3"]) == {
        "allocator.HEADROOM": 2.0,
        "rate_control.HEADROOM": 3.0,
    }


def test_the_parts_of_the_allocator_go_by_its_name() -> None:
    values = parse(["allocator.REST=5", "allocator.FORGIVENESS=6", "allocator.GRACE=7"])
    with overridden(values):
        assert (track_share.REST, patience.FORGIVENESS, allocator.GRACE) == (5, 6, 7)


def test_whole_numbers_stay_whole() -> None:
    found = parse(["history.MAX_BURSTS=100"])
    assert found == {"history.MAX_BURSTS": 100}
    assert isinstance(found["history.MAX_BURSTS"], int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STICKYNESS=1", "Did you mean STICKINESS"),
        ("HEADROOM=2", r"allocator\.HEADROOM"),
        ("STICKINESS=a lot", "not a number"),
        ("STICKINESS", "not a number"),
        ("__name__=1", "no constant"),
    ],
)
def test_what_cannot_be_set_is_told(text: str, message: str) -> None:
    with pytest.raises(OverrideError, match=message):
        parse([text])


def test_a_value_holds_everywhere_and_only_meanwhile() -> None:
    before = constants()
    with overridden(parse(["SHALLOW_QUEUE=9", "GRACE=8"])):
        assert rate_control.SHALLOW_QUEUE == estimator.SHALLOW_QUEUE == 9
        assert allocator.GRACE == 8
    assert constants() == before
    assert estimator.SHALLOW_QUEUE == rate_control.SHALLOW_QUEUE
