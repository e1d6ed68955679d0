import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from aiohttp import web

from benchmarks.load.model import LoadError
from benchmarks.load.server_stats import (
    MetricsStats,
    ProcessStats,
    ServerReading,
    parse_page,
    server_stats,
)
from tests.support.polling import until
from tests.support.server import running_server

# A parent that does nothing, and a child that is busy for as long as it is told.
BUSY_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
    "print(child.pid, flush=True)\n"
    "try:\n    sys.stdin.read()\nfinally:\n    child.kill(); child.wait()\n"
)


@pytest.fixture
def busy_family() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.communicate("", timeout=10)


async def test_process_is_measured() -> None:
    stats = ProcessStats(os.getpid())
    before = await stats.read()
    busy_until = time.process_time() + 0.1
    while time.process_time() < busy_until:
        pass
    after = await stats.read()
    assert before is not None
    assert after is not None
    assert before.cpu_time is not None
    assert after.cpu_time is not None
    assert after.cpu_time - before.cpu_time >= 0.07  # the kernel counts in ticks of 10 ms
    assert after.memory is not None
    assert 5e6 < after.memory < 5e9


async def test_children_count(busy_family: subprocess.Popen[str]) -> None:
    stats = ProcessStats(busy_family.pid)

    async def busy() -> bool:
        reading = await stats.read()
        assert reading is not None
        assert reading.cpu_time is not None
        return reading.cpu_time > 0.3

    await until(busy, "the child's time is counted as its parent's")


async def test_end_of_the_process_is_noticed(busy_family: subprocess.Popen[str]) -> None:
    stats = ProcessStats(busy_family.pid)
    assert await stats.read() is not None
    busy_family.communicate("", timeout=10)
    assert await stats.read() is None


def test_process_that_is_not_there_is_told() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(LoadError, match=f"no process {process.pid}"):
        ProcessStats(process.pid)


async def test_server_of_which_nothing_is_known_reads_as_nothing() -> None:
    reading = await server_stats(None, "").read()
    assert reading is not None
    assert (reading.cpu_time, reading.memory) == (None, None)


@pytest.mark.parametrize(
    ("page", "cpu_time", "memory"),
    [
        (
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 12.5\n"
            'process_resident_memory_bytes{job="sfu"} 1.5e+08\n',
            12.5,
            150_000_000,
        ),
        ('{"status": "ok", "process": {"cpu_time": 1.25, "memory": 1000}}', 1.25, 1000),
        ('{"status": "ok"}', None, None),
        ('{"process": {"cpu_time": "much", "memory": null}}', None, None),
        ("{", None, None),
        ("process_cpu_seconds_total much", None, None),
        ("<html>", None, None),
        ("", None, None),
    ],
)
def test_pages_are_read(page: str, cpu_time: float | None, memory: int | None) -> None:
    reading = parse_page(page)
    assert (reading.cpu_time, reading.memory) == (cpu_time, memory)


async def test_page_comes_from_the_server_and_its_absence_is_no_error() -> None:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text="process_cpu_seconds_total 3\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    stats, missing = MetricsStats(f"{url}/metrics"), MetricsStats(f"{url}/nothing")
    assert (await stats.read()).cpu_time == 3
    assert (await missing.read()).cpu_time is None
    assert missing.problem == f"The page {url}/nothing does not come (404)."
    await runner.cleanup()
    assert (await stats.read()).cpu_time is None
    assert stats.problem == ""  # it did come before
    await stats.close()
    await missing.close()


async def test_page_of_our_own_server_tells_its_cpu_time_and_memory() -> None:
    async with running_server() as server:
        stats = MetricsStats(f"{server.url}/healthz")
        before = await stats.read()
        busy_until = time.process_time() + 0.1
        while time.process_time() < busy_until:
            pass
        after = await stats.read()
        await stats.close()
    assert stats.problem == ""
    assert before.cpu_time is not None
    assert after.cpu_time is not None
    assert after.cpu_time - before.cpu_time >= 0.07
    assert after.memory is not None
    assert 5e6 < after.memory < 5e9


async def test_page_that_tells_nothing_is_a_problem() -> None:
    async with running_server() as server:
        stats = MetricsStats(f"{server.url}/blank")
        assert await stats.read() == ServerReading()
        await stats.close()
        assert stats.problem == f"The page {server.url}/blank tells neither CPU time nor memory."
