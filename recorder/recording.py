"""A recording as its server knows it: what lists, events and callbacks show."""

from collections.abc import Callable

import msgspec

from recorder.files.manifest import Manifest, Segment
from recorder.values import ENDED, Layout, Mode, RecordingStatus, State


class Recording(msgspec.Struct, frozen=True):
    """A recording at one moment.

    Attributes:
        id: "RC_…".
        room: Name of the room, which may be gone.
        mode: "tracks" or "composite".
        started_by: Identity of who started it; empty for the server itself.
        started_at: Unix seconds.
        status: How it goes.
        folder: Of its files, relative to the folder of all recordings.
        layout: Of a composite.
        hls: Whether a composite was to be served as HLS; what is kept does not tell.
        ended_at: Unix seconds; None while it runs.
        recovered: Whether it was found unfinished when the server started, and repaired.
    """

    id: str
    room: str
    mode: Mode
    started_by: str
    started_at: float
    status: RecordingStatus
    folder: str
    layout: Layout | None = None
    hls: bool = False
    ended_at: float | None = None
    recovered: bool = False

    @property
    def state(self) -> State:
        """Of its status."""
        return self.status.state

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED

    @classmethod
    def of(cls, manifest: Manifest, folder: str) -> "Recording":
        """What its manifest says."""
        segments = manifest.segments()
        status = RecordingStatus(
            id=manifest.id,
            state=manifest.state,
            bytes=sum(segment.bytes for segment in segments),
            duration=manifest.duration or 0.0,
            gaps=sum(len(track.gaps) for track in manifest.tracks),
            tracks=len(manifest.tracks),
            error=manifest.errors[-1] if manifest.errors else "",
        )
        return cls(
            id=manifest.id,
            room=manifest.room,
            mode=manifest.mode,
            started_by=manifest.started_by,
            started_at=manifest.started_at,
            status=status,
            folder=folder,
            layout=manifest.composite.layout if manifest.composite else None,
            ended_at=manifest.ended_at,
            recovered=manifest.recovered,
        )


class RecordedFile(msgspec.Struct, frozen=True):
    """A file of a recording.

    Attributes:
        name: Relative to the recording's folder, with "/".
        bytes: Its size; 0 while that is not known.
        sha256: Of its content, hexadecimal; empty while it is written, and of the manifest.
        duration: Seconds of what is in it; 0 of the manifest.
    """

    name: str
    bytes: int = 0
    sha256: str = ""
    duration: float = 0.0

    @classmethod
    def of(cls, segment: Segment) -> "RecordedFile":
        """What the manifest says of it."""
        return cls(segment.file, segment.bytes, segment.sha256, segment.duration)


class RecordingEvent(msgspec.Struct, frozen=True):
    """A recording changed its state, or has something to warn of: what a webhook would send.

    Attributes:
        recording: As it is now.
        at: Unix seconds.
        event: Always "recording_changed".
    """

    recording: Recording
    at: float
    event: str = "recording_changed"


Listener = Callable[[RecordingEvent], None]
