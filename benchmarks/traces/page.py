"""Replays as one HTML file that needs nothing else."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from benchmarks.load.page_style import STYLE
from benchmarks.load.plots import MAX_POINTS, Axis, Series, line_plot
from benchmarks.traces import summary
from benchmarks.traces.player import Replay
from benchmarks.traces.reader import Recording, Records
from benchmarks.traces.timeline import Choice, Point

Part = tuple[str, Recording, Replay]
"""Name of a file, what is in it, and what came of it."""


def to_html(parts: Sequence[Part], settings: str) -> bytes:
    """The page.

    Args:
        parts: One for each file.
        settings: What was set otherwise, in words.
    """
    text = "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Replay</title>'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
            f'content="light dark"><style>{STYLE}</style></head><body><main>',
            f"<h1>Replay</h1><p class=sub>{escape(settings)}</p>",
            *(piece for part in parts for piece in _section(part)),
            "</main></body></html>\n",
        ]
    )
    return text.encode()


def _section(part: Part) -> Iterator[str]:
    name, recording, found = part
    yield f"<h2>{escape(summary.title(recording))}</h2><p class=note>{escape(name)}</p>"
    yield f"<p class=sub>{escape(summary.agreement(found))}</p>"
    yield "<div class=scroll><table><tr>"
    yield "".join(f"<th>{escape(head)}</th>" for head in summary.HEAD) + "</tr>"
    for row in summary.rows(found):
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"
    if told := summary.reasons(found):
        yield "<ul class=sub>" + "".join(f"<li>{escape(line)}</li>" for line in told) + "</ul>"
    yield '<div class="plots">'
    yield from _path_plots(recording, found)
    yield from _layer_plots(recording, found)
    yield "</div>"


def _path_plots(recording: Recording, found: Replay) -> Iterator[str]:
    samples = recording.tables["sample"]
    axis = Axis([float(time) for time in samples["time"] - recording.start])
    estimates = [
        Series(kind, [value for _, value in line.estimates])
        for kind, line in (("recorded", found.recorded), ("replayed", found.replayed))
    ]
    came = Series("came (recorded)", _known(samples, "acknowledged"))
    yield line_plot("Estimate", [*estimates, came], axis, "bits")
    delays = [Series("queue", _known(samples, "queue_delay"))]
    delays.append(Series("round trip", _known(samples, "round_trip")))
    yield line_plot("Delays, as recorded", delays, axis, "seconds")
    losses = [Series("loss", _known(samples, "loss"))]
    yield line_plot("Loss, as recorded", losses, axis, "share")


def _layer_plots(recording: Recording, found: Replay) -> Iterator[str]:
    length = max(recording.end - recording.start, 1e-3)
    axis = Axis([float(time) for time in np.linspace(0, length, MAX_POINTS)])
    for track, (sid, kind, source) in found.tracks.items():
        if kind != "video":
            continue
        lines = [line.choices.get(track, []) for line in (found.recorded, found.replayed)]
        points = sorted({c.layer for choices in lines for c in choices if c.layer is not None})
        names = ", ".join(f"{i} {summary.label(point)}" for i, point in enumerate(points, 1))
        ranks: dict[Point | None, float] = {None: 0.0}
        ranks.update({point: float(i) for i, point in enumerate(points, 1)})
        series = [
            Series(name, [_at(choices, recording.start + time, ranks) for time in axis.values])
            for name, choices in zip(("recorded", "replayed"), lines, strict=True)
        ]
        title = f"{source} {sid}: 0 nothing" + (f", {names}" if names else "")
        yield line_plot(title, series, axis, "")


def _at(choices: Sequence[Choice], time: float, ranks: dict[Point | None, float]) -> float | None:
    """The layer at a time; None while the track was not carried."""
    index = bisect_right(choices, time, key=lambda choice: choice.time) - 1
    if index < 0 or not choices[index].cause:
        return None
    return ranks[choices[index].layer]


def _known(samples: Records, name: str) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in samples[name]]
