"""All recordings of a server: those that run and those that are kept."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from recorder.announcer import Announcer
from recorder.archive import Archive, Repairs
from recorder.link.messages import RecordingOrder
from recorder.recording import Listener, RecordedFile, Recording
from recorder.requests import check, is_wanted
from recorder.running import MakeRecorder, RunningRecordings
from recorder.values import RecordingRequest
from sfu.config import Config
from sfu.errors import LimitError, LocalError
from sfu.room.room import Room


class RecordingManager:
    """Starts, stops, lists and deletes recordings. Belongs to one event loop.

    No process and no thread runs, and no folder is made, before the first recording.

    Attributes:
        on_changed: Each is called when the state of a recording changes, or when there is a new
            error or warning. They must not raise.
    """

    def __init__(
        self,
        config: Config,
        *,
        make_recorder: MakeRecorder,
        repairs: Repairs,
        identify: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """Nothing is recorded, nothing is known.

        Args:
            config: The settings about recordings.
            make_recorder: Called before the first recording.
            repairs: Run by `open`, where something is unfinished.
            identify: Makes ids, "RC_…".
            clock: Unix seconds on the server's clock.
        """
        self._config = config
        self._identify = identify
        self._clock = clock
        announcer = Announcer(clock)
        self.on_changed: list[Listener] = announcer.listeners
        self._archive = Archive(config, announcer, repairs=repairs, clock=clock)
        self._running = RunningRecordings(make_recorder, self._archive, announcer, clock=clock)
        self._closing = False

    async def open(self) -> None:
        """Learn what was recorded before; what is unfinished is repaired meanwhile."""
        if self._config.recordings_dir:
            await self._archive.open()

    async def close(self) -> None:
        """Finish all recordings."""
        self._closing = True
        await self._running.close()
        await self._archive.close()

    # -- what there is

    def get(self, recording_id: str) -> Recording:
        """The recording with this id.

        Raises:
            LocalError: "recording_not_found".
        """
        recording = self._running.get(recording_id) or self._archive.get(recording_id)
        if recording is None:
            raise LocalError(f"There is no recording {recording_id!r}.", name="recording_not_found")
        return recording

    def of_room(self, room: str) -> list[Recording]:
        """All recordings of rooms of this name, the newest first."""
        everything = [*self._running.all(), *self._archive.all()]
        found = [recording for recording in everything if recording.room == room]
        return sorted(found, key=lambda recording: recording.started_at, reverse=True)

    async def files(self, recording_id: str) -> list[RecordedFile]:
        """The files of a recording, as far as its manifest tells of them by now.

        Raises:
            LocalError: "recording_not_found"; "internal_error": its manifest cannot be read.
        """
        return await self._archive.files(self.get(recording_id))

    async def path(self, recording_id: str, name: str) -> Path:
        """Where a file of a recording is on this machine.

        Args:
            recording_id: Whose.
            name: As in `files`.

        Raises:
            LocalError: "recording_not_found": there is no such recording, or no such file here.
        """
        path = await self._archive.path(self.get(recording_id), name)
        if path is None:
            raise LocalError(
                f"The recording has no file {name!r} here.", name="recording_not_found"
            )
        return path

    async def url(self, recording_id: str, name: str) -> str:
        """Where anyone can read a file of a recording that is in the store alone, for an hour.

        Raises:
            LocalError: "recording_not_found": there is no such file; "internal_error": the store
                does not answer.
        """
        url = await self._archive.url(self.get(recording_id), name)
        if not url:
            raise LocalError(f"The recording has no file {name!r}.", name="recording_not_found")
        return url

    # -- what is to be done

    def start(self, room: Room, request: RecordingRequest, *, by: str) -> Recording:
        """Begin to record a room. Whether that works out is told by the recording's state.

        Args:
            room: An open one.
            request: What is wanted of it.
            by: Identity of who wants it; empty for the server itself.

        Raises:
            SfuError: It cannot be done: "bad_request", "too_large", "not_allowed",
                "room_not_found", "conflict", "limit_reached", "server_shutdown".
        """
        config = self._config
        if not config.recordings_dir:
            raise LocalError(
                "This server does not record: its setting recordings_dir is empty.",
                name="not_allowed",
            )
        if self._closing:
            raise LocalError("The server is stopping.", name="server_shutdown")
        check(request, config)
        if room.closed:
            raise LocalError(f"There is no room {room.name!r}.", name="room_not_found")
        if self._running.includes(room, request):
            raise LocalError("The room is being recorded so already.", name="conflict")
        if len(self._running) >= config.max_recordings:
            raise LimitError(f"The server makes {config.max_recordings} recordings at a time.")
        order = RecordingOrder(
            id=self._identify(),
            room=room.name,
            request=request,
            root=str(self._archive.root),
            template=config.recording_template,
            free_space=config.recording_free_space,
            started_by=by,
            started_at=self._clock(),
            room_sid=room.sid,
        )
        return self._running.start(room, order)

    def open_room(self, room: Room) -> None:
        """A room was opened: record it where the settings say so."""
        if not self._closing and is_wanted(room.name, self._config):
            request = RecordingRequest(mode=self._config.record_mode)
            with contextlib.suppress(LimitError):  # the room is worth more than its recording
                self.start(room, request, by="")

    def stop(self, recording_id: str) -> Recording:
        """End a recording: its files are finished after that. One that has ended stays as it is.

        Raises:
            LocalError: "recording_not_found".
        """
        return self._running.stop(recording_id) or self.get(recording_id)

    async def delete(self, recording_id: str) -> None:
        """Delete a recording with all its files, wherever they are.

        Raises:
            LocalError: "recording_not_found"; "conflict": it has not ended; "internal_error": the
                disk or the store failed.
        """
        recording = self.get(recording_id)
        if not recording.ended:
            raise LocalError("Stop the recording before you delete it.", name="conflict")
        await self._archive.delete(recording)

    async def tidy(self) -> None:
        """Delete what has been kept for as long as the settings say."""
        await self._archive.tidy()
