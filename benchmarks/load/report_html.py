"""A result as one HTML file that needs nothing else: figures, plots, a table of the clients."""

import time
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.load.metrics import METRICS
from benchmarks.load.page_style import SCRIPT, STYLE
from benchmarks.load.plots import Axis, Series, line_plot
from benchmarks.load.report_text import LATE
from benchmarks.load.result import ClientSummary, Point, Result, Step
from benchmarks.load.units import Unit, format_quantity

MAX_ROWS = 500  # clients in the table; those who had it worst come first

TILES = (
    ("packets_received", "received"),
    ("loss", "loss"),
    ("p50_delay", "delay, median"),
    ("p99_delay", "delay, 99 %"),
    ("freezes", "freezes over 200 ms"),
    ("p99_join", "join, 99 %"),
    ("server_cpu", "server CPU"),
    ("server_cpu_per_packet", "server CPU a packet"),
    ("server_memory", "server memory"),
)

COLUMNS = (
    *("client", "room", "role", "state", "packets", "lost", "loss", "bit/s", "p50", "p99"),
    *("jitter", "freezes", "long", "join", "key frame", "NACKs", "PLIs", "layer"),
)


def to_html(result: Result) -> bytes:
    """The whole page."""
    plan = result.plan
    title = f"{plan.scenario}: {plan.publishers} × {plan.subscribers}"
    if plan.scenario == "meeting":
        title = f"meeting of {plan.publishers}"
    if plan.rooms > 1:
        title += f", {plan.rooms} rooms"
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
        f'content="light dark"><style>{STYLE}</style></head><body><main>',
        f"<h1>{escape(title)}</h1><p class=sub>{escape(_about(result))}</p>",
        *_banner(result),
        *_tiles(result),
        *_losses(result),
        *_verdicts(result),
        *_ramp(result),
        *_plots(result.points),
        *_problems(result),
        *_clients(result.clients),
        *_all_figures(result),
        *_settings(result),
        f"</main><script>{SCRIPT}</script></body></html>\n",
    ]
    return "".join(parts).encode()


def _about(result: Result) -> str:
    plan = result.plan
    day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(result.started_at))
    media = ", ".join(plan.codecs)
    if plan.packets_per_frame:
        media += f", {plan.packets_per_frame} packets a frame, {plan.fps:g} frames a second"
    return (
        f"{plan.url} by {plan.protocol} · {media} · "
        f"measured {format_quantity(result.measured, 'seconds')} · {day}"
    )


def _banner(result: Result) -> Iterator[str]:
    if result.interrupted:
        yield f'<p class="banner bad">{escape(result.interrupted)}</p>'
    for note, count in result.notes.items():
        who = f" ({count} clients)" if count > 1 else ""
        yield f'<p class="banner warn">{escape(note + who)}</p>'
    if (result.metrics.get("tester_behind") or 0.0) > LATE:
        yield (
            '<p class="banner warn">The tester was late now and then: delays and freezes are '
            "partly its own. Give it more processes or a machine of its own.</p>"
        )
    if result.verdicts:
        failed = sum(verdict.failed for verdict in result.verdicts)
        if failed:
            yield f'<p class="banner bad">{failed} of {len(result.verdicts)} thresholds failed.</p>'
        else:
            yield '<p class="banner good">All thresholds passed.</p>'


def _tiles(result: Result) -> Iterator[str]:
    yield '<section class="tiles">'
    if result.knee is not None:
        label = "knee" if result.knee_is_certain else "knee, at least"
        yield _tile(label, format_quantity(result.knee.packets_received, "rate"))
    for name, label in TILES:
        value = result.metrics.get(name)
        if value is not None:
            yield _tile(label, format_quantity(value, METRICS[name].unit))
    yield "</section>"


def _tile(label: str, value: str) -> str:
    return f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>"


def _losses(result: Result) -> Iterator[str]:
    if not result.losses:
        return
    lost = any(result.metrics.get(name) for name in ("packets_lost", "tester_drops"))
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.losses)
    yield f"<h2>Who lost</h2><ul class='losses{' warn' if lost else ''}'>{items}</ul>"


def _verdicts(result: Result) -> Iterator[str]:
    if not result.verdicts:
        return
    rows = [
        (
            verdict.condition,
            format_quantity(verdict.value, METRICS[verdict.metric].unit),
            "failed" if verdict.failed else "passed",
        )
        for verdict in result.verdicts
    ]
    yield "<h2>Thresholds</h2>"
    yield _table(("fails if", "measured", ""), rows)


def _ramp(result: Result) -> Iterator[str]:
    if not result.steps:
        return
    unit = result.plan.ramp_by
    yield "<h2>Ramp</h2><div class=plots>"
    steps = sorted(result.steps, key=lambda step: step.load)
    axis = Axis([step.load for step in steps], "")
    yield line_plot(f"Loss by {unit}", [Series("loss", [s.loss for s in steps])], axis, "share")
    yield line_plot(
        f"One-way delay by {unit}",
        [
            Series("p50", [step.delay_p50 for step in steps]),
            Series("p99", [step.delay_p99 for step in steps]),
        ],
        axis,
        "seconds",
    )
    yield "</div>"
    yield _table(
        (unit, "expected", "received", "loss", "p50", "p99", "server CPU", "a packet", ""),
        [_step_row(step) for step in result.steps],
    )


def _step_row(step: Step) -> tuple[str, ...]:
    return (
        f"{step.load:.4g}",
        format_quantity(step.packets_expected, "rate"),
        format_quantity(step.packets_received, "rate"),
        format_quantity(step.loss, "share"),
        format_quantity(step.delay_p50, "seconds"),
        format_quantity(step.delay_p99, "seconds"),
        format_quantity(step.server_cpu, "cores"),
        format_quantity(step.server_cpu_per_packet, "seconds"),
        step.reason or "passed",
    )


def _plots(points: Sequence[Point]) -> Iterator[str]:
    if len(points) < 2:
        return
    measured = [point.time for point in points if point.measured]
    axis = Axis([p.time for p in points], band=(measured[0], measured[-1]) if measured else None)
    yield "<h2>Over time</h2><p class=note>Shaded: the time that was measured.</p>"
    yield "<div class=plots>"
    for title, unit, lines in PLOTS:
        series = [Series(name, [getattr(p, field) for p in points]) for name, field in lines]
        yield line_plot(title, series, axis, unit)
    yield "</div>"


PLOTS: tuple[tuple[str, Unit, tuple[tuple[str, str], ...]], ...] = (
    ("Packets", "rate", (("received", "packets_received"), ("sent", "packets_sent"))),
    ("Bit rate", "bits", (("received", "bits_received"), ("sent", "bits_sent"))),
    (
        "One-way delay",
        "seconds",
        (("p50", "delay_p50"), ("p95", "delay_p95"), ("p99", "delay_p99")),
    ),
    ("Loss after repair", "share", (("loss", "loss"),)),
    ("Processor, 100 % is a core", "cores", (("server", "server_cpu"), ("tester", "tester_cpu"))),
    ("Server memory", "bytes", (("resident", "server_memory"),)),
    ("Clients", "", (("subscribers", "subscribers"), ("publishers", "publishers"))),
    ("What clients went through", "", (("freezes", "freezes"), ("key frames asked for", "plis"))),
    (
        "Comings and goings",
        "",
        (("joins", "joins"), ("leaves", "leaves"), ("failures", "failures")),
    ),
    (
        "How late the tester was",
        "seconds",
        (("sending", "tester_behind"), ("reading", "tester_backlog")),
    ),
    (
        "Who dropped datagrams",
        "",
        (
            ("tester", "tester_drops"),
            ("server", "server_drops"),
            ("kernel", "kernel_drops"),
        ),
    ),
)


def _problems(result: Result) -> Iterator[str]:
    if result.problems:
        yield "<h2>Problems</h2>"
        yield _table(
            ("clients", "what happened"), [(str(n), p) for p, n in result.problems.items()]
        )


def _clients(clients: Sequence[ClientSummary]) -> Iterator[str]:
    if not clients:
        return
    worst = sorted(
        clients,
        key=lambda c: (c.state != "failed", -c.loss, -c.freezes_short, -(c.delay_p99 or 0)),
    )
    yield f"<h2>Clients</h2><p class=note>{_shown(len(clients))} Click a heading to sort.</p>"
    yield _table(COLUMNS, [_client_row(client) for client in worst[:MAX_ROWS]], sortable=True)


def _shown(count: int) -> str:
    if count > MAX_ROWS:
        return f"The {MAX_ROWS} of {count} who had it worst; the JSON result has all."
    return f"All {count}, those who had it worst first."


def _client_row(client: ClientSummary) -> tuple[str | tuple[str, float], ...]:
    roles = ["publisher"] * client.publishes + ["subscriber"] * client.subscribes
    state = f"{client.state}: {client.error}" if client.error else client.state
    cells: list[str | tuple[str, float]] = [client.name, client.room, ", ".join(roles), state]
    lost = max(0, client.packets_expected - client.packets_received)
    bits = client.bits_received if client.subscribes else client.bits_sent
    packets = client.packets_received if client.subscribes else client.packets_sent
    for value, unit in (
        (packets, ""),
        (lost, ""),
        (client.loss, "share"),
        (bits, "bits"),
        (client.delay_p50, "seconds"),
        (client.delay_p99, "seconds"),
        (client.jitter, "seconds"),
        (client.freezes_short, ""),
        (client.freezes_long, ""),
        (client.join_time, "seconds"),
        (client.first_key_frame_time, "seconds"),
        (client.nacks if client.subscribes else client.nacks_heard, ""),
        (client.plis if client.subscribes else client.plis_heard, ""),
    ):
        cells.append(_sortable(value, unit))  # type: ignore[arg-type]
    return (*cells, client.layer)


def _sortable(value: float | None, unit: Unit) -> tuple[str, float]:
    return format_quantity(value, unit), -1.0 if value is None else float(value)


def _all_figures(result: Result) -> Iterator[str]:
    known = {n: result.metrics[n] for n in METRICS if result.metrics.get(n) is not None}
    if known:
        yield "<details><summary>All figures</summary>"
        yield _table(
            ("figure", "", "meaning"),
            [
                (n, format_quantity(v, METRICS[n].unit), METRICS[n].meaning)
                for n, v in known.items()
            ],
        )
        yield "</details>"


def _settings(result: Result) -> Iterator[str]:
    plan = result.plan
    hidden = {"token", "api_secret"}
    rows = [(name, str(getattr(plan, name))) for name in plan.__slots__ if name not in hidden]
    yield "<details><summary>Settings and machine</summary>"
    rows += [(f"clip, {codec}", what) for codec, what in result.media.items()]
    yield _table(("setting", ""), [*rows, *result.machine.items()])
    yield "</details>"


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str | tuple[str, float]]],
    *,
    sortable: bool = False,
) -> str:
    """A table; a cell that is a pair has a number to sort by."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = []
    for row in rows:
        cells = []
        for cell in row:
            if isinstance(cell, tuple):
                cells.append(f'<td class="n" data-v="{cell[1]!r}">{escape(cell[0])}</td>')
            else:
                mark = f' class="{cell}"' if cell in ("passed", "failed") else ""
                cells.append(f"<td{mark}>{escape(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    kind = ' class="sortable"' if sortable else ""
    around = "scroll clients" if sortable else "scroll"
    return (
        f'<div class="{around}"><table{kind}><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
