"""Reruns the figures of the forwarding path that README.md beside this file tells.

    python -m benchmarks.figures [ROW …] [--runs 3] [--seconds 5] [--loopback]

The server runs on one core and the load on another, in two network namespaces joined by a veth
pair (root; with `--loopback` everybody, but what it prints is rough then). Prints the median of the
runs for each row; with a row's name only that one.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from benchmarks import tester
from benchmarks.namespaces import NamespaceError, Network, joined_namespaces, loopback
from benchmarks.servers import Server, ServerError, aiosfu_server
from benchmarks.table import kilobytes, microseconds, milliseconds, rate, share, table
from benchmarks.tester import BusyError, Load, Outcome, RunError

ROOM = 50  # subscribers of the single publisher
FEW, MANY = 50, 250  # subscribers between which memory is compared
SETTLED = 12.0  # s until every estimate has passed what is sent
ATTEMPTS = 3  # at a load; a neighbour on the tester's core may take its time
BURST = 100  # joins at once
SUBSCRIBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
PUBLISHERS = (1, 2, 5, 10, 20, 50, 100)

NO_OFFLOAD = "let the server's kernel cut UDP segments, as with a network card that cannot"

Start = Callable[[], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how long to measure.

    Attributes:
        network: Both ends.
        start: Starts a fresh server: none is measured twice, so that no run leaves traces.
        seconds: Of one measurement.
        runs: To take the median of.
    """

    network: Network
    start: Start
    seconds: float
    runs: int

    def measure(self, load: Load, *, strict: bool = True) -> Outcome:
        """Run a load once against a fresh server; again where the tester had no time for it."""
        for attempt in range(ATTEMPTS):
            with self.start() as server:
                try:
                    return tester.run(self.network.client, server, load, strict=strict)
                except BusyError:
                    if attempt == ATTEMPTS - 1:
                        raise
        raise AssertionError("unreachable")

    def medians(self, load: Load) -> Outcome:
        """Run a load several times; each figure is the median of those that were measured."""
        outcomes = [self.measure(load) for _ in range(self.runs)]
        names = {name for outcome in outcomes for name in outcome.metrics}
        merged: dict[str, float | None] = {}
        for name in names:
            known = [v for o in outcomes if (v := o.metrics.get(name)) is not None]
            merged[name] = statistics.median(known) if known else None
        return Outcome(merged)


def video(publishers: int, subscribers: int, packets: int, seconds: float) -> Load:
    """Publishers of 1,100-byte VP8 packets, so many a frame, 30 frames a second."""
    return Load(
        options={
            "publishers": publishers,
            "subscribers": subscribers,
            "packets_per_frame": packets,
            "packet_size": 1100,
            "fps": 30,
            "duration": seconds,
        }
    )


def audio(publishers: int, subscribers: int, seconds: float) -> Load:
    """Publishers of Opus, 50 packets a second."""
    return Load(
        options={
            "publishers": publishers,
            "subscribers": subscribers,
            "codec": "opus",
            "duration": seconds,
        }
    )


def forwarding(bench: Bench, load: Load) -> str:
    """CPU per packet, rate and loss of a steady load."""
    got = bench.medians(load)
    return (
        f"{microseconds(got['server_cpu_per_packet'])} at {rate(got['packets_received'])}, "
        f"{share(got['loss'])} lost, delay p50 {milliseconds(got['p50_delay'])} "
        f"p99 {milliseconds(got['p99_delay'])}, tester's core {got['tester_cpu']:.0%} busy"
    )


def ramp(publishers: int, subscribers: int, packets: int) -> Load:
    """Raise the packets of a frame until 0.1 % are lost."""
    steady = video(publishers, subscribers, packets, 5)
    return Load("ramp", steady.options).but(ramp_by="packets", max_loss="0.1%", max_delay="1s")


def knees(bench: Bench, load: Load) -> list[float]:
    """The highest rates that were forwarded without loss, one of each run."""
    found = []
    for _ in range(bench.runs):
        outcome = bench.measure(load, strict=False)
        if outcome.knee is None:
            raise RunError("Even the first step of the ramp failed.")
        for step in outcome.steps:
            cost = microseconds(step.server_cpu_per_packet or 0)
            print(f"  {rate(step.packets_expected)}: {cost}, {step.reason or 'no loss'}")
        found.append(outcome.knee.packets_received)
    return found


def knee(bench: Bench, load: Load) -> str:
    """The median of the knees."""
    return rate(statistics.median(knees(bench, load)))


def latency(bench: Bench) -> str:
    """Delay at half of the knee, of packets that come one by one, and of such a rate in frames.

    A frame comes in one burst, and the last viewer's last packet waits for all the others: how long
    is a matter of how much there is to be sent. One by one shows what a packet takes by itself.
    """
    one = video(1, ROOM, 1, bench.seconds).but(fps=1000)
    knee_load = Load("ramp", one.options).but(ramp_by="fps", max_loss="0.1%", max_delay="1s")
    half = statistics.median(knees(bench, knee_load)) / 2 / ROOM  # packets/s to each
    paces = {"one by one": (1, half), "in frames": (max(1, round(half / 30)), 30.0)}
    told = []
    for name, (packets, fps) in paces.items():
        got = bench.medians(video(1, ROOM, packets, bench.seconds).but(fps=fps))
        p50, p99 = milliseconds(got["p50_delay"]), milliseconds(got["p99_delay"])
        told.append(f"{name} p50 {p50}, p99 {p99} at {rate(got['packets_received'])}")
    return "; ".join(told)


def memory(bench: Bench) -> str:
    """What each of many subscriptions adds to the server's resident memory."""
    few, many = (
        bench.medians(video(1, count, 4, bench.seconds))["server_memory"] for count in (FEW, MANY)
    )
    return f"{kilobytes((many - few) / (MANY - FEW))} a subscription"


def join(bench: Bench) -> str:
    """Server CPU of a join and a leave, and what a burst of joins does to those who watch."""
    costs = []
    for _ in range(bench.runs):
        with bench.start() as server:
            # A publisher that sends next to nothing: what is left is joining and leaving.
            load = video(1, BURST, 1, 1).but(fps=1)
            before = server.cpu_time
            tester.run(bench.network.client, server, load)
            costs.append((server.cpu_time - before) / (BURST + 1))
    crowd = Load("burst", video(1, ROOM, 8, 20).options).but(burst=BURST, stamp_every=1)
    got = bench.medians(crowd)
    return (
        f"{milliseconds(statistics.median(costs))} of CPU a join (and leave); {BURST} joins at "
        f"once: {share(got['bystander_loss'])} lost by those there, "
        f"{got['bystander_freezes']:.0f} freezes, delay p99 "
        f"{milliseconds(got['bystander_p99_delay'])} max "
        f"{milliseconds(got['bystander_max_delay'])}, join p99 {milliseconds(got['p99_join'])}"
    )


def quality(bench: Bench) -> str:
    """What congestion control adds to the CPU of a packet, in one run with and without in turns.

    With it, each subscriber's client reports when each packet came, as browsers do; its bandwidth
    is estimated and shared among its tracks, packets are numbered and paced, and publishers get
    such reports from us. Measured when all have found their bandwidth.
    """
    rows = []
    for name, (_, load) in STEADY.items():
        plain = load(bench.seconds).but(warmup=SETTLED)
        pairs = [
            (bench.measure(plain), bench.measure(plain.but(transport_feedback=True)))
            for _ in range(bench.runs)
        ]
        off, on = (
            statistics.median(pair[side]["server_cpu_per_packet"] for pair in pairs)
            for side in (0, 1)
        )
        lost = max(pair[1]["loss"] for pair in pairs)
        more = f"{on / off - 1:+.0%}"
        rows.append([name, microseconds(off), microseconds(on), more, share(lost)])
        print("  " + ", ".join(rows[-1]), flush=True)
    head = ["load", "without feedback", "with it", "more", "lost with it"]
    return "\n\n" + table(head, rows) + "\n"


def curve(bench: Bench, sizes: Sequence[int], load: Callable[[int], Load], head: str) -> str:
    """CPU per packet over the size of a room."""
    rows = []
    for size in sizes:
        got = bench.medians(load(size))
        cost = microseconds(got["server_cpu_per_packet"])
        rows.append([str(size), rate(got["packets_received"]), cost, share(got["loss"])])
        print("  " + ", ".join(rows[-1]), flush=True)
    return "\n\n" + table([head, "packets out", "CPU a packet", "lost"], rows) + "\n"


STEADY: dict[str, tuple[str, Callable[[float], Load]]] = {
    "1x50x8": (
        "1 publisher × 50, 8 packets a frame, goal ≤ 6.5 µs",
        lambda seconds: video(1, 50, 8, seconds),
    ),
    "1x50x40": (
        "1 × 50, 40 packets a frame, goal ≤ 5.5 µs, no loss",
        lambda seconds: video(1, 50, 40, seconds),
    ),
    "10x10x20": (
        "10 × 10, 20 packets a frame, goal ≤ 6.5 µs, no loss",
        lambda seconds: video(10, 10, 20, seconds),
    ),
    "25x25x4": (
        "25 × 25, 4 packets a frame, goal ≤ 6.5 µs, no loss",
        lambda seconds: video(25, 25, 4, seconds),
    ),
    "audio": (
        "50 audio publishers × 50, goal ≤ 6.5 µs, no loss",
        lambda seconds: audio(50, 50, seconds),
    ),
}


def steady(name: str) -> tuple[str, Callable[[Bench], str]]:
    """The row of a steady load."""
    title, load = STEADY[name]
    return title, lambda bench: forwarding(bench, load(bench.seconds))


ROWS: dict[str, tuple[str, Callable[[Bench], str]]] = {
    **{name: steady(name) for name in STEADY},
    "knee": (
        "knee of 1 × 50 (loss over 0.1 %), goal ≥ 160,000/s",
        lambda bench: knee(bench, ramp(1, ROOM, 40)),
    ),
    "knee-nxn": ("knee of 25 × 25", lambda bench: knee(bench, ramp(25, 25, 2))),
    "latency": ("added latency at half of the knee, goal p50 ≤ 0.3 ms, p99 ≤ 2 ms", latency),
    "memory": ("memory, goal ≤ 100 KB a subscription", memory),
    "join": ("join, goal ≤ 10 ms of CPU, nobody loses", join),
    "quality": ("the same five loads with congestion control, goal ≤ 15 % more", quality),
    "subscribers": (
        "1 × N, 4 packets a frame",
        lambda bench: curve(
            bench, SUBSCRIBERS, lambda n: video(1, n, 4, bench.seconds), "subscribers"
        ),
    ),
    "publishers": (
        "N × 10, 2 packets a frame",
        lambda bench: curve(
            bench, PUBLISHERS, lambda n: video(n, 10, 2, bench.seconds), "publishers"
        ),
    ),
}


@contextmanager
def network(*, isolated: bool, offload: bool = True) -> Iterator[Network]:
    """Namespaces, or loopback."""
    with joined_namespaces(offload=offload) if isolated else nullcontext(loopback()) as both:
        yield both


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--loopback", action="store_true", help="without namespaces")
    parser.add_argument("--no-offload", action="store_true", help=NO_OFFLOAD)
    options = parser.parse_args(arguments)
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    with ExitStack() as stack:
        try:
            both = stack.enter_context(
                network(isolated=not options.loopback, offload=not options.no_offload)
            )
        except NamespaceError as error:
            raise SystemExit(f"{error} (--loopback does without)") from error
        bench = Bench(both, lambda: aiosfu_server(both.server), options.seconds, options.runs)
        way = ", segments cut by the kernel" if options.no_offload else ""
        print(f"{tester.machine()}; median of {options.runs}{way}", flush=True)
        for row in options.rows or ROWS:
            title, measure = ROWS[row]
            try:
                print(f"{title}: {measure(bench)}", flush=True)
            except (RunError, ServerError) as error:
                print(f"{title}: not measured: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
