"""One output of a composite: a thread of its own that stays connected as well as it can.

Nothing that an output does can hold up the composition or another output: `put` only appends to a
bounded queue. What is too slow for the stream loses pictures, and goes on at the next key frame;
what breaks is connected again, after a while.
"""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Protocol

import structlog

from recorder.compose.encoded import EncodedPacket
from recorder.values import OutputState, OutputStatus

MAX_BEHIND = 5.0  # s of stream in the queue; more would only be shown later still
MAX_BYTES = 16 * 1024 * 1024  # 5 s at 25 Mb/s
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0  # s before it is connected again; doubles from try to try
STEADY = 60.0  # s of stream after which a connection was a good one, and pauses are short again
POLL = 0.5  # s between looks at a connection that nothing is written to
CLOSE_PATIENCE = 5.0  # s in which the rest is sent at the end

log = structlog.get_logger(__name__)


class OutputError(Exception):
    """A connection failed; the message says why, in words for people and without secrets.

    Attributes:
        permanent: Whether it would be no better the next time.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Connection(Protocol):
    """Where packets go until it breaks; it is used from one thread."""

    @property
    def established(self) -> bool:
        """Whether the other end takes what is written."""

    def write(self, packet: EncodedPacket) -> None:
        """Send one packet; the first of video is a key frame.

        Raises:
            OutputError: The connection is of no use any more.
        """

    def poll(self) -> None:
        """Look at the connection while there is nothing to write.

        Raises:
            OutputError: The connection is of no use any more.
        """

    def close(self, *, finish: bool) -> None:
        """End it.

        Args:
            finish: Whether the stream ends here; else it goes on over another connection.
        """


class Output:
    """Feeds what `connect` opens, and opens it anew when it breaks."""

    def __init__(
        self,
        url: str,
        connect: Callable[[], Connection],
        *,
        video: bool,
        random: Random,
        max_behind: float = MAX_BEHIND,
    ) -> None:
        """Start the thread.

        Args:
            url: What the status calls it: without secrets.
            connect: Opens a connection; raises `OutputError`.
            video: Whether there are pictures, so that each connection begins with a key frame.
            random: Spreads the times at which it is connected again.
            max_behind: Seconds of stream that may wait.
        """
        self._url = url
        self._connect = connect
        self._video = video
        self._random = random
        self._max_behind = max_behind
        self._queue: deque[EncodedPacket] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._wait_for_key = True  # guarded by _changed, as all below
        self._behind = False  # whether it waits because it was too slow
        self._closing = False
        self._state: OutputState = "connecting"
        self._retries = 0
        self._dropped = 0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name=f"output {url}", daemon=True)
        self._thread.start()

    def put(self, packets: Iterable[EncodedPacket]) -> None:
        """Hand over what the encoder made; returns at once."""
        with self._changed:
            if self._state in ("failed", "ended"):
                return
            for packet in packets:
                self._append(packet)
            self._changed.notify()

    def status(self) -> OutputStatus:
        """How it goes."""
        with self._changed:
            return OutputStatus(self._url, self._state, self._retries, self._dropped, self._error)

    def close(self) -> None:
        """Let it send what is in its queue, and end; `join` waits for that."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, timeout: float = CLOSE_PATIENCE) -> None:
        """Wait until it has ended, which a dead peer may hinder: the thread ends with the process.

        Args:
            timeout: Seconds.
        """
        self._thread.join(timeout)

    def _append(self, packet: EncodedPacket) -> None:
        if self._wait_for_key:
            if self._video and not (packet.kind == "video" and packet.key_frame):
                self._count_dropped(packet)
                return
            self._wait_for_key = self._behind = False
        elif self._is_full(packet):
            self._wait_for_key = self._behind = True
            for late in (*self._queue, packet):
                self._count_dropped(late)
            self._queue.clear()
            self._bytes = 0
            return
        self._queue.append(packet)
        self._bytes += len(packet.data)

    def _is_full(self, packet: EncodedPacket) -> bool:
        if not self._queue:
            return False
        return packet.time - self._queue[0].time > self._max_behind or self._bytes > MAX_BYTES

    def _count_dropped(self, packet: EncodedPacket) -> None:
        slow = self._behind and self._state == "active"
        if slow and (packet.kind == "video" or not self._video):
            self._dropped += 1

    # -- the thread

    def _run(self) -> None:
        try:
            self._keep_connected()
        except Exception as error:
            # Neither the error's words nor its arguments are told: they may have what is secret.
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.filename}:{where.lineno}"
            log.error("output has a fault", url=self._url, error=type(error).__name__, at=place)
            reason = f"The output has a fault ({type(error).__name__})."
            self._fail(OutputError(reason, permanent=True))

    def _keep_connected(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing:
            try:
                sent = self._serve(self._connect())
            except OutputError as error:
                sent = 0.0
                self._fail(error)
            if self._state == "failed" or self._closing:
                break
            pause = FIRST_PAUSE if sent > STEADY else pause
            with self._changed:
                spread = pause * self._random.uniform(0.5, 1.0)
                self._changed.wait_for(lambda: self._closing, timeout=spread)
                self._retries += not self._closing
            pause = min(pause * 2, LAST_PAUSE)
        with self._changed:
            if self._state != "failed":
                self._state = "ended"

    def _serve(self, connection: Connection) -> float:
        """Write until it breaks or the stream ends.

        Returns:
            Seconds of the stream that were sent.
        """
        with self._changed:
            self._begin_late()
        first = last = None
        finished = False
        try:
            while (packet := self._take(connection)) is not None:
                connection.write(packet)
                first, last = packet.time if first is None else first, packet.time
            finished = True
        except OutputError as error:
            self._fail(error)
        except Exception:
            connection.close(finish=False)
            raise
        with self._changed:
            self._queue.clear()
            self._bytes = 0
            self._wait_for_key = True
        try:
            connection.close(finish=finished)
        except OutputError as error:
            self._fail(error)
        return last - first if first is not None and last is not None else 0.0

    def _begin_late(self) -> None:
        """Forget what came while it was being connected, up to the last key frame."""
        self._behind = False
        keys = (i for i, one in enumerate(self._queue) if one.kind == "video" and one.key_frame)
        for _ in range(max(keys, default=0)):
            self._bytes -= len(self._queue.popleft().data)

    def _take(self, connection: Connection) -> EncodedPacket | None:
        """The next packet; None when the stream ends."""
        while True:
            with self._changed:
                if connection.established:
                    self._state = "active"
                if not self._queue:
                    if self._closing:
                        return None
                    self._changed.wait(POLL)
                if self._queue:
                    packet = self._queue.popleft()
                    self._bytes -= len(packet.data)
                    return packet
            connection.poll()

    def _fail(self, error: OutputError) -> None:
        with self._changed:
            if error.permanent:  # nothing is put any more, and nobody takes what is there
                self._queue.clear()
            self._state = "failed" if error.permanent else "reconnecting"
            self._error = str(error)
