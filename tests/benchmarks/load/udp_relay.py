"""A bad path in real time between a server and viewers, which knows what it did to each packet."""

import asyncio
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from struct import unpack_from

CANDIDATE = re.compile(
    r"^(a=candidate:\S+ 1 udp \d+) \S+ (\d+) (.*)$", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True)
class Passed:
    """A packet of media to the viewer, as its header says; times are monotonic seconds.

    Attributes:
        came: When it came from the server.
        went: When it went on; None where it was dropped.
    """

    number: int
    timestamp: int
    marker: bool
    came: float
    went: float | None


Policy = Callable[["Passed"], float | None]


def at_once(_packet: Passed) -> float | None:
    return 0.0


class UdpRelay:
    """Between one viewer and the server: media to the viewer is delayed or dropped.

    Attributes:
        policy: Seconds by which a packet is delayed, or None for one to drop; the order is kept.
        passed: What became of each packet of the first SSRC.
    """

    def __init__(self, policy: Policy = at_once) -> None:
        self.policy = policy
        self.passed: list[Passed] = []
        self.asked = 0.0  # when the viewer's offer came
        self._ssrc: int | None = None
        self._loop = asyncio.get_running_loop()
        self._front, self._back = (self._open(name) for name in ("front", "back"))
        self._viewer: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._free_at = 0.0
        self._queue: deque[tuple[bytes, Passed]] = deque()

    def _open(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self._loop.add_reader(sock, getattr(self, f"_from_{name}"))
        return sock

    def close(self) -> None:
        for sock in (self._front, self._back):
            self._loop.remove_reader(sock)
            sock.close()

    def edit_offer(self, offer: str, kind: str) -> str:
        if kind == "whep":
            self.asked = time.monotonic()
        return offer

    def edit_answer(self, answer: str, kind: str) -> str:
        """The answer to a viewer, with the relay in the server's place."""
        if kind != "whep":
            return answer
        found = CANDIDATE.search(answer)
        assert found
        self._server = ("127.0.0.1", int(found[2]))
        port = self._front.getsockname()[1]
        return CANDIDATE.sub(rf"\1 127.0.0.1 {port} \3", answer)

    def _from_front(self) -> None:
        for data, source in _received(self._front):
            self._viewer = source
            if self._server is not None:
                self._back.sendto(data, self._server)

    def _from_back(self) -> None:
        for data, _ in _received(self._back):
            if not 128 <= data[0] < 192 or 192 <= data[1] < 224:
                self._send(data)
                continue
            _, second, number, timestamp, ssrc = unpack_from("!BBHII", data)
            if self._ssrc is None:
                self._ssrc = ssrc
            if ssrc != self._ssrc:
                self._send(data)
                continue
            now = time.monotonic()
            packet = Passed(number, timestamp, second > 127, now, now)
            delay = self.policy(packet)
            if delay is None:
                self.passed.append(replace(packet, went=None))
                continue
            # No packet before one that came earlier, so one timer for each will do, whichever is
            # first: asyncio does not keep the order of timers of one time.
            self._free_at = max(self._free_at, self._loop.time() + delay)
            self._queue.append((data, packet))
            self._loop.call_at(self._free_at, self._pass)

    def _pass(self) -> None:
        data, packet = self._queue.popleft()
        self._send(data)
        self.passed.append(replace(packet, went=time.monotonic()))

    def _send(self, data: bytes) -> None:
        if self._viewer is not None and self._front.fileno() >= 0:
            self._front.sendto(data, self._viewer)


def _received(sock: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
    datagrams = []
    while True:
        try:
            datagrams.append(sock.recvfrom(2048))
        except (BlockingIOError, ConnectionRefusedError):
            return datagrams
