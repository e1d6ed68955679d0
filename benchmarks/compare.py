"""Puts the same load on aiosfu, on Janus and on a naive aiortc server, and prints one table.

    python -m benchmarks.compare [--runs 3] [--seconds 5] [--only TEXT]

Each server runs on one core and the load on another, in two network namespaces joined by a veth
pair (root). Janus is Debian's package, with the VideoRoom plugin; it is measured with a thread for
each peer connection, as it comes, and with one thread for all, which suits one core better.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks import tester
from benchmarks.figures import NO_OFFLOAD, Bench, network, ramp, video
from benchmarks.namespaces import Namespace, NamespaceError
from benchmarks.servers import (
    Server,
    ServerError,
    aiosfu_server,
    janus_server,
    janus_version,
    media_relay_server,
)
from benchmarks.table import megabytes, microseconds, milliseconds, rate, share, table
from benchmarks.tester import Load, Outcome, RunError

VIEWERS = 5  # of the naive server, which encodes for each of them

SERVERS: Mapping[str, Callable[[Namespace], AbstractContextManager[Server]]] = {
    "aiosfu": aiosfu_server,
    "Janus": janus_server,
    "Janus, one loop": lambda place: janus_server(place, event_loops=1),
    "aiortc MediaRelay": media_relay_server,
}
FORWARDERS = ("aiosfu", "Janus", "Janus, one loop")

HEAD = ("load", "server", "CPU a packet", "CPU", "packets out", "lost", "delay p50 / p99", "memory")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A load and the servers that can take it.

    Attributes:
        steady: Makes the load, for so many seconds; None to search for the knee.
    """

    name: str
    servers: Sequence[str]
    steady: Callable[[float], Load] | None


COMPARISONS = (
    Comparison("1 × 50, 8 packets a frame", FORWARDERS, lambda s: video(1, 50, 8, s)),
    Comparison("1 × 50, 40 packets a frame", FORWARDERS, lambda s: video(1, 50, 40, s)),
    Comparison("10 × 10, 20 packets a frame", FORWARDERS, lambda s: video(10, 10, 20, s)),
    Comparison(
        f"1 × {VIEWERS}, a real clip",
        tuple(SERVERS),
        lambda s: Load(options={"publishers": 1, "subscribers": VIEWERS, "duration": s}),
    ),
    Comparison("knee of 1 × 50", FORWARDERS, None),
)


def cells(outcome: Outcome) -> list[str]:
    """A row's figures; a dash for what this server's way of working leaves unmeasured."""
    writers: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("server_cpu_per_packet", microseconds),
        ("server_cpu", lambda value: f"{value:.0%}".replace("%", " %")),
        ("packets_received", rate),
        ("loss", share),
        ("p50_delay", milliseconds),
        ("p99_delay", milliseconds),
        ("server_memory", megabytes),
    )
    written = [
        write(value) if (value := outcome.metrics.get(name)) is not None else "–"
        for name, write in writers
    ]
    return [*written[:4], " / ".join(written[4:6]), written[6]]


def knee(bench: Bench) -> list[str]:
    """The figures of the last step that passed, of the median run."""
    outcomes = [bench.measure(ramp(1, 50, 8), strict=False) for _ in range(bench.runs)]
    knees = [outcome for outcome in outcomes if outcome.knee is not None]
    if not knees:
        raise RunError("Even the first step of the ramp failed.")
    middle = statistics.median_low(o.knee.packets_received for o in knees if o.knee)
    return cells(next(o for o in knees if o.knee and o.knee.packets_received == middle))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", default="", metavar="TEXT", help="loads whose name contains it")
    parser.add_argument("--no-offload", action="store_true", help=NO_OFFLOAD)
    options = parser.parse_args(arguments)
    rows: list[list[str]] = []
    with ExitStack() as stack:
        try:
            janus_version()
            both = stack.enter_context(network(isolated=True, offload=not options.no_offload))
        except (NamespaceError, ServerError) as error:
            raise SystemExit(str(error)) from error
        for comparison in COMPARISONS:
            if options.only not in comparison.name:
                continue
            for name in comparison.servers:
                start = partial(SERVERS[name], both.server)
                bench = Bench(both, start, options.seconds, options.runs)
                rows.append([comparison.name, name, *measured(bench, comparison)])
                print(", ".join(rows[-1]), flush=True)
    print(f"\n{tester.machine()}; median of {options.runs}; Janus {janus_version()}\n")
    print(table(HEAD, rows))


def measured(bench: Bench, comparison: Comparison) -> list[str]:
    """The cells of one server's row; dashes, and a line that says why, where there is nothing."""
    try:
        if comparison.steady is None:
            return knee(bench)
        return cells(bench.medians(comparison.steady(bench.seconds)))
    except (RunError, ServerError) as error:
        print(f"Not measured: {error}", file=sys.stderr, flush=True)
        return ["–"] * (len(HEAD) - 2)


if __name__ == "__main__":
    main()
