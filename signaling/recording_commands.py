"""What a participant may ask about recordings of its room."""

from collections.abc import Callable, Mapping
from typing import Any

from recorder.manager import RecordingManager
from recorder.recording import Recording
from sfu.errors import LocalError
from signaling import messages
from signaling.members import Member
from signaling.messages import Ok, Reply, Request
from signaling.recording_descriptions import describe_recording

MAX_LISTED = 100  # recordings in one message; HTTP lists all


def run(message: Request, member: Member, recordings: RecordingManager) -> Reply:
    """Do what the member asks for.

    Args:
        message: One of `COMMANDS`.
        member: Who asks.
        recordings: All of the server.

    Returns:
        The reply, without the request's id.

    Raises:
        SfuError: It cannot be done.
    """
    if not member.participant.permissions.can_record:
        raise LocalError("You may not record this room.", name="not_allowed")
    return COMMANDS[type(message)](member, message, recordings)


def _start(member: Member, message: messages.StartRecording, recordings: RecordingManager) -> Reply:
    participant = member.participant
    recording = recordings.start(participant.room, message.options, by=participant.identity)
    return messages.RecordingStarted(recording=describe_recording(recording))


def _stop(member: Member, message: messages.StopRecording, recordings: RecordingManager) -> Reply:
    recordings.stop(_own(member, message.recording, recordings).id)
    return Ok()


def _list(member: Member, _: messages.ListRecordings, recordings: RecordingManager) -> Reply:
    found = recordings.of_room(member.participant.room.name)[:MAX_LISTED]
    return messages.RecordingList(recordings=tuple(map(describe_recording, found)))


def _own(member: Member, recording_id: str, recordings: RecordingManager) -> Recording:
    """The recording, if it is of the member's room: others do not exist for it."""
    recording = recordings.get(recording_id)
    if recording.room != member.participant.room.name:
        raise LocalError(f"There is no recording {recording_id!r}.", name="recording_not_found")
    return recording


COMMANDS: Mapping[type[Request], Callable[[Member, Any, RecordingManager], Reply]] = {
    messages.StartRecording: _start,
    messages.StopRecording: _stop,
    messages.ListRecordings: _list,
}
