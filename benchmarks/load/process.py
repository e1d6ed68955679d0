"""The processes of the tester: `Fleet` for scenarios, one worker for each share of the clients."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess

from benchmarks.load import worker
from benchmarks.load.clips import load_clip
from benchmarks.load.model import ClientSpec, LoadError, LoadPlan, Rate, Sample
from benchmarks.load.worker import Change, Join, Leave, Order, Ready, Stop

START_TIMEOUT = 30.0  # s until a process takes orders; the clip is there already
STOP_TIMEOUT = 8.0  # s until it has let everyone leave


class _Process:
    """One worker process and the pipe to it."""

    def __init__(self, number: int, plan: LoadPlan, on_sample: Callable[[Sample], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self._number = number
        self._on_sample = on_sample
        self._pipe: Pipe
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=worker.run, args=(number, plan, theirs), daemon=True
        )
        self._theirs = theirs
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.expected_end = False

    def start(self) -> None:
        """Begin; `ready` is set when it takes orders."""
        try:
            self._process.start()
        except OSError:
            self._pipe.close()
            self.ended.set()
            raise
        self._theirs.close()
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._readable)

    def order(self, order: Order) -> None:
        """Send an order; one that has ended does not hear it."""
        if not self.ended.is_set():
            with suppress(OSError):
                self._pipe.send(order)

    async def stop(self) -> None:
        """Let it end, and end it where it does not."""
        if self._process.pid is None:  # it did not even begin
            return
        self.expected_end = True
        self.order(Stop())
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await self.ended.wait()
        self._end()
        if self._process.is_alive():
            self._process.terminate()
        await asyncio.to_thread(self._process.join)
        self._process.close()

    def _readable(self) -> None:
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if isinstance(message, Ready):
                    self.ready.set()
                else:
                    self._on_sample(message)
        except (EOFError, OSError):
            self._end()
            if not self.expected_end:
                self._on_sample(
                    Sample(
                        self._number,
                        time.monotonic(),
                        fault=f"Process {self._number} of the tester has ended by itself.",
                    )
                )

    def _end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self.ready.set()
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._pipe.close()


class ProcessFleet:
    """Spreads clients over processes; see `Fleet`."""

    def __init__(self, plan: LoadPlan, on_sample: Callable[[Sample], None]) -> None:
        self._plan = plan
        self._on_sample = on_sample
        self._processes: list[_Process] = []
        self._places: dict[str, int] = {}  # client → process
        self._closed = False

    async def open(self) -> None:
        """See `Fleet.open`."""
        await asyncio.to_thread(load_clip, self._plan)  # the processes find it in the cache
        try:
            for number in range(max(1, self._plan.processes)):
                self._processes.append(_Process(number, self._plan, self._on_sample))
                self._processes[-1].start()
        except OSError as error:
            started = len(self._processes)
            await self.close()
            raise LoadError(
                f"Only {started} of {self._plan.processes} processes could be started: "
                f"{error.strerror}."
            ) from error
        try:
            async with asyncio.timeout(START_TIMEOUT):
                for process in self._processes:
                    await process.ready.wait()
        except TimeoutError:
            await self.close()
            raise LoadError(f"A process did not start within {START_TIMEOUT:g} s.") from None
        if any(process.ended.is_set() for process in self._processes):
            await self.close()
            raise LoadError("A process of the tester did not start.")

    async def join(self, clients: Sequence[ClientSpec]) -> None:
        """See `Fleet.join`."""
        shares: list[list[ClientSpec]] = [[] for _ in self._processes]
        loads = [0] * len(self._processes)
        for place in self._places.values():
            loads[place] += 1
        for client in clients:
            place = min(self._allowed(client), key=loads.__getitem__)
            loads[place] += 1
            self._places[client.name] = place
            shares[place].append(client)
        for process, share in zip(self._processes, shares, strict=True):
            if share:
                process.order(Join(tuple(share)))

    def _allowed(self, client: ClientSpec) -> range:
        """The processes that a client may be in: those of a burst have the last to themselves."""
        count = len(self._processes)
        if self._plan.scenario != "burst" or count == 1:
            return range(count)
        return range(count - 1, count) if client.apart else range(count - 1)

    async def leave(self, names: Sequence[str]) -> None:
        """See `Fleet.leave`."""
        for number, process in enumerate(self._processes):
            share = tuple(name for name in names if self._places.get(name) == number)
            if share:
                process.order(Leave(share))
        for name in names:
            self._places.pop(name, None)

    async def change(self, rate: Rate) -> None:
        """See `Fleet.change`."""
        for process in self._processes:
            process.order(Change(rate))

    async def close(self) -> None:
        """See `Fleet.close`."""
        if not self._closed:
            self._closed = True
            await asyncio.gather(*(process.stop() for process in self._processes))
