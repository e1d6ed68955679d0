"""One client of the load, from its first request to its last sample."""

import asyncio
import time
from contextlib import suppress

import aiohttp

from benchmarks.load.description import kind
from benchmarks.load.failures import explain, is_out_of_files
from benchmarks.load.histogram import Histogram
from benchmarks.load.media import RIDS
from benchmarks.load.model import ClientSample, ClientSpec, State
from benchmarks.load.protocols import PROTOCOLS
from benchmarks.load.protocols.base import Context
from benchmarks.load.received_stream import ReceivedStream

LEAVE_TIMEOUT = 3.0  # s for a server to take a goodbye


class Client:
    """Joins, is sampled, leaves.

    Attributes:
        spec: Who it is.
        done: Whether it has failed or left; then one more sample is its last.
    """

    def __init__(self, context: Context, spec: ClientSpec) -> None:
        self.spec = spec
        self.done = False
        self._context = context
        self._sample = ClientSample(spec.name, spec.room, spec.publishes, spec.subscribes)
        self._protocol = PROTOCOLS[context.plan.protocol](context, spec, on_closed=self._fail)
        self._began = time.monotonic()
        self._ended = 0.0
        self._leaving = False

    async def join(self) -> None:
        """Connect; errors end up in the sample."""
        try:
            async with asyncio.timeout(self._context.plan.join_timeout):
                await self._protocol.join()
        except Exception as error:  # whatever it is, it is this client's end alone
            self._fail(error)
        else:
            if not self.done:
                self._sample.join_time = time.monotonic() - self._began
                self._sample.state = "connected"

    async def leave(self) -> None:
        """Say goodbye and disconnect."""
        if self.done or self._leaving:
            return
        self._leaving = True
        with suppress(aiohttp.ClientError, OSError, TimeoutError):  # it is gone either way
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await self._protocol.leave()
        self._finish("left")

    def change_rate(self) -> None:
        """Take over the context's frame rate and clip."""
        publisher = self._protocol.publisher
        if publisher is not None:
            publisher.change(self._context.fps, self._context.clip)

    @property
    def drops(self) -> int:
        """Datagrams that its open sockets have dropped."""
        return sum(connection.drops for connection in self._protocol.connections)

    def sample(self) -> ClientSample:
        """Its counters; the delays are those since the last call."""
        sample = self._sample
        sample.note = " ".join(self._protocol.notes)
        publisher = self._protocol.publisher
        if publisher is not None:
            counters = publisher.counters
            sample.packets_sent = counters.packets
            sample.bytes_sent = counters.octets
            sample.packets_dropped = counters.dropped
            sample.packets_resent = counters.resent
            sample.nacks_heard, sample.plis_heard = counters.nacks, counters.plis
        streams = [
            stream
            for subscriber in self._protocol.subscribers
            for stream in subscriber.streams.values()
        ]
        sample.delays = Histogram()
        if streams:
            self._sample_streams(streams)
        return sample

    def _sample_streams(self, streams: list[ReceivedStream]) -> None:
        sample = self._sample
        sample.packets_expected = sum(stream.expected for stream in streams)
        sample.packets_received = sum(stream.received for stream in streams)
        sample.bytes_received = sum(stream.octets for stream in streams)
        sample.frames_decodable = sum(stream.chain.times.count for stream in streams)
        sample.nacks = sum(stream.nacks for stream in streams)
        sample.plis = sum(stream.plis for stream in streams)
        sample.jitter = max(stream.statistics.jitter_seconds for stream in streams)
        sample.first_packet_time = min(stream.first_packet for stream in streams) - self._began
        firsts = [stream.chain.times.first for stream in streams if stream.chain.times.count]
        if firsts:
            sample.first_key_frame_time = min(firsts) - self._began
        now = self._ended or time.monotonic()
        freezes = [stream.freezes(now) for stream in streams]
        sample.freezes_short = sum(short for short, _, _ in freezes)
        sample.freezes_long = sum(long for _, long, _ in freezes)
        sample.frozen_time = sum(seconds for _, _, seconds in freezes)
        sample.video_streams = sum(kind(stream.codec) == "video" for stream in streams)
        layers = {RIDS[stream.layer] for stream in streams if 0 <= stream.layer < len(RIDS)}
        if self._context.plan.simulcast:
            sample.layer = ",".join(sorted(layers, key=RIDS.index))
        for stream in streams:
            sample.delays.merge(stream.delays)
            stream.delays = Histogram()

    def _fail(self, reason: str | Exception) -> None:
        if not self.done and not self._leaving:
            if isinstance(reason, Exception):
                self._sample.out_of_files = is_out_of_files(reason)
                reason = explain(reason, join_timeout=self._context.plan.join_timeout)
            self._sample.error = reason
            self._finish("failed")

    def _finish(self, state: State) -> None:
        self.done = True
        self._ended = time.monotonic()
        self._sample.state = state
        self._protocol.close()
