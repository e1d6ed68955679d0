"""One recording in a thread of its own, behind a queue that has bounds."""

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import structs

from recorder.files.disk import DiskFullError, describe_error
from recorder.link.messages import KeyFrameWanted, StatusIs, ToServer
from recorder.values import ENDED, RecordedPacket, RecordingStatus, State
from recorder.worker import RecordingWorker
from sfu.wire.parameters import Kind

TICK = 0.2  # s
CATCH_UP = 1.1  # s per s, of a clock that is behind
POLL = 0.05  # s between two looks at the queue: waking for each packet would cost more than it
STATUS_INTERVAL = 1.0  # s
# What waits while the disk does not keep up. Video is dropped first, for sound is small.
LIMITS: dict[Kind, int] = {"video": 32 << 20, "audio": 40 << 20}  # bytes
MAX_ITEMS = 100_000
OVERHEAD = 200  # bytes that a packet takes in memory beside its payload
SLOW_TIME = 10.0  # s for which a warning stays after something was dropped
NO_SPACE = "no space left"
TOO_SLOW = "the disk is too slow: parts of the recording are missing"

Step = Callable[[RecordingWorker], None]


class _Clock:
    """The time that a worker is told: monotonic, but slower after we have been held up.

    What came meanwhile is still behind us in the link, so nothing must be given up for missing.
    """

    def __init__(self) -> None:
        self._time = self._read_at = time.monotonic()

    def see(self, arrival: float) -> None:
        """It is not earlier than this."""
        self._time = max(self._time, arrival)

    def read(self) -> float:
        """The time."""
        now = time.monotonic()
        passed = min(CATCH_UP * (now - self._read_at), 2 * TICK)
        self._read_at = now
        self._time = max(self._time, min(self._time + passed, now))
        return self._time


class RecordingThread:
    """Gives a worker what comes for it, ticks it, and tells the server how it goes.

    Args:
        recording: Its id.
        make: Makes the worker, in the thread; may raise `OSError` and `ValueError`.
        tell: Takes messages to the server; callable from any thread.
        wall_offset: Unix seconds less monotonic seconds.

    Attributes:
        ended: Whether the last status has been told.
    """

    def __init__(
        self,
        recording: str,
        make: Callable[[], RecordingWorker],
        tell: Callable[[ToServer], None],
        *,
        wall_offset: float,
    ) -> None:
        self.ended = False
        self._recording = recording
        self._make = make
        self._tell = tell
        self._wall_offset = wall_offset
        self._lock = threading.Lock()
        self._queue: deque[tuple[Step, int]] = deque()
        self._bytes = 0
        self._dropping: dict[str, float] = {}  # track → since when, Unix seconds
        self._dropped = 0
        self._dropped_at = float("-inf")
        self._reason = ""
        self._clock = _Clock()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=recording)
        self._thread.start()

    # -- called by the thread that reads the link

    def put(self, step: Step) -> None:
        """Have the worker told of something."""
        with self._lock:
            if not self.ended and len(self._queue) < 2 * MAX_ITEMS:
                self._queue.append((step, 0))

    def put_packets(
        self, sid: str, kind: Kind, packets: Sequence[RecordedPacket], *, arrival: float
    ) -> None:
        """Give the worker packets that the server got at `arrival`, unless it is behind."""
        size = sum([len(packet.payload) for packet in packets]) + OVERHEAD * len(packets)
        with self._lock:
            if self.ended:
                return
            full = self._bytes + size > LIMITS[kind] or len(self._queue) >= MAX_ITEMS
            if full or sid in self._dropping:
                packets = self._drop(sid, kind, packets)
                if not packets:
                    return

            def receive(worker: RecordingWorker) -> None:
                self._clock.see(arrival)
                worker.receive(sid, packets, now=arrival)

            self._bytes += size
            self._queue.append((receive, size))

    def stop(self, reason: str) -> None:
        """Finish after all that was put."""
        self._reason = self._reason or reason
        self._wake.set()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _drop(
        self, sid: str, kind: Kind, packets: Sequence[RecordedPacket]
    ) -> Sequence[RecordedPacket]:
        """Drop until half is free, video until a key frame then; returns what is left."""
        moment = time.monotonic() + self._wall_offset
        since = self._dropping.setdefault(sid, moment)
        start: int | None = None
        if self._bytes < LIMITS[kind] // 2 and len(self._queue) < MAX_ITEMS // 2:
            start = 0
            if kind == "video":
                start = next((i for i, packet in enumerate(packets) if packet.key_frame), None)
                if start is None:
                    self._tell(KeyFrameWanted(self._recording, sid))
        gone = packets if start is None else packets[:start]
        self._dropped += sum([packet.marker or kind == "audio" for packet in gone])
        self._dropped_at = time.monotonic()
        if start is None:
            return ()
        del self._dropping[sid]
        self._queue.append((lambda worker: worker.note_gap(sid, since, moment), 0))
        return packets[start:]

    # -- the thread

    def _run(self) -> None:
        worker: RecordingWorker | None = None
        try:
            worker = self._make()
            self._work(worker)
        except Exception as error:
            self._fail(worker, error)
        self.ended = True

    def _work(self, worker: RecordingWorker) -> None:
        next_tick = next_status = time.monotonic()
        while worker.status().state not in ENDED:
            stopping = bool(self._reason)  # looked at first: what was put before is in the queue
            while item := self._take():
                item(worker)
                if time.monotonic() >= next_tick + TICK:
                    break
            now = time.monotonic()
            if stopping and not self._queue:
                self._say(worker, "finishing")
                worker.stop(self._reason, now=time.monotonic())
                break
            if now >= next_tick:
                next_tick = now + TICK
                worker.tick(now=self._clock.read())
                for sid in worker.take_key_frame_wishes():
                    self._tell(KeyFrameWanted(self._recording, sid))
            if now >= next_status:
                next_status = now + STATUS_INTERVAL
                self._say(worker)
            if not self._queue:
                self._wake.wait(POLL)
        self._say(worker)

    def _take(self) -> Step | None:
        with self._lock:
            if not self._queue:
                return None
            step, size = self._queue.popleft()
            self._bytes -= size
        return step

    def _fail(self, worker: RecordingWorker | None, error: Exception) -> None:
        """End the recording, with what was kept."""
        reason = _reason(error)
        if not isinstance(error, OSError):
            traceback.print_exc()  # a bug: the server's log has it
        status = RecordingStatus(self._recording, "failed", error=reason)
        if worker is not None:
            try:
                if worker.status().state not in ENDED:
                    worker.stop(reason, now=time.monotonic())
                status = worker.status()
            except Exception:
                traceback.print_exc()
                status = structs.replace(worker.status(), state="failed", error=reason)
        self._tell(StatusIs(self._complete(status)))

    def _say(self, worker: RecordingWorker, state: State | None = None) -> None:
        status = worker.status()
        if state is not None:
            status = structs.replace(status, state=state)
        self._tell(StatusIs(self._complete(status)))

    def _complete(self, status: RecordingStatus) -> RecordingStatus:
        """With what only we know."""
        slow = time.monotonic() - self._dropped_at < SLOW_TIME
        return structs.replace(
            status,
            dropped=status.dropped + self._dropped,
            warning=status.warning or (TOO_SLOW if slow else ""),
        )


def _reason(error: Exception) -> str:
    """Why it failed, in words."""
    if isinstance(error, DiskFullError):
        return NO_SPACE
    if isinstance(error, OSError):
        return f"the disk failed: {describe_error(error)}"
    if isinstance(error, ValueError):
        return str(error)
    return f"the recorder has a fault: {type(error).__name__}"
