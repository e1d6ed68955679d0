"""CPU time and memory of the server under test: from /proc, or from what it says of itself."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from benchmarks.load.drops import SocketDrops
from benchmarks.load.model import LoadError

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes
TIMEOUT = aiohttp.ClientTimeout(total=2)
MAX_BODY = 4 << 20  # bytes; a metrics page is read no further

# The names that Prometheus clients of all languages use.
CPU = re.compile(r"^process_cpu_seconds_total(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE)
MEMORY = re.compile(r"^process_resident_memory_bytes(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ServerReading:
    """What the server has used.

    Attributes:
        cpu_time: Seconds of user and system time since it started; None where unknown.
        memory: Resident bytes.
        drops: Datagrams that its UDP sockets dropped.
        kernel_drops: Packets that the kernel of this machine dropped, see `softnet_drops`.
    """

    cpu_time: float | None = None
    memory: int | None = None
    drops: int | None = None
    kernel_drops: int | None = None


class ServerStats(Protocol):
    """Where readings come from.

    Attributes:
        problem: Why there are none, a sentence; empty where there are some, or none are wanted.
    """

    problem: str

    async def read(self) -> ServerReading | None:
        """What it has used so far; None when the process has ended."""

    async def close(self) -> None:
        """Let go of connections."""


class NoStats:
    """For a server of which nothing is known."""

    problem = ""

    async def read(self) -> ServerReading:
        """An empty reading."""
        return ServerReading()

    async def close(self) -> None:
        """Nothing to do."""


class ProcessStats:
    """A process of this machine and all its descendants, from /proc."""

    problem = ""

    def __init__(self, pid: int) -> None:
        """Watch process `pid`.

        Raises:
            LoadError: There is no such process.
        """
        self._pid = pid
        self._drops = SocketDrops()
        self._started = _fields(pid)[19] if _alive(pid) else ""
        if not self._started:
            raise LoadError(f"There is no process {pid} to measure.")

    async def read(self) -> ServerReading | None:
        """Sums over the process and its descendants; a child's time is kept when it has ended."""
        if not _alive(self._pid) or _fields(self._pid)[19] != self._started:
            return None
        cpu_time, memory = 0.0, 0
        family = _family(self._pid)
        for pid in family:
            try:
                fields = _fields(pid)
            except OSError:
                continue  # it ended just now
            # utime, stime, and those of children that were waited for
            cpu_time += sum(int(field) for field in fields[11:15]) / TICK
            memory += int(fields[21]) * PAGE
        return ServerReading(cpu_time, memory, self._drops.read(family))

    async def close(self) -> None:
        """Nothing is open."""


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, the state, on; see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _alive(pid: int) -> bool:
    try:
        return _fields(pid)[0] not in "ZX"
    except OSError:
        return False


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    family = [pid]
    for member in family:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return family


class MetricsStats:
    """A page of the server: Prometheus text, or JSON with `process: {cpu_time, memory}`."""

    def __init__(self, url: str) -> None:
        self.problem = ""
        self._url = url
        self._http: aiohttp.ClientSession | None = None
        self._said_something = False

    async def read(self) -> ServerReading:
        """What the page says; nothing when it does not come, as in a moment of heavy load."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=TIMEOUT)
        reading, problem = ServerReading(), ""
        try:
            async with self._http.get(self._url) as response:
                body = await response.content.read(MAX_BODY)
                if response.status == 200:
                    reading = parse_page(body.decode("utf-8", "replace"))
                    problem = "tells neither CPU time nor memory"
                else:
                    problem = f"does not come ({response.status})"
        except (aiohttp.ClientError, TimeoutError, ValueError):
            problem = "does not come"
        self._said_something |= reading != ServerReading()
        self.problem = "" if self._said_something else f"The page {self._url} {problem}."
        return reading

    async def close(self) -> None:
        """Close the connection."""
        if self._http is not None:
            await self._http.close()


def parse_page(text: str) -> ServerReading:
    """Read a metrics page; what it does not say is None."""
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    cpu, memory = CPU.search(text), MEMORY.search(text)
    return ServerReading(
        cpu_time=_number(cpu[1]) if cpu else None,
        memory=None if memory is None else _whole(_number(memory[1])),
    )


def _parse_json(text: str) -> ServerReading:
    try:
        page: Any = json.loads(text)
    except ValueError:
        return ServerReading()
    process = page.get("process")
    if not isinstance(process, dict):
        return ServerReading()
    return ServerReading(
        cpu_time=_number(process.get("cpu_time")), memory=_whole(_number(process.get("memory")))
    )


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def server_stats(pid: int | None, url: str) -> ServerStats:
    """The best source of readings that was named.

    Raises:
        LoadError: There is no such process.
    """
    if pid is not None:
        return ProcessStats(pid)
    return MetricsStats(url) if url else NoStats()
