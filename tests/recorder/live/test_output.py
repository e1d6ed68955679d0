"""An output's thread, over connections that do what the test says."""

import itertools
import threading
from collections.abc import Callable
from fractions import Fraction

import pytest

from recorder.compose.encoded import EncodedPacket
from recorder.live.output import MAX_BEHIND, Connection, Output, OutputError
from tests.support.polling import until

FPS = 10
Outputs = Callable[..., Output]


def pictures(first: int, count: int) -> list[EncodedPacket]:
    """A key frame every second."""
    return [
        EncodedPacket("video", b"x" * 100, n, n, 1, Fraction(1, FPS), n % FPS == 0)
        for n in range(first, first + count)
    ]


class Held(Connection):
    """A connection that writes when it is let, and breaks when it is told to."""

    established = True

    def __init__(self) -> None:
        self.written: list[int] = []
        self.free = threading.Event()
        self.busy = threading.Event()
        self.free.set()
        self.error: OutputError | None = None
        self.finished: bool | None = None

    def write(self, packet: EncodedPacket) -> None:
        self.busy.set()
        self.free.wait()
        self.poll()
        self.written.append(packet.pts)

    def poll(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self, *, finish: bool) -> None:
        self.finished = finish


async def test_all_is_written_before_it_ends(output: Outputs) -> None:
    connection = Held()
    one = output(lambda: connection)
    one.put(pictures(0, 30))
    one.close()
    one.join()
    assert connection.written == list(range(30))
    assert connection.finished is True
    assert one.status().state == "ended"


async def test_what_is_too_slow_loses_pictures_up_to_a_key_frame(output: Outputs) -> None:
    connection = Held()
    one = output(lambda: connection)
    await until(lambda: one.status().state == "active", "connected")
    connection.free.clear()
    one.put(pictures(0, 1))
    await until(connection.busy.is_set, "it writes")
    total = round(4 * MAX_BEHIND * FPS)
    for packet in pictures(1, total - 1):
        one.put([packet])
    connection.free.set()
    one.close()
    one.join()
    written = connection.written
    jumps = [after for before, after in itertools.pairwise(written) if after != before + 1]
    assert jumps
    assert all(number % FPS == 0 for number in jumps)
    assert one.status().dropped == total - len(written)
    assert written[-1] == total - 1


async def test_it_connects_again_at_a_key_frame(output: Outputs) -> None:
    connections: list[Held] = []

    def connect() -> Held:
        connections.append(Held())
        return connections[-1]

    one = output(connect)
    one.put(pictures(0, 15))
    await until(lambda: connections and len(connections[0].written) == 15, "written")
    connections[0].error = OutputError("It broke.")
    await until(lambda: one.status().state == "reconnecting", "it has noticed")
    assert one.status().error == "It broke."
    assert connections[0].finished is False
    await until(lambda: len(connections) == 2, "connected again")
    one.put(pictures(15, 20))
    one.close()
    one.join()
    assert connections[1].written == list(range(20, 35))
    assert one.status().retries == 1
    assert one.status().dropped == 0


async def test_what_cannot_be_mended_is_not_tried_again(output: Outputs) -> None:
    tries: list[int] = []

    def connect() -> Held:
        tries.append(1)
        raise OutputError("There is no program.", permanent=True)

    one = output(connect)
    await until(lambda: one.status().state == "failed", "it has failed")
    one.put(pictures(0, 10))
    one.close()
    one.join()
    assert (one.status().state, len(tries)) == ("failed", 1)


@pytest.mark.parametrize("where", ["connect", "write", "close"])
async def test_a_fault_is_a_failure_that_names_no_secret(output: Outputs, where: str) -> None:
    class Faulty(Held):
        def write(self, packet: EncodedPacket) -> None:
            if where == "write":
                raise RuntimeError("secret")

        def close(self, *, finish: bool) -> None:
            super().close(finish=finish)
            if where == "close":
                raise RuntimeError("secret")

    connection = Faulty()

    def connect() -> Held:
        if where == "connect":
            raise RuntimeError("secret")
        return connection

    one = output(connect)
    one.put(pictures(0, 10))
    if where == "close":
        one.close()
    await until(lambda: one.status().state == "failed", "it has failed")
    assert one.status().error == "The output has a fault (RuntimeError)."
    assert connection.finished is {"connect": None, "write": False, "close": True}[where]


async def test_what_came_while_it_was_connected_begins_at_the_last_key_frame(
    output: Outputs,
) -> None:
    connection, go = Held(), threading.Event()

    def connect() -> Held:
        go.wait()
        return connection

    one = output(connect)
    one.put(pictures(0, 25))
    go.set()
    one.close()
    one.join()
    assert connection.written == list(range(20, 25))


async def test_sound_alone_needs_no_key_frame(output: Outputs) -> None:
    connection = Held()
    one = output(lambda: connection, video=False)
    one.put([EncodedPacket("audio", b"x", n, n, 1, Fraction(1, 50), True) for n in range(5)])
    one.close()
    one.join()
    assert connection.written == [0, 1, 2, 3, 4]
