"""Recordings in the log: a line for each change of state."""

from recorder.recording import RecordingEvent
from signaling.logs import get_logger

log = get_logger(__name__)


def log_recording(event: RecordingEvent) -> None:
    """A listener of the `RecordingManager`."""
    recording = event.recording
    status = recording.status
    fields: dict[str, object] = {
        "room": recording.room,
        "recording": recording.id,
        "mode": recording.mode,
        "state": recording.state,
    }
    if not recording.ended and not status.warning:
        log.info("recording", **fields, started_by=recording.started_by)
        return
    fields |= {"bytes": status.bytes, "seconds": round(status.duration, 1), "gaps": status.gaps}
    if status.error:
        fields["error"] = status.error
    if recording.state == "failed" or status.error:
        log.warning("recording", **fields)
    elif status.warning:
        log.warning("recording", **fields, warning=status.warning)
    else:
        log.info("recording", **fields)
