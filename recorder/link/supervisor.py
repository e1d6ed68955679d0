"""Keeps recorder processes running, as many as recordings need, and tells how it goes."""

from collections.abc import Callable

from recorder.link.messages import RecordingOrder
from recorder.values import RecordingStatus
from sfu.room.room import Room


class RecorderSupervisor:
    """Starts recordings in processes of their own, and goes on with them when those die.

    All recordings of mode "tracks" share one process, each composite has its own. A process starts
    when it is needed and ends with its last recording. One that dies is started again, and its
    recordings go on in new files; one that dies five times in a minute is given up: its recordings
    fail. Belongs to one event loop.

    Attributes:
        on_status: Called with news of recordings: once a second while they run, and whenever the
            state changes. The last of each is "complete" or "failed" (`ENDED`).
    """

    def __init__(self, on_status: Callable[[RecordingStatus], None]) -> None:
        """No process runs yet."""
        self.on_status = on_status

    async def start(self, room: Room, order: RecordingOrder) -> None:
        """Record a room; returns when a process has been told so.

        What comes of it is told by `on_status`, "starting" first. When the room closes, the
        recording ends by itself.

        Raises:
            LimitError: "server_full": no process could be started.
            LocalError: "bad_request": the room is closed, or there is such a recording already.
        """
        raise NotImplementedError

    async def stop(self, recording_id: str, *, reason: str = "stopped") -> None:
        """Finish a recording; returns when its files are closed, or after 10 s.

        Nothing happens where there is no such recording.
        """
        raise NotImplementedError

    def active(self) -> list[str]:
        """Ids of the recordings that have not ended."""
        raise NotImplementedError

    async def close(self) -> None:
        """Finish all recordings, within 10 s, and end all processes."""
        raise NotImplementedError
