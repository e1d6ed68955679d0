"""The command `aiosfu compose`: makes one picture and one sound of a recording's tracks."""

import re
import sys
from pathlib import Path
from typing import get_args

import click

from recorder.compose.compositor import check_size
from recorder.compose.encoder import VideoCodec
from recorder.compose.offline import FORMATS, ComposeError, Options
from recorder.compose.offline import compose as compose_recording
from recorder.compose.stage import BACKGROUND
from recorder.values import Layout

LAYOUTS = (
    "grid: all alike; speaker: the dominant speaker (or a shared screen) large; "
    "screen: a shared screen large, people beside it; audio: only the sound."
)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .mp4 (H.264, AAC), .webm (VP9, Opus) or .mkv (H.264, AAC).",
)
@click.option(
    "--layout", type=click.Choice(get_args(Layout)), default="grid", show_default=True, help=LAYOUTS
)
@click.option(
    "--size", default="1280x720", show_default=True, metavar="WIDTHxHEIGHT", help="Of the picture."
)
@click.option(
    "--fps", default=30, show_default=True, metavar="NUMBER", help="Frames per second, up to 60."
)
@click.option(
    "--background",
    default=BACKGROUND,
    show_default=True,
    metavar="#RRGGBB|FILE",
    help="Colour, or a picture's file, behind the tiles.",
)
@click.option(
    "--video-codec",
    "codec",
    type=click.Choice(get_args(VideoCodec)),
    help="Of the picture.  [default: what suits the file]",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
def compose(
    folder: Path,
    target: Path,
    layout: Layout,
    size: str,
    fps: int,
    background: str,
    codec: VideoCodec | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make one file of the tracks that were recorded into FOLDER (where manifest.json is).

    People come and go, names and avatars are shown, and shared screens and speakers get their
    places, as it was in the room.
    """
    check_target(target, codec, overwrite=overwrite)
    width, height = parse_size(size, fps)
    if not background.startswith("#") and not Path(background).is_file():
        raise click.UsageError(f"{background} is neither a colour like #16181d nor a file.")
    chosen = background if background.startswith("#") else Path(background)
    options = Options(layout, width, height, fps, chosen, codec)
    done = 0.0
    with click.progressbar(
        length=1000, label=f"Composing {target.name}", file=sys.stderr, hidden=quiet
    ) as bar:

        def progress(seconds: float, total: float) -> None:
            nonlocal done
            if (steps := int(1000 * seconds / total) - int(1000 * done / total)) > 0:
                bar.update(steps)
            done = seconds

        try:
            result = compose_recording(folder, target, options, progress)
        except ComposeError as error:
            raise click.ClickException(str(error)) from None
    for name in result.missing:
        click.echo(f"Warning: {name} is not there, and was left out.", err=True)
    if not quiet:
        factor = result.duration / max(result.took, 0.001)
        click.echo(
            f"{target}: {clock(result.duration)}, {result.bytes / 1e6:.1f} MB, "
            f"{factor:.1f} times as fast as real time"
        )


def check_target(target: Path, codec: VideoCodec | None, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, or should not be."""
    if target.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{target} must end in {', '.join(FORMATS)}.")
    if codec is not None and (codec == "h264") == (target.suffix.lower() == ".webm"):
        raise click.UsageError(f"{codec} does not go into {target.suffix}; choose another file.")
    if not target.parent.is_dir():
        raise click.UsageError(f"There is no folder {target.parent}.")
    if target.exists() and not overwrite:
        raise click.UsageError(f"{target} is there already; --overwrite replaces it.")


def parse_size(text: str, fps: int) -> tuple[int, int]:
    """A size like 1280x720; it and the rate must be possible."""
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise click.UsageError(f'"{text}" is no size; write one like 1280x720.')
    width, height = int(match[1]), int(match[2])
    try:
        check_size(width, height, fps)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return width, height


def clock(seconds: float) -> str:
    """As hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
