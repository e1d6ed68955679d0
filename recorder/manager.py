"""All recordings of a server: those that run and those that are kept."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from msgspec import structs

from recorder.catalogue import Catalogue
from recorder.files.disk import describe_error
from recorder.files.manifest_file import ManifestError
from recorder.folders import relative_folder
from recorder.link.messages import RecordingOrder
from recorder.recording import Listener, RecordedFile, Recording, RecordingEvent
from recorder.requests import check, is_wanted
from recorder.storage.retention import Kept, expired
from recorder.storage.uploader import UploadStatus
from recorder.storekeeper import Storekeeper
from recorder.values import ENDED, RecordingRequest, RecordingStatus
from sfu.config import Config
from sfu.errors import LimitError, LocalError, SfuError
from sfu.room.events import RoomRecording
from sfu.room.room import Room

TIDY_INTERVAL = 3600.0  # s between two looks at what has been kept for long enough
MAX_FAILURES = 100  # kept of those that failed before they had a folder: nothing else tells of them


class Recorder(Protocol):
    """What makes recordings: `recorder.link.supervisor.RecorderSupervisor`."""

    async def start(self, room: Room, order: RecordingOrder) -> None:
        """Record a room; all that comes of it is told as statuses.

        Raises:
            SfuError: It cannot be started.
        """

    async def stop(self, recording_id: str, *, reason: str = "stopped") -> None:
        """Finish a recording; nothing happens where there is no such one."""

    async def close(self) -> None:
        """Finish all recordings."""


class Repairs(Protocol):
    """What finishes recordings that nobody has finished: `recorder.repairs.Repairs`."""

    async def run(self, root: Path, told: Callable[[str], None]) -> None:
        """Repair all that are not ended; `told` gets the folder of each, relative to the root."""


log = structlog.get_logger(__name__)

# Gets what takes statuses.
MakeRecorder = Callable[[Callable[[RecordingStatus], None]], Recorder]


@dataclass
class _Running:
    """A recording that has not ended, and what is being done about it, one after the other."""

    room: Room
    request: RecordingRequest
    recording: Recording
    stopping: bool = False
    brought: bool = False
    task: "asyncio.Task[None] | None" = field(default=None)


class RecordingManager:
    """Starts, stops, lists and deletes recordings, and tells of them. Belongs to one event loop.

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
        self.on_changed: list[Listener] = []
        self._config = config
        self._make_recorder = make_recorder
        self._repairs = repairs
        self._identify = identify
        self._clock = clock
        # Relative to where the server was started, for good.
        self._catalogue = Catalogue(Path(config.recordings_dir).absolute())
        self._store = (
            Storekeeper(config, self._catalogue.root, self._uploaded) if config.s3_bucket else None
        )
        self._upload_errors: dict[str, str] = {}
        self._recorder: Recorder | None = None
        self._running: dict[str, _Running] = {}
        self._kept: dict[str, Recording] = {}
        self._failures: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._repairing: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Learn what was recorded before; what is unfinished is repaired meanwhile."""
        if not self._config.recordings_dir:
            return
        for recording in await asyncio.to_thread(self._catalogue.load):
            self._kept[recording.id] = recording
        if not all(recording.ended for recording in self._kept.values()):
            self._repairing = asyncio.create_task(
                self._repairs.run(self._catalogue.root, self._repaired)
            )
        if self._store is not None and await asyncio.to_thread(self._catalogue.is_waiting):
            self._spawn(self._store.start())
        if self._config.recording_days or self._config.recording_bytes:
            self._tidying = asyncio.create_task(self._tidy_now_and_then())

    async def close(self) -> None:
        """Finish all recordings."""
        self._closing = True
        for task in filter(None, (self._repairing, self._tidying)):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._recorder is not None:
            await self._recorder.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._store is not None:
            await self._store.close()

    # -- what there is

    def get(self, recording_id: str) -> Recording:
        """The recording with this id.

        Raises:
            LocalError: "recording_not_found".
        """
        running = self._running.get(recording_id)
        recording = running.recording if running else self._kept.get(recording_id)
        if recording is None:
            raise LocalError(f"There is no recording {recording_id!r}.", name="recording_not_found")
        return recording

    def of_room(self, room: str) -> list[Recording]:
        """All recordings of rooms of this name, the newest first."""
        everything = [*(one.recording for one in self._running.values()), *self._kept.values()]
        found = [recording for recording in everything if recording.room == room]
        return sorted(found, key=lambda recording: recording.started_at, reverse=True)

    async def files(self, recording_id: str) -> list[RecordedFile]:
        """The files of a recording, as far as its manifest tells of them by now.

        Raises:
            LocalError: "recording_not_found"; "internal_error": its manifest cannot be read.
        """
        recording = self.get(recording_id)
        try:
            return await asyncio.to_thread(self._catalogue.files, recording)
        except (OSError, ManifestError) as error:
            raise LocalError(
                f"The manifest cannot be read: {_reason(error)}.", name="internal_error"
            ) from error

    async def path(self, recording_id: str, name: str) -> Path:
        """Where a file of a recording is on this machine.

        Args:
            recording_id: Whose.
            name: As in `files`.

        Raises:
            LocalError: "recording_not_found": there is no such recording, or no such file here.
        """
        recording = self.get(recording_id)
        path = await asyncio.to_thread(self._catalogue.path, recording, name)
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
        files = await self.files(recording_id)
        if self._store is not None and name in (file.name for file in files):
            url = await self._store.url(f"{self.get(recording_id).folder}/{name}")
            if url:
                return url
        raise LocalError(f"The recording has no file {name!r}.", name="recording_not_found")

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
        for other in self._running.values():
            if (other.room, other.request, other.stopping) == (room, request, False):
                raise LocalError("The room is being recorded so already.", name="conflict")
        if len(self._running) >= config.max_recordings:
            raise LimitError(f"The server makes {config.max_recordings} recordings at a time.")
        order = RecordingOrder(
            id=self._identify(),
            room=room.name,
            request=request,
            root=str(self._catalogue.root),
            template=config.recording_template,
            free_space=config.recording_free_space,
            started_by=by,
            started_at=self._clock(),
            room_sid=room.sid,
        )
        recording = _begun(order)
        running = self._running[order.id] = _Running(room, request, recording)
        self._changed(running, recording)
        self._then(running, lambda: self._start(running, order))
        return recording

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
        running = self._running.get(recording_id)
        if running is None:
            return self.get(recording_id)
        if not running.stopping:
            running.stopping = True
            status = structs.replace(running.recording.status, state="finishing")
            self._changed(running, structs.replace(running.recording, status=status))
            self._then(running, lambda: self._stop(recording_id))
        return running.recording

    async def delete(self, recording_id: str) -> None:
        """Delete a recording with all its files, wherever they are.

        Raises:
            LocalError: "recording_not_found"; "conflict": it has not ended; "internal_error": the
                disk or the store failed.
        """
        recording = self.get(recording_id)
        if not recording.ended:
            raise LocalError("Stop the recording before you delete it.", name="conflict")
        if self._store is not None:
            await self._store.delete(recording.folder)  # first: the manifest here tells of it
        try:
            await asyncio.to_thread(self._catalogue.delete, recording)
        except OSError as error:
            raise LocalError(
                f"The recording cannot be deleted: {describe_error(error)}.", name="internal_error"
            ) from error
        self._kept.pop(recording_id, None)

    async def tidy(self) -> None:
        """Delete what has been kept for as long as the settings say."""
        config = self._config
        ids = expired(
            [
                Kept(one.id, one.ended_at or one.started_at, one.status.bytes)
                for one in self._kept.values()
                if one.ended
            ],
            now=self._clock(),
            days=config.recording_days,
            most=config.recording_bytes,
        )
        for recording_id in ids:
            with contextlib.suppress(LocalError):  # the next look tries it again
                await self.delete(recording_id)

    # -- inside

    async def _tidy_now_and_then(self) -> None:
        while True:
            await self.tidy()
            await asyncio.sleep(TIDY_INTERVAL)

    async def _start(self, running: _Running, order: RecordingOrder) -> None:
        if self._recorder is None:
            self._recorder = self._make_recorder(self._heard)
        try:
            await self._recorder.start(running.room, order)
        except SfuError as error:
            self._heard(RecordingStatus(order.id, "failed", error=error.message))
        except Exception:
            self._heard(RecordingStatus(order.id, "failed", error="the recorder has a fault"))
            raise  # for the event loop to log

    async def _stop(self, recording_id: str) -> None:
        if self._recorder is not None:
            await self._recorder.stop(recording_id)

    def _then(self, running: _Running, action: Callable[[], Awaitable[None]]) -> None:
        """Do something about a recording when what was begun before is done."""
        before = running.task

        async def act() -> None:
            if before is not None:
                await asyncio.wait([before])
            await action()

        running.task = self._spawn(act())

    def _spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _heard(self, status: RecordingStatus) -> None:
        """The recorder tells how it goes."""
        running = self._running.get(status.id)
        if running is None:
            return
        ended = status.state in ENDED
        if running.stopping and not ended:
            status = structs.replace(status, state="finishing")  # it has not heard of that yet
        if not status.warning:
            warning = self._upload_errors.get(running.recording.folder, "")
            status = structs.replace(status, warning=warning)
        recording = structs.replace(
            running.recording, status=status, ended_at=self._clock() if ended else None
        )
        self._bring(running, status)
        if ended:
            del self._running[status.id]
            self._keep(recording)
        self._changed(running, recording)

    def _bring(self, running: _Running, status: RecordingStatus) -> None:
        """Have a recording brought into the store, once its folder is there."""
        storage = running.request.storage or self._config.recording_storage
        if self._store is None or storage != "s3" or running.brought or status.state == "starting":
            return
        running.brought = True
        store, folder = self._store, running.recording.folder

        async def bring() -> None:
            try:
                await store.add(folder)
            except LocalError as error:
                self._uploaded(UploadStatus(folder, "waiting", 0, error.message))

        self._spawn(bring())

    def _uploaded(self, upload: UploadStatus) -> None:
        """How far a recording is on its way to the store."""
        if upload.error:
            self._upload_errors[upload.folder] = f"not stored yet: {upload.error}"
        else:
            self._upload_errors.pop(upload.folder, None)
        if upload.state == "stored":
            log.info("recording stored", folder=upload.folder, bytes=upload.sent)
        warning = self._upload_errors.get(upload.folder, "")
        for recording in self._kept.values():
            if recording.folder == upload.folder and recording.status.warning != warning:
                status = structs.replace(recording.status, warning=warning)
                self._kept[recording.id] = recording = structs.replace(recording, status=status)
                self._tell(recording)
                return

    def _keep(self, recording: Recording) -> None:
        self._kept[recording.id] = recording
        if recording.state == "failed" and not recording.status.bytes:
            self._failures.append(recording.id)
            if len(self._failures) > MAX_FAILURES:
                self._kept.pop(self._failures.pop(0), None)

    def _changed(self, running: _Running, recording: Recording) -> None:
        """Tell the room and the listeners what is worth telling."""
        old, new = running.recording.status, recording.status
        first = recording is running.recording
        running.recording = recording
        if first or (old.state, old.error) != (new.state, new.error):
            running.room.tell_recording(
                RoomRecording(
                    id=recording.id,
                    mode=recording.mode,
                    state=recording.state,
                    started_by=recording.started_by,
                    started_at=recording.started_at,
                    error=new.error,
                )
            )
        elif old.warning == new.warning:
            return
        self._tell(recording)

    def _repaired(self, folder: str) -> None:
        """A recording that was unfinished when we started is finished now."""
        self._spawn(self._learn(folder))

    async def _learn(self, folder: str) -> None:
        with contextlib.suppress(OSError, ManifestError):
            recording = await asyncio.to_thread(self._catalogue.read, folder)
            self._kept[recording.id] = recording
            self._tell(recording)

    def _tell(self, recording: Recording) -> None:
        event = RecordingEvent(recording, at=self._clock())
        for listener in self.on_changed:
            listener(event)


def _reason(error: OSError | ManifestError) -> str:
    return describe_error(error) if isinstance(error, OSError) else str(error)


def _begun(order: RecordingOrder) -> Recording:
    request = order.request
    folder = relative_folder(
        request.template or order.template,
        id=order.id,
        room=order.room,
        started_at=order.started_at,
    )
    return Recording(
        id=order.id,
        room=order.room,
        mode=request.mode,
        started_by=order.started_by,
        started_at=order.started_at,
        status=RecordingStatus(order.id, "starting"),
        folder=folder.as_posix(),
        layout=request.layout if request.mode == "composite" else None,
    )
