"""Where a recording is, of which the server knows no more than its order."""

import errno
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from recorder.files import names
from recorder.files.manifest_file import FILE_NAME as MANIFEST
from recorder.folder_lock import FILE_NAME as LOCK
from recorder.link.messages import RecordingOrder
from recorder.values import TrackInfo


def folder_of(order: RecordingOrder) -> Path:
    """The folder of a recording, absolute where the order's root is.

    Raises:
        TemplateError: The template is wrong.
    """
    template = order.request.template or order.template
    return Path(order.root) / relative_folder(
        template, id=order.id, room=order.room, started_at=order.started_at
    )


class FolderTakenError(OSError):
    """The folder of a recording is that of another one, or inside it."""

    def __init__(self) -> None:
        super().__init__(errno.EEXIST, "the template leads into the folder of another recording")


def make_folder(order: RecordingOrder, *, resume: bool) -> Path:
    """Make the folder of a recording: what deletes a recording deletes all that is in its folder.

    Args:
        order: Of the recording.
        resume: Whether an earlier process may have made it.

    Raises:
        TemplateError: The template is wrong.
        FolderTakenError: Another recording has it, or one above it.
        OSError: It cannot be made.
    """
    path, root = folder_of(order), Path(order.root)
    others = [one for one in path.parents if one.is_relative_to(root)]
    if not resume:
        others.append(path)
    if any((one / name).exists() for one in others for name in (MANIFEST, LOCK)):
        raise FolderTakenError
    path.mkdir(parents=True, exist_ok=True)
    return path


def relative_folder(template: str, *, id: str, room: str, started_at: float) -> PurePosixPath:
    """The folder of a recording below the folder of all.

    Args:
        template: As in `recorder.files.names`.
        id: "RC_…".
        room: Name of the room.
        started_at: Unix seconds; days and hours are those of UTC.

    Raises:
        TemplateError: The template is wrong.
    """
    return names.folder(template, _fields(id, room, started_at))


def file_of(order: RecordingOrder, track: TrackInfo, *, name: str) -> PurePosixPath:
    """The files of a track, relative to the recording's folder, without suffix.

    Args:
        order: Of the recording.
        track: The track.
        name: Of its publisher, as shown to people.

    Raises:
        TemplateError: The template is wrong.
    """
    fields = _fields(order.id, order.room, order.started_at) | {
        "identity": track.identity,
        "name": name or track.identity,
        "source": track.source if track.source != "unknown" else track.kind,
        "kind": track.kind,
        "track": track.sid,
    }
    return names.file(order.request.template or order.template, fields)


def _fields(id: str, room: str, started_at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(started_at, UTC)
    return {
        "room": room,
        "date": moment.strftime("%Y-%m-%d"),
        "time": moment.strftime("%H-%M-%S"),
        "recording": id,
    }
