"""A stretch of time that is measured: the difference of two moments, as figures by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.load.histogram import Histogram
from benchmarks.load.model import ClientSample, Sample
from benchmarks.load.result import ClientSummary
from benchmarks.load.server_stats import ServerReading

MIN_WATCHED = 2.0  # s; who has just joined is not yet called silent


def nearest_rank(values: Sequence[float], percent: float) -> float | None:
    """The value that `percent` of 100 do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


@dataclass(slots=True)
class Span:
    """One client during a window: its newest sample, and what has changed since the first."""

    new: ClientSample
    old: ClientSample | None
    watched: float
    delays: Histogram

    def since(self, counter: str) -> int:
        """What a counter has grown by."""
        before: int = getattr(self.old, counter) if self.old else 0
        after: int = getattr(self.new, counter)
        return after - before

    @property
    def frozen_time(self) -> float:
        """Seconds without a decodable frame, of gaps that count as freezes."""
        return self.new.frozen_time - (self.old.frozen_time if self.old else 0.0)

    @property
    def loss(self) -> float:
        """Share of the expected packets that did not come, 0..1."""
        expected = self.since("packets_expected")
        return max(0.0, 1 - self.since("packets_received") / expected) if expected > 0 else 0.0

    @property
    def stayed(self) -> bool:
        """Whether it was connected all the time."""
        was = self.old is not None and self.old.state == "connected"
        return was and self.new.state == "connected"


@dataclass(slots=True)
class Window:
    """From `began` to `ended`, monotonic seconds; the spans are there once it has ended.

    Attributes:
        behind: The most seconds that the tester sent something too late.
        backlog: The most seconds that a datagram waited until the tester read it.
    """

    began: float
    reading: ServerReading
    samples: dict[str, ClientSample]
    processes: dict[int, Sample]
    ended: float = 0.0
    behind: float = 0.0
    backlog: float = 0.0
    spans: list[Span] = field(default_factory=list)
    tester_cpu: float = 0.0
    tester_drops: int = 0
    server_cpu_time: float | None = None
    server_drops: int | None = None
    kernel_drops: int | None = None
    _delays: dict[str, Histogram] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(self.ended - self.began, 1e-3)

    def add_delays(self, client: str, delays: Histogram) -> None:
        """Take delays that were measured meanwhile."""
        self._delays.setdefault(client, Histogram()).merge(delays)

    def end(
        self,
        reading: ServerReading,
        *,
        clients: dict[str, tuple[ClientSample, float, float]],
        processes: dict[int, Sample],
        now: float,
    ) -> None:
        """Take the second moment: each client's sample, when it was first and last seen."""
        self.ended = now
        for name, (new, first_seen, last_seen) in clients.items():
            old = self.samples.get(name)
            if old is new and old.state in ("left", "failed"):
                continue  # it was gone before
            watched = max(0.0, min(last_seen, now) - max(first_seen, self.began))
            self.spans.append(Span(new, old, watched, self._delays.get(name, Histogram())))
        for number, sample in processes.items():
            before = self.processes.get(number, Sample(number, self.began))
            self.tester_cpu += (sample.cpu_time - before.cpu_time) / self.seconds
            self.tester_drops += sample.socket_drops - before.socket_drops
        before_it = self.reading
        if reading.cpu_time is not None and before_it.cpu_time is not None:
            self.server_cpu_time = reading.cpu_time - before_it.cpu_time
        if reading.drops is not None and before_it.drops is not None:
            self.server_drops = reading.drops - before_it.drops
        if reading.kernel_drops is not None and before_it.kernel_drops is not None:
            self.kernel_drops = reading.kernel_drops - before_it.kernel_drops

    # -- figures

    def total(self, counter: str, spans: Sequence[Span] | None = None) -> int:
        """A counter's growth, summed over clients."""
        return sum(span.since(counter) for span in (self.spans if spans is None else spans))

    def loss(self, spans: Sequence[Span]) -> float | None:
        """Loss over some clients together; None where nothing was expected."""
        expected = self.total("packets_expected", spans)
        received = self.total("packets_received", spans)
        return max(0.0, 1 - received / expected) if expected > 0 else None

    def withheld(self) -> float | None:
        """Share of what each room's publishers sent that viewers were not even meant to get.

        None where nobody sent anything to anybody.
        """
        sent: dict[str, int] = {}
        for span in self.spans:
            sent[span.new.room] = sent.get(span.new.room, 0) + span.since("packets_sent")
        viewers = [span for span in self.spans if span.new.subscribes]
        offered = sum(sent[span.new.room] - span.since("packets_sent") for span in viewers)
        expected = self.total("packets_expected", viewers)
        return max(0.0, 1 - expected / offered) if offered > 0 else None

    def metrics(self) -> dict[str, float | None]:
        """All figures that a window alone can tell, by the names in `metrics.py`."""
        viewers = [span for span in self.spans if span.new.subscribes]
        stayed = [span for span in viewers if span.stayed]
        delays = Histogram.union(span.delays for span in self.spans)
        waited = Histogram.union(span.delays for span in stayed)
        received = self.total("packets_received")
        viewed = self.total("packets_received", viewers)
        publishers = [span for span in self.spans if span.new.publishes]
        watched = sum(span.watched * span.new.video_streams for span in viewers)
        joined = [span for span in self.spans if span.old is None or span.old.join_time is None]
        joined = [span for span in joined if span.new.join_time is not None] or self.spans
        cpu = self.server_cpu_time

        def times(get: Callable[[ClientSample], float | None], percent: float) -> float | None:
            values = [get(span.new) for span in joined]
            return nearest_rank([value for value in values if value is not None], percent)

        return {
            "packets_sent": self.total("packets_sent") / self.seconds,
            "packets_received": received / self.seconds,
            "bits_sent": self.total("bytes_sent") * 8 / self.seconds,
            "bits_received": self.total("bytes_received") * 8 / self.seconds,
            "loss": self.loss(viewers),
            "packets_lost": max(0, self.total("packets_expected", viewers) - viewed),
            "worst_loss": max((span.loss for span in viewers), default=None),
            "bystander_loss": self.loss(stayed),
            "p50_delay": delays.percentile(50),
            "p95_delay": delays.percentile(95),
            "p99_delay": delays.percentile(99),
            "bystander_p99_delay": waited.percentile(99),
            "bystander_max_delay": waited.percentile(100),
            "jitter": max((span.new.jitter for span in viewers), default=None),
            "freezes": self.total("freezes_short"),
            "long_freezes": self.total("freezes_long"),
            "bystander_freezes": self.total("freezes_short", stayed),
            "frozen": sum(s.frozen_time for s in viewers) / watched if watched else None,
            "p50_join": times(lambda client: client.join_time, 50),
            "p99_join": times(lambda client: client.join_time, 99),
            "p99_first_packet": times(lambda client: client.first_packet_time, 99),
            "p99_first_key_frame": times(lambda client: client.first_key_frame_time, 99),
            "silent": sum(
                not span.since("packets_received") and span.watched > MIN_WATCHED
                for span in viewers
                if span.new.state != "failed"
            ),
            "withheld": self.withheld(),
            "nacks": self.total("nacks", viewers),
            "plis": self.total("plis", viewers),
            "dropped_on_purpose": self.total("packets_dropped", publishers),
            "resent": self.total("packets_resent", publishers),
            "server_plis": self.total("plis_heard", publishers),
            "server_cpu": None if cpu is None else cpu / self.seconds,
            "server_cpu_per_packet": cpu / received if cpu is not None and received else None,
            "tester_cpu": self.tester_cpu,
            "tester_drops": self.tester_drops,
            "tester_behind": self.behind,
            "tester_backlog": self.backlog,
            "server_drops": self.server_drops,
            "kernel_drops": self.kernel_drops,
        }

    def summaries(self) -> list[ClientSummary]:
        """A row for each client, in the order in which they joined."""
        return [self._summary(span) for span in self.spans]

    def _summary(self, span: Span) -> ClientSummary:
        new, seconds = span.new, max(span.watched, 1.0)
        return ClientSummary(
            name=new.name,
            room=new.room,
            publishes=new.publishes,
            subscribes=new.subscribes,
            state=new.state,
            error=new.error,
            join_time=new.join_time,
            first_packet_time=new.first_packet_time,
            first_key_frame_time=new.first_key_frame_time,
            packets_sent=span.since("packets_sent"),
            packets_received=span.since("packets_received"),
            packets_expected=span.since("packets_expected"),
            bits_sent=span.since("bytes_sent") * 8 / seconds,
            bits_received=span.since("bytes_received") * 8 / seconds,
            loss=span.loss,
            jitter=new.jitter,
            delay_p50=span.delays.percentile(50),
            delay_p99=span.delays.percentile(99),
            freezes_short=span.since("freezes_short"),
            freezes_long=span.since("freezes_long"),
            nacks=span.since("nacks"),
            plis=span.since("plis"),
            nacks_heard=span.since("nacks_heard"),
            plis_heard=span.since("plis_heard"),
            layer=new.layer,
        )
