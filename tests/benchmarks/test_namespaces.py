"""Needs root and the commands ip (iproute2) and taskset (util-linux)."""

import subprocess
import time
from pathlib import Path

import pytest

from benchmarks import namespaces
from benchmarks.namespaces import NamespaceError, joined_namespaces
from tests.support.namespaces import require_namespaces


@pytest.fixture(autouse=True)
def able() -> None:
    require_namespaces()


def run(namespace: namespaces.Namespace, *arguments: str) -> str:
    process = namespace.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=20)
    return output.decode()


RECEIVE = """
import socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("{host}", 5000))
receiver.settimeout(10)
print("ready", flush=True)
print(receiver.recv(100).decode(), flush=True)
"""
SEND = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("{host}", 5000))
"""


def test_ends_reach_each_other() -> None:
    with joined_namespaces() as network:
        host = network.server.address
        receiver = network.server.start(
            ["python3", "-c", RECEIVE.format(host=host)], stdout=subprocess.PIPE
        )
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == b"ready\n"
        run(network.client, "python3", "-c", SEND.format(host=host))
        assert receiver.communicate(timeout=10)[0] == b"hello\n"


def test_nothing_else_is_reachable() -> None:
    with joined_namespaces() as network:
        for end in (network.server, network.client):
            routes = run(end, "ip", "-brief", "route").split()
            assert routes[0] == "198.18.0.0/30"
            assert "default" not in routes
            assert "unreachable" in run(end, "ip", "route", "get", "192.0.2.1")


SEGMENTS = """
import socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("{host}", 5000))
receiver.setsockopt(17, 104, 1)  # UDP_GRO: hand over what came in one piece
receiver.settimeout(10)
print("ready", flush=True)
sizes = []
while sum(sizes) < 4000:
    sizes.append(len(receiver.recv(65536)))
print(*sizes, flush=True)
"""
SEND_SEGMENTS = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(17, 103, 1000)  # UDP_SEGMENT
sender.sendto(bytes(4000), ("{host}", 5000))
"""


@pytest.mark.parametrize(
    ("offload", "sizes"), [(True, b"4000\n"), (False, b"1000 1000 1000 1000\n")]
)
def test_segments_cross_in_one_piece_or_cut(offload: bool, sizes: bytes) -> None:
    with joined_namespaces(offload=offload) as network:
        host = network.client.address
        receiver = network.client.start(
            ["python3", "-c", SEGMENTS.format(host=host)], stdout=subprocess.PIPE
        )
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == b"ready\n"
        run(network.server, "python3", "-c", SEND_SEGMENTS.format(host=host))
        assert receiver.communicate(timeout=10)[0] == sizes


def test_processes_are_pinned_to_one_core_and_keep_their_id() -> None:
    with joined_namespaces() as network:
        for end in (network.server, network.client):
            process = end.start(
                ["python3", "-c", "import os; print(os.getpid(), *os.sched_getaffinity(0))"],
                stdout=subprocess.PIPE,
            )
            output = process.communicate(timeout=10)[0].split()
            assert [int(text) for text in output] == [process.pid, end.core]


def test_nothing_stays_behind() -> None:
    with joined_namespaces() as network:
        left = network.server.start(["sleep", "60"])
        name = Path(f"/proc/{left.pid}/comm")
        deadline = time.monotonic() + 10
        while name.read_text() != "sleep\n" and time.monotonic() < deadline:
            time.sleep(0.01)  # it has not entered its namespace yet
    assert left.wait(10) == -9
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert network.server.name not in listed.stdout
    assert network.client.name not in listed.stdout


def test_failure_of_the_kernel_is_one_sentence() -> None:
    with joined_namespaces() as network:
        message = r"^ip netns add aiosfu-server-\d+ failed: .*exists"
        with pytest.raises(NamespaceError, match=message), joined_namespaces():
            pass
        assert run(network.server, "echo", "still there") == "still there\n"
