import asyncio
import errno
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise

import pytest

from sfu.net import mmsg
from sfu.net.udp import MAX_BATCHES, MAX_ROUTES, UdpPort
from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, SLOTS, ReceiveBatch
from sfu.transport.outbox import Outbox
from tests.support.paths import PATHS, force_path

Received = list[tuple[bytes, Address]]


class Shell:
    """A port with an outbox, and what came in."""

    def __init__(self, hosts: tuple[str, ...], *, batched: bool) -> None:
        self.received: Received = []
        self.arrived = asyncio.Event()
        self.outbox = Outbox()
        self.port = UdpPort(hosts, 0, on_batch=self._receive, batched=batched)
        self.answer: Callable[[bytes], bytes] | None = None

    def _receive(self, batch: ReceiveBatch) -> None:
        for slot in range(batch.count):
            data, address = batch.datagram(slot), batch.addresses[slot]
            self.received.append((data, address))
            if self.answer:
                self.outbox.send(address, self.answer(data))
        self.flush()
        self.arrived.set()

    def flush(self) -> None:
        self.port.flush(self.outbox)
        self.outbox.clear()

    async def until(self, count: int) -> Received:
        async with asyncio.timeout(5):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.received


@pytest.fixture(params=PATHS)
def batched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    force_path(request.param, monkeypatch)
    return mmsg.available()


@pytest.fixture(params=["127.0.0.1", "::1"])
async def shell(request: pytest.FixtureRequest, batched: bool) -> AsyncIterator[Shell]:
    shell = Shell((request.param,), batched=batched)
    shell.port.open()
    yield shell
    shell.port.close()


@pytest.fixture
def peer(shell: Shell) -> Iterator[socket.socket]:
    (host,) = shell.port._hosts
    with bound(host) as sock:
        sock.connect((host, shell.port.port))
        yield sock


def bound(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((host, 0))
    sock.settimeout(5)
    return sock


def address_of(sock: socket.socket) -> Address:
    return Address(*sock.getsockname()[:2])


async def test_datagrams_come_with_their_bytes_and_source(
    shell: Shell, peer: socket.socket
) -> None:
    sent = [
        random.Random(i).randbytes(size) for i, size in enumerate([1, 12, 1200, SLOT_SIZE] * 40)
    ]
    for data in sent:
        peer.send(data)
    received = await shell.until(len(sent))
    assert received == [(data, address_of(peer)) for data in sent]
    assert shell.port.counters.packets_received == len(sent)
    assert shell.port.counters.bytes_received == sum(map(len, sent))


async def test_oversized_datagram_is_not_taken_for_a_shorter_one(
    shell: Shell, peer: socket.socket
) -> None:
    for data in (b"before", bytes(SLOT_SIZE + 1), b"after"):
        peer.send(data)
    received = await shell.until(3)
    assert [data for data, _ in received] == [b"before", b"", b"after"]
    assert shell.port.oversized == 1


async def test_answers_go_back_to_many_sources(shell: Shell) -> None:
    shell.answer = lambda data: b"re: " + data
    (host,) = shell.port._hosts
    peers = [bound(host) for _ in range(50)]
    for number, sock in enumerate(peers):
        sock.sendto(str(number).encode(), (host, shell.port.port))
    await shell.until(50)
    for number, sock in enumerate(peers):
        data, source = sock.recvfrom(2048)
        assert data == f"re: {number}".encode()
        assert source[:2] == (host, shell.port.port)
        sock.close()


def put(outbox: Outbox, address: Address, packets: list[bytes]) -> None:
    data = b"".join(packets)
    offset = outbox.reserve(len(data))
    outbox.view[offset : offset + len(data)] = data
    outbox.commit(address, offset, [len(packet) for packet in packets])


async def test_runs_arrive_as_single_packets_in_order(shell: Shell, peer: socket.socket) -> None:
    randomness = random.Random(2)
    expected = []
    for _ in range(40):
        size = randomness.choice((1, 100, 1100, 1200))
        packets = [
            randomness.randbytes(size + randomness.choice((0, 0, 0, 1)))
            for _ in range(randomness.randrange(1, 20))
        ]
        put(shell.outbox, address_of(peer), packets)
        expected += packets
    shell.flush()
    assert [peer.recv(2048) for _ in expected] == expected
    assert shell.port.counters.packets_sent == len(expected)
    assert shell.port.counters.bytes_sent == sum(map(len, expected))


async def test_more_runs_than_one_call_takes(shell: Shell, peer: socket.socket) -> None:
    count = mmsg.MESSAGES * 2 + 3
    for number in range(count):
        shell.outbox.send(address_of(peer), number.to_bytes(2, "big"))
    shell.flush()
    assert [int.from_bytes(peer.recv(10), "big") for _ in range(count)] == list(range(count))


async def test_refused_message_costs_only_itself(shell: Shell, peer: socket.socket) -> None:
    (host,) = shell.port._hosts
    nowhere = Address(host, 0)  # no datagram can have port 0: EINVAL
    shell.outbox.send(address_of(peer), b"before")
    shell.outbox.send(nowhere, b"lost")
    put(shell.outbox, address_of(peer), [b"after"] * 3)
    shell.flush()
    assert [peer.recv(100) for _ in range(4)] == [b"before"] + [b"after"] * 3
    counters = shell.port.counters
    assert counters.packets_sent == 4
    assert counters.packets_dropped == 1
    assert sum(counters.errors.values()) == 1


async def test_addresses_of_other_kinds_are_passed_over(shell: Shell, peer: socket.socket) -> None:
    (host,) = shell.port._hosts
    shell.outbox.send(Address(host, 9, "tcp"), b"for tcp")
    shell.outbox.send(Address("192.0.2.1" if ":" in host else "2001:db8::1", 9), b"other family")
    shell.outbox.send(address_of(peer), b"for udp")
    shell.flush()
    assert peer.recv(100) == b"for udp"
    assert shell.port.counters.packets_sent == 1


async def test_port_can_be_bound_again_after_close(batched: bool) -> None:
    shell = Shell(("127.0.0.1",), batched=batched)
    shell.port.open()
    taken = UdpPort(("127.0.0.1",), shell.port.port, on_batch=shell._receive)
    with pytest.raises(OSError, match="in use") as caught:
        taken.open()
    assert caught.value.errno == errno.EADDRINUSE
    shell.port.close()
    taken.open()
    taken.close()


async def test_others_have_their_turn_while_much_waits(shell: Shell, peer: socket.socket) -> None:
    turns: list[int] = []  # what had been received when the loop came to others

    def other() -> None:
        turns.append(len(shell.received))
        asyncio.get_running_loop().call_soon(other)

    count = MAX_BATCHES * SLOTS + 10
    for number in range(count):
        peer.send(number.to_bytes(2, "big"))
    other()
    await shell.until(count)
    await asyncio.sleep(0)
    steps = [later - earlier for earlier, later in pairwise(turns) if later > earlier]
    assert steps == [MAX_BATCHES * SLOTS, 10]


async def test_close_from_within_a_batch(batched: bool) -> None:
    shell = Shell(("127.0.0.1",), batched=batched)
    shell.port.open()
    shell.answer = lambda data: (shell.port.close(), data)[1]
    with bound("127.0.0.1") as sock:
        for _ in range(100):
            sock.sendto(b"x", ("127.0.0.1", shell.port.port))
    await shell.until(1)
    await asyncio.sleep(0)


async def test_several_addresses_share_the_port_and_answer_each_as_itself(batched: bool) -> None:
    hosts = ("127.0.0.1", "127.0.0.2", "::1")
    shell = Shell(hosts, batched=batched)
    shell.port.open()
    shell.answer = lambda data: data
    try:
        with bound("127.0.0.3") as v4, bound("::1") as v6:
            for round_ in range(3):
                for host in hosts:
                    sock = v6 if ":" in host else v4
                    sock.sendto(host.encode(), (host, shell.port.port))
                    await shell.until(len(shell.received) + 1)
                    data, source = sock.recvfrom(100)
                    assert source[0] == host, round_
                    assert data == host.encode()
    finally:
        shell.port.close()


async def test_wildcards_of_both_families(batched: bool) -> None:
    shell = Shell(("0.0.0.0", "::"), batched=batched)
    shell.port.open()
    shell.answer = lambda data: data
    try:
        for host in ("127.0.0.1", "::1"):
            with bound(host) as sock:
                sock.sendto(b"x", (host, shell.port.port))
                await shell.until(len(shell.received) + 1)
                assert sock.recv(10) == b"x"
                assert shell.received[-1][1] == address_of(sock)
    finally:
        shell.port.close()


async def test_routes_are_bounded(batched: bool) -> None:
    shell = Shell(("127.0.0.1", "127.0.0.2"), batched=batched)
    batch = ReceiveBatch()
    for number in range(MAX_ROUTES + 100):
        batch.load([(b"x", Address(f"192.0.2.{number % 256}", number))])
        shell.port._learn_routes(0, batch)
    assert len(shell.port._routes) <= MAX_ROUTES + 1
