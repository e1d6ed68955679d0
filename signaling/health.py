"""How the server does: what `GET /healthz` answers."""

from importlib.metadata import version

from msgspec import Struct

from sfu.net.tcp import TcpPort
from sfu.net.worker import Worker

VERSION = version("aiosfu")


class TcpHealth(Struct, frozen=True):
    """The TCP port: connections that are open; the rest since the start."""

    open: int
    connections: int
    refused: int
    misbehaved: int
    frames_received: int
    frames_sent: int
    frames_dropped: int


class Network(Struct, frozen=True):
    """The media ports: how they reach the network, and UDP datagrams since the start.

    `dropped` counts what came in, by UDP and TCP, and was not taken, by the reason.
    """

    udp_port: int
    tcp_port: int | None
    batched: bool
    segmentation: bool
    packets_received: int
    packets_sent: int
    packets_dropped: int
    dropped: dict[str, int]
    tcp: TcpHealth | None


class Health(Struct, frozen=True):
    """Answer of `GET /healthz`."""

    status: str
    version: str
    rooms: int
    participants: int
    transports: int
    network: Network


def health_of(worker: Worker) -> Health:
    """How this worker does now."""
    rooms = list(worker.rooms)
    counters = worker.udp.counters
    return Health(
        status="ok",
        version=VERSION,
        rooms=len(rooms),
        participants=sum(len(room.participants) for room in rooms),
        transports=len(worker.endpoint.peers),
        network=Network(
            udp_port=worker.udp.port,
            tcp_port=None if worker.tcp is None else worker.tcp.port,
            batched=worker.udp.batched,
            segmentation=worker.udp.segmentation,
            packets_received=counters.packets_received,
            packets_sent=counters.packets_sent,
            packets_dropped=counters.packets_dropped,
            dropped=dict(sorted(worker.endpoint.dropped.items())),
            tcp=None if worker.tcp is None else _tcp_health(worker.tcp),
        ),
    )


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
