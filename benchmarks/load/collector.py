"""Keeps account of all clients: what the samples of all processes add up to, point by point."""

from collections import Counter
from dataclasses import dataclass, field, replace

from benchmarks.load.histogram import Histogram
from benchmarks.load.model import ClientSample, Sample
from benchmarks.load.result import Point
from benchmarks.load.server_stats import ServerReading
from benchmarks.load.window import Window

RATES = ("packets_sent", "packets_received", "packets_expected", "bytes_sent", "bytes_received")


@dataclass(slots=True)
class Client:
    """What is known of one client.

    Attributes:
        first_seen: Monotonic seconds of its first sample.
        last_seen: Of its newest.
    """

    process: int
    sample: ClientSample
    first_seen: float
    last_seen: float


@dataclass(slots=True)
class ProcessState:
    """What is known of one process of the tester; `rates` are those of its last interval."""

    sample: Sample
    rates: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0


@dataclass(slots=True)
class Pending:
    """What has happened since the last point."""

    counts: Counter[str] = field(default_factory=Counter)
    delays: Histogram = field(default_factory=Histogram)
    behind: float = 0.0
    backlog: float = 0.0


class Collector:
    """Takes samples, and makes points and windows of them."""

    def __init__(self, *, now: float) -> None:
        self.clients: dict[str, Client] = {}
        self.processes: dict[int, ProcessState] = {}
        self.windows: list[Window] = []
        self._started = now
        self._pending = Pending()
        self._last_reading: tuple[float, ServerReading] | None = None

    # -- what comes in

    def receive(self, sample: Sample) -> None:
        """Take what a process reports."""
        before = self.processes.get(sample.process)
        totals = dict.fromkeys(RATES, 0)
        for new in sample.clients:
            old = self._update(sample, new)
            for name in RATES:
                totals[name] += getattr(new, name) - (getattr(old, name) if old else 0)
        state = ProcessState(sample)
        if before is not None:
            seconds = max(sample.time - before.sample.time, 1e-3)
            state.rates = {name: total / seconds for name, total in totals.items()}
            state.cpu = (sample.cpu_time - before.sample.cpu_time) / seconds
            self._pending.counts["drops"] += sample.socket_drops - before.sample.socket_drops
        self.processes[sample.process] = state
        self._pending.behind = max(self._pending.behind, sample.behind)
        self._pending.backlog = max(self._pending.backlog, sample.backlog)
        for window in self.windows:
            window.behind = max(window.behind, sample.behind)
            window.backlog = max(window.backlog, sample.backlog)
        if sample.fault:
            self._lose(sample)

    def _update(self, sample: Sample, new: ClientSample) -> ClientSample | None:
        """Take one client's sample; the one before."""
        client = self.clients.get(new.name)
        old = client.sample if client else None
        if client is None:
            self.clients[new.name] = Client(sample.process, new, sample.time, sample.time)
        else:
            client.sample, client.last_seen = new, sample.time
        counts = self._pending.counts
        counts["freezes"] += new.freezes_short - (old.freezes_short if old else 0)
        if new.subscribes:
            counts["plis"] += new.plis - (old.plis if old else 0)
        if old is None or old.state != new.state:
            counts[new.state] += 1
        if new.delays.counts:
            self._pending.delays.merge(new.delays)
            for window in self.windows:
                window.add_delays(new.name, new.delays)
        return old

    def _lose(self, sample: Sample) -> None:
        """A process has ended, and all its clients with it."""
        for client in self.clients.values():
            if client.process == sample.process and client.sample.state in ("joining", "connected"):
                client.sample = replace(client.sample, state="failed", error=sample.fault)
                self._pending.counts["failed"] += 1

    # -- what there is

    def count(self, *states: str) -> int:
        """How many clients are in one of these states."""
        return sum(client.sample.state in states for client in self.clients.values())

    def running(self) -> list[ProcessState]:
        """The processes that have not ended."""
        return [state for state in self.processes.values() if not state.sample.fault]

    def problems(self) -> dict[str, int]:
        """What clients failed of, and how many did; the most frequent first."""
        errors = Counter(
            client.sample.error or "failed without saying why"
            for client in self.clients.values()
            if client.sample.state == "failed"
        )
        return dict(errors.most_common())

    def notes(self) -> dict[str, int]:
        """What is other than was asked for, and of how many clients."""
        samples = (client.sample for client in self.clients.values())
        return dict(Counter(sample.note for sample in samples if sample.note).most_common())

    def out_of_files(self) -> bool:
        """Whether clients failed because a process of the tester had too many files open."""
        return any(client.sample.out_of_files for client in self.clients.values())

    # -- what comes out

    def tick(self, reading: ServerReading, *, now: float) -> Point:
        """A point for the time since the last one."""
        pending, self._pending = self._pending, Pending()
        rates = dict.fromkeys(RATES, 0.0)
        for state in self.running():
            for name, rate in state.rates.items():
                rates[name] += rate
        expected = rates["packets_expected"]
        loss = max(0.0, 1 - rates["packets_received"] / expected) if expected > 0 else 0.0
        before, self._last_reading = self._last_reading, (now, reading)
        connected = [c.sample for c in self.clients.values() if c.sample.state == "connected"]
        return Point(
            time=now - self._started,
            measured=bool(self.windows),
            publishers=sum(sample.publishes for sample in connected),
            subscribers=sum(sample.subscribes for sample in connected),
            packets_sent=rates["packets_sent"],
            packets_received=rates["packets_received"],
            bits_sent=rates["bytes_sent"] * 8,
            bits_received=rates["bytes_received"] * 8,
            loss=loss,
            delay_p50=pending.delays.percentile(50),
            delay_p95=pending.delays.percentile(95),
            delay_p99=pending.delays.percentile(99),
            freezes=pending.counts["freezes"],
            plis=pending.counts["plis"],
            joins=pending.counts["connected"],
            leaves=pending.counts["left"],
            failures=pending.counts["failed"],
            server_cpu=_server_cpu(before, reading, now),
            server_memory=reading.memory,
            tester_cpu=sum(state.cpu for state in self.running()),
            tester_drops=pending.counts["drops"],
            tester_behind=pending.behind,
            tester_backlog=pending.backlog,
            server_drops=_growth(before and before[1].drops, reading.drops),
            kernel_drops=_growth(before and before[1].kernel_drops, reading.kernel_drops),
        )

    def begin(self, reading: ServerReading, *, now: float) -> Window:
        """Measure from now on."""
        window = Window(
            began=now,
            reading=reading,
            samples={name: client.sample for name, client in self.clients.items()},
            processes={n: state.sample for n, state in self.processes.items()},
        )
        self.windows.append(window)
        return window

    def end(self, window: Window, reading: ServerReading, *, now: float) -> None:
        """Measure until now."""
        self.windows.remove(window)
        window.end(
            reading,
            clients={
                name: (client.sample, client.first_seen, client.last_seen)
                for name, client in self.clients.items()
            },
            processes={n: state.sample for n, state in self.processes.items()},
            now=now,
        )


def _server_cpu(
    before: tuple[float, ServerReading] | None, reading: ServerReading, now: float
) -> float | None:
    """Cores that the server used since the reading before."""
    if before is None or before[1].cpu_time is None or reading.cpu_time is None:
        return None
    return max(0.0, (reading.cpu_time - before[1].cpu_time) / max(now - before[0], 1e-3))


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
