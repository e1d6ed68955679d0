"""Keeps recorder processes running, as many as recordings need, and tells how it goes."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from msgspec import structs

from recorder.folders import folder_of
from recorder.link.messages import KeyFrameWanted, RecordingOrder, StatusIs, StopRecording, ToServer
from recorder.link.process import RecorderProcess
from recorder.link.room_observer import RoomObserver
from recorder.link.salvage import salvage
from recorder.tasks import Task, Tasks, cancel
from recorder.values import ENDED, RecordingStatus
from sfu.errors import LimitError, LocalError
from sfu.room.room import Room

MAX_DEATHS = 5  # of a process in DEATH_WINDOW, after which it is given up
DEATH_WINDOW = 60.0  # s
RESTART_DELAYS = (0.1, 0.5, 1.0, 2.0)  # s, after the first, second, … death in that time
FINISH_TIME = 10.0  # s in which files are closed
LOOK_INTERVAL = 1.0  # s between two looks at who still says how it goes, as they do each second
SILENT = 5  # looks after which a recording of which nothing is heard has a warning
HANGING = 30  # looks after which its process is killed, so that another goes on
NO_ANSWER = "the recorder does not answer: parts of the recording may be missing"

log = structlog.get_logger(__name__)


class _Recording:
    """One recording, whichever process makes it."""

    def __init__(self, room: Room, order: RecordingOrder) -> None:
        self.room = room
        self.order = order
        self.status = RecordingStatus(order.id, "starting")
        self.observer: RoomObserver | None = None
        self.begun = False  # whether a process has been told of it
        self.stopping = ""  # why
        self.silent = 0  # looks since its last status
        self.ended = asyncio.Event()


class _Host:
    """The place of a process that makes some recordings, however often it dies."""

    def __init__(self) -> None:
        self.process: RecorderProcess | None = None
        self.recordings: dict[str, _Recording] = {}
        self.deaths: deque[float] = deque()
        self.restart: asyncio.TimerHandle | None = None


class RecorderSupervisor:
    """Starts recordings in processes of their own, and goes on with them when those die.

    All recordings of mode "tracks" share one process, each composite has its own. A process starts
    when it is needed and ends with its last recording. One that dies is started again, and its
    recordings go on in new files; one that says nothing for half a minute is killed, which comes to
    the same. One that dies five times in a minute is given up: its recordings fail, and their files
    are repaired. Belongs to one event loop.

    Attributes:
        on_status: Called with news of recordings: once a second while they run, and whenever the
            state changes. The last of each is "complete" or "failed" (`ENDED`).
    """

    def __init__(self, on_status: Callable[[RecordingStatus], None]) -> None:
        """No process runs yet."""
        self.on_status = on_status
        self._loop = asyncio.get_running_loop()
        self._hosts: dict[str, _Host] = {}
        self._recordings: dict[str, tuple[_Host, _Recording]] = {}
        self._ending = Tasks()
        self._salvaging: list[Task] = []
        self._looking: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(self, room: Room, order: RecordingOrder) -> None:
        """Record a room; returns when a process has been told so.

        What comes of it is told by `on_status`, "starting" first. When the room closes, the
        recording ends by itself.

        Raises:
            LimitError: "server_full": no process could be started.
            LocalError: "bad_request": the room is closed, or there is such a recording already.
        """
        if room.closed or self._closed:
            raise LocalError("The room is closed.")
        if order.id in self._recordings:
            raise LocalError(f"There is a recording {order.id} already.")
        key = order.id if order.request.mode == "composite" else "tracks"
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host()
        recording = _Recording(room, order)
        if host.process is None and host.restart is None:
            try:
                self._run(host)
            except OSError as error:
                del self._hosts[key]
                raise LimitError(
                    f"The recorder cannot be started: {error.strerror}.", name="server_full"
                ) from error
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_INTERVAL, self._look)
        host.recordings[order.id] = recording
        self._recordings[order.id] = host, recording
        self.on_status(recording.status)
        if host.process is not None:
            self._begin(host.process, recording)

    async def stop(self, recording_id: str, *, reason: str = "stopped") -> None:
        """Finish a recording; returns when its files are closed, or after 10 s.

        Nothing happens where there is no such recording.
        """
        known = self._recordings.get(recording_id)
        if known is None:
            return
        host, recording = known
        self._finish(host, recording, reason)
        try:
            await asyncio.wait_for(recording.ended.wait(), FINISH_TIME)
        except TimeoutError:
            log.warning("recording does not end", recording=recording_id)

    def active(self) -> list[str]:
        """Ids of the recordings that have not ended."""
        return list(self._recordings)

    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [host.process.pid for host in self._hosts.values() if host.process is not None]

    async def close(self) -> None:
        """Finish all recordings, within 10 s, and end all processes.

        What takes longer to be checked in stays "finishing": its process goes on without us.
        """
        self._closed = True
        await asyncio.gather(
            *[self.stop(recording, reason="server_shutdown") for recording in self.active()]
        )
        for task in self._salvaging:
            await cancel(task)
        for host, recording in list(self._recordings.values()):
            if recording.status.state == "finishing":
                self._forget(host, recording)
            else:
                self._fail(host, recording, "The recorder did not finish in time.")
        if self._looking is not None:
            self._looking.cancel()
        await self._ending.join()

    # -- recordings

    def _begin(self, process: RecorderProcess, recording: _Recording) -> None:
        """Tell a process of a recording, again if need be."""

        def closed() -> None:
            host, _ = self._recordings[recording.order.id]
            self._finish(host, recording, "room_ended")

        recording.observer = RoomObserver(
            recording.room,
            recording.order,
            process.link,
            clock=self._loop.time,
            on_closed=closed,
            resume=recording.begun,
        )
        recording.begun = True
        recording.silent = 0
        if recording.stopping or recording.room.closed:
            recording.observer.close()
            process.link.tell(StopRecording(recording.order.id, recording.stopping or "room_ended"))

    def _finish(self, host: _Host, recording: _Recording, reason: str) -> None:
        if recording.stopping:
            return
        recording.stopping = reason
        if recording.observer is not None:
            recording.observer.close()
        if host.process is not None:
            host.process.link.tell(StopRecording(recording.order.id, reason))

    def _fail(self, host: _Host, recording: _Recording, error: str) -> None:
        self._update(
            host, recording, structs.replace(recording.status, state="failed", error=error)
        )

    def _update(self, host: _Host, recording: _Recording, status: RecordingStatus) -> None:
        recording.status = status
        if status.state in ENDED:
            self._forget(host, recording)
        self.on_status(status)

    def _forget(self, host: _Host, recording: _Recording) -> None:
        del self._recordings[recording.order.id], host.recordings[recording.order.id]
        if recording.observer is not None:
            recording.observer.close()
        recording.ended.set()
        if not host.recordings:
            self._dismiss(host)

    # -- processes

    def _run(self, host: _Host) -> None:
        """Start a process.

        Raises:
            OSError: It cannot be started.
        """
        host.process = RecorderProcess(
            lambda message: self._hear(host, message), lambda: self._died(host)
        )
        log.info("recorder started", pid=host.process.pid)

    def _dismiss(self, host: _Host) -> None:
        """It is not needed any more."""
        self._hosts = {key: other for key, other in self._hosts.items() if other is not host}
        if host.restart is not None:
            host.restart.cancel()
        if host.process is not None:
            self._ending.spawn(host.process.close())
            host.process = None

    def _look(self) -> None:
        """See who has said nothing for long. Looks are counted: we may stand still ourselves."""
        self._looking = self._loop.call_later(LOOK_INTERVAL, self._look) if self._hosts else None
        for host in list(self._hosts.values()):
            for recording in list(host.recordings.values()) if host.process else ():
                status = recording.status
                if status.state == "finishing":
                    continue  # checksums take as long as they take
                recording.silent += 1
                if recording.silent == SILENT:
                    self._update(host, recording, structs.replace(status, warning=NO_ANSWER))
                elif recording.silent == HANGING and host.process is not None:
                    log.error("recorder hangs", pid=host.process.pid, recording=status.id)
                    host.process.kill()

    def _hear(self, host: _Host, message: ToServer) -> None:
        match message:
            case StatusIs(status):
                recording = host.recordings.get(status.id)
                if recording is not None:
                    recording.silent = 0
                    self._update(host, recording, status)
            case KeyFrameWanted(recording_id, track):
                recording = host.recordings.get(recording_id)
                if recording is not None and recording.observer is not None:
                    recording.observer.request_key_frame(track)

    def _died(self, host: _Host) -> None:
        host.process = None
        now = self._loop.time()
        deaths = host.deaths
        deaths.append(now)
        while deaths[0] < now - DEATH_WINDOW:
            deaths.popleft()
        for recording in host.recordings.values():
            if recording.observer is not None:
                recording.observer.close()
                recording.observer = None
        if len(deaths) >= MAX_DEATHS:
            self._give_up(host, f"The recorder process ended {MAX_DEATHS} times in a minute")
        elif host.recordings:
            delay = RESTART_DELAYS[min(len(deaths), len(RESTART_DELAYS)) - 1]
            host.restart = self._loop.call_later(delay, self._restart, host)

    def _restart(self, host: _Host) -> None:
        host.restart = None
        try:
            self._run(host)
        except OSError as error:
            self._give_up(host, f"The recorder cannot be started: {error.strerror}")
            return
        assert host.process is not None
        for recording in host.recordings.values():
            self._begin(host.process, recording)

    def _give_up(self, host: _Host, failure: str) -> None:
        self._dismiss(host)
        for recording in list(host.recordings.values()):
            status = structs.replace(recording.status, state="finishing", warning="")
            self._update(host, recording, status)
            self._salvaging.append(self._ending.spawn(self._salvage(host, recording, failure)))

    async def _salvage(self, host: _Host, recording: _Recording, failure: str) -> None:
        folder = folder_of(recording.order)
        self._update(host, recording, await salvage(folder, recording.status, failure))
