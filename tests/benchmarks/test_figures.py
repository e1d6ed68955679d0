import time

import pytest

from benchmarks import figures, tester
from benchmarks.compare import COMPARISONS, HEAD, SERVERS, cells
from benchmarks.load.model import LoadPlan
from benchmarks.load.options import make_plan
from benchmarks.load.result import Result
from benchmarks.namespaces import loopback
from benchmarks.servers import ServerError, aiosfu_server
from benchmarks.table import share, table
from benchmarks.tester import BusyError, Load, Outcome, RunError, judge


def result(**metrics: float | None) -> Result:
    return Result(LoadPlan("http://127.0.0.1"), 0.0, metrics=dict(metrics))


def test_load_becomes_flags_that_the_command_knows() -> None:
    from benchmarks.load.cli import load as command

    loads = [figures.video(1, 50, 8, 5), figures.audio(50, 50, 5), figures.ramp(1, 50, 40)]
    loads += [each.steady(5) for each in COMPARISONS if each.steady]
    loads.append(loads[0].but(transport_feedback=True))
    for load in loads:
        context = command.make_context("load", ["http://127.0.0.1:1", *load.arguments()])
        given = dict(context.params)
        plan_names = LoadPlan.__slots__
        plan = make_plan(
            given["url"],
            given["scenario"],
            {k: v for k, v in given.items() if k in plan_names and k not in ("url", "scenario")},
        )
        assert plan.subscribers == load.options["subscribers"]
        assert plan.transport_feedback is load.options.get("transport_feedback", False)


def test_tester_at_its_end_measures_nothing() -> None:
    assert judge(result(tester_drops=0, loss=0.5))["loss"] == 0.5
    with pytest.raises(BusyError, match="itself lost 7 datagrams"):
        judge(result(tester_drops=7))
    with pytest.raises(BusyError, match=r"up to 0\.25 s too late"):
        judge(result(tester_behind=0.25))
    assert judge(result(tester_drops=7, tester_behind=1.0), strict=False).knee is None


def test_run_that_was_cut_short_measures_nothing() -> None:
    ended = result(loss=0.0)
    ended.interrupted = "The server's process ended during the run."
    with pytest.raises(RunError, match="process ended"):
        judge(ended, strict=False)


def test_figure_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(RunError, match="no p50_delay"):
        Outcome({"p50_delay": None})["p50_delay"]


def test_loss_that_is_not_nothing_reads_so() -> None:
    assert [share(value) for value in (0.0, 1e-7, 0.00012, 0.2)] == [
        "0",
        "< 0.01 %",
        "0.01 %",
        "20.00 %",
    ]


def test_table_is_markdown() -> None:
    assert table(["a", "long head"], [["x", "1"], ["yyy", "2"]]).splitlines() == [
        "| a   | long head |",
        "| --- | --------- |",
        "| x   | 1         |",
        "| yyy | 2         |",
    ]


def test_comparison_fills_its_columns() -> None:
    assert len(cells(Outcome({}))) == len(HEAD) - 2
    assert {name for each in COMPARISONS for name in each.servers} == set(SERVERS)


def test_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        figures.main(["2x2"])
    assert "there is no row 2x2" in capsys.readouterr().err


def test_server_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(ServerError, match=r"did not start:\n[^$]*max_participants"),
        aiosfu_server(loopback().server, "--max-participants", "none"),
    ):
        pass


def test_server_under_a_short_load_is_measured() -> None:
    both = loopback()
    with aiosfu_server(both.server) as server:
        load = figures.video(1, 3, 2, 1).but(warmup=0.5)
        outcome = tester.run(both.client, server, load, strict=False)
        assert server.cpu_time > 0
        assert server.memory > 10e6
    assert outcome["loss"] == 0
    assert 100 < outcome["packets_received"] < 250  # 2 × 30 × 3
    assert 0 < outcome["server_cpu_per_packet"] < 0.01
    assert outcome["server_memory"] > 10e6


def test_unreachable_server_is_one_sentence() -> None:
    both = loopback()
    with aiosfu_server(both.server) as server:
        pass
    start = time.monotonic()
    with pytest.raises(RunError, match=r"^[^\n]*There is no process \d+ to measure"):
        tester.run(both.client, server, Load(options={"subscribers": 1, "duration": 1}))
    assert time.monotonic() - start < 15
