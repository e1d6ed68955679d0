"""How the server does: what `GET /healthz` answers."""

import os
import time
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from sfu.net.tcp import TcpPort
from sfu.net.worker import Worker

VERSION = version("aiosfu")
STATM = Path("/proc/self/statm")  # proc(5): pages of the whole process, and of its resident set


class Process(Struct, frozen=True):
    """This process: seconds of user and system time, and resident bytes where they are known."""

    cpu_time: float
    memory: int | None


class TcpHealth(Struct, frozen=True):
    """The TCP port: connections that are open; the rest since the start."""

    open: int
    connections: int
    refused: int
    misbehaved: int
    frames_received: int
    frames_sent: int
    frames_dropped: int


class UdpSocket(Struct, frozen=True):
    """One address of the UDP port: how it reaches the network."""

    host: str
    batched: bool
    segmentation: bool
    unsegmented: int
    kernel_drops: int | None


class Network(Struct, frozen=True):
    """The media ports: how they reach the network, and UDP datagrams since the start.

    `dropped` counts what came in, by UDP and TCP, and was not taken, by the reason, and RTCP that
    was too long to be sent.
    """

    udp_port: int
    tcp_port: int | None
    batched: bool
    segmentation: bool
    sockets: list[UdpSocket]
    packets_received: int
    packets_sent: int
    packets_dropped: int
    kernel_drops: int | None
    errors: dict[str, int]
    dropped: dict[str, int]
    tcp: TcpHealth | None


class Health(Struct, frozen=True):
    """Answer of `GET /healthz`."""

    status: str
    version: str
    rooms: int
    participants: int
    transports: int
    process: Process
    network: Network


def health_of(worker: Worker) -> Health:
    """How this worker does now."""
    rooms = list(worker.rooms)
    return Health(
        status="ok",
        version=VERSION,
        rooms=len(rooms),
        participants=sum(len(room.participants) for room in rooms),
        transports=len(worker.endpoint.peers),
        process=Process(cpu_time=time.process_time(), memory=_resident_memory()),
        network=_network(worker),
    )


def _network(worker: Worker) -> Network:
    udp, tcp = worker.udp, worker.tcp
    counters = udp.counters
    paths = udp.paths()
    drops = [path.kernel_drops for path in paths if path.kernel_drops is not None]
    return Network(
        udp_port=udp.port,
        tcp_port=None if tcp is None else tcp.port,
        batched=udp.batched,
        segmentation=udp.segmentation,
        sockets=[
            UdpSocket(
                host=path.host,
                batched=path.batched,
                segmentation=path.segmentation,
                unsegmented=path.unsegmented,
                kernel_drops=path.kernel_drops,
            )
            for path in paths
        ],
        packets_received=counters.packets_received,
        packets_sent=counters.packets_sent,
        packets_dropped=counters.packets_dropped,
        kernel_drops=sum(drops) if drops else None,
        errors=dict(sorted(counters.errors.items())),
        dropped=dict(sorted(worker.endpoint.drops().items())),
        tcp=None if tcp is None else _tcp_health(tcp),
    )


def _resident_memory() -> int | None:
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # not Linux, or a sandbox without /proc
        return None


def _tcp_health(port: TcpPort) -> TcpHealth:
    counters = port.counters
    return TcpHealth(
        open=len(port),
        connections=counters.connections,
        refused=counters.refused,
        misbehaved=counters.misbehaved,
        frames_received=counters.frames_received,
        frames_sent=counters.frames_sent,
        frames_dropped=counters.frames_dropped,
    )
