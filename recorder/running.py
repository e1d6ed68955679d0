"""The recordings that run: begun, followed by what the recorder says, and ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import structs

from recorder.announcer import Announcer
from recorder.archive import Archive
from recorder.folders import relative_folder
from recorder.link.messages import RecordingOrder
from recorder.recording import Recording
from recorder.tasks import Task, Tasks
from recorder.values import ENDED, RecordingRequest, RecordingStatus
from sfu.errors import SfuError
from sfu.room.room import Room


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


# Gets what takes statuses.
MakeRecorder = Callable[[Callable[[RecordingStatus], None]], Recorder]


@dataclass
class _Running:
    """A recording that has not ended, and what is being done about it, one after the other."""

    room: Room
    request: RecordingRequest
    recording: Recording
    stopping: bool = False
    stored: bool = False
    task: Task | None = field(default=None)


class RunningRecordings:
    """Starts and stops recordings, and knows how they go. Belongs to one event loop.

    Args:
        make_recorder: Called before the first recording.
        archive: Gets what has ended.
        announcer: Told of all that changes.
        clock: Unix seconds on the server's clock.
    """

    def __init__(
        self,
        make_recorder: MakeRecorder,
        archive: Archive,
        announcer: Announcer,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._make_recorder = make_recorder
        self._archive = archive
        self._announcer = announcer
        self._clock = clock
        self._recorder: Recorder | None = None
        self._running: dict[str, _Running] = {}
        self._tasks = Tasks()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._running)

    def get(self, recording_id: str) -> Recording | None:
        """The recording with this id, if it runs."""
        running = self._running.get(recording_id)
        return running.recording if running is not None else None

    def all(self) -> list[Recording]:
        """All recordings."""
        return [running.recording for running in self._running.values()]

    def includes(self, room: Room, request: RecordingRequest) -> bool:
        """Whether the room is recorded like this, and nobody has ended that."""
        return any(
            (one.room, one.request, one.stopping) == (room, request, False)
            for one in self._running.values()
        )

    def start(self, room: Room, order: RecordingOrder) -> Recording:
        """Begin a recording; whether that works out is told by its state."""
        recording = _begun(order)
        running = self._running[order.id] = _Running(room, order.request, recording)
        self._announcer.begin(room, recording)
        running.task = self._tasks.spawn(self._start(running, order))
        return recording

    def stop(self, recording_id: str) -> Recording | None:
        """End a recording, if it runs: its files are finished after that."""
        running = self._running.get(recording_id)
        if running is None:
            return None
        if not running.stopping:
            running.stopping = True
            status = structs.replace(running.recording.status, state="finishing")
            self._change(running, structs.replace(running.recording, status=status))
            running.task = self._tasks.spawn_after(running.task, lambda: self._stop(recording_id))
        return running.recording

    async def close(self) -> None:
        """Finish all."""
        if self._recorder is not None:
            await self._recorder.close()
        await self._tasks.join()

    # -- inside

    async def _start(self, running: _Running, order: RecordingOrder) -> None:
        if self._recorder is None:
            self._recorder = self._make_recorder(self._hear)
        try:
            await self._recorder.start(running.room, order)
        except SfuError as error:
            self._hear(RecordingStatus(order.id, "failed", error=error.message))
        except Exception:
            self._hear(RecordingStatus(order.id, "failed", error="the recorder has a fault"))
            raise  # for the event loop to log

    async def _stop(self, recording_id: str) -> None:
        if self._recorder is not None:
            await self._recorder.stop(recording_id)

    def _hear(self, status: RecordingStatus) -> None:
        """The recorder tells how it goes."""
        running = self._running.get(status.id)
        if running is None:
            return
        ended = status.state in ENDED
        if running.stopping and not ended:
            status = structs.replace(status, state="finishing")  # it has not heard of that yet
        if not status.warning:
            status = structs.replace(status, warning=self._archive.warning(running.recording))
        recording = structs.replace(
            running.recording, status=status, ended_at=self._clock() if ended else None
        )
        if status.state != "starting" and not running.stored:  # from now on it has a folder
            running.stored = True
            self._archive.store(recording, running.request.storage)
        if ended:
            del self._running[status.id]
            self._archive.keep(recording)
        self._change(running, recording)

    def _change(self, running: _Running, recording: Recording) -> None:
        before, running.recording = running.recording, recording
        self._announcer.change(running.room, before, recording)


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
        hls=request.hls,
    )
