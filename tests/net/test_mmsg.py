import contextlib
import errno
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sfu.net import mmsg
from sfu.net.datagrams import UdpCounters, from_python, kernel_drops, to_python
from sfu.net.sockaddr import decode_sockaddr, encode_sockaddr
from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.outbox import Outbox

SO_NO_CHECK = 11  # asm-generic/socket.h

pytestmark = pytest.mark.skipif(not mmsg.available(), reason="no recvmmsg here")


def test_kernel_tells_what_it_dropped_at_a_socket() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        first.bind(("127.0.0.1", 0))
        first.setblocking(False)
        assert kernel_drops(first) == 0
        for _ in range(100):
            second.sendto(bytes(1000), first.getsockname())
        received = 0
        with contextlib.suppress(BlockingIOError):
            while first.recv(2000):
                received += 1
        assert received < 100
        assert kernel_drops(first) == 100 - received


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
    raw = encode_sockaddr(address)
    assert len(raw) == (28 if ":" in address.host else 16)
    assert decode_sockaddr(raw) == address
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
    assert sender.unsegmented == 1
    assert counters.packets_sent == 2 * len(packets)
    assert counters.packets_dropped == 0


def test_destinations_without_segmentation_are_bounded(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    counters = UdpCounters()
    sender = mmsg.BatchSender(pair[0], counters)
    outbox = Outbox()
    for port in range(1, mmsg.MAX_CACHED_ADDRESSES + 3):
        address = Address("127.0.0.1", port)
        put(outbox, address, [b"a", b"b"])
        sender._failed(errno.EIO, outbox, outbox.runs)
        outbox.clear()
        assert sender.unsegmented <= mmsg.MAX_CACHED_ADDRESSES
    assert sender.unsegmented == 2


# What sandboxes do: `errno` of the argument for sendmmsg alone (seccomp, linux/seccomp.h).
SANDBOXED = """
import errno, platform, struct, sys
from cffi import FFI
ffi = FFI()
ffi.cdef("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);")
number = {"x86_64": 307, "aarch64": 269}[platform.machine()]
code = ffi.new("char[]", struct.pack("=" + "HBBI" * 4,
    0x20, 0, 0, 0,  # load the number of the call
    0x15, 0, 1, number,
    0x06, 0, 0, 0x00050000 | int(sys.argv[1]),  # SECCOMP_RET_ERRNO
    0x06, 0, 0, 0x7fff0000,  # SECCOMP_RET_ALLOW
))
program = ffi.new("char[]", struct.pack("@HP", 4, int(ffi.cast("uintptr_t", code))))
libc = ffi.dlopen(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, int(ffi.cast("uintptr_t", program)), 0, 0) == 0  # PR_SET_SECCOMP
from sfu.net import mmsg
print(mmsg.available())
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="numbers of calls")
@pytest.mark.parametrize("refusal", [errno.ENOSYS, errno.EPERM])
def test_probe_finds_that_a_sandbox_refuses_the_calls(refusal: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SANDBOXED, str(refusal)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM])
def test_full_buffer_drops_what_waits(
    pair: tuple[socket.socket, socket.socket], error: int
) -> None:
    sender_socket, receiver = pair
    counters = UdpCounters()
    sender = mmsg.BatchSender(sender_socket, counters)
    outbox = Outbox()
    address = Address("127.0.0.1", receiver.getsockname()[1])
    put(outbox, address, [b"a"] * 3)
    put(outbox, address, [b"b"] * 4)
    counters.packets_sent = 7
    assert sender._failed(error, outbox, outbox.runs) == 2
    assert counters.errors == {errno.errorcode[error]: 2}
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
