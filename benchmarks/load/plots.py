"""Line plots as SVG: no library, no script needed to see them, colours from the page's style."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from benchmarks.load.units import Unit, format_quantity

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 68, 14, 12, 26  # margins, for the labels of the axes
EMPTY: dict[Unit, float] = {"share": 0.01, "seconds": 0.01}  # the scale of a line at zero
MAX_POINTS = 600  # more than a screen shows; of each bin the highest is kept


@dataclass(frozen=True, slots=True)
class Series:
    """A line: a value for each of the plot's places, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """What the horizontal places are.

    Attributes:
        values: Rising.
        band: The part that is shaded, as the time that was measured.
    """

    values: Sequence[float]
    unit: Unit = "seconds"
    band: tuple[float, float] | None = None


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers (1, 2, 5 times a power of ten) from `low` to at least `high`."""
    span = max(high - low, 1e-12)
    power = 10 ** math.floor(math.log10(span / count))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= span / count * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def thin(values: Sequence[float | None], bins: int) -> list[float | None]:
    """At most `bins` values: the highest of each bin."""
    if len(values) <= bins:
        return list(values)
    edges = [len(values) * n // bins for n in range(bins + 1)]
    parts = (values[a:b] for a, b in pairwise(edges))
    return [max((v for v in part if v is not None), default=None) for part in parts]


def line_plot(title: str, series: Sequence[Series], axis: Axis, unit: Unit) -> str:
    """A figure with heading, legend and plot; text instead where there is nothing to draw."""
    known = [s for s in series if any(value is not None for value in s.values)]
    heading = f"<figcaption>{escape(title)}{_legend(known)}</figcaption>"
    if not known or len(axis.values) < 2:
        return f'<figure class="plot">{heading}<p class="none">Nothing was measured.</p></figure>'
    bins = min(MAX_POINTS, len(axis.values))
    xs = [x for x in thin(axis.values, bins) if x is not None]
    lines = [Series(s.name, thin(s.values, bins)) for s in known]
    top = max(value for s in lines for value in s.values if value is not None)
    scale = _Scale(xs[0], xs[-1], ticks(0.0, top or EMPTY.get(unit, 1.0)))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        _band(scale, axis),
        *_grid(scale, axis, unit),
        *(_line(scale, xs, s.values, number) for number, s in enumerate(lines, 1)),
        *_hover(scale, axis, xs, lines, unit),
        "</svg>",
    ]
    return f'<figure class="plot">{heading}{"".join(parts)}</figure>'


class _Scale:
    """From values to places in the picture."""

    def __init__(self, low: float, high: float, y_ticks: list[float]) -> None:
        self.low, self.high, self.y_ticks = low, high, y_ticks

    def x(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.y_ticks[-1] * (HEIGHT - TOP - BOTTOM)


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    items = (
        f'<span><i class="key k{number}"></i>{escape(s.name)}</span>'
        for number, s in enumerate(series, 1)
    )
    return f'<span class="legend">{"".join(items)}</span>'


def _band(scale: _Scale, axis: Axis) -> str:
    if axis.band is None:
        return ""
    left, right = (scale.x(value) for value in axis.band)
    return (
        f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}"/>'
    )


def _grid(scale: _Scale, axis: Axis, unit: Unit) -> list[str]:
    parts = []
    for value in scale.y_ticks:
        y = scale.y(value)
        parts.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(format_quantity(value, unit))}</text>"
        )
    parts += [
        f'<text x="{scale.x(value):.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(format_quantity(value, axis.unit))}</text>"
        for value in ticks(scale.low, scale.high, 6)
        if scale.low <= value <= scale.high
    ]
    return parts


def _line(scale: _Scale, xs: Sequence[float], ys: Sequence[float | None], number: int) -> str:
    """The path; a gap where there is no value, a dot for a value that stands alone."""
    path, dots, drawing = "", "", False
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y is None:
            drawing = False
            continue
        path += f"{'L' if drawing else 'M'}{scale.x(x):.1f} {scale.y(y):.1f}"
        if not drawing and (i + 1 == len(ys) or ys[i + 1] is None):
            dots += f'<circle class="d{number}" cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="2"/>'
        drawing = True
    return f'<path class="line s{number}" d="{path}"/>{dots}'


def _hover(
    scale: _Scale, axis: Axis, xs: Sequence[float], lines: Sequence[Series], unit: Unit
) -> list[str]:
    """Invisible stripes that tell their values when the mouse rests on them."""
    parts = ['<g class="hover">']
    for i, x in enumerate(xs):
        left = scale.x((xs[i - 1] + x) / 2) if i else LEFT
        right = scale.x((x + xs[i + 1]) / 2) if i + 1 < len(xs) else WIDTH - RIGHT
        told = [format_quantity(x, axis.unit)]
        told += [f"{s.name}: {format_quantity(s.values[i], unit)}" for s in lines]
        parts.append(
            f'<g><rect x="{left:.1f}" y="{TOP}" width="{max(right - left, 0.5):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{escape(chr(10).join(told))}</title></rect>'
            f'<path d="M{scale.x(x):.1f} {TOP}V{HEIGHT - BOTTOM}"/></g>'
        )
    parts.append("</g>")
    return parts
