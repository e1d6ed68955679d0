"""A short set of benchmarks, under three minutes: `make bench`.

    python -m benchmarks [--micro] [--forwarding]

The steps of a packet's way one by one, then the whole server under three loads, once each. As root
the server and the load have network namespaces of their own; else they share the loopback
interface, and the figures of forwarding are rough.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import figures, namespaces

# Two processes for each case, of which one only finds out how often to repeat it.
QUICK = ("--processes", "1", "--values", "5", "--min-time", "0.05", "--quiet")
ROWS = ("1x50x8", "1x50x40", "audio")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one set, or both."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--micro", action="store_true", help="only the steps one by one")
    parser.add_argument("--forwarding", action="store_true", help="only the whole server")
    options = parser.parse_args(arguments)
    if options.micro or not options.forwarding:
        command = [sys.executable, "-m", "benchmarks.micro", *QUICK]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit("The micro-benchmarks failed.")
    if options.forwarding or not options.micro:
        lack = namespaces.missing()
        if lack:
            print(f"{lack} Over loopback instead:")
        figures.main([*ROWS, "--runs", "1", *(["--loopback"] if lack else [])])


if __name__ == "__main__":
    main()
