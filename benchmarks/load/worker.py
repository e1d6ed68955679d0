"""One process of the tester: carries out orders from a pipe, reports samples."""

import asyncio
import gc
import random
import resource
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe

import aiohttp

from benchmarks.load.client import Client
from benchmarks.load.clips import load_clip
from benchmarks.load.datagrams import receiver, sender
from benchmarks.load.failures import allow_many_files
from benchmarks.load.media import Clip
from benchmarks.load.model import ClientSpec, LoadPlan, Rate, Sample
from benchmarks.load.protocols.base import Context
from benchmarks.load.shared import Shared


@dataclass(frozen=True, slots=True)
class Join:
    """Let these clients join."""

    clients: tuple[ClientSpec, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """Let these clients leave."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Send at this rate."""

    rate: Rate


@dataclass(frozen=True, slots=True)
class Stop:
    """End: everyone leaves."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a process says when it takes orders."""


Order = Join | Leave | Change | Stop


class Worker:
    """The clients of one process."""

    def __init__(self, number: int, context: Context, pipe: Pipe) -> None:
        self._number = number
        self._context = context
        self._pipe = pipe
        self._clients: dict[str, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopped = asyncio.Event()

    def obey(self) -> None:
        """Carry out the orders that have come."""
        try:
            while self._pipe.poll():
                self._carry_out(self._pipe.recv())
        except (EOFError, OSError):  # whoever gave orders is gone
            self.stopped.set()

    def report(self) -> None:
        """Send a sample of everything."""
        shared = self._context.shared
        usage = resource.getrusage(resource.RUSAGE_SELF)
        sample = Sample(
            process=self._number,
            time=time.monotonic(),
            clients=[client.sample() for client in self._clients.values()],
            cpu_time=usage.ru_utime + usage.ru_stime,
            socket_drops=shared.closed_drops
            + sum(client.drops for client in self._clients.values()),
            behind=shared.scheduler.behind,
            backlog=shared.backlog,
        )
        shared.scheduler.behind = shared.backlog = 0.0
        for name in [name for name, client in self._clients.items() if client.done]:
            del self._clients[name]
        try:
            self._pipe.send(sample)
        except OSError:
            self.stopped.set()

    async def leave_all(self) -> None:
        """Let everyone leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(client.leave() for client in self._clients.values()))

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Join):
            for spec in order.clients:
                client = self._clients[spec.name] = Client(self._context, spec)
                self._start(client.join())
        elif isinstance(order, Leave):
            for name in order.names:
                if name in self._clients:
                    self._start(self._clients[name].leave())
        elif isinstance(order, Change):
            self._change(order.rate)
        else:
            self.stopped.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _change(self, rate: Rate) -> None:
        context = self._context
        context.fps = rate.fps
        if rate.packets_per_frame:
            context.clip = Clip.synthetic(
                context.plan.codecs,
                packets_per_frame=rate.packets_per_frame,
                packet_size=context.plan.packet_size,
            )
        for client in self._clients.values():
            client.change_rate()


def run(number: int, plan: LoadPlan, pipe: Pipe) -> None:
    """The process: returns when it is told to stop, or when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives orders
    allow_many_files()
    random.seed(plan.seed + number)
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(number, plan, pipe))


async def _run(number: int, plan: LoadPlan, pipe: Pipe) -> None:
    loop = asyncio.get_running_loop()
    shared = Shared(receiver(), sender())
    connector = aiohttp.TCPConnector(limit=0, ssl=not plan.insecure)
    timeout = aiohttp.ClientTimeout(total=None)  # the clients have one for the whole join
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        clip = load_clip(plan)
        worker = Worker(number, Context(plan, shared, http, clip, plan.fps), pipe)
        loop.add_reader(pipe.fileno(), worker.obey)
        pipe.send(Ready())
        gc.collect()
        gc.freeze()  # the clip is large and stays
        due = time.monotonic()
        while not worker.stopped.is_set():
            due = max(due + plan.interval, time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await worker.stopped.wait()
            worker.report()
        loop.remove_reader(pipe.fileno())
        await worker.leave_all()
        worker.report()
    shared.close()
