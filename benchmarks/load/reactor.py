"""When things happen in a process of the tester: sockets that are ready, frames that are due."""

import asyncio
import heapq
import itertools
import select
import socket
import time
from collections.abc import Callable

MAX_READY = 8  # sockets that are served before timers get their turn


class Poller:
    """Calls back for ready sockets, all of them for one wake-up of asyncio.

    asyncio's own readers cost several microseconds a socket; here a whole epoll set is one reader.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            self._loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        """Call back whenever there is something to receive."""
        if self._epoll is None:
            self._loop.add_reader(sock, callback)
            return
        self._callbacks[sock.fileno()] = callback
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def remove(self, sock: socket.socket) -> None:
        """Call no more; the socket must still be open."""
        if self._epoll is None:
            self._loop.remove_reader(sock)
        elif self._callbacks.pop(sock.fileno(), None):
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        """Let go of all sockets."""
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _ready(self) -> None:
        assert self._epoll is not None
        callbacks = self._callbacks
        for descriptor, _ in self._epoll.poll(0, MAX_READY):
            callback = callbacks.get(descriptor)
            if callback is not None:
                callback()


# Does what is due; returns when it wants to be called next (monotonic s), or None for never again.
Job = Callable[[float], float | None]


class Scheduler:
    """Runs jobs at their times, hundreds of them on one timer of asyncio.

    Attributes:
        behind: The most seconds that a job came too late since this was last set to 0.
    """

    def __init__(self) -> None:
        self.behind = 0.0
        self._loop = asyncio.get_running_loop()
        self._jobs: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")

    def call_at(self, when: float, job: Job) -> None:
        """Run a job at this time of the monotonic clock, and then as it says."""
        heapq.heappush(self._jobs, (when, next(self._numbers), job))
        self._arm()

    def close(self) -> None:
        """Run nothing any more."""
        self._jobs.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        when = self._jobs[0][0]
        if when < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = when
            self._timer = self._loop.call_at(when, self._run)

    def _run(self) -> None:
        self._timer_at = float("inf")
        jobs = self._jobs
        for _ in range(len(jobs)):  # no more, so that receiving gets its turn under any load
            now = time.monotonic()
            if jobs[0][0] > now:
                break
            when, _, job = heapq.heappop(jobs)
            self.behind = max(self.behind, now - when)
            again = job(now)
            if again is not None:
                heapq.heappush(jobs, (again, next(self._numbers), job))
            if not jobs:
                return
        if jobs:
            self._arm()
