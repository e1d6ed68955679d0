"""The flags of `aiosfu load`, and the plan that they make together with a scenario's defaults."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args
from urllib.parse import urlsplit

import click

from benchmarks.load.failures import allow_many_files, file_limit
from benchmarks.load.metrics import Threshold, parse_threshold
from benchmarks.load.model import (
    LoadError,
    LoadPlan,
    LossPattern,
    MutePattern,
    ProtocolName,
    RampTarget,
)
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.load.units import Unit, parse_quantity

CODECS = ("vp8", "h264", "opus")
FILES_OF_CLIENT = 3  # two sockets for media and one for signaling
FILES_OF_PIPE = 3  # to a process of the tester: two ends at first, and one to hear of its end
FILES_OF_PROCESS = 64  # pipes, libraries, the event loop
DEFAULTS = {field.name: field.default for field in fields(LoadPlan)}


class Quantity(click.ParamType[float]):
    """A number with a suffix, see `units.py`."""

    def __init__(self, unit: Unit, name: str) -> None:
        self.unit, self.name = unit, name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it, or fail with a sentence."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_quantity(value, self.unit)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Loss(click.ParamType[LossPattern]):
    """A share of the packets, "2%", or "2%x5" for five in a row."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> LossPattern:
        """Read it, or fail with a sentence."""
        if isinstance(value, LossPattern):
            return value
        share, _, burst = value.partition("x")
        try:
            pattern = LossPattern(parse_quantity(share, "share"), int(burst or 1))
        except ValueError:
            self.fail(f'"{value}" is not like 2% or 2%x5.', param, ctx)
        if not 0 <= pattern.share < 1 or pattern.burst < 1:
            self.fail(f'"{value}" would leave nothing to send.', param, ctx)
        return pattern


class Mute(click.ParamType[MutePattern]):
    """Seconds of media and seconds without, "10s/5s"."""

    name = "on/off"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> MutePattern:
        """Read it, or fail with a sentence."""
        if isinstance(value, MutePattern):
            return value
        sending, _, pausing = value.partition("/")
        try:
            pattern = MutePattern(
                parse_quantity(sending, "seconds"), parse_quantity(pausing, "seconds")
            )
        except ValueError:
            self.fail(f'"{value}" is not like 10s/5s.', param, ctx)
        if not pattern.sending:
            self.fail(f'"{value}" would leave nothing to send.', param, ctx)
        return pattern


class Condition(click.ParamType[Threshold]):
    """A threshold, see `metrics.py`."""

    name = "condition"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Threshold:
        """Read it, or fail with a sentence."""
        if isinstance(value, Threshold):
            return value
        try:
            return parse_threshold(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SECONDS = Quantity("seconds", "time")
SHARE = Quantity("share", "share")
COUNT = click.IntRange(0, 100_000)
SOME = click.IntRange(1, 100_000)
POSITIVE = click.FloatRange(0, 10_000, min_open=True)

# (flag, what it takes, what it means); the flag's name is the plan's, unless it says another one
PLAN_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("--protocol", click.Choice(get_args(ProtocolName)), "What the server speaks."),
    ("--room", str, "Name of the room, or the beginning of the rooms' names."),
    ("--rooms", SOME, "How many rooms."),
    ("--publishers", SOME, "Publishers in each room; members of each meeting."),
    ("--subscribers", COUNT, "Subscribers in each room; each gets all of its publishers."),
    ("--duration", SECONDS, "Time to measure: 10s, 5m, 2h."),
    ("--warmup", SECONDS, "Time between the joins and measuring."),
    ("--processes", click.IntRange(1, 256), "Processes that share the clients."),
    ("--clip", click.Path(), "Media file to play.  [default: a built-in clip]"),
    ("--fps", POSITIVE, "Video frames a second.  [default: 30, or as in the file]"),
    ("--bitrate", Quantity("bits", "bit/s"), "Of the video: 800k, 2.5M.  [default: the clip's]"),
    ("--packets-per-frame", click.IntRange(0, 2000), "Equal packets a frame instead of a clip."),
    ("--packet-size", click.IntRange(100, 1400), "Bytes of RTP in a packet, header included."),
    ("--simulcast/--no-simulcast", None, "Send three encodings."),
    ("--loss", Loss(), "What publishers drop on purpose: 2%, or 2%x5 for five in a row."),
    ("--mute", Mute(), "When publishers fall silent: 10s/5s is ten seconds on, five off."),
    ("--answer-nacks/--no-answer-nacks", None, "Publishers send lost packets again."),
    ("--send-nacks/--no-send-nacks", None, "Subscribers ask for lost packets."),
    (
        "--transport-feedback/--no-transport-feedback",
        None,
        "Number packets across streams, and report when they came.",
    ),
    ("--stamp-every", SOME, "One packet in so many tells its delay."),
    ("--interval", SECONDS, "Time between two points of the reports."),
    ("--insecure/--secure", None, "Whether any TLS certificate of the server will do."),
    ("--token", str, "Access token for all clients."),
    ("--api-key", str, "To make an access token for each client."),
    ("--api-secret", str, "Likewise."),
    ("--join-rate", click.FloatRange(0), "Joins a second at the beginning; 0: all at once."),
    ("--join-timeout", SECONDS, "Time after which a client has failed to join."),
    ("--churn-rate", POSITIVE, "churn: how many leave, and as many join, a second."),
    ("--burst", SOME, "burst: how many join at once."),
    ("--ramp-by", click.Choice(get_args(RampTarget)), "ramp: what is raised."),
    ("--ramp-from", click.FloatRange(0), "ramp: first load.  [default: what else is said]"),
    ("--ramp-to", click.FloatRange(0), "ramp: highest load to try.  [default: no end]"),
    ("--ramp-factor", click.FloatRange(1.01, 10), "ramp: each step over the one before."),
    ("--step-duration", SECONDS, "ramp: time to measure each step."),
    ("--max-loss", SHARE, "ramp: loss that is too much."),
    ("--max-delay", SECONDS, "ramp: 99th percentile of the delay that is too much."),
    ("--seed", int, "Makes chance repeatable."),
)
ENVIRONMENT = {"token": "AIOSFU_TOKEN", "api_key": "AIOSFU_API_KEY"}
ENVIRONMENT["api_secret"] = "AIOSFU_API_SECRET"


def _say(value: object, kind: object) -> str:
    """A default as it would be written."""
    if isinstance(kind, Quantity) and isinstance(value, float):
        return f"{value:g}s" if kind.unit == "seconds" else f"{value * 100:g}%"
    if isinstance(value, LossPattern | MutePattern) or value in ("", 0, 0.0, None):
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def plan_options(command: click.Command) -> click.Command:
    """Add a flag for each setting of the plan; those not given stay None."""
    for flag, kind, meaning in PLAN_OPTIONS:
        name = flag.split("/")[0][2:].replace("-", "_")
        default = _say(DEFAULTS[name], kind)
        if default and "[default" not in meaning:
            meaning += f"  [default: {default}]"
        command.params.append(
            click.Option(
                [flag, name], type=kind, default=None, help=meaning, envvar=ENVIRONMENT.get(name)
            )
        )
    codec = click.Option(
        ["--codec", "codecs"],
        type=click.Choice(CODECS),
        multiple=True,
        help="What publishers send, a track each; several allowed.  [default: vp8]",
    )
    command.params.append(codec)
    return command


def make_plan(url: str, scenario: str, given: Mapping[str, Any]) -> LoadPlan:
    """The plan: what was given beats the scenario's defaults, and they beat the plan's.

    Raises:
        click.UsageError: Some of it does not go together.
    """
    if not _is_url(url):
        raise click.UsageError(f'"{url}" is no URL of a server, like http://127.0.0.1:8080.')
    settings: dict[str, Any] = dict(SCENARIOS[scenario].defaults)
    settings.update({name: value for name, value in given.items() if value not in (None, ())})
    if "bitrate" in settings:
        settings["bitrate"] = int(settings["bitrate"])
    if "clip" in settings:
        settings.setdefault("fps", 0.0)
    plan = LoadPlan(url=url.rstrip("/"), scenario=scenario, **settings)
    for wrong, sentence in CONTRADICTIONS:
        if wrong(plan):
            raise click.UsageError(sentence)
    return plan


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = parts.hostname and parts.port != 0  # a port that is none raises, too
    except ValueError:
        return False
    return bool(named) and parts.scheme in ("http", "https", "ws", "wss")


CONTRADICTIONS: tuple[tuple[Callable[[LoadPlan], bool], str], ...] = (
    (
        lambda plan: len(set(plan.codecs)) < len(plan.codecs) or {"vp8", "h264"} <= {*plan.codecs},
        "Publishers send one video track and one audio track at most: "
        "give --codec vp8 or h264, and opus.",
    ),
    (
        lambda plan: plan.protocol == "whip" and plan.url.startswith("ws"),
        "WHIP and WHEP are spoken over http:// or https://; for WebSockets give --protocol.",
    ),
    (
        lambda plan: bool(plan.api_key) != bool(plan.api_secret),
        "--api-key and --api-secret go together.",
    ),
    (
        lambda plan: bool(plan.clip and plan.packets_per_frame),
        "With --packets-per-frame nothing of a clip is played: leave one of them out.",
    ),
    (
        lambda plan: plan.simulcast and bool(plan.packets_per_frame),
        "--simulcast needs a clip: leave --packets-per-frame out.",
    ),
    (
        lambda plan: (
            plan.scenario == "ramp" and plan.ramp_by == "packets" and not plan.packets_per_frame
        ),
        "--ramp-by packets needs --packets-per-frame, where it begins.",
    ),
    (
        lambda plan: plan.simulcast and {*plan.codecs} == {"opus"},
        "--simulcast is for video: give --codec vp8 or h264.",
    ),
    (
        lambda plan: plan.duration <= 0 or plan.step_duration <= 0,
        "There must be some time to measure.",
    ),
    (
        lambda plan: plan.interval < 0.05,
        "--interval must be 50 ms at least.",
    ),
    (
        lambda plan: (
            not plan.subscribers
            and plan.scenario not in ("meeting", "burst")
            and not (plan.scenario == "ramp" and plan.ramp_by == "members")
        ),
        "Somebody must watch: give --subscribers.",
    ),
)


def check_open_files(plan: LoadPlan) -> None:
    """See to it that each process may open as many files as its clients need.

    Raises:
        LoadError: The system does not allow so many; says what to do.
    """
    allow_many_files()
    limit = file_limit()
    here = FILES_OF_PROCESS + FILES_OF_PIPE * plan.processes
    if here > limit:
        raise LoadError(
            f"{plan.processes} processes need {here} open files in this one, which may have "
            f"{limit}: raise the limit (ulimit -n), or use fewer --processes."
        )
    publishers, subscribers = plan.publishers, plan.subscribers
    if plan.scenario == "ramp" and plan.ramp_by in ("subscribers", "members"):
        subscribers = max(subscribers, int(plan.ramp_from))
        if plan.ramp_by == "members":
            publishers = max(publishers, int(plan.ramp_from))
    clients = plan.rooms * (publishers + subscribers)
    clients += plan.burst if plan.scenario == "burst" else 0
    needed = FILES_OF_PROCESS + FILES_OF_CLIENT * -(-clients // plan.processes)
    if needed > limit:
        processes = -(-clients * FILES_OF_CLIENT // max(1, limit - FILES_OF_PROCESS))
        raise LoadError(
            f"A process may have {limit} open files here and would need {needed}: use "
            f"--processes {processes}, or raise the limit (ulimit -n)."
        )
