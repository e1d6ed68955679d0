"""A result as a few lines for a terminal."""

from collections.abc import Iterator

from benchmarks.load.metrics import METRICS
from benchmarks.load.result import Result
from benchmarks.load.units import format_quantity

# What is shown of a run, line by line; the rest is in the other reports.
LINES = (
    ("media", ("packets_sent", "packets_received", "bits_received")),
    ("loss", ("loss", "packets_lost", "worst_loss", "bystander_loss")),
    ("delay", ("p50_delay", "p95_delay", "p99_delay", "jitter")),
    ("freezes", ("freezes", "long_freezes", "bystander_freezes", "frozen")),
    ("repair", ("nacks", "resent", "plis", "server_plis")),
    ("joins", ("p50_join", "p99_join", "p99_first_key_frame", "failed", "silent")),
    ("server", ("server_cpu", "server_cpu_per_packet", "server_memory", "server_memory_growth")),
    ("tester", ("tester_cpu", "tester_drops", "tester_behind", "tester_backlog")),
)

LATE = 0.1  # s; a tester that sends later than this measures itself too


def to_text(result: Result) -> Iterator[str]:
    """Lines of text."""
    if result.measured:
        for heading, names in LINES:
            known = [(name, result.metrics.get(name)) for name in names]
            parts = [
                f"{name} {format_quantity(value, METRICS[name].unit)}"
                for name, value in known
                if value is not None
            ]
            if parts:
                yield f"{heading:8} " + ", ".join(parts)
        yield from (f"{'' if n else 'who lost':8} {each}" for n, each in enumerate(result.losses))
    for codec, what in result.media.items():
        yield f"clip     {codec}: {what}"
    for step in result.steps:
        mark = "ok " if step.passed else "no "
        per_packet = format_quantity(step.server_cpu_per_packet, "seconds")
        yield (
            f"{mark} {result.plan.ramp_by} {step.load:.4g}: "
            f"{format_quantity(step.packets_received, 'rate')}, "
            f"loss {format_quantity(step.loss, 'share')}, "
            f"p99 {format_quantity(step.delay_p99, 'seconds')}, "
            f"server {per_packet} a packet" + (f" ({step.reason})" if step.reason else "")
        )
    if result.steps:
        knee = result.knee
        least = "" if result.knee_is_certain else "at least "
        yield (
            "knee     none: the first step was too much already"
            if knee is None
            else f"knee     {least}{result.plan.ramp_by} {knee.load:.4g}: "
            f"{format_quantity(knee.packets_received, 'rate')} to all subscribers"
        )
    if (result.metrics.get("tester_behind") or 0.0) > LATE:
        yield "note     the tester was late now and then: delays and freezes are partly its own"
    for note, count in result.notes.items():
        yield f"note     {note}" + (f" ({count} clients)" if count > 1 else "")
    for problem, count in result.problems.items():
        yield f"{count} × {problem}"
    for verdict in result.verdicts:
        unit = METRICS[verdict.metric].unit
        value = format_quantity(verdict.value, unit)
        yield f"{'FAILED' if verdict.failed else 'passed'}  {verdict.condition} (it is {value})"
