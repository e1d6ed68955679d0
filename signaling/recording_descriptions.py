"""Recordings as messages show them."""

from typing import cast

from recorder.recording import RecordedFile, Recording
from recorder.values import Mode, State
from sfu.room.events import RoomRecording
from signaling.messages import RecordingFileInfo, RecordingInfo, RoomRecordingInfo


def describe_recording(recording: Recording) -> RecordingInfo:
    """The recording, for those who may record."""
    status = recording.status
    return RecordingInfo(
        id=recording.id,
        room=recording.room,
        mode=recording.mode,
        layout=recording.layout,
        hls=recording.hls and not recording.ended,
        state=recording.state,
        started_by=recording.started_by,
        started_at=recording.started_at,
        ended_at=recording.ended_at,
        duration=status.duration,
        bytes=status.bytes,
        tracks=status.tracks,
        gaps=status.gaps,
        dropped=status.dropped,
        recovered=recording.recovered,
        warning=status.warning,
        error=status.error,
        outputs=status.outputs,
    )


def describe_room_recording(recording: RoomRecording) -> RoomRecordingInfo:
    """The recording, for everyone in the room."""
    return RoomRecordingInfo(
        id=recording.id,
        mode=cast(Mode, recording.mode),
        state=cast(State, recording.state),
        started_by=recording.started_by,
        started_at=recording.started_at,
        error=recording.error,
    )


def describe_file(file: RecordedFile) -> RecordingFileInfo:
    """A file of a recording."""
    return RecordingFileInfo(
        name=file.name, bytes=file.bytes, sha256=file.sha256, duration=file.duration
    )
