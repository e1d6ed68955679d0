"""Run the micro-benchmarks with pyperf.

    python -m benchmarks.micro [--only TEXT] [--allocations] [-o FILE] [pyperf's options]

Prints the CPU time of one operation. `-p 20` takes more processes, `-o` keeps the values for
`python -m pyperf compare_to`, `--only` takes those whose name contains a text, `--allocations`
prints memory instead of time.
"""

import itertools
from argparse import Namespace
from collections.abc import Iterator

import pyperf  # type: ignore[import-untyped]

from benchmarks.micro import choosing, estimating, parsing, receiving, recording, sending
from benchmarks.micro.case import Case
from benchmarks.micro.memory import allocated


def all_cases() -> Iterator[Case]:
    """Every case, in the order of a packet's way."""
    return itertools.chain(
        parsing.cases(),
        receiving.cases(),
        sending.cases(),
        recording.cases(),
        estimating.cases(),
        choosing.cases(),
    )


def print_allocations(text: str) -> None:
    """Print what each case allocates."""
    print(f"{'':58} {'blocks':>8} {'bytes':>8} {'peak of a call':>16}")
    for case in all_cases():
        if text in case.name:
            found = allocated(case)
            print(f"{case.name:58} {found.blocks:8.2f} {found.octets:8.0f} {found.peak:16,}")


def main() -> None:
    """Measure what was asked for."""

    def pass_on(command: list[str], options: Namespace) -> None:
        command += ["--only", options.only]

    runner = pyperf.Runner(
        processes=5,
        program_args=("-m", "benchmarks.micro"),
        add_cmdline_args=pass_on,
    )
    runner.argparser.add_argument("--only", default="", metavar="TEXT")
    runner.argparser.add_argument("--allocations", action="store_true")
    options = runner.parse_args()
    if options.allocations:
        print_allocations(options.only)
        return
    for case in all_cases():
        if options.only in case.name:
            runner.bench_time_func(case.name, case.time, inner_loops=case.operations)


if __name__ == "__main__":
    main()
