"""What others find in our files: ffprobe, and PyAV."""

import json
import subprocess
from pathlib import Path
from typing import Any

import av


def ffprobe(path: Path) -> dict[str, Any]:
    """Of the one stream and the format; fails where FFmpeg finds any error in the file."""
    done = subprocess.run(
        [
            *("ffprobe", "-v", "warning", "-of", "json", "-count_packets"),
            *("-show_format", "-show_streams", str(path)),
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)
    return {**found["streams"][0], "format": found["format"]}


def packets(path: Path) -> list[tuple[float, bytes]]:
    """Time and payload of each packet."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux()
            if packet.pts is not None
        ]


def decode(path: Path) -> list[av.VideoFrame | av.AudioFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams[0]))
