"""The command `aiosfu load`: puts load on an SFU and measures what its users would feel."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click

from benchmarks.load import report_html, report_json, report_text
from benchmarks.load.clips import frame_rate, origins
from benchmarks.load.metrics import METRICS, Threshold
from benchmarks.load.model import FleetFactory, LoadError, LoadPlan
from benchmarks.load.options import Condition, check_open_files, make_plan, plan_options
from benchmarks.load.process import ProcessFleet
from benchmarks.load.progress import LiveProgress, PlainProgress, Silence, show
from benchmarks.load.result import Result
from benchmarks.load.run import Run
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.load.server_stats import server_stats

PASSED, FAILED, UNUSABLE, STOPPED = 0, 1, 2, 130  # exit codes

SCENARIO_HELP = "; ".join(f"{name}: {scenario.meaning}" for name, scenario in SCENARIOS.items())


def print_metrics(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Print the figures that thresholds can be about, and end."""
    if value:
        for name, metric in METRICS.items():
            click.echo(f"{name:24} {metric.meaning}")
        context.exit()


@plan_options
@click.command()
@click.argument("url")
@click.option(
    "--scenario",
    type=click.Choice(tuple(SCENARIOS)),
    default="steady",
    show_default=True,
    help=SCENARIO_HELP + ".",
)
@click.option(
    "--fail-if",
    "thresholds",
    type=Condition(),
    multiple=True,
    help='When to end with exit code 1: "loss>0.1%", "p99_delay>50ms"; several allowed.',
)
@click.option(
    "--list-figures",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_metrics,
    help="List the figures that --fail-if knows, and end.",
)
@click.option("--json", "json_file", type=click.Path(), help="Write the result as JSON.")
@click.option("--html", "html_file", type=click.Path(), help="Write a report with plots.")
@click.option("--server-pid", type=click.IntRange(1), help="Server process of this machine.")
@click.option("--server-metrics", default="", metavar="URL", help="Where it tells CPU and memory.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
def load(
    url: str,
    scenario: str,
    thresholds: tuple[Threshold, ...],
    json_file: str | None,
    html_file: str | None,
    server_pid: int | None,
    server_metrics: str,
    quiet: bool,
    **given: Any,
) -> None:
    """Put load on the SFU at URL, and measure what its users would feel.

    Any server that speaks WHIP and WHEP will do, aiosfu's own protocol and Janus VideoRoom too. For
    WHIP and WHEP the URL may hold {kind} ("whip" or "whep") and {room}; else /{kind}/{room} is
    appended.

    Exit code: 0 when all is well, 1 when a threshold was passed or the run was cut short, 2 when
    nothing could be measured.
    """
    plan = make_plan(url, scenario, given)
    progress = show(f"aiosfu load {scenario} {url}", sys.stderr, quiet=quiet)
    try:
        result, stopped = asyncio.run(
            execute(plan, ProcessFleet, progress, pid=server_pid, metrics_url=server_metrics)
        )
    except LoadError as error:
        fail(str(error))
    finally:
        progress.close()
    result.verdicts = [threshold.judge(result.metrics) for threshold in thresholds]
    finish(result, json_file=json_file, html_file=html_file)
    raise SystemExit(STOPPED if stopped else exit_code(result))


def fail(sentence: str) -> None:
    """End with one line."""
    click.echo(f"Error: {sentence}", err=True)
    raise SystemExit(UNUSABLE)


async def execute(
    plan: LoadPlan,
    make_fleet: FleetFactory,
    progress: LiveProgress | PlainProgress | Silence,
    *,
    pid: int | None = None,
    metrics_url: str = "",
) -> tuple[Result, bool]:
    """Run a plan; the result, and whether Ctrl-C ended it.

    Raises:
        LoadError: It cannot even begin.
    """
    check_open_files(plan)
    if plan.clip and not plan.fps:
        plan = replace(plan, fps=frame_rate(replace(plan, fps=LoadPlan("").fps)))
    run = Run(plan, make_fleet, server_stats(pid, metrics_url), progress)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # only the main thread may
            loop.add_signal_handler(number, stop.set)
    result = await run.execute(SCENARIOS[plan.scenario].play, stop=stop)
    with suppress(LoadError):  # a clip that cannot be used has ended the run already
        result.media = origins(plan)
    return result, stop.is_set()


def exit_code(result: Result) -> int:
    """What the command ends with."""
    if not result.measured:
        return UNUSABLE
    return FAILED if result.failed else PASSED


def finish(result: Result, *, json_file: str | None, html_file: str | None) -> None:
    """Print the result and write the reports; a file that cannot be written ends the command."""
    for line in report_text.to_text(result):
        click.echo(line)
    if result.interrupted:
        click.echo(f"Error: {result.interrupted}", err=True)
    failures: list[str] = []
    reports: Sequence[tuple[str | None, Any]] = (
        (json_file, report_json.to_json),
        (html_file, report_html.to_html),
    )
    for path, render in reports:
        try:
            if path:
                report_json.write(path, render(result))
        except LoadError as error:
            failures.append(str(error))
    if failures:
        fail(" ".join(failures))
