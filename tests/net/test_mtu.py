"""Real paths that are too narrow for some packets, and real buffers that are full."""

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from benchmarks.namespaces import Network, joined_namespaces
from sfu.net import mmsg
from sfu.net.datagrams import SingleSender, UdpCounters
from sfu.transport.address import Address
from sfu.transport.outbox import Outbox
from tests.support.namespaces import inside, ip, require_namespaces

SIZE = 1400  # bytes of a packet; over the MTUs below
PORT = 5000
UDP_GRO = 104  # linux/udp.h
SILENT = "198.18.2.1"  # routed, but nobody has it
MAC = "02:00:00:00:00:01"

Sender = mmsg.BatchSender | SingleSender


@dataclass(frozen=True)
class Paths:
    """Addresses of the other end: one that takes 1500 bytes, one that takes fewer."""

    family: socket.AddressFamily
    wide: str
    narrow: str
    prefix: str
    mtu: int

    def route(self, network: Network, verb: str, *options: str) -> None:
        version = "-6" if self.family == socket.AF_INET6 else "-4"
        ip(network.server, version, "route", verb, self.prefix, "dev", "media", *options)


IPV4 = Paths(socket.AF_INET, "198.18.0.2", "198.18.1.2", "198.18.1.0/24", 1000)
IPV6 = Paths(socket.AF_INET6, "fd00::2", "fd00:1::2", "fd00:1::/64", 1280)  # RFC 8200 5: the least


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    require_namespaces()
    with joined_namespaces() as network:
        ip(network.server, "address", "add", "fd00::1/64", "dev", "media", "nodad")
        for address in ("198.18.1.2/32", "fd00::2/64", "fd00:1::2/64"):
            nodad = ["nodad"] if ":" in address else []
            ip(network.client, "address", "add", address, "dev", "media", *nodad)
        yield network


@pytest.fixture(params=[IPV4, IPV6], ids=["IPv4", "IPv6"])
def paths(request: pytest.FixtureRequest, network: Network) -> Paths:
    paths: Paths = request.param
    paths.route(network, "replace", "mtu", str(paths.mtu))
    return paths


class Ends:
    """A sender's socket at the server, and receivers at the client."""

    def __init__(self, network: Network, family: socket.AddressFamily) -> None:
        self._network = network
        self._family = family
        self._open: list[socket.socket] = []
        self.counters = UdpCounters()
        self.outbox = Outbox()
        self.socket = self._socket(lambda: network.server)

    def _socket(self, where: Callable[[], object]) -> socket.socket:
        sock: socket.socket = inside(
            where(),  # type: ignore[arg-type]
            lambda: socket.socket(self._family, socket.SOCK_DGRAM),
        )
        self._open.append(sock)
        return sock

    def receiver(self, host: str) -> socket.socket:
        """Receives runs that were segmented in one piece, as long as nobody has cut them."""
        sock = self._socket(lambda: self._network.client)
        sock.setsockopt(mmsg.SOL_UDP, UDP_GRO, 1)
        sock.bind((host, PORT))
        sock.settimeout(5)
        return sock

    def put(self, host: str, packets: list[bytes]) -> None:
        data = b"".join(packets)
        offset = self.outbox.reserve(len(data))
        self.outbox.view[offset : offset + len(data)] = data
        self.outbox.commit(Address(host, PORT), offset, [len(packet) for packet in packets])

    def flush(self, sender: Sender) -> None:
        sender.send(self.outbox, self.outbox.runs)
        self.outbox.clear()

    def close(self) -> None:
        for sock in self._open:
            sock.close()


@pytest.fixture
def ends(network: Network, paths: Paths) -> Iterator[Ends]:
    ends = Ends(network, paths.family)
    yield ends
    ends.close()


def packets(number: int, count: int = 5) -> list[bytes]:
    source = random.Random(number)
    return [source.randbytes(SIZE) for _ in range(count - 1)] + [source.randbytes(70)]


def whole(packets: list[bytes]) -> bytes:
    return b"".join(packets)


def test_narrow_path_falls_back_by_itself_and_loses_nothing(ends: Ends, paths: Paths) -> None:
    wide, narrow = ends.receiver(paths.wide), ends.receiver(paths.narrow)
    sender = mmsg.BatchSender(ends.socket, ends.counters)
    assert sender.segmentation
    for turn in range(2):
        for number in range(4):
            ends.put(paths.wide, packets(2 * number))
            ends.put(paths.narrow, packets(2 * number + 1))
        ends.flush(sender)
        for number in range(4):
            assert wide.recv(65536) == whole(packets(2 * number)), "the kernel segments"
            for packet in packets(2 * number + 1):
                assert narrow.recv(65536) == packet
        assert sum(ends.counters.errors.values()) == 4, f"tried again in turn {turn}"
        assert ends.counters.errors.keys() <= {"EMSGSIZE", "EINVAL"}
    assert sender.unsegmented == 1
    assert ends.counters.packets_sent == 2 * 8 * 5
    assert ends.counters.bytes_sent == 2 * 8 * (4 * SIZE + 70)
    assert ends.counters.packets_dropped == 0


def test_wider_route_is_found_in_time(
    ends: Ends, paths: Paths, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = ends.receiver(paths.narrow)
    sender = mmsg.BatchSender(ends.socket, ends.counters)
    now = 1000.0
    monkeypatch.setattr(mmsg, "monotonic", lambda: now)
    ends.put(paths.narrow, packets(0))
    ends.flush(sender)
    paths.route(network, "replace", "mtu", "1500")
    now += mmsg.RETRY_INTERVAL - 0.1
    ends.put(paths.narrow, packets(1))
    ends.flush(sender)
    for packet in packets(0) + packets(1):
        assert receiver.recv(65536) == packet
    assert sender.unsegmented == 1
    now += 0.1
    ends.put(paths.narrow, packets(2))
    ends.flush(sender)
    assert receiver.recv(65536) == whole(packets(2))
    assert sender.unsegmented == 0
    assert sum(ends.counters.errors.values()) == 1


@pytest.mark.parametrize("make", [mmsg.BatchSender, SingleSender])
def test_single_packets_over_the_mtu_arrive(
    ends: Ends, paths: Paths, make: type[mmsg.BatchSender] | type[SingleSender]
) -> None:
    receiver = ends.receiver(paths.narrow)
    sender = make(ends.socket, ends.counters)
    ends.put(paths.narrow, [bytes([7]) * SIZE])
    ends.flush(sender)
    assert receiver.recv(65536) == bytes([7]) * SIZE
    assert ends.counters.errors == {}


@pytest.mark.parametrize("paths", [IPV4], indirect=True)
def test_narrow_interface_falls_back_by_itself(ends: Ends, paths: Paths, network: Network) -> None:
    receiver = ends.receiver(paths.wide)
    sender = mmsg.BatchSender(ends.socket, ends.counters)
    ends.put(paths.wide, packets(0))
    ends.flush(sender)
    assert receiver.recv(65536) == whole(packets(0))
    ip(network.server, "link", "set", "media", "mtu", "1300")
    try:
        ends.put(paths.wide, packets(1))
        ends.flush(sender)
        for packet in packets(1):
            assert receiver.recv(65536) == packet
    finally:
        ip(network.server, "link", "set", "media", "mtu", "1500")
        ip(network.server, "address", "replace", "fd00::1/64", "dev", "media", "nodad")
    assert ends.counters.packets_dropped == 0


@pytest.mark.parametrize("paths", [IPV4], indirect=True)
@pytest.mark.parametrize("make", [mmsg.BatchSender, SingleSender])
@pytest.mark.parametrize("run", [1, 4])
def test_full_buffer_drops_what_waits_and_never_blocks(
    ends: Ends,
    paths: Paths,
    network: Network,
    make: type[mmsg.BatchSender] | type[SingleSender],
    run: int,
) -> None:
    # What goes to a host that does not answer waits in the socket's buffer until it does.
    ip(network.server, "route", "replace", "198.18.2.0/24", "dev", "media")
    ip(network.server, "neighbour", "flush", "to", SILENT, "dev", "media", "nud", "all")
    receiver = ends.receiver(paths.wide)
    ends.socket.setblocking(False)
    ends.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sender = make(ends.socket, ends.counters)
    total = 400
    for _ in range(total // run):
        ends.put(SILENT, [bytes(1100)] * run)
    ends.put(paths.wide, [b"too late"])
    ends.flush(sender)
    counters = ends.counters
    assert counters.errors.keys() == {"EAGAIN"}
    assert counters.packets_sent < total // 2
    assert counters.packets_sent + counters.packets_dropped == total + 1
    ip(network.server, "neighbour", "replace", SILENT, "lladdr", MAC, "dev", "media")
    ends.put(paths.wide, [b"in time"])
    ends.flush(sender)
    assert receiver.recv(100) == b"in time"
