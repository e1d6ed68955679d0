"""What happens in a run: who joins when, and what is measured."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.load import ramp
from benchmarks.load.run import Run

BURST_AFTER = 0.25  # of the duration passes before the burst


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story and what of the plan it sets where the user has not.

    Attributes:
        meaning: A line for people.
        defaults: By the plan's names.
    """

    meaning: str
    play: Callable[[Run], Awaitable[None]]
    defaults: Mapping[str, object] = field(default_factory=dict)


async def fill(run: Run) -> None:
    """Let everyone in, publishers first, and let it calm down."""
    plan, people = run.plan, run.population
    run.phase("Joining")
    if plan.scenario == "meeting":
        first, *others = people.members(plan.publishers)
    else:
        first, *others = people.publishers(plan.publishers) + people.subscribers(plan.subscribers)
    await run.join([first])  # an unreachable server is told of once, and soon
    publishers = [spec for spec in others if spec.publishes]
    if publishers:
        await run.join(publishers, rate=plan.join_rate)
    subscribers = [spec for spec in others if not spec.publishes]
    if subscribers:
        await run.join(subscribers, rate=plan.join_rate)
    run.phase("Warming up", plan.warmup)
    await run.sleep(plan.warmup)


async def steady(run: Run) -> None:
    """The same load all the time."""
    await fill(run)
    run.phase("Measuring", run.plan.duration)
    async with run.measuring():
        await run.sleep(run.plan.duration)


async def churn(run: Run) -> None:
    """Someone leaves and someone comes, again and again."""
    await fill(run)
    run.phase("Measuring, with joins and leaves", run.plan.duration)
    async with run.measuring():
        start, done = time.monotonic(), 0
        while True:
            done += 1
            when = done / run.plan.churn_rate
            if when >= run.plan.duration:
                break
            await run.sleep(max(0.0, start + when - time.monotonic()))
            leaver, comer = run.population.replace_one()
            await run.order(joining=[comer], leaving=[leaver])
        await run.sleep(max(0.0, start + run.plan.duration - time.monotonic()))


async def burst(run: Run) -> None:
    """Many join at once while others watch."""
    plan = run.plan
    await fill(run)
    run.phase("Measuring before the burst", plan.duration * BURST_AFTER)
    async with run.measuring():
        start = time.monotonic()
        await run.sleep(plan.duration * BURST_AFTER)
        run.phase(f"{plan.burst} join at once", plan.duration * (1 - BURST_AFTER))
        await run.join(run.population.burst(plan.burst))
        await run.sleep(max(0.0, start + plan.duration - time.monotonic()))


async def ramp_up(run: Run) -> None:
    """More and more, until it is too much."""
    await fill(run)
    await ramp.search(run)


SCENARIOS: dict[str, Scenario] = {
    "steady": Scenario("the same load all the time", steady),
    "ramp": Scenario("raises the load until loss or delay pass a bound: finds the knee", ramp_up),
    "churn": Scenario(
        "joins and leaves all the time", churn, {"subscribers": 20, "duration": 30.0}
    ),
    "burst": Scenario(
        "many join at once while others watch",
        burst,
        {"subscribers": 10, "duration": 20.0, "processes": 2},
    ),
    "rooms": Scenario("many small rooms", steady, {"rooms": 20, "publishers": 2, "subscribers": 3}),
    "webinar": Scenario("few send to many", steady, {"publishers": 3, "subscribers": 100}),
    "meeting": Scenario("everyone sends to everyone", steady, {"publishers": 8, "subscribers": 0}),
    "soak": Scenario(
        "for hours, for what grows or wears out",
        steady,
        {"publishers": 4, "subscribers": 10, "duration": 3600.0},
    ),
}
