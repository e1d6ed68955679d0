"""Who lost: what the kernel counts of real sockets, and the sentences that are made of figures."""

import os
import socket
from pathlib import Path

import pytest

from benchmarks.load.datagrams import socket_drops
from benchmarks.load.drops import SocketDrops, softnet_drops
from benchmarks.load.losses import who_lost

NOTHING: dict[str, float | None] = {"loss": 0.0, "packets_lost": 0, "tester_drops": 0}
LOST: dict[str, float | None] = {**NOTHING, "loss": 0.1, "packets_lost": 1200}


def overflow(family: socket.AddressFamily, host: str) -> tuple[socket.socket, int]:
    """A socket that has dropped datagrams, and how many."""
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiver.bind((host, 0))
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for _ in range(200):
            sender.sendto(bytes(1000), receiver.getsockname())
    receiver.setblocking(False)
    received = 0
    try:
        while receiver.recv(2000):
            received += 1
    except BlockingIOError:
        return receiver, 200 - received


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_drops_of_a_processs_sockets_are_counted_and_stay_counted(
    family: socket.AddressFamily, host: str
) -> None:
    drops = SocketDrops()
    before = drops.read([os.getpid()])
    assert before is not None
    sock, lost = overflow(family, host)
    assert lost > 100
    assert socket_drops(sock) == lost
    assert drops.read([os.getpid()]) == before + lost
    sock.close()
    assert drops.read([os.getpid()]) == before + lost
    assert SocketDrops().read([2**22 + 1]) == 0  # a process that is gone


def test_kernels_queues_are_summed_over_processors(tmp_path: Path) -> None:
    table = tmp_path / "softnet_stat"
    table.write_text("0276e0be 0000000a 00000002 00000000\n0099351f 00000010 00000002 00000000\n")
    assert softnet_drops(table) == 26
    assert softnet_drops(tmp_path / "missing") is None
    table.write_text("nonsense")
    assert softnet_drops(table) is None


def test_this_machines_kernel_says_what_it_dropped() -> None:
    drops = softnet_drops()
    assert drops is not None
    assert drops >= 0


@pytest.mark.parametrize(
    ("figures", "sentences"),
    [
        (NOTHING, ["No packet is missing."]),
        (LOST, ["1,200 packets are missing", "--server-pid would tell"]),
        ({**LOST, "server_drops": 0}, ["1,200", "the server lost them inside"]),
        ({**LOST, "server_drops": 4000}, ["1,200", "The server's sockets dropped 4,000"]),
        ({**LOST, "tester_drops": 700}, ["1,200", "tester's own sockets dropped 700 datagrams"]),
        (
            {**LOST, "kernel_drops": 3},
            [
                "1,200",
                "The kernel dropped 3 packets between server and tester "
                "(net.core.netdev_max_backlog).",
            ],
        ),
        (
            {**NOTHING, "dropped_on_purpose": 30, "resent": 31},
            ["No packet is missing.", "left out 30 packets on purpose, and sent 31 again"],
        ),
        (
            {**LOST, "tester_drops": 1, "kernel_drops": 2, "server_drops": 3},
            ["1,200", "tester's own", "kernel", "server's sockets"],
        ),
        ({"loss": None, "packets_lost": 0}, []),
    ],
)
def test_figures_say_who_lost(figures: dict[str, float | None], sentences: list[str]) -> None:
    told = who_lost(figures)
    assert len(told) == len(sentences)
    for sentence, expected in zip(told, sentences, strict=True):
        assert expected in sentence
