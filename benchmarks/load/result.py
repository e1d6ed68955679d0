"""What comes of a load run: figures by name, a point for each second, a row for each client."""

from dataclasses import dataclass, field

from benchmarks.load.model import LoadPlan, State


@dataclass(frozen=True, slots=True)
class Point:
    """One second of the whole run.

    Rates are per second; delays, None where nothing was measured, are in seconds.

    Attributes:
        time: Seconds since the run began.
        loss: Share of the expected packets that did not come, 0..1.
        server_cpu: Cores that the server used: 1.0 is one core.
        server_memory: Bytes, resident.
        tester_cpu: Cores that all processes of the tester used.
        tester_drops: Datagrams that the tester's sockets dropped.
        tester_backlog: The most seconds that a datagram waited until the tester read it.
        server_drops: Datagrams that the server's sockets dropped; None where unknown.
        kernel_drops: Packets that the kernel dropped between them; likewise.
    """

    time: float
    measured: bool
    publishers: int
    subscribers: int
    packets_sent: float
    packets_received: float
    bits_sent: float
    bits_received: float
    loss: float
    delay_p50: float | None = None
    delay_p95: float | None = None
    delay_p99: float | None = None
    freezes: int = 0
    plis: int = 0
    joins: int = 0
    leaves: int = 0
    failures: int = 0
    server_cpu: float | None = None
    server_memory: int | None = None
    tester_cpu: float = 0.0
    tester_drops: int = 0
    tester_behind: float = 0.0
    tester_backlog: float = 0.0
    server_drops: int | None = None
    kernel_drops: int | None = None


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """One client over the measured time; a row of the report's table. Units as in the sample."""

    name: str
    room: str
    publishes: bool
    subscribes: bool
    state: State
    error: str
    join_time: float | None
    first_packet_time: float | None
    first_key_frame_time: float | None
    packets_sent: int
    packets_received: int
    packets_expected: int
    bits_sent: float
    bits_received: float
    loss: float
    jitter: float
    delay_p50: float | None
    delay_p99: float | None
    freezes_short: int
    freezes_long: int
    nacks: int
    plis: int
    layer: str
    nacks_heard: int = 0
    plis_heard: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One load of a ramp, measured for some seconds.

    Attributes:
        load: What was raised, see `LoadPlan.ramp_by`.
        packets_received: Per second, by all subscribers together; what should have come is
            `packets_expected`.
        server_cpu_per_packet: Seconds of server CPU for each packet that was forwarded.
        passed: Whether loss and delay stayed within the bounds.
        reason: Which bound was passed, or why the tester itself was at its end.
        by_tester: Whether it was the tester: the server may well be able to do more.
    """

    load: float
    packets_expected: float
    packets_received: float
    loss: float
    delay_p50: float | None
    delay_p99: float | None
    server_cpu: float | None
    server_cpu_per_packet: float | None
    tester_drops: int
    passed: bool
    reason: str = ""
    by_tester: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold and what became of it; `value` is None where nothing was measured."""

    condition: str
    metric: str
    value: float | None
    failed: bool


@dataclass(slots=True)
class Result:
    """A whole run; also when it ended early.

    Attributes:
        started_at: Unix seconds.
        elapsed: Seconds of the whole run.
        measured: Seconds that `metrics` are about.
        interrupted: Why the run ended before its time, a sentence; empty otherwise.
        machine: Facts about where the tester ran.
        metrics: By name, as `metrics.py` lists them; None where nothing was measured.
        problems: What clients failed of, and how many did.
        losses: Who lost what did not come, in sentences.
        notes: What was other than asked for, and of how many clients.
        media: What was done to a file of the user's to play it, by codec.
        knee: The last step of a ramp that passed; None where there is none.
    """

    plan: LoadPlan
    started_at: float
    elapsed: float = 0.0
    measured: float = 0.0
    interrupted: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    clients: list[ClientSummary] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    knee: Step | None = None
    problems: dict[str, int] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def knee_is_certain(self) -> bool:
        """Whether the server, not the tester, failed at the next higher load that was tried."""
        knee = self.knee.load if self.knee else 0.0
        above = [step for step in self.steps if not step.passed and step.load > knee]
        nearest = min((step.load for step in above), default=0.0)
        return any(step.load == nearest and not step.by_tester for step in above)

    @property
    def failed(self) -> bool:
        """Whether a threshold was passed or the run ended early."""
        return bool(self.interrupted) or any(verdict.failed for verdict in self.verdicts)
