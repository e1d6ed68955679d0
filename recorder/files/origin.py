"""What a file says of itself, for whoever finds it without its manifest.

It is the comment of the container, as JSON: a recorder may be killed after it has opened a file and
before it has saved a manifest that tells of it.
"""

from pathlib import Path

import av
import msgspec
from av.error import FFmpegError

from recorder.files.manifest import Segment
from recorder.values import TrackInfo


class Origin(msgspec.Struct, frozen=True):
    """Where a file belongs.

    Attributes:
        recording: "RC_…".
        segment: Its entry in the manifest as it was when the file was opened.
        track: What is in it; None for a composite.
    """

    recording: str
    segment: Segment
    track: TrackInfo | None = None

    def comment(self) -> str:
        """For the file's header."""
        return msgspec.json.encode(self).decode()


def origin_of(path: Path) -> Origin | None:
    """What a file says; None where it says nothing, or cannot be read."""
    try:
        with av.open(str(path)) as container:
            tags = {name.lower(): text for name, text in container.metadata.items()}
        return msgspec.json.decode(tags.get("comment", ""), type=Origin)
    except (FFmpegError, msgspec.MsgspecError, UnicodeError):
        return None
