"""How fast a recording is composed: `python -m benchmarks.composition [--people 4] [--seconds 20]`.

From the repository only: the recording is made as the tests make theirs. People of 1280x720 pixels
at 30 frames/s and 2 Mb/s in VP8, with Opus, and a shared screen for the layout that shows it; the
picture moves, with grain like a camera's. Prints how many times as fast as real time `aiosfu
compose` is by layout and size, and how many seconds of CPU a second of the recording takes.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.table import table
from benchmarks.tester import machine
from recorder.values import EncodedFrame, Layout
from tests.recorder.compose.clips import Picture, Recording, audio, scene, tone, video

WIDTH, HEIGHT, FPS = 1280, 720, 30
BITRATE = 2_000_000  # bit/s of a camera
GRAIN = 3  # of 255; the deviation of what a camera's sensor adds
GRAINS = 8  # different ones, in turns: to make them takes longer than to encode them
LOOP = 4  # s of picture that are encoded, and written again and again
SIZES = ("640x360", "1280x720", "1920x1080")
COMMAND = (sys.executable, "-c", "from recorder.cli import compose; compose()")


def pictures(phase: float) -> Iterator[Picture]:
    """Waves that move through grain; the last goes over into the first."""
    random = np.random.default_rng(1)
    grains = [random.normal(0, GRAIN, (HEIGHT, WIDTH)).astype(np.int16) for _ in range(GRAINS)]
    count = LOOP * FPS
    for number in range(count):
        picture = scene(WIDTH, HEIGHT, phase + 2 * np.pi * number / count)
        picture[:HEIGHT] = np.clip(picture[:HEIGHT] + grains[number % GRAINS], 0, 255)
        yield picture


def repeat(frames: Sequence[EncodedFrame], seconds: int) -> list[EncodedFrame]:
    """The loop, for so long; it begins with a key frame each time."""
    return [
        replace(frame, time=frame.time + start)
        for start in range(0, seconds, LOOP)
        for frame in frames
        if frame.time + start < seconds
    ]


def record(
    folder: Path,
    people: int,
    seconds: int,
    clips: Sequence[Sequence[EncodedFrame]],
    *,
    screen: bool,
) -> Path:
    """A recording in which all send all the time, and each speaks for a while."""
    recording = Recording(folder, float(seconds))
    for number in range(people):
        identity = f"person{number}"
        recording.add_person(identity, f"Person {number + 1}")
        recording.add_track(identity, "camera", repeat(clips[number % len(clips)], seconds))
        sound = audio(tone(220 * (number + 1), seconds, level=0.2))
        recording.add_track(identity, "microphone", sound)
    if screen:
        recording.add_track("person0", "screen_share", repeat(clips[-1], seconds))
    for turn in range(seconds // 5 + 1):
        recording.set_speakers(5.0 * turn, f"person{turn % people}")
    return recording.save()


def compose(folder: Path, layout: str, size: str) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of one run of the command."""
    with tempfile.TemporaryDirectory() as place:
        command = [*COMMAND, str(folder), "-o", f"{place}/out.mp4", "--quiet"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        subprocess.run([*command, "--layout", layout, "--size", size], check=True)
        took = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=20, help="of the recording")
    parser.add_argument("--runs", type=int, default=3, help="to take the median of")
    options = parser.parse_args(arguments)
    people, seconds = options.people, options.seconds
    rows = []
    with tempfile.TemporaryDirectory() as place:
        clips = [
            video(pictures(1.5 * number), fps=FPS, bitrate=BITRATE)
            for number in range(min(people, 4))
        ]
        bitrate = 8 * sum(len(frame.data) for frame in clips[0]) / LOOP
        print(f"{machine()}; median of {options.runs}; {bitrate / 1e6:.1f} Mb/s a camera")
        folders = {
            screen: record(Path(place) / name, people, seconds, clips, screen=screen)
            for screen, name in ((False, "cameras"), (True, "screen"))
        }
        for layout in get_args(Layout):
            for size in SIZES if layout != "audio" else ("",):
                folder = folders[layout == "screen"]
                runs = [compose(folder, layout, size or SIZES[0]) for _ in range(options.runs)]
                took, cpu = map(statistics.median, zip(*runs, strict=True))
                cells = f"{seconds / took:.1f} ×", f"{cpu / seconds:.2f} s"
                rows.append([layout, size or "–", *cells])
                print("  " + ", ".join(rows[-1]), flush=True)
    print("\n" + table(["layout", "size", "as fast as real time", "CPU a second"], rows))


if __name__ == "__main__":
    main()
