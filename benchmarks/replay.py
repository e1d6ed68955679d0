"""Plays traces of a server through the estimator and the allocator again.

    aiosfu serve --trace traces …
    python -m benchmarks.replay traces/*.trace [--start 300k] [--set REST=4] [--html replay.html]

Prints what was estimated and chosen then beside what the code of today, with the constants that are
set, makes of the same feedback, and writes a page with plots. `--list` prints the constants.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load.units import parse_quantity
from benchmarks.table import table
from benchmarks.traces import summary
from benchmarks.traces.overrides import OverrideError, constants, overridden, parse
from benchmarks.traces.page import Part, to_html
from benchmarks.traces.player import replay
from benchmarks.traces.reader import TraceError, read


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="trace files")
    parser.add_argument(
        "--start", type=_bitrate, metavar="RATE", help="estimate to begin with, as 300k"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="a constant, as STICKINESS=0.9 or allocator.HEADROOM=1.3; several allowed",
    )
    parser.add_argument("--html", default="replay.html", metavar="FILE", help="the page")
    parser.add_argument("--list", action="store_true", help="print the constants and end")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{name}={value}" for name, value in constants().items()))
        return 0
    if not options.files:
        parser.error("name a trace file")
    try:
        settings = parse(options.settings)
        parts: list[Part] = []
        for file in options.files:
            recording = read(file)
            with overridden(settings):
                found = replay(recording, start=options.start)
            parts.append((str(file), recording, found))
            _print(parts[-1])
        told = [f"{name}={value:g}" for name, value in settings.items()]
        if options.start is not None:
            told.insert(0, f"start={options.start:g}")
        Path(options.html).write_bytes(to_html(parts, ", ".join(told) or "Settings as they are"))
    except (OverrideError, TraceError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"replay: {options.html} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    print(f"Plots: {options.html}")
    return 0


def _bitrate(text: str) -> float:
    try:
        return parse_quantity(text, "bits")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _print(part: Part) -> None:
    name, recording, found = part
    print(f"{name}: {summary.title(recording)}\n")
    print(table(summary.HEAD, summary.rows(found)))
    print("\n" + "\n".join([summary.agreement(found), *summary.reasons(found)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
