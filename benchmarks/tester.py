"""Runs `aiosfu load` where a server can be reached, and reads its result."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load.report_json import from_json
from benchmarks.load.result import Result, Step
from benchmarks.namespaces import Namespace
from benchmarks.servers import Server

MAX_BEHIND = 0.1  # s; a tester that sends later than this measures itself
COMMAND = (sys.executable, "-c", "from benchmarks.load.cli import load; load()", "--quiet")


class RunError(Exception):
    """A load could not be run or measured; the message says why."""


class BusyError(RunError):
    """The tester was at its own end: the figures are not the server's."""


@dataclass(frozen=True, slots=True)
class Load:
    """What `aiosfu load` is to do.

    Attributes:
        scenario: Its name.
        options: Option → value: "packets_per_frame" is `--packets-per-frame`, True a bare flag.
    """

    scenario: str = "steady"
    options: Mapping[str, object] = field(default_factory=dict)

    def but(self, **options: object) -> "Load":
        """The same with other options."""
        return Load(self.scenario, {**self.options, **options})

    def arguments(self) -> list[str]:
        """For the command line."""
        arguments = ["--scenario", self.scenario]
        for name, value in self.options.items():
            arguments.append(f"--{name.replace('_', '-')}")
            if value is not True:
                arguments.append(str(value))
        return arguments


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load.

    Attributes:
        metrics: As `aiosfu load` names them; None where it measured nothing.
        knee: The last step of a ramp that passed.
        steps: All of its steps.
    """

    metrics: Mapping[str, float | None]
    knee: Step | None = None
    steps: Sequence[Step] = ()

    def __getitem__(self, name: str) -> float:
        """A figure that must have been measured.

        Raises:
            RunError: It was not.
        """
        value = self.metrics.get(name)
        if value is None:
            raise RunError(f"The load told no {name}.")
        return value


def run(place: Namespace, server: Server, load: Load, *, strict: bool = True) -> Outcome:
    """Run one load from `place` to its end.

    Args:
        place: Where the load comes from.
        server: What is loaded.
        load: What to do.
        strict: Whether a tester that was at its own end is an error; a ramp says so of its steps.

    Raises:
        BusyError: The tester was at its own end.
        RunError: The load could not be run, or ended early.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [*COMMAND, server.url, "--protocol", server.protocol]
        command += ["--server-pid", str(server.pid), "--json", str(file), *load.arguments()]
        process = place.start(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            environment=server.environment,
        )
        try:
            written, _ = process.communicate()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if not file.exists():
            raise RunError(written.decode(errors="replace").strip()[-2000:])
        return judge(from_json(file.read_bytes()), strict=strict)


def judge(result: Result, *, strict: bool = True) -> Outcome:
    """Take the figures out of a result, if they are the server's.

    Raises:
        BusyError: The tester lost datagrams itself, or sent too late.
        RunError: The run ended early.
    """
    if result.interrupted and (strict or result.knee is None):
        # A ramp may well end with a server that answers no more: its knee is known by then.
        raise RunError(result.interrupted)
    metrics = result.metrics
    if strict and (drops := metrics.get("tester_drops")):
        raise BusyError(f"The tester itself lost {drops:.0f} datagrams.")
    if strict and (behind := metrics.get("tester_behind") or 0) > MAX_BEHIND:
        raise BusyError(f"The tester was up to {behind:.2f} s too late with what it sent.")
    return Outcome(metrics, result.knee, result.steps)


def machine() -> str:
    """What the figures were measured on, in a line."""
    processor = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    version = ".".join(map(str, sys.version_info[:3]))
    cores = len(os.sched_getaffinity(0))
    return f"{cores} × {processor}, Linux {os.uname().release.split('-')[0]}, Python {version}"
