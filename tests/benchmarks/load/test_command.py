"""`aiosfu load` as users meet it: what it prints, how it ends, and what goes wrong."""

import asyncio
import signal
from asyncio.subprocess import Process
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.load import cli, run
from benchmarks.load.model import LoadPlan
from benchmarks.load.process import ProcessFleet
from benchmarks.load.progress import Silence
from benchmarks.load.report_json import from_json
from benchmarks.load.result import Point
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.load.server_stats import NoStats
from tests.support.load import Ended, end_of, load, start_load
from tests.support.server import API_KEY, API_SECRET, running_server, server_process

QUICK = ("--interval", "100ms", "--packets-per-frame", "2")
SHORT = ("--duration", "1s", "--warmup", "100ms", *QUICK)
LONG = ("--duration", "60s", "--warmup", "0s", *QUICK)
NOWHERE = "http://127.0.0.1:9"  # discard; nobody listens


def assert_one_clear_sentence(ended: Ended, *expected: str, code: int = 2) -> None:
    assert ended.code == code, ended
    assert "Traceback" not in ended.errors + ended.output
    last = ended.errors.strip().splitlines()[-1]
    assert last.startswith("Error: "), ended.errors
    for text in expected:
        assert text in last


async def measuring(process: Process) -> None:
    """Until the command says that it measures."""
    assert process.stderr is not None
    while b"Measuring" not in await asyncio.wait_for(process.stderr.readline(), 30):
        assert process.returncode is None


async def test_thresholds_decide_the_exit_code_and_reports_are_written(tmp_path: Path) -> None:
    page, document = tmp_path / "report.html", tmp_path / "result.json"
    async with server_process() as server:
        good = await load(server.url, *SHORT, "--fail-if", "loss>10%", "--quiet")
        files = ("--json", str(document), "--html", str(page))
        bad = await load(server.url, *SHORT, "--fail-if", "packets_sent<1M", *files)
    assert (good.code, good.errors) == (0, "")
    assert "passed  loss>10% (it is 0 %)" in good.output
    assert bad.code == 1
    assert "FAILED  packets_sent<1M" in bad.output
    assert "Measuring (1 s)" in bad.errors
    assert [verdict.failed for verdict in from_json(document.read_bytes()).verdicts] == [True]
    assert "1 of 1 thresholds failed" in page.read_text(encoding="utf-8")


async def test_unreachable_server_is_one_sentence() -> None:
    assert_one_clear_sentence(await load(NOWHERE, "--subscribers", "20"), "cannot be reached")


async def test_something_that_is_no_media_server_is_one_sentence() -> None:
    async with server_process() as server:
        ended = await load(f"{server.url}/nothing/here")
    assert_one_clear_sentence(ended, "404")


async def test_refused_token_is_one_sentence() -> None:
    keys = {"api_key": API_KEY, "api_secret": API_SECRET}
    async with running_server(**keys) as server:
        wrong = ("--api-key", API_KEY, "--api-secret", API_SECRET + "!")
        flags = ((), ("--token", "forged"), wrong)
        runs = await asyncio.gather(*(load(server.url, *QUICK, *each) for each in flags))
        without, *refused = runs
        assert_one_clear_sentence(without, "wants an access token (--token)", "401")
        for ended in refused:
            assert_one_clear_sentence(ended, "refused the token at", "401")


async def test_tokens_are_made_with_the_key_and_are_in_no_report(tmp_path: Path) -> None:
    page, document = tmp_path / "report.html", tmp_path / "result.json"
    keys = {"api_key": API_KEY, "api_secret": API_SECRET}
    async with running_server(**keys) as server:
        flags = ("--api-key", API_KEY, "--api-secret", API_SECRET)
        files = ("--json", str(document), "--html", str(page))
        ended = await load(server.url, *flags, *SHORT, *files, "--fail-if", "silent>0")
    assert ended.code == 0, ended.errors
    for text in (ended.output, ended.errors, page.read_text(), document.read_text()):
        assert API_SECRET not in text


async def test_server_that_dies_midway_leaves_a_partial_result(tmp_path: Path) -> None:
    document = tmp_path / "result.json"
    async with server_process() as server:
        pid = ("--server-pid", str(server.process.pid))
        process = await start_load(server.url, *LONG, *pid, "--json", str(document))
        await measuring(process)
        await asyncio.sleep(2)  # something to measure
        server.process.kill()
        ended = await end_of(process)
    assert_one_clear_sentence(ended, "ended during the run", code=1)
    result = from_json(document.read_bytes())
    assert "ended" in result.interrupted
    assert 0.5 < result.measured < 10
    assert result.metrics["packets_received"] is not None
    assert result.metrics["packets_received"] > 0
    assert len(result.points) > 1


@pytest.mark.parametrize(
    ("protocol", "sentence"),
    [("whip", "media port is closed"), ("aiosfu", "The server closed the WebSocket")],
)
async def test_server_that_is_killed_is_noticed_without_its_process_too(
    protocol: str, sentence: str
) -> None:
    async with server_process() as server:
        process = await start_load(server.url, *LONG, "--protocol", protocol)
        await measuring(process)
        await asyncio.sleep(1)  # something to measure
        server.process.kill()
        ended = await end_of(process)
    assert_one_clear_sentence(ended, "All clients were cut off", sentence, code=1)


async def test_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_SILENCE", 1.0)
    async with server_process() as server:
        plan = LoadPlan(server.url, duration=60.0, warmup=0.0, packets_per_frame=2, interval=0.1)

        class Watch(Silence):
            def update(self, point: Point) -> None:
                if point.measured and point.packets_received and server.process.returncode is None:
                    server.process.send_signal(signal.SIGSTOP)

        runs = run.Run(plan, ProcessFleet, NoStats(), Watch())
        result = await runs.execute(SCENARIOS["steady"].play, stop=asyncio.Event())
        server.process.send_signal(signal.SIGCONT)
    assert result.interrupted == "Nothing has come from the server for 1 s."
    assert result.measured > 0


async def test_ctrl_c_ends_with_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    async with server_process() as server:
        process = await start_load(server.url, *LONG, "--html", str(page))
        await measuring(process)
        await asyncio.sleep(2)  # something to measure
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert_one_clear_sentence(ended, "stopped", code=130)
    assert "packets_received" in ended.output
    assert "stopped" in page.read_text(encoding="utf-8")


async def test_too_many_open_files_are_told_before_anything_is_done() -> None:
    ended = await load(NOWHERE, "--subscribers", "100", open_files=200)
    assert_one_clear_sentence(ended, "200 open files", "--processes 3")


async def test_too_many_open_files_in_mid_run_leave_a_partial_result(tmp_path: Path) -> None:
    document = tmp_path / "result.json"
    ramp = (
        "--scenario",
        "ramp",
        "--ramp-by",
        "subscribers",
        "--ramp-from",
        "10",
        "--ramp-to",
        "60",
    )
    steps = ("--step-duration", "300ms", "--ramp-factor", "6", "--max-delay", "5s")
    files = ("--json", str(document), "--join-rate", "0")
    async with server_process() as server:
        ended = await load(server.url, *ramp, *steps, *QUICK, *files, open_files=100)
    sentence = "The tester ran out of open files: a process may have 100, and"
    assert_one_clear_sentence(ended, sentence, "clients fitted. Use --processes 2", code=1)
    assert f"Note: {sentence}" in ended.errors  # at once
    result = from_json(document.read_bytes())
    assert result.knee is not None
    assert result.knee.load == 10
    assert not result.knee_is_certain
    assert "Too many files are open" in result.steps[-1].reason
    assert result.steps[-1].by_tester


async def test_too_many_processes_are_told() -> None:
    ended = await load(NOWHERE, "--processes", "60", open_files=75)
    assert_one_clear_sentence(ended, "60 processes need 244 open files", "may have 75")


async def test_process_that_is_not_there_is_told() -> None:
    ended = await load(NOWHERE, "--server-pid", str(2**22 + 1))
    assert_one_clear_sentence(ended, "no process")


async def test_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "result.json"
    async with server_process() as server:
        ended = await load(server.url, *SHORT, "--json", str(missing))
    assert_one_clear_sentence(ended, "cannot be written: No such file")
    assert "packets_received" in ended.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "is no URL"),
        (("http://[bad",), "is no URL"),
        (("http://127.0.0.1:99999",), "is no URL"),
        (("ws://127.0.0.1:9",), "for WebSockets give --protocol"),
        ((NOWHERE, "--simulcast", "--codec", "opus"), "is for video"),
        ((NOWHERE, "--interval", "1ms"), "50 ms at least"),
        ((NOWHERE, "--scenario", "party"), "'party' is not one of"),
        ((NOWHERE, "--fail-if", "loss"), "is not like"),
        ((NOWHERE, "--fail-if", "beauty<1"), 'no figure "beauty"'),
        ((NOWHERE, "--duration", "soon"), "is no number"),
        ((NOWHERE, "--duration", "0s"), "some time to measure"),
        ((NOWHERE, "--loss", "100%"), "nothing to send"),
        ((NOWHERE, "--mute", "5s"), "is not like 10s/5s"),
        ((NOWHERE, "--codec", "vp8", "--codec", "h264"), "one video track"),
        ((NOWHERE, "--api-key", "k"), "go together"),
        ((NOWHERE, "--subscribers", "0"), "Somebody must watch"),
        ((NOWHERE, "--clip", "film.webm", "--packets-per-frame", "4"), "nothing of a clip"),
        ((NOWHERE, "--scenario", "ramp", "--ramp-by", "packets"), "--packets-per-frame"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], sentence: str) -> None:
    ended = CliRunner().invoke(cli.load, arguments)
    assert ended.exit_code == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert sentence in last


def test_every_scenario_says_what_it_is() -> None:
    names = ("steady", "ramp", "churn", "burst", "rooms", "webinar", "meeting", "soak")
    assert tuple(SCENARIOS) == names
    assert all(scenario.meaning for scenario in SCENARIOS.values())


async def test_figures_of_thresholds_are_listed() -> None:
    ended = await load("--list-figures")
    assert ended.code == 0
    assert "p99_delay" in ended.output
