"""Every scenario against the real server, for a second or two."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from benchmarks.load.report_json import from_json
from benchmarks.load.result import Result
from tests.support.load import load
from tests.support.server import ServerProcess, server_process

SHORT = (
    "--duration",
    "1s",
    "--warmup",
    "200ms",
    "--packets-per-frame",
    "2",
    "--packet-size",
    "300",
    "--interval",
    "100ms",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    async with server_process("--max-participants", "300") as server:
        yield server


async def play(server: ServerProcess, file: Path, scenario: str, *arguments: str) -> Result:
    """Run a scenario in a room of its own; its result."""
    ended = await load(
        server.url,
        *("--scenario", scenario, "--room", scenario, "--server-pid", str(server.process.pid)),
        *("--json", str(file), *SHORT, *arguments),
    )
    assert ended.code == 0, ended.errors
    result = from_json(file.read_bytes())  # noqa: ASYNC240
    assert result.metrics["loss"] == 0
    assert result.metrics["silent"] == 0
    assert result.metrics["tester_drops"] == 0
    assert result.problems == {}
    assert result.interrupted == ""
    return result


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_steady(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--publishers", "2", "--subscribers", "3", "--processes", "2")
    result = await play(server, tmp_path / "result", "steady", *arguments)
    assert result.metrics["packets_sent"] == pytest.approx(2 * 60, rel=0.2)
    assert result.metrics["packets_received"] == pytest.approx(2 * 3 * 60, rel=0.2)
    assert len(result.clients) == 5
    assert {client.state for client in result.clients} == {"connected"}
    assert 0 < (result.metrics["p50_delay"] or 0) < 1
    assert 0 < (result.metrics["p50_join"] or 0) < 10
    assert (result.metrics["server_cpu"] or 0) > 0
    assert (result.metrics["server_memory"] or 0) > 10e6
    assert sum(point.measured for point in result.points) >= 2
    assert (result.points[-1].publishers, result.points[-1].subscribers) == (2, 3)


async def test_meeting(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--publishers", "3", "--codec", "opus")
    result = await play(server, tmp_path / "result", "meeting", *arguments)
    assert all(client.publishes and client.subscribes for client in result.clients)
    assert len(result.clients) == 3
    assert result.metrics["packets_sent"] == pytest.approx(3 * 50, rel=0.2)
    # A WHEP viewer does not know which of the publishers it is itself, and may get its own too.
    received = (result.metrics["packets_received"] or 0) / (result.metrics["packets_sent"] or 1)
    assert 1.9 <= received <= 3.1


async def test_rooms(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--rooms", "3", "--publishers", "1", "--subscribers", "2")
    result = await play(server, tmp_path / "result", "rooms", *arguments)
    assert {client.room for client in result.clients} == {"rooms-0", "rooms-1", "rooms-2"}
    assert result.metrics["packets_received"] == pytest.approx(3 * 2 * 60, rel=0.2)


async def test_churn(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--subscribers", "4", "--churn-rate", "5")
    result = await play(server, tmp_path / "result", "churn", *arguments)
    left = [client for client in result.clients if client.state == "left"]
    assert 3 <= len(left) <= 6
    assert len(result.clients) == 5 + len(left)
    assert sum(point.leaves for point in result.points) >= len(left)
    assert all(client.first_packet_time for client in left)


async def test_burst(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--subscribers", "2", "--burst", "10")
    result = await play(server, tmp_path / "result", "burst", *arguments)
    assert len(result.clients) == 1 + 2 + 10
    assert result.metrics["bystander_loss"] == 0


async def test_ramp_up_to_its_limit(server: ServerProcess, tmp_path: Path) -> None:
    limits = ("--ramp-to", "60", "--ramp-factor", "2", "--step-duration", "1s")
    bounds = ("--max-delay", "5s")  # other tests may keep this machine busy
    result = await play(server, tmp_path / "result", "ramp", *limits, *bounds)
    assert {30, 60} <= {step.load for step in result.steps}
    # Where this machine is busy with other tests, the tester is too late for a step now and then.
    assert all(step.passed or step.by_tester for step in result.steps)
    assert not result.knee_is_certain
    assert result.knee is not None
    assert result.knee.load == max(step.load for step in result.steps if step.passed)
    assert result.knee.packets_received == pytest.approx(2 * result.knee.load, rel=0.2)
    assert result.metrics["knee"] == result.knee.packets_received


async def test_ramps_of_other_things(server: ServerProcess, tmp_path: Path) -> None:
    async def growth(target: str) -> float:
        """How much more came in the second step than in the first."""
        limits = (
            "--ramp-by",
            target,
            "--ramp-from",
            "2",
            "--ramp-to",
            "3",
            "--step-duration",
            "1s",
        )
        room = ("--room", f"ramp-{target}", "--max-delay", "5s")
        result = await play(server, tmp_path / target, "ramp", *limits, *room)
        received = {step.load: step.packets_received for step in result.steps}
        assert set(received) == {2, 3}
        return received[3] / received[2]

    targets = {"subscribers": 3 / 2, "members": 9 / 4, "packets": 3 / 2}
    grown = await asyncio.gather(*(growth(target) for target in targets))
    assert grown == pytest.approx(list(targets.values()), rel=0.2)
