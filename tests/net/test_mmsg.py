import errno
import socket
from collections.abc import Iterator

import pytest

from sfu.net import mmsg
from sfu.net.datagrams import UdpCounters, from_python, to_python
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.outbox import Outbox

SO_NO_CHECK = 11  # asm-generic/socket.h

pytestmark = pytest.mark.skipif(not mmsg.available(), reason="no recvmmsg here")


@pytest.mark.parametrize(
    "address",
    [
        Address("127.0.0.1", 1),
        Address("255.255.255.254", 65535),
        Address("::1", 0),
        Address("2001:db8::1", 8000),
        Address("fe80::1%3", 5000),
    ],
)
def test_addresses_survive_both_encodings(address: Address) -> None:
    raw = mmsg.encode_sockaddr(address)
    assert len(raw) == (28 if ":" in address.host else 16)
    assert mmsg.decode_sockaddr(raw) == address
    name = to_python(address)
    assert from_python(name if len(name) == 2 else (name[0], name[1], 0, name[3])) == address


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        yield first, second


def put(outbox: Outbox, address: Address, packets: list[bytes]) -> None:
    offset = outbox.reserve(sum(map(len, packets)))
    outbox.view[offset : offset + sum(map(len, packets))] = b"".join(packets)
    outbox.commit(address, offset, [len(packet) for packet in packets])


def test_run_that_cannot_be_segmented_is_sent_packet_by_packet(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender_socket, receiver = pair
    # Without checksums the kernel refuses to segment, with the error that it also has for segments
    # over the MTU of the path.
    sender_socket.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    counters = UdpCounters()
    sender = mmsg.BatchSender(sender_socket, counters)
    address = Address("127.0.0.1", receiver.getsockname()[1])
    outbox = Outbox()
    packets = [bytes([i]) * 100 for i in range(5)] + [b"short"]
    put(outbox, address, packets)
    for _ in range(2):
        sender.send(outbox, outbox.runs)
        assert [receiver.recv(2048) for _ in packets] == packets
    assert list(counters.errors.values()) == [1]  # the second time it is not tried
    assert sender._unsegmented == {address}
    assert counters.packets_sent == 2 * len(packets)


def test_full_buffer_drops_what_waits_and_never_blocks(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sender_socket, receiver = pair
    counters = UdpCounters()
    sender = mmsg.BatchSender(sender_socket, counters)
    outbox = Outbox()
    address = Address("127.0.0.1", receiver.getsockname()[1])
    put(outbox, address, [b"a"] * 3)
    put(outbox, address, [b"b"] * 4)
    counters.packets_sent = 7
    assert sender._failed(errno.EAGAIN, outbox, outbox.runs) == 2
    assert counters.packets_dropped == 7
    assert counters.packets_sent == 0


def test_interrupted_call_is_made_again(pair: tuple[socket.socket, socket.socket]) -> None:
    sender = mmsg.BatchSender(pair[0], UdpCounters())
    assert sender._failed(errno.EINTR, Outbox(), []) == 0


def test_closed_socket_raises_and_empty_one_does_not() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    batch = ReceiveBatch()
    receiver = mmsg.BatchReceiver(sock, batch)
    assert receiver.receive() == 0
    sock.close()
    with pytest.raises(OSError, match="recvmmsg"):
        receiver.receive()
    assert batch.count == 0


def test_address_caches_are_bounded(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = pair
    receiver = mmsg.BatchReceiver(first, ReceiveBatch())
    sender = mmsg.BatchSender(second, UdpCounters())
    for number in range(mmsg.MAX_CACHED_ADDRESSES + 2):
        receiver._addresses[number.to_bytes(28, "big")] = Address("192.0.2.1", 1)
        sender._name(Address("192.0.2.1", number))
    outbox = Outbox()
    outbox.send(Address("127.0.0.1", first.getsockname()[1]), b"x")
    sender.send(outbox, outbox.runs)
    first.settimeout(5)
    first.recv(10, socket.MSG_PEEK)
    assert receiver.receive() == 1
    assert len(receiver._addresses) == len(sender._names) == 1
