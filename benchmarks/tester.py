"""Runs `aiosfu load` where a server can be reached, and reads its result."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.namespaces import Namespace
from benchmarks.servers import Server

MAX_DROPS = 0  # datagrams; a tester that loses some itself has measured nothing


class TesterError(Exception):
    """A load could not be run or measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """What `aiosfu load` is to do.

    Attributes:
        scenario: Its name.
        options: Option → value: "packets_per_frame" is `--packets-per-frame`.
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
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        return arguments


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load.

    Attributes:
        metrics: As `aiosfu load` names them; None where it measured nothing.
        knee: The last step of a ramp that passed, as in the JSON result.
        steps: All of its steps.
    """

    metrics: Mapping[str, float | None]
    knee: Mapping[str, Any] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()

    def __getitem__(self, name: str) -> float:
        """A figure that must have been measured.

        Raises:
            TesterError: It was not.
        """
        value = self.metrics.get(name)
        if value is None:
            raise TesterError(f"The load told no {name}.")
        return value


def run(place: Namespace, server: Server, load: Load, *, strict: bool = True) -> Outcome:
    """Run one load from `place` to its end.

    Args:
        place: Where the load comes from.
        server: What is loaded.
        load: What to do.
        strict: Whether a tester that lost datagrams itself is an error; a ramp says so per step.

    Raises:
        TesterError: It could not be run, ended early, or measured itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [str(Path(sys.executable).with_name("aiosfu")), "load", server.url]
        command += ["--protocol", server.protocol, "--server-pid", str(server.pid)]
        command += ["--json", str(file), *load.arguments()]
        process = place.start(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            environment=dict(server.environment),
        )
        try:
            written, _ = process.communicate()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if not file.exists():
            raise TesterError(written.decode(errors="replace").strip()[-2000:])
        return read(json.loads(file.read_text()), strict=strict)


def read(result: Mapping[str, Any], *, strict: bool = True) -> Outcome:
    """Take the figures out of a JSON result.

    Raises:
        TesterError: The run ended early, or the tester lost datagrams itself.
    """
    if result["interrupted"]:
        raise TesterError(result["interrupted"])
    metrics = result["metrics"]
    drops = metrics.get("tester_drops") or 0
    if strict and drops > MAX_DROPS:
        raise TesterError(f"The tester itself lost {drops:.0f} datagrams.")
    return Outcome(metrics, result.get("knee"), tuple(result.get("steps", ())))


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
