"""Where a recording is, of which the server knows no more than its order."""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from recorder.files import names
from recorder.link.messages import RecordingOrder


def folder_of(order: RecordingOrder) -> Path:
    """The folder of a recording, absolute where the order's root is.

    Raises:
        TemplateError: The template is wrong.
    """
    template = order.request.template or order.template
    return Path(order.root) / relative_folder(
        template, id=order.id, room=order.room, started_at=order.started_at
    )


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
    moment = datetime.fromtimestamp(started_at, UTC)
    fields = {
        "room": room,
        "date": moment.strftime("%Y-%m-%d"),
        "time": moment.strftime("%H-%M-%S"),
        "recording": id,
    }
    return names.folder(template, fields)
