"""Finds the knee: the highest load at which loss and delay stay within their bounds."""

import math
from collections import Counter
from dataclasses import dataclass

from benchmarks.load.failures import TOO_MANY_FILES
from benchmarks.load.model import LoadPlan, Rate
from benchmarks.load.result import Step
from benchmarks.load.run import Run
from benchmarks.load.units import format_quantity
from benchmarks.load.window import Window

SETTLE = 1.0  # s after a change of the load before it is measured
RECOVERY = 2.0  # s at the last good load after one that was too much
PRECISION = 1.05  # the knee is known when the next higher load that failed is so near
MAX_WITHHELD = (
    0.05  # of equal packets, of which none can be spared; the window's ends are not sharp
)
MAX_BEHIND = 0.1  # s; a tester later than this measures itself

NAMES = {
    "fps": "{:.4g} frames a second",
    "packets": "{:.0f} packets a frame",
    "subscribers": "{:.0f} subscribers a room",
    "members": "{:.0f} publishers and subscribers a room",
}


@dataclass(slots=True)
class Search:
    """Where the knee must be: between a load that passed and one that failed.

    Attributes:
        whole: Whether loads are whole numbers.
    """

    factor: float
    whole: bool
    limit: float = 0.0
    low: float | None = None
    high: float | None = None

    def next_load(self) -> float | None:
        """The load to try next; None when the knee is known."""
        low, high = self.low, self.high
        if low is None:
            return None
        if high is None:
            load = math.ceil(low * self.factor) if self.whole else low * self.factor
            if not self.limit:
                return load
            return min(load, self.limit) if low < self.limit else None
        if high / low < PRECISION or (self.whole and high - low <= 1):
            return None
        middle = math.sqrt(low * high)
        return min(max(round(middle), low + 1), high - 1) if self.whole else middle


def first_load(plan: LoadPlan) -> float:
    """Where the ramp begins."""
    starts = {
        "fps": plan.fps,
        "packets": plan.packets_per_frame,
        "subscribers": plan.subscribers,
        "members": plan.publishers,
    }
    return plan.ramp_from or float(starts[plan.ramp_by])


def judge(plan: LoadPlan, load: float, window: Window, failures: Counter[str]) -> Step:
    """What a window of this load says, and what clients failed of on the way to its end."""
    metrics = window.metrics()
    loss, delay = metrics["loss"], metrics["p99_delay"]
    withheld = metrics["withheld"] or 0.0
    reason, by_tester = "", True
    if window.tester_drops:
        reason = f"the tester itself lost {window.tester_drops} datagrams"
    elif window.behind > MAX_BEHIND:
        reason = f"the tester sent {format_quantity(window.behind, 'seconds')} too late"
    elif window.kernel_drops and (loss is None or loss > plan.max_loss):
        reason = f"the kernel dropped {window.kernel_drops} packets on the way"
    else:
        by_tester = False
        if failures:
            (problem, _), *_ = failures.most_common()
            count = failures.total()
            reason = f"{count} client{'s' * (count > 1)} failed: {problem.rstrip('.')}"
            by_tester = problem.startswith(TOO_MANY_FILES)
        elif loss is None:
            reason = "nothing was received"
        elif loss > plan.max_loss:
            reason = f"{format_quantity(loss, 'share')} were lost"
        elif plan.packets_per_frame and withheld > MAX_WITHHELD:
            # Whoever adapts to losses sends less, loses nothing, and looks well.
            reason = f"the server held back {format_quantity(withheld, 'share')}"
        elif delay is not None and delay > plan.max_delay:
            reason = f"the delay was {format_quantity(delay, 'seconds')}"
    return Step(
        load=load,
        packets_expected=window.total("packets_expected") / window.seconds,
        packets_received=window.total("packets_received") / window.seconds,
        loss=1.0 if loss is None else loss,
        delay_p50=metrics["p50_delay"],
        delay_p99=delay,
        server_cpu=metrics["server_cpu"],
        server_cpu_per_packet=metrics["server_cpu_per_packet"],
        tester_drops=window.tester_drops,
        passed=not reason,
        reason=reason,
        by_tester=by_tester,
    )


class Ramp:
    """Raises one thing, step by step."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = run.plan

    async def step(self, load: float) -> tuple[Step, Window]:
        """Measure one load."""
        run, plan = self._run, self._plan
        name = NAMES[plan.ramp_by].format(load)
        before = run.problems()
        run.phase(f"Ramp: {name}", SETTLE + plan.step_duration)
        await self._apply(load)
        await run.sleep(SETTLE)
        async with run.measuring() as window:
            await run.sleep(plan.step_duration)
        step = judge(plan, load, window, run.problems() - before)
        run.result.steps.append(step)
        return step, window

    async def recover(self, load: float) -> None:
        """Let queues run empty at a load that is known to be good."""
        await self._apply(load)
        await self._run.sleep(RECOVERY)

    async def _apply(self, load: float) -> None:
        plan = self._plan
        if plan.ramp_by == "fps":
            await self._run.change(Rate(load, plan.packets_per_frame))
        elif plan.ramp_by == "packets":
            await self._run.change(Rate(plan.fps, int(load)))
        else:
            await self._populate(int(load))

    async def _populate(self, wanted: int) -> None:
        """Let so many be in each room; whoever has failed is not."""
        run, people = self._run, self._run.population
        people.forget(run.failed())
        for publishes in (True, False) if self._plan.ramp_by == "members" else (False,):
            coming, going = people.resize(wanted, publishes=publishes)
            if going:
                await run.order(joining=[], leaving=going)
            if coming:
                await run.join(coming, rate=self._plan.join_rate)


async def search(run: Run) -> None:
    """Find the knee; the run's figures are then those of the knee."""
    plan, ramp = run.plan, Ramp(run)
    find = Search(plan.ramp_factor, whole=plan.ramp_by != "fps", limit=plan.ramp_to)
    knee: Window | None = None
    load: float | None = first_load(plan)
    repeated = False
    while load is not None:
        step, window = await ramp.step(load)
        if TOO_MANY_FILES in step.reason:
            break  # it would end so at any load in question
        if step.by_tester and not repeated:  # perhaps the machine was busy with something else
            repeated = True
            continue
        repeated = False
        if step.passed:
            find.low, run.result.knee, knee = load, step, window
        else:
            find.high = load
            if find.low is not None:
                await ramp.recover(find.low)
        load = find.next_load()
    if knee is not None:
        run.choose(knee)
