"""The objects that tell of recordings."""

from typing import get_args

from msgspec import Struct

from recorder.values import Layout, Mode, OutputStatus, State
from signaling.messages.base import Shared

RECORDING_STATES: tuple[str, ...] = get_args(State)


class RoomRecordingInfo(Shared, frozen=True, kw_only=True):
    """What everyone in a room is told of a recording of it; `started_at` is in Unix seconds.

    `started_by` is an identity, empty where the server itself began it.
    """

    id: str
    mode: Mode
    state: State
    started_by: str
    started_at: float
    error: str


class RecordingInfo(Shared, frozen=True, kw_only=True):
    """A recording, for those who may record.

    `started_at` and `ended_at` are Unix seconds, `duration` is in seconds; `layout` is null but for
    composites. `hls` says whether it can be watched live.
    """

    id: str
    room: str
    mode: Mode
    layout: Layout | None
    hls: bool
    state: State
    started_by: str
    started_at: float
    ended_at: float | None
    duration: float
    bytes: int
    tracks: int
    gaps: int
    dropped: int
    recovered: bool
    warning: str
    error: str
    outputs: tuple[OutputStatus, ...]


class RecordingFileInfo(Struct, frozen=True, kw_only=True):
    """A file of a recording; `sha256` is empty while it is written, `duration` is in seconds."""

    name: str
    bytes: int
    sha256: str
    duration: float
