"""One recorder process, and the socket over which it is told what to record."""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable

import structlog

from recorder.child import environment
from recorder.link.framing import JSON, MessageReader
from recorder.link.link_buffer import LinkBuffer
from recorder.link.messages import ToServer, decode_to_server
from sfu.errors import ParseError

FLUSH_DELAY = 0.02  # s; nobody waits for a recording, and each flush costs two processes a wake-up
SOCKET_BUFFER = 1 << 20  # bytes asked for; what the system allows is less on most machines
READ_SIZE = 1 << 16  # bytes
EXIT_TIME = 5.0  # s for a process to end after its link

log = structlog.get_logger(__name__)


class RecorderProcess:
    """Runs `python -m recorder` until it ends, or the link is closed.

    Attributes:
        link: What is written there is sent a moment later.
        pid: Of the process.
    """

    def __init__(self, on_message: Callable[[ToServer], None], on_exit: Callable[[], None]) -> None:
        """Start it.

        Args:
            on_message: Called with what it says.
            on_exit: Called when it is gone, unless `close` was called.

        Raises:
            OSError: It cannot be started.
        """
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_exit = on_exit
        self._reader = MessageReader()
        self._unsent: deque[memoryview] = deque()
        self._closed = False
        self.link = LinkBuffer(self._flush_soon, self._stuck)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        self._socket = ours
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "recorder", "--fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment(),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._loop.add_reader(ours, self._readable)

    async def close(self) -> None:
        """End the link: the process finishes what it has and ends, if need be after us."""
        self._end()
        try:
            await asyncio.to_thread(self._process.wait, EXIT_TIME)
        except subprocess.TimeoutExpired:
            log.warning("recorder still closes its files", pid=self.pid)

    def kill(self) -> None:
        """End it at once: it does not do what it should."""
        self._process.kill()

    # -- what it says

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            for type_, body in self._reader.receive(data):
                if type_ == JSON:
                    self._on_message(decode_to_server(body))
        except ParseError as error:
            log.error("recorder sent what makes no sense", pid=self.pid, error=error.message)
            self.kill()
            data = b""
        if not data and not self._closed:
            self._end()
            self._loop.run_in_executor(None, self._process.wait).add_done_callback(self._gone)

    def _gone(self, waited: "asyncio.Future[int]") -> None:
        log.warning("recorder is gone", pid=self.pid, status=waited.result())
        self._on_exit()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    # -- what it is told

    def _flush_soon(self) -> None:
        if not self._closed and not self._unsent:
            self._loop.call_later(FLUSH_DELAY, self._flush)

    def _stuck(self) -> None:
        log.error("recorder does not read what it is told", pid=self.pid)
        self.kill()

    def _flush(self) -> None:
        if self._closed:
            return
        link = self.link
        if link.size:
            self._unsent.append(memoryview(link.take()))
        while self._unsent:
            data = self._unsent[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._writable)
                break
            except OSError:
                self._unsent.clear()  # it is gone, which reading tells
                break
            if sent < len(data):
                self._unsent[0] = data[sent:]
            else:
                self._unsent.popleft()
        link.unsent = sum(map(len, self._unsent))

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket)
        self._flush()
