"""One run of a scenario: lets clients in and out, watches them, and ends with a result always."""

import asyncio
import math
import os
import platform
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from benchmarks.load.collector import Collector
from benchmarks.load.model import (
    SAMPLE_INTERVAL,
    ClientSpec,
    FleetFactory,
    LoadError,
    LoadPlan,
    Rate,
    Sample,
)
from benchmarks.load.population import Population
from benchmarks.load.result import Point, Result
from benchmarks.load.server_stats import ServerReading, ServerStats
from benchmarks.load.window import Window

JOIN_INTERVAL = 0.1  # s between the portions of a paced fill
PATIENCE = 5 * SAMPLE_INTERVAL  # s without a sample of a process before it is not waited for
MAX_SILENCE = 10  # points without a packet, while media is sent, after which the server is dead
MIN_GROWTH_TIME = 60.0  # s; memory over less says nothing about its growth


class Progress(Protocol):
    """Who is told how a run goes on."""

    def phase(self, text: str, seconds: float | None = None) -> None:
        """Something new begins, and will take so long where that is known."""

    def update(self, point: Point) -> None:
        """A second has passed."""


class Run:
    """The hands of a scenario.

    Attributes:
        population: Who is in.
        result: What has come of it so far.
    """

    def __init__(
        self, plan: LoadPlan, make_fleet: FleetFactory, stats: ServerStats, progress: Progress
    ) -> None:
        self.plan = plan
        self.population = Population(plan)
        self.result = Result(plan, started_at=time.time(), machine=machine())
        self._progress = progress
        self._stats = stats
        self._started = time.monotonic()
        self._collector = Collector(now=self._started)
        self._arrived = asyncio.Event()
        self._fleet = make_fleet(plan, self._receive)
        self._reading = ServerReading()
        self._window: Window | None = None

    async def execute(
        self, scenario: Callable[["Run"], Awaitable[None]], *, stop: asyncio.Event
    ) -> Result:
        """Run a scenario to its end, until `stop`, or until nothing is left to measure."""
        story = asyncio.create_task(self._story(scenario))
        watcher = asyncio.create_task(self._watch())
        stopper = asyncio.create_task(self._stopped(stop))
        tasks = {story, watcher, stopper}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except LoadError as error:
            self.result.interrupted = str(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._last_point()
            await self._fleet.close()
            await self._stats.close()
            self._finish()
        return self.result

    def _last_point(self) -> None:
        """What has happened since the last full second."""
        if self._collector.processes:
            point = self._collector.tick(ServerReading(), now=time.monotonic())
            self.result.points.append(point)

    async def _story(self, scenario: Callable[["Run"], Awaitable[None]]) -> None:
        self.phase("Preparing the media and the processes")
        await self._fleet.open()
        await scenario(self)

    async def _stopped(self, stop: asyncio.Event) -> None:
        await stop.wait()
        raise LoadError("The run was stopped by Ctrl-C.")

    def _receive(self, sample: Sample) -> None:
        self._collector.receive(sample)
        self._arrived.set()

    # -- watching

    async def _watch(self) -> None:
        """A point each second; ends with an error when there is nothing left to measure."""
        ever_connected, silent, next_time = False, 0, self._started
        while True:
            next_time += SAMPLE_INTERVAL
            await asyncio.sleep(max(0.0, next_time - time.monotonic()))
            reading = await self._stats.read()
            point = self._collector.tick(reading or ServerReading(), now=time.monotonic())
            self.result.points.append(point)
            self._progress.update(point)
            if reading is None:
                raise LoadError("The server's process ended during the run.")
            self._reading = reading
            ever_connected = ever_connected or self._collector.count("connected") > 0
            if ever_connected and not self._collector.count("connected", "joining", "left"):
                raise LoadError(f"All clients were cut off: {self._main_problem()}")
            silent = self._silence(silent, point)
            if silent == MAX_SILENCE:
                raise LoadError(f"Nothing has come from the server for {MAX_SILENCE} s.")
            if self._collector.processes and not self._collector.running():
                raise LoadError(f"The tester's processes ended: {self._main_problem()}")

    def _silence(self, before: int, point: Point) -> int:
        """For how many points nothing has come from a server that once sent something."""
        if point.packets_received or not (point.packets_sent and point.subscribers):
            return 0
        return before + 1 if before or any(p.packets_received for p in self.result.points) else 0

    def _main_problem(self) -> str:
        problems = list(self._collector.problems())
        return problems[0] if problems else "nobody knows why."

    async def _fresh(self) -> None:
        """Wait until all processes have reported something new."""
        asked = time.monotonic()
        while time.monotonic() - asked < PATIENCE:
            if all(state.sample.time >= asked for state in self._collector.running()):
                return
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), PATIENCE)

    # -- what scenarios do

    def phase(self, text: str, seconds: float | None = None) -> None:
        """Tell what happens now."""
        self._progress.phase(text, seconds)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def join(self, specs: Sequence[ClientSpec], *, rate: float = 0.0) -> None:
        """Let clients join, `rate` a second or all at once, and wait until it is known who is in.

        Raises:
            LoadError: Nobody is in, now or from before.
        """
        portion = max(1, math.ceil(rate * JOIN_INTERVAL)) if rate else len(specs)
        for start in range(0, len(specs), portion):
            part = specs[start : start + portion]
            await self._fleet.join(part)
            if rate and start + portion < len(specs):
                await asyncio.sleep(len(part) / rate)
        await self.settle([spec.name for spec in specs])

    async def settle(self, names: Sequence[str]) -> None:
        """Wait until each of these has joined or failed, or its time is over."""
        deadline = time.monotonic() + self.plan.join_timeout + PATIENCE
        clients = self._collector.clients
        while time.monotonic() < deadline and any(
            name not in clients or clients[name].sample.state == "joining" for name in names
        ):
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), SAMPLE_INTERVAL)
        if not self._collector.count("connected"):
            problems = self._collector.problems()
            raise LoadError(next(iter(problems), "No client got an answer from the server."))

    async def order(self, *, joining: Sequence[ClientSpec], leaving: Sequence[ClientSpec]) -> None:
        """Let clients come and go without waiting for them."""
        await self._fleet.leave([spec.name for spec in leaving])
        await self._fleet.join(joining)

    async def change(self, rate: Rate) -> None:
        """Change how fast publishers send."""
        await self._fleet.change(rate)

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[Window]:
        """Measure what happens inside; the result's figures are those of the last time."""
        await self._fresh()
        self._reading = await self._stats.read() or self._reading
        window = self._window = self._collector.begin(self._reading, now=time.monotonic())
        try:
            yield window
            await self._fresh()
            self._reading = await self._stats.read() or self._reading
        finally:  # also of a run that is cut short
            self._collector.end(window, self._reading, now=time.monotonic())

    # -- the end

    def choose(self, window: Window) -> None:
        """Let the result's figures be those of this window."""
        self._window = window

    def _finish(self) -> None:
        result, window = self.result, self._window
        result.elapsed = time.monotonic() - self._started
        result.problems = self._collector.problems()
        if window is not None:
            result.measured = window.seconds
            result.metrics = window.metrics()
            result.clients = window.summaries()
        result.metrics["failed"] = sum(result.problems.values())
        memory = [p.server_memory for p in result.points if p.server_memory is not None]
        result.metrics["server_memory"] = max(memory, default=None)
        result.metrics["server_memory_growth"] = memory_growth(result.points)
        result.metrics["knee"] = result.knee.packets_received if result.knee else None


def memory_growth(points: Sequence[Point]) -> float | None:
    """Bytes an hour by which the server's memory grew while measured (least squares)."""
    known = [(p.time, p.server_memory) for p in points if p.measured and p.server_memory]
    if len(known) < 2 or known[-1][0] - known[0][0] < MIN_GROWTH_TIME:
        return None
    middle_time = sum(t for t, _ in known) / len(known)
    middle_memory = sum(m for _, m in known) / len(known)
    slope = sum((t - middle_time) * (m - middle_memory) for t, m in known)
    return slope / sum((t - middle_time) ** 2 for t, _ in known) * 3600


def machine() -> dict[str, str]:
    """Facts about this machine that a figure depends on."""
    facts = {
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    with suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                facts["processor"] = line.partition(":")[2].strip()
                break
    return facts
