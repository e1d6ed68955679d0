"""A packet's way in: from the socket through SRTP into its stream."""

import socket
from collections.abc import Iterator
from functools import partial

from benchmarks.micro.case import Action, Case
from benchmarks.micro.packets import PACKET_RATE, SIZE, keys, parsed, rtp, stream
from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.net import mmsg
from sfu.net.datagrams import SingleReceiver
from sfu.stream.inbound import InboundStream
from sfu.transport.address import Address
from sfu.transport.buffers import SLOTS, ReceiveBatch
from sfu.wire.parameters import OPUS, VP8, Codec, h264

STREAM = 10_000  # packets
REPORT_EVERY = 100  # packets; a feedback each 0.1 s
FORMATS: tuple[tuple[str, Codec, bytes], ...] = (
    ("VP8", VP8, b"\x90\x80\x81\x01\x01" + bytes(1000)),
    ("H.264", h264("constrained-baseline", 1), b"\x5c\x05" + bytes(1000)),
    ("Opus", OPUS, bytes(80)),
)


def cases() -> Iterator[Case]:
    """System calls, decryption, streams, transport-wide feedback."""
    yield Case("socket: receive by recvfrom", SLOTS, lambda: _socket(batched=False))
    if mmsg.available():
        yield Case("socket: receive by recvmmsg", SLOTS, lambda: _socket(batched=True))
    yield Case("SRTP: unprotect, AES-128-GCM", SLOTS, _unprotect)
    for name, codec, payload in FORMATS:
        yield Case(f"stream: receive {name}", STREAM, partial(_stream, codec, payload))
    yield Case(
        "stream: receive VP8, 5 % ten packets late",
        STREAM,
        partial(_stream, *FORMATS[0][1:], late=True),
    )
    yield Case("feedback: note a packet, report", STREAM, lambda: Action(_feedback))


def _socket(*, batched: bool) -> Action:
    batch = ReceiveBatch()
    local, remote = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    local.bind(("127.0.0.1", 0))
    local.setblocking(False)
    local.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    data = bytes(SIZE)

    def fill() -> None:
        for _ in range(SLOTS):
            remote.sendto(data, local.getsockname())

    receiver = mmsg.BatchReceiver(local, batch) if batched else SingleReceiver(local, batch)
    return Action(receiver.receive, fill)


def _unprotect() -> Action:
    """One full batch; new packets each time, because repeated ones are refused."""
    local, remote = keys()
    batch = ReceiveBatch()
    source = Address("192.0.2.1", 1)
    room = ReceiveBatch()  # memory to protect in
    number = 0

    def fill() -> None:
        nonlocal number
        protected = []
        for _ in range(SLOTS):
            room.view[:SIZE] = rtp(number)
            number += 1
            assert remote.protect_run(room.base, 0, [SIZE])
            protected.append((bytes(room.view[: SIZE + remote.overhead]), source))
        batch.load(protected)

    def measured() -> int:
        unprotect, pointers, lengths = local.unprotect_in_place, batch.pointers, batch.lengths
        length = 0
        for slot in range(SLOTS):
            length = unprotect(pointers[slot], lengths[slot])
        return length

    fill()
    assert measured() == SIZE
    return Action(measured, fill)


def _stream(codec: Codec, payload: bytes, *, late: bool = False) -> Action:
    packets = parsed(payload, range(STREAM))
    if late:
        for i in range(10, STREAM - 10, 20):
            packets.insert(i + 10, packets.pop(i))

    def measured() -> InboundStream:
        inbound = stream(codec)
        for packet in packets:
            inbound.receive(packet, now=packet.arrival)
        return inbound

    return Action(measured)


def _feedback() -> None:
    generator = TransportFeedbackGenerator(sender_ssrc=1)
    for i in range(STREAM):
        now = 100 + i / PACKET_RATE
        generator.received(i & 0xFFFF, now)
        if i % REPORT_EVERY == REPORT_EVERY - 1:
            for feedback in generator.build(now=now):
                bytes(feedback)
