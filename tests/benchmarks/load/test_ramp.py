"""Where a ramp looks for the knee, and what it says of a step."""

from collections import Counter

import pytest

from benchmarks.load.collector import Collector
from benchmarks.load.failures import TOO_MANY_FILES
from benchmarks.load.histogram import Histogram
from benchmarks.load.model import ClientSample, LoadPlan, Sample
from benchmarks.load.population import Population
from benchmarks.load.ramp import Search, first_load, judge
from benchmarks.load.result import Result, Step
from benchmarks.load.server_stats import ServerReading
from benchmarks.load.window import Window

PLAN = LoadPlan("http://127.0.0.1", scenario="ramp")


def play(search: Search, start: float, knee: float) -> list[float]:
    """The loads that are tried at a server that can do `knee`."""
    tried: list[float] = []
    load: float | None = start
    while load is not None:
        tried.append(load)
        if load <= knee:
            search.low = load
        else:
            search.high = load
        load = search.next_load()
        assert len(tried) < 100
    return tried


@pytest.mark.parametrize("knee", [30.0, 31.0, 47.3, 160.0, 5000.0])
def test_knee_is_found_to_five_percent(knee: float) -> None:
    search = Search(1.25, whole=False)
    play(search, 30.0, knee)
    assert search.low is not None
    assert search.low <= knee < search.low * 1.05 * 1.0001


@pytest.mark.parametrize("knee", [1, 2, 3, 7, 18])
def test_knee_of_small_whole_numbers_is_exact(knee: int) -> None:
    search = Search(1.25, whole=True)
    tried = play(search, 1, knee)
    assert search.low == knee
    assert all(load == int(load) for load in tried)
    assert len(tried) == len(set(tried))


def test_ramp_ends_where_it_is_told() -> None:
    search = Search(2.0, whole=False, limit=100.0)
    assert play(search, 30.0, 1e9) == [30, 60, 100]


def test_ramp_that_begins_too_high_ends() -> None:
    search = Search(2.0, whole=False)
    assert play(search, 30.0, 10.0) == [30]
    assert search.low is None


def test_ramp_begins_with_the_plan_unless_told() -> None:
    plan = LoadPlan("", ramp_by="packets", packets_per_frame=8)
    assert first_load(plan) == 8
    assert first_load(LoadPlan("", ramp_by="fps", ramp_from=90.0)) == 90


def window(
    expected: int = 1000,
    received: int = 1000,
    delay: float = 0.001,
    drops: int = 0,
    late: float = 0,
    kernel: int = 0,
    sent: int = 0,
) -> Window:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 0.0))
    result = collector.begin(ServerReading(0.0, kernel_drops=100), now=0.0)
    delays = Histogram()
    delays.add(delay)
    client = ClientSample(
        "s",
        "room",
        publishes=False,
        subscribes=True,
        state="connected",
        packets_expected=expected,
        packets_received=received,
        delays=delays,
    )
    sender = ClientSample(
        "p", "room", publishes=True, subscribes=False, state="connected", packets_sent=sent
    )
    collector.receive(Sample(0, 10.0, [client, sender], socket_drops=drops, behind=late))
    reading = ServerReading(0.005, kernel_drops=100 + kernel)
    collector.end(result, reading, now=10.0)
    return result


def test_good_step_passes() -> None:
    step = judge(PLAN, 30.0, window(), Counter())
    assert (step.passed, step.reason, step.by_tester) == (True, "", False)
    assert step.packets_received == 100
    assert step.server_cpu_per_packet == pytest.approx(5e-6)


@pytest.mark.parametrize(
    ("measured", "reason", "by_tester"),
    [
        (window(received=998), "0.2 % were lost", False),
        (window(delay=0.2), "the delay was", False),
        (window(expected=0, received=0), "nothing was received", False),
        (window(received=900, drops=3), "the tester itself lost 3 datagrams", True),
        (window(late=0.5), "the tester sent 500 ms too late", True),
        (window(received=900, kernel=7), "the kernel dropped 7 packets on the way", True),
    ],
)
def test_step_that_is_too_much_says_why(measured: Window, reason: str, by_tester: bool) -> None:
    step = judge(PLAN, 30.0, measured, Counter())
    assert not step.passed
    assert step.reason.startswith(reason)
    assert step.by_tester is by_tester


def test_who_loses_nothing_because_little_was_sent_has_not_passed() -> None:
    """Servers that adapt to losses hold packets back, and all that they still send arrives."""
    plan = LoadPlan("http://127.0.0.1", scenario="ramp", packets_per_frame=8)
    assert judge(plan, 30.0, window(sent=1010), Counter()).passed
    step = judge(plan, 30.0, window(sent=2000), Counter())
    assert (step.passed, step.reason) == (False, "the server held back 50 %")
    assert judge(PLAN, 30.0, window(sent=2000), Counter()).passed  # it may have chosen a layer


def test_kernel_that_dropped_what_others_sent_does_not_matter() -> None:
    assert judge(PLAN, 30.0, window(kernel=7), Counter()).passed


@pytest.mark.parametrize(
    ("failures", "reason", "by_tester"),
    [
        ({"The room is full.": 2}, "2 clients failed: The room is full", False),
        ({f"{TOO_MANY_FILES}: 9.": 1}, f"1 client failed: {TOO_MANY_FILES}: 9", True),
    ],
)
def test_step_into_which_not_all_came_has_failed(
    failures: dict[str, int], reason: str, by_tester: bool
) -> None:
    step = judge(PLAN, 30.0, window(), Counter(failures))
    assert (step.passed, step.reason, step.by_tester) == (False, reason, by_tester)


def test_rooms_grow_and_shrink_to_the_size_wanted_whoever_has_failed() -> None:
    people = Population(LoadPlan("", rooms=2))
    first, none = people.resize(3, publishes=False)
    assert (len(first), none) == (6, [])
    people.forget([first[0].name, "nobody"])
    again, none = people.resize(3, publishes=False)
    assert ([spec.room for spec in again], none) == ([first[0].room], [])
    none, gone = people.resize(1, publishes=False)
    assert none == []
    assert [spec.room for spec in gone] == ["load-0"] * 2 + ["load-1"] * 2
    assert again[0] in gone
    assert len(people.present) == 2


def steps(*told: tuple[float, bool, bool]) -> Result:
    result = Result(PLAN, started_at=0.0)
    for load, passed, by_tester in told:
        step = Step(load, 0, 0, 0, None, None, None, None, 0, passed, by_tester=by_tester)
        result.steps.append(step)
        result.knee = step if passed else result.knee
    return result


def test_knee_is_certain_only_if_the_server_failed_above_it() -> None:
    assert not steps((30, True, False)).knee_is_certain
    assert steps((30, True, False), (60, False, False)).knee_is_certain
    assert not steps((30, True, False), (60, False, True)).knee_is_certain
    assert steps((30, True, False), (60, False, True), (60, False, False)).knee_is_certain
    late_above = steps((30, True, False), (60, False, False), (45, False, True))
    assert not late_above.knee_is_certain
