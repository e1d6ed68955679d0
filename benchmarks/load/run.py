"""One run of a scenario: lets clients in and out, watches them, and ends with a result always."""

import asyncio
import math
import os
import platform
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Protocol

from benchmarks.load.collector import Collector
from benchmarks.load.drops import softnet_drops
from benchmarks.load.failures import file_limit
from benchmarks.load.losses import who_lost
from benchmarks.load.model import (
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
PATIENCE = 5.0  # intervals without a sample of a process before it is not waited for
MAX_SILENCE = 10.0  # s without a packet, while media is sent, after which the server is dead
OUT_OF_FILES = "The tester ran out of open files"
MIN_GROWTH_TIME = 60.0  # s; memory over less says nothing about its growth


class Progress(Protocol):
    """Who is told how a run goes on."""

    def phase(self, text: str, seconds: float | None = None) -> None:
        """Something new begins, and will take so long where that is known."""

    def update(self, point: Point) -> None:
        """An interval has passed."""

    def note(self, sentence: str) -> None:
        """Something is not as it was asked for, and the run goes on."""


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
        self._patience = PATIENCE * max(plan.interval, 1.0)
        self._silent_since: float | None = None

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
        """What has happened since the last full interval."""
        if self._collector.processes:
            point = self._collector.tick(ServerReading(), now=time.monotonic())
            self.result.points.append(point)
        self._tell_notes()

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
        """A point each interval; ends with an error when there is nothing left to measure."""
        ever_connected, next_time = False, self._started
        while True:
            next_time = max(next_time + self.plan.interval, time.monotonic())
            await asyncio.sleep(next_time - time.monotonic())
            reading = await self._read()
            point = self._collector.tick(reading or ServerReading(), now=time.monotonic())
            self.result.points.append(point)
            self._progress.update(point)
            self._tell_notes()
            if reading is None:
                raise LoadError("The server's process ended during the run.")
            self._reading = reading
            ever_connected = ever_connected or self._collector.count("connected") > 0
            if ever_connected and not self._collector.count("connected", "joining", "left"):
                raise LoadError(f"All clients were cut off: {self._main_problem()}")
            if self._silence(point) > MAX_SILENCE:
                raise LoadError(f"Nothing has come from the server for {MAX_SILENCE:g} s.")
            if self._collector.processes and not self._collector.running():
                raise LoadError(f"The tester's processes ended: {self._main_problem()}")

    async def _read(self) -> ServerReading | None:
        """What the server and the kernel say of themselves; None when the server has ended."""
        reading = await self._stats.read()
        return None if reading is None else replace(reading, kernel_drops=softnet_drops())

    def _silence(self, point: Point) -> float:
        """For how many seconds nothing has come from a server that once sent something."""
        if point.packets_received or not (point.packets_sent and point.subscribers):
            self._silent_since = None
        elif self._silent_since is None and any(p.packets_received for p in self.result.points):
            self._silent_since = point.time
        return 0.0 if self._silent_since is None else point.time - self._silent_since

    def _tell_notes(self) -> None:
        """Tell what is new of what is not as it was asked for."""
        notes = self._collector.notes()
        if self._stats.problem:
            notes[self._stats.problem] = 1
        if self._collector.out_of_files() and not self._collector.count("joining"):
            # Known from the first time on: later, those who fitted leave.
            old = [note for note in self.result.notes if note.startswith(OUT_OF_FILES)]
            notes[old[0] if old else self._out_of_files()] = 1
        for note in notes:
            if note not in self.result.notes:
                self._progress.note(note)
        self.result.notes = notes

    def _out_of_files(self) -> str:
        fitted = self._collector.count("connected")
        asked = max(fitted, len(self.population.present))
        processes = math.ceil(self.plan.processes * asked / max(fitted, 1))
        return (
            f"{OUT_OF_FILES}: a process may have {file_limit()}, and {fitted} of {asked} clients "
            f"fitted. Use --processes {processes}, or raise the limit (ulimit -n)."
        )

    def _main_problem(self) -> str:
        problems = list(self._collector.problems())
        return problems[0] if problems else "nobody knows why."

    async def _fresh(self) -> None:
        """Wait until all processes have reported something new."""
        asked = time.monotonic()
        while time.monotonic() - asked < self._patience:
            if all(state.sample.time >= asked for state in self._collector.running()):
                return
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), self._patience)

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
        deadline = time.monotonic() + self.plan.join_timeout + self._patience
        clients = self._collector.clients
        while time.monotonic() < deadline and any(
            name not in clients or clients[name].sample.state == "joining" for name in names
        ):
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), self.plan.interval)
        if not self._collector.count("connected"):
            problems = self._collector.problems()
            raise LoadError(next(iter(problems), "No client got an answer from the server."))

    async def order(self, *, joining: Sequence[ClientSpec], leaving: Sequence[ClientSpec]) -> None:
        """Let clients come and go without waiting for them."""
        await self._fleet.leave([spec.name for spec in leaving])
        await self._fleet.join(joining)

    def failed(self) -> list[str]:
        """Names of the clients that have failed so far."""
        clients = self._collector.clients.items()
        return [name for name, client in clients if client.sample.state == "failed"]

    def problems(self) -> Counter[str]:
        """What clients have failed of so far, and how many did."""
        return Counter(self._collector.problems())

    async def change(self, rate: Rate) -> None:
        """Change how fast publishers send."""
        await self._fleet.change(rate)

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[Window]:
        """Measure what happens inside; the result's figures are those of the last time."""
        await self._fresh()
        self._reading = await self._read() or self._reading
        window = self._window = self._collector.begin(self._reading, now=time.monotonic())
        try:
            yield window
            await self._fresh()
            self._reading = await self._read() or self._reading
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
        out_of_files = [note for note in result.notes if note.startswith(OUT_OF_FILES)]
        if out_of_files and not result.interrupted:
            result.interrupted = out_of_files[0]
        if window is not None:
            result.measured = window.seconds
            result.metrics = window.metrics()
            result.losses = who_lost(result.metrics)
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
