"""A replay in words and figures: recorded beside replayed."""

from collections.abc import Sequence

import numpy as np

from benchmarks.load.units import format_quantity
from benchmarks.traces.player import Replay
from benchmarks.traces.reader import Recording
from benchmarks.traces.timeline import Point, Timeline

HEAD = ("track", "", "mean estimate", "layer changes", "share of time", "paused")


def label(layer: Point | None) -> str:
    """Of a layer: "s1t0" is spatial layer 1, temporal layer 0."""
    return "nothing" if layer is None else f"s{layer[0]}t{layer[1]}"


def title(recording: Recording) -> str:
    """Whose trace it is, and how long."""
    about = recording.about
    length = format_quantity(recording.end - recording.start, "seconds")
    text = f"{about.get('identity', '?')} in {about.get('room', '?')}, {length}"
    return f"{text}, cut off ({recording.cut} bytes left out)" if recording.cut else text


def rows(found: Replay) -> list[tuple[str, ...]]:
    """The cells of a table: two rows for all tracks together, and two for each."""
    lines = (("recorded", found.recorded), ("replayed", found.replayed))
    cells: list[tuple[str, ...]] = []
    for number, (kind, line) in enumerate(lines):
        total = sum(line.changes(track) for track in found.tracks)
        mean = format_quantity(line.mean_estimate, "bits") if line.estimates else "–"
        cells.append(("" if number else "all", kind, mean, str(total), "", ""))
    for track, (sid, _, source) in found.tracks.items():
        for number, (kind, line) in enumerate(lines):
            name = "" if number else f"{source} {sid}"
            changes = str(line.changes(track))
            cells.append((name, kind, "", changes, _shares(line, track), _pauses(line, track)))
    return cells


def reasons(found: Replay) -> list[str]:
    """A sentence for each pause for want of bandwidth, as it was first told."""
    lines = []
    for kind, line in (("recorded", found.recorded), ("replayed", found.replayed)):
        for track, (sid, _, source) in found.tracks.items():
            pause = line.pauses(track).get("bandwidth")
            if pause:
                lines.append(f"{kind}: {source} {sid}: {pause.reason}")
    return lines


def agreement(found: Replay) -> str:
    """How much of it is the same."""
    recorded, replayed = (
        np.array([value for _, value in line.estimates])
        for line in (found.recorded, found.replayed)
    )
    off = float(np.max(np.abs(replayed / recorded - 1))) if len(recorded) else 0.0
    same = sum(
        found.recorded.outline(track) == found.replayed.outline(track) for track in found.tracks
    )
    return (
        f"The same choices for {same} of {len(found.tracks)} tracks; "
        f"estimates differ by {format_quantity(off, 'share') if off > 1e-6 else 'nothing'} at most."
    )


def _shares(line: Timeline, track: int) -> str:
    shares = sorted(line.shares(track).items(), key=lambda item: -item[1])
    return ", ".join(f"{label(layer)} {format_quantity(value, 'share')}" for layer, value in shares)


def _pauses(line: Timeline, track: int) -> str:
    parts: Sequence[str] = [
        f"{cause} {pause.times}× {format_quantity(pause.seconds, 'seconds')}"
        for cause, pause in line.pauses(track).items()
    ]
    return ", ".join(parts) or "–"
