"""Transport-wide numbers, sent and reported, between the tester and the real server."""

import asyncio
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from benchmarks.load.client import Client
from benchmarks.load.clips import load_clip
from benchmarks.load.datagrams import Receiver, Run, receiver, sender
from benchmarks.load.description import Agreed
from benchmarks.load.model import ClientSpec, LoadPlan
from benchmarks.load.protocols.base import Context
from benchmarks.load.shared import Shared
from benchmarks.load.transport_reporter import TransportReporter
from sfu.wire.parameters import Extension
from sfu.wire.rtcp import TransportFeedback, parse_compound
from sfu.wire.rtp import build_rtp
from tests.support.polling import until
from tests.support.server import running_server

ID = 3


class Reported:
    """A reporter without a network, and what it sends."""

    def __init__(self) -> None:
        self.feedback: list[TransportFeedback] = []
        self.view = Receiver()
        connection: Any = SimpleNamespace(
            shared=SimpleNamespace(receiver=self.view), send_rtcp=self._take
        )
        self.reporter = TransportReporter(connection, 7)
        uri = Extension.TRANSPORT_SEQUENCE_NUMBER
        self.reporter.agree([Agreed("0", "video", "sendonly", {}, {}, {uri: ID}, ())])

    def _take(self, data: bytes) -> None:
        for packet in parse_compound(data):
            assert isinstance(packet, TransportFeedback)
            self.feedback.append(packet)

    def receive(self, packets: list[bytes], now: float) -> None:
        data = b"".join(packets)
        self.view.view[: len(data)] = data
        self.reporter.receive(Run(0, len(data), len(packets[0]), round(now * 1e9)))


def numbered(number: int, *, extensions: dict[int, bytes] | None = None) -> bytes:
    return build_rtp(
        payload_type=96,
        sequence_number=0,
        timestamp=0,
        ssrc=1,
        payload=bytes(20),
        extensions={**(extensions or {}), ID: number.to_bytes(2)},
    )


@pytest.mark.parametrize("first", [0, 1, 127, 32767, 32768, 65534, 65535])
def test_numbers_of_runs_are_reported_wherever_they_stand(first: int) -> None:
    reported = Reported()
    numbers = [(first + i) & 0xFFFF for i in range(9)]
    reported.receive([numbered(number) for number in numbers[:4]], 100.0)
    mid = {4: b"0"}  # in front of the number
    reported.receive([numbered(number, extensions=mid) for number in numbers[4:6]], 100.01)
    reported.receive([numbered(number) for number in numbers[7:]], 100.02)
    assert reported.reporter.report(100.05) == pytest.approx(100.1)
    assert not reported.feedback
    reported.reporter.report(100.11)
    (feedback,) = reported.feedback
    assert feedback.base_sequence == first
    assert [delta is None for delta in feedback.deltas] == [False] * 6 + [True, False, False]


def test_junk_is_passed_over() -> None:
    reported = Reported()
    source = random.Random(3)
    for _ in range(20_000):
        size = source.randrange(13, 40)
        packet = bytes([0x80 | source.randrange(64)]) + source.randbytes(size - 1)
        if source.random() < 0.5:
            packet = packet[:12] + b"\xbe\xde" + packet[14:]
        reported.receive([packet[:size]], 100.0)


@pytest.fixture
async def context(protocol: str) -> AsyncIterator[Context]:
    """What clients in this process need, and a server."""
    async with running_server() as server, aiohttp.ClientSession() as http:
        plan = LoadPlan(server.url, protocol=protocol, packets_per_frame=3, transport_feedback=True)
        shared = Shared(receiver(), sender())
        yield Context(plan, shared, http, load_clip(plan), 30.0)
        shared.close()


@pytest.mark.parametrize("protocol", ["whip", "aiosfu"])
async def test_both_sides_number_what_they_send(context: Context) -> None:
    publisher = Client(context, ClientSpec("publisher", "room", publishes=True))
    watcher = Client(context, ClientSpec("watcher", "room", subscribes=True))
    await publisher.join()
    await asyncio.sleep(0.1)
    await watcher.join()
    await until(lambda: watcher.sample().packets_received > 50, "media")
    (reports,) = [each._reporter for each in watcher._protocol.subscribers]
    assert reports is not None
    assert reports._generator._highest > 0x10000
    sent = publisher._protocol.publisher
    assert sent is not None
    assert sent._transport_number == sent.counters.packets
    assert watcher.sample().packets_expected == watcher.sample().packets_received
    await watcher.leave()
    await publisher.leave()
    assert publisher.sample().state == "left"
