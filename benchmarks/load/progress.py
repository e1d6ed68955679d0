"""How a run is shown while it goes on: a live display in a terminal, plain lines elsewhere."""

import time
from typing import IO, TYPE_CHECKING

from benchmarks.load.result import Point
from benchmarks.load.units import format_quantity

if TYPE_CHECKING:
    from rich.console import RenderableType

PLAIN_INTERVAL = 5.0  # s between plain lines
BARS = "▁▂▃▄▅▆▇█"
HISTORY = 60  # points in a spark line


class Silence:
    """Says nothing."""

    def phase(self, text: str, seconds: float | None = None) -> None:
        """Not told."""

    def update(self, point: Point) -> None:
        """Not told."""

    def note(self, sentence: str) -> None:
        """Not told."""

    def close(self) -> None:
        """Nothing to end."""


class PlainProgress:
    """A line for each phase, and one every few seconds: for logs and continuous integration."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._last = 0.0

    def phase(self, text: str, seconds: float | None = None) -> None:
        """A line for the phase."""
        duration = f" ({format_quantity(seconds, 'seconds')})" if seconds else ""
        self._write(f"{text}{duration}")

    def update(self, point: Point) -> None:
        """A line, if the last one is some seconds old."""
        if point.time - self._last >= PLAIN_INTERVAL:
            self._last = point.time
            self._write(f"{point.time:6.0f} s  " + ", ".join(f"{k} {v}" for k, v in facts(point)))

    def note(self, sentence: str) -> None:
        """A line for it."""
        self._write(f"Note: {sentence}")

    def close(self) -> None:
        """Nothing to end."""

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class LiveProgress:
    """A small table that is drawn again each second."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._title = title
        self._phase, self._seconds, self._began = "", 0.0, time.monotonic()
        self._points: list[Point] = []
        self._notes: list[str] = []
        console = Console(stderr=True)
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4)
        self._live.start()

    def phase(self, text: str, seconds: float | None = None) -> None:
        """Show the phase, with a bar if it is known how long it takes."""
        self._phase, self._seconds, self._began = text, seconds or 0.0, time.monotonic()

    def update(self, point: Point) -> None:
        """Show the newest figures."""
        self._points = [*self._points[1 - HISTORY :], point]

    def note(self, sentence: str) -> None:
        """Show it until the end."""
        self._notes.append(sentence)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column(justify="right", min_width=14)
        grid.add_column(style="cyan", no_wrap=True)
        lines: dict[str, list[float]] = {
            "received": [point.packets_received for point in self._points],
            "loss": [point.loss for point in self._points],
            "delay p99": [point.delay_p99 or 0.0 for point in self._points],
            "server CPU": [point.server_cpu or 0.0 for point in self._points],
        }
        if self._points:
            for name, value in facts(self._points[-1]):
                grid.add_row(name, value, spark(lines.get(name, [])))
        gone = time.monotonic() - self._began
        heading = Text(self._phase, style="bold")
        heading.append(f"  {format_quantity(gone, 'seconds')}", style="dim")
        parts: list[RenderableType] = [heading]
        if self._seconds:
            parts.append(ProgressBar(self._seconds, min(gone, self._seconds), width=60))
        notes = [Text(note, style="yellow") for note in self._notes]
        return Panel(Group(*parts, "", grid, *notes), title=self._title, expand=False)


def facts(point: Point) -> list[tuple[str, str]]:
    """The figures of a second that matter, with what is known only."""
    rows = [
        ("publishers", str(point.publishers)),
        ("subscribers", str(point.subscribers)),
        ("sent", format_quantity(point.packets_sent, "rate")),
        ("received", format_quantity(point.packets_received, "rate")),
        ("bit rate", format_quantity(point.bits_received, "bits")),
        ("loss", format_quantity(point.loss, "share")),
        ("delay p50", format_quantity(point.delay_p50, "seconds")),
        ("delay p99", format_quantity(point.delay_p99, "seconds")),
        ("freezes", str(point.freezes)),
    ]
    if point.server_cpu is not None:
        rows.append(("server CPU", format_quantity(point.server_cpu, "cores")))
    if point.server_memory is not None:
        rows.append(("server memory", format_quantity(point.server_memory, "bytes")))
    rows.append(("tester CPU", format_quantity(point.tester_cpu, "cores")))
    if point.tester_drops:
        rows.append(("tester lost", str(point.tester_drops)))
    if point.failures:
        rows.append(("failures", str(point.failures)))
    return rows


def spark(values: list[float]) -> str:
    """A line of bars, the highest value as high as a bar goes."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(BARS[min(int(value / top * len(BARS)), len(BARS) - 1)] for value in values)


def show(title: str, stream: IO[str], *, quiet: bool) -> Silence | PlainProgress | LiveProgress:
    """The display that suits where it is shown."""
    if quiet:
        return Silence()
    if stream.isatty():
        try:
            return LiveProgress(title)
        except ImportError:  # rich comes with the extra "load"
            pass
    return PlainProgress(stream)
