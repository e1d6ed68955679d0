"""How a recording goes, on the terminal: one line that changes, or a line for each change."""

from collections.abc import Sequence
from typing import Protocol, TextIO

import click

from signaling.messages import RecordingFileInfo, RecordingInfo

MARKS = {"starting": "○", "active": "●", "finishing": "◐", "complete": "✓", "failed": "✗"}
COLORS = {"active": "red", "complete": "green", "failed": "red"}


class Display(Protocol):
    """Where the state of a recording is shown."""

    def show(self, recording: RecordingInfo) -> None:
        """How it goes now."""

    def note(self, sentence: str) -> None:
        """Something that is worth a line."""

    def close(self) -> None:
        """Nothing more comes."""


class Lines:
    """A line whenever something changes that is worth one; for logs and terminals without rich."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: object = None

    def show(self, recording: RecordingInfo) -> None:
        """A line where state, warning, error or outputs are other ones."""
        outputs = [(one.url, one.state, one.error) for one in recording.outputs]
        shown = (recording.state, recording.warning, recording.error, outputs)
        if shown != self._shown:
            self._shown = shown
            for line in lines(recording):
                click.echo(line, file=self._stream)

    def note(self, sentence: str) -> None:
        """The sentence."""
        click.echo(sentence, file=self._stream)

    def close(self) -> None:
        """Nothing to do."""


class Silence:
    """Shows nothing."""

    def show(self, recording: RecordingInfo) -> None:
        """Nothing."""

    def note(self, sentence: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Live:
    """Lines that are drawn anew each time, by rich."""

    def __init__(self, stream: TextIO) -> None:
        """Raises ImportError where there is no rich."""
        from rich.console import Console
        from rich.live import Live as RichLive

        self._live = RichLive(console=Console(file=stream), auto_refresh=False)
        self._live.start()

    def show(self, recording: RecordingInfo) -> None:
        """Draw."""
        from rich.text import Text

        color = COLORS.get(recording.state, "")
        if recording.warning and color != "red":
            color = "yellow"
        self._live.update(Text("\n".join(lines(recording)), style=color), refresh=True)

    def note(self, sentence: str) -> None:
        """Above what is drawn."""
        self._live.console.print(sentence, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the last picture."""
        self._live.stop()


def display(stream: TextIO, *, quiet: bool) -> Display:
    """What suits where it is shown."""
    if quiet:
        return Silence()
    if stream.isatty():
        try:
            return Live(stream)
        except ImportError:
            pass  # it comes with an extra
    return Lines(stream)


def lines(recording: RecordingInfo) -> list[str]:
    """The recording, and below it what is to be said of its outputs and of trouble."""
    tracks = "1 track" if recording.tracks == 1 else f"{recording.tracks} tracks"
    parts = [
        f"{MARKS[recording.state]} {recording.state}",
        time(recording.duration),
        size(recording.bytes),
        tracks,
    ]
    if recording.gaps:
        parts.append(f"{recording.gaps} gaps")
    if recording.dropped:
        parts.append(f"{recording.dropped} frames dropped")
    found = ["  ".join(parts)]
    for output in recording.outputs:
        again = f", {output.retries} times connected again" if output.retries else ""
        why = f": {output.error}" if output.error else ""
        found.append(f"  {output.url}  {output.state}{again}{why}")
    if recording.warning:
        found.append(f"  warning: {recording.warning}")
    if recording.error:
        found.append(f"  error: {recording.error}")
    return found


def table(files: Sequence[RecordingFileInfo]) -> list[str]:
    """A line for each file."""
    width = max((len(file.name) for file in files), default=0)
    return [
        f"  {file.name:<{width}}  {size(file.bytes):>9}"
        + (f"  {time(file.duration)}" if file.duration else "")
        for file in files
    ]


def time(seconds: float) -> str:
    """For example "0:01:04"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def size(count: int) -> str:
    """For example "12.3 MB"."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
