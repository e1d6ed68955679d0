"""Writes a track until it is killed: python -m tests.recorder.files.writing_process JOB.

For each frame that it has written it writes a byte to its standard output.
"""

import os
import pickle
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath

from recorder.files.manifest import Segment
from recorder.files.track_writer import TrackWriter
from tests.recorder.files.clips import RECORDING, TRACK


def main() -> None:
    clip, folder, name, format, started = pickle.loads(Path(sys.argv[1]).read_bytes())
    segments: list[Segment] = []
    writer = TrackWriter(
        folder,
        PurePosixPath(name),
        format=format,
        started_at=started,
        segments=segments,
        recording=RECORDING,
        track=TRACK,
    )
    step = clip[1].time - clip[0].time
    for number in count():
        frame = clip[number % len(clip)]
        assert writer.write(replace(frame, time=started + number * step))
        os.write(1, b".")


main()
