"""What may be sent again, and how long the rest takes."""

import pytest

from sfu.forward.repair_budget import MIN_REPAIR, REPAIR_SHARE, REPAIR_TIME, RepairBudget

SIZE = 1000  # bytes


def taken(budget: RepairBudget, *, now: float) -> int:
    """Packets that may be sent at once."""
    count = 0
    while count < 10_000 and budget.take(SIZE, now=now):
        count += 1
    return count


def test_everything_may_be_sent_where_nobody_knows_the_path() -> None:
    assert taken(RepairBudget(), now=1.0) == 10_000


@pytest.mark.parametrize(
    ("estimate", "rate"), [(2e6, REPAIR_SHARE * 2e6), (50_000.0, float(MIN_REPAIR))]
)
def test_a_share_of_the_path_and_a_burst_of_it_may_be_sent(estimate: float, rate: float) -> None:
    budget = RepairBudget()
    budget.estimate = estimate
    burst = rate / 8 * REPAIR_TIME / SIZE
    assert taken(budget, now=1.0) == pytest.approx(burst, abs=1)
    assert not budget.take(SIZE, now=1.0)
    second = rate / 8 / SIZE
    later = sum(budget.take(SIZE, now=1.0 + step / 1000) for step in range(1000))
    assert later == pytest.approx(second, abs=1)
    assert budget.time(SIZE) == pytest.approx(1 / second)
