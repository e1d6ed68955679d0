"""The tester's system calls, the batched and the portable ones alike."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmarks.load.datagrams import (
    SLOTS,
    BatchReceiver,
    BatchSender,
    Receiver,
    Sender,
    media_socket,
    receive_runs,
    socket_drops,
)
from sfu.net import mmsg

needs_batches = pytest.mark.skipif(not mmsg.available(), reason="needs recvmmsg and sendmmsg")
RECEIVERS = [Receiver, pytest.param(BatchReceiver, marks=needs_batches)]
SENDERS = [Sender, pytest.param(BatchSender, marks=needs_batches)]


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket that receives, and one that is connected to it."""
    receiving, sending = media_socket(socket.AF_INET), media_socket(socket.AF_INET)
    receiving.bind(("127.0.0.1", 0))
    sending.connect(receiving.getsockname())
    yield receiving, sending
    receiving.close()
    sending.close()


@pytest.mark.parametrize("kind", RECEIVERS)
def test_single_datagrams_come_in_order_with_the_time_of_their_arrival(sockets, kind) -> None:
    receiving, sending = sockets
    receiver = kind()
    before = time.monotonic_ns()
    for i in range(5):
        sending.send(bytes([i]) * (100 + i))
    after = time.monotonic_ns()
    runs = receiver.receive(receiving)
    assert [bytes(receiver.view[r.start : r.start + r.length]) for r in runs] == [
        bytes([i]) * (100 + i) for i in range(5)
    ]
    assert all(run.size == run.length for run in runs)
    slack = 5_000_000  # ns; the two clocks are read one after the other
    assert all(run.time > before - slack for run in runs)
    if kind is BatchReceiver:  # the kernel's times do not wait for the receiver
        assert all(run.time < after + slack for run in runs)


@pytest.mark.parametrize("kind", RECEIVERS)
def test_nothing_there_is_no_run(sockets, kind) -> None:
    assert kind().receive(sockets[0]) == []


@pytest.mark.parametrize("kind", RECEIVERS)
def test_a_refused_socket_is_no_error(kind) -> None:
    with media_socket(socket.AF_INET) as sock:
        with media_socket(socket.AF_INET) as other:
            other.bind(("127.0.0.1", 0))
            sock.connect(other.getsockname())
        sock.send(b"nobody is there")
        assert kind().receive(sock) == []


@needs_batches
def test_what_was_sent_with_segmentation_comes_as_one_run(sockets) -> None:
    receiving, sending = sockets
    if not mmsg.supports_segmentation(sending):
        pytest.skip("needs UDP segmentation")
    receive_runs(receiving)
    receiver = BatchReceiver()
    data = bytes(range(250)) * 41  # 10 segments of 1,000 bytes and one of 250
    sending.sendmsg([data], [(17, mmsg.UDP_SEGMENT, (1000).to_bytes(2, "little"))])
    sending.send(b"alone")
    run, single = receiver.receive(receiving)
    assert (run.length, run.size) == (len(data), 1000)
    assert bytes(receiver.view[run.start : run.start + run.length]) == data
    assert (single.length, single.size) == (5, 5)
    # The places for sizes and times are used again.
    sending.send(b"again")
    (single,) = receiver.receive(receiving)
    assert (single.length, single.size) == (5, 5)


@needs_batches
def test_more_than_fits_a_call_is_there_at_the_next(sockets) -> None:
    receiving, sending = sockets
    receiver = BatchReceiver()
    for i in range(SLOTS + 3):
        sending.send(bytes([i]))
    assert len(receiver.receive(receiving)) == SLOTS
    assert len(receiver.receive(receiving)) == 3


@pytest.mark.parametrize("kind", SENDERS)
def test_sender_sends_packets_of_different_sizes(sockets, kind) -> None:
    receiving, sending = sockets
    sender = kind()
    sizes = [100, 1200, 1, 300]
    sender.view[: sum(sizes)] = bytes(i % 251 for i in range(sum(sizes)))
    assert sender.send(sending, sizes) == 4
    received = [receiving.recv(2000) for _ in sizes]
    assert [len(data) for data in received] == sizes
    assert b"".join(received) == bytes(sender.view[: sum(sizes)])


@needs_batches
def test_sender_sends_more_than_a_batch(sockets) -> None:
    receiving, sending = sockets
    assert BatchSender().send(sending, [10] * 600) == 600
    receiver = BatchReceiver()
    assert sum(len(receiver.receive(receiving)) for _ in range(40)) == 600


@needs_batches
def test_drops_of_a_full_socket_are_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.bind(("127.0.0.1", 0))
        with media_socket(socket.AF_INET) as sending:
            assert socket_drops(small) == 0
            for _ in range(100):
                sending.sendto(bytes(1000), small.getsockname())
            small.setblocking(False)
            kept = 0
            with suppress(BlockingIOError):
                while small.recv(2000):
                    kept += 1
            assert socket_drops(small) == 100 - kept > 0
