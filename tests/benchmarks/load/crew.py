"""The processes of the load tester, driven by a test that sees all of their samples."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.load.histogram import Histogram
from benchmarks.load.model import ClientSample, ClientSpec, LoadPlan, Sample
from benchmarks.load.process import ProcessFleet
from tests.support.polling import until

PUBLISHER = ClientSpec("publisher", "room", publishes=True)
WATCHERS = [ClientSpec(f"watcher {i}", "room", subscribes=True) for i in range(3)]


class Crew:
    """A fleet and the newest sample of each of its clients."""

    def __init__(self, plan: LoadPlan) -> None:
        self.samples: dict[str, ClientSample] = {}
        self.newest: dict[int, Sample] = {}
        self.delays = Histogram()
        self.fleet = ProcessFleet(plan, self._take)

    def _take(self, sample: Sample) -> None:
        self.newest[sample.process] = sample
        for client in sample.clients:
            self.samples[client.name] = client
            self.delays.merge(client.delays)

    def __getitem__(self, spec: ClientSpec) -> ClientSample:
        return self.samples[spec.name]

    async def reach(self, spec: ClientSpec, condition: Callable[[ClientSample], object]) -> None:
        """Wait until a client's sample is as it should be."""
        await until(
            lambda: spec.name in self.samples and condition(self.samples[spec.name]),
            f"{spec.name} as it should be: {self.samples.get(spec.name)}",
        )


@asynccontextmanager
async def crew(url: str, **options) -> AsyncIterator[Crew]:
    options.setdefault("packets_per_frame", 4)
    options.setdefault("interval", 0.2)
    result = Crew(LoadPlan(url, **options))
    await result.fleet.open()
    try:
        yield result
    finally:
        await result.fleet.close()
