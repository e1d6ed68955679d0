import pytest

from benchmarks.micro.__main__ import all_cases
from benchmarks.micro.case import Action, Case
from benchmarks.micro.memory import allocated

CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize("name", CASES)
def test_case_runs_again_and_again(name: str) -> None:
    assert CASES[name].time(3) >= 0


def test_every_step_of_a_packet_is_measured() -> None:
    steps = ("RTP: parse", "SRTP: unprotect", "stream:", "template:", "fan-out:", "SRTP: protect")
    others = ("flush:", "STUN:", "RTCP:", "feedback:", "socket:", "estimator:")
    others += ("allocator:", "layers:", "trace:")
    for start in (*steps, *others):
        assert any(name.startswith(start) for name in CASES), start


def test_what_a_result_holds_is_counted() -> None:
    case = Case("", 10, lambda: Action(lambda: [bytearray(1000) for _ in range(10)]))
    found = allocated(case)
    assert found.blocks >= 2  # an object and its buffer each
    assert 1000 < found.octets < 1300
    assert found.peak >= 10_000


def test_only_the_measured_part_is_timed() -> None:
    prepared: list[int] = []
    case = Case("", 1, lambda: Action(lambda: None, lambda: prepared.append(sum(range(100_000)))))
    assert case.time(20) < 0.005
    assert len(prepared) == 20
