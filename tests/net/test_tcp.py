import asyncio
import fcntl
from collections.abc import AsyncIterator
from struct import unpack

import msgspec
import pytest

from sfu.config import Config
from sfu.net import tcp
from sfu.net.tcp import TcpPort
from sfu.transport.address import Address
from sfu.transport.buffers import SLOT_SIZE, SLOTS
from sfu.transport.outbox import Outbox

STUN = bytes([0, 1, 0, 0]) + bytes(16)
SIOCOUTQNSD = 0x894B  # linux/sockios.h: bytes in the kernel that were never sent
MEDIA = bytes([0x80]) + bytes(50)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Shell:
    """A port, what came in, and which connections ended."""

    def __init__(self, hosts: tuple[str, ...] = ("127.0.0.1",), **settings: float) -> None:
        self.received: list[tuple[bytes, Address]] = []
        self.batches: list[int] = []
        self.closed: list[Address] = []
        self.arrived = asyncio.Event()
        self.port = TcpPort(
            hosts,
            0,
            config=Config(**settings),  # type: ignore[arg-type]
            on_datagrams=self._receive,
            on_closed=self._closed,
        )

    def _receive(self, datagrams: list[tuple[bytes, Address]]) -> None:
        self.received += datagrams
        self.batches.append(len(datagrams))
        self.arrived.set()

    def _closed(self, address: Address) -> None:
        self.closed.append(address)
        self.arrived.set()

    async def until(self, *, received: int = 0, closed: int = 0) -> None:
        async with asyncio.timeout(5):
            while len(self.received) < received or len(self.closed) < closed:
                self.arrived.clear()
                await self.arrived.wait()

    async def connect(self, host: str = "127.0.0.1") -> Streams:
        return await asyncio.open_connection(host, self.port.port)

    async def join(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Address]:
        """Connect as an authentic peer does: a check, and an answer."""
        reader, writer = await self.connect()
        writer.write(frame(STUN))
        await self.until(received=len(self.received) + 1)
        address = self.received[-1][1]
        self.port.send(address, b"answer")
        assert await read_frame(reader) == b"answer"
        return reader, writer, address


def frame(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def assert_ended(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(5):
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            return


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    shell = Shell()
    await shell.port.open()
    yield shell
    await shell.port.close()


async def test_frames_are_cut_wherever_the_stream_was_cut(shell: Shell) -> None:
    _, writer, address = await shell.join()
    frames = [bytes([0x80]) * size for size in (1, 2, 1200, 2048, 7)]
    stream = b"".join(map(frame, frames)) + frame(b"") + frame(b"end")
    for start in range(0, len(stream), 97):
        writer.write(stream[start : start + 97])
        await writer.drain()
        await asyncio.sleep(0)
    await shell.until(received=1 + len(frames) + 1)
    assert shell.received[1:] == [(data, address) for data in [*frames, b"end"]]
    assert address == Address(*writer.get_extra_info("sockname"), "tcp")
    writer.close()
    await shell.until(closed=1)
    assert shell.closed == [address]
    assert len(shell.port) == 0


async def test_many_frames_at_once_come_in_batches_that_fit(shell: Shell) -> None:
    _, writer, _ = await shell.join()
    writer.write(frame(MEDIA) * 500)
    await shell.until(received=501)
    assert max(shell.batches) <= SLOTS
    writer.close()


async def test_runs_of_the_outbox_are_sent_as_frames(shell: Shell) -> None:
    reader, writer, address = await shell.join()
    outbox = Outbox()
    outbox.send(address._replace(protocol="udp"), b"not for tcp")
    offset = outbox.reserve(25)
    outbox.view[offset : offset + 25] = b"a" * 10 + b"b" * 10 + b"c" * 5
    outbox.commit(address, offset, [10, 10, 5])
    shell.port.flush(outbox)
    assert [await read_frame(reader) for _ in range(3)] == [b"a" * 10, b"b" * 10, b"c" * 5]
    writer.close()


async def test_first_frame_must_be_stun(shell: Shell) -> None:
    reader, writer = await shell.connect()
    writer.write(frame(MEDIA))
    await assert_ended(reader)
    assert shell.received == []
    assert shell.port.counters.misbehaved == 1
    writer.close()


async def test_nothing_but_stun_before_the_first_answer(shell: Shell) -> None:
    reader, writer = await shell.connect()
    writer.write(frame(STUN) * 3)
    await shell.until(received=3)
    writer.write(frame(STUN) + frame(MEDIA))
    await assert_ended(reader)
    assert len(shell.received) == 3
    writer.close()


async def test_web_browser_is_shown_out(shell: Shell) -> None:
    reader, writer = await shell.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    await assert_ended(reader)
    writer.close()


async def test_frame_over_the_bound_ends_the_connection(shell: Shell) -> None:
    reader, writer, _ = await shell.join()
    writer.write(frame(bytes([0x80]) * 2049))
    await assert_ended(reader)
    writer.close()


async def test_connection_without_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "ADMISSION_TIMEOUT", 0.05)
    shell = Shell()
    await shell.port.open()
    silent, stranger = await shell.connect(), await shell.connect()
    stranger[1].write(frame(STUN))
    await assert_ended(silent[0])
    await assert_ended(stranger[0])
    assert shell.port.counters.misbehaved == 2
    for _, writer in (silent, stranger):
        writer.close()
    await shell.port.close()


async def test_idle_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "ADMISSION_TIMEOUT", 0.05)
    shell = Shell(media_timeout=0.2)
    await shell.port.open()
    reader, writer, address = await shell.join()
    began = asyncio.get_running_loop().time()
    await assert_ended(reader)
    assert asyncio.get_running_loop().time() - began > 0.15
    assert shell.closed == [address]
    writer.close()
    await shell.port.close()


async def test_connections_are_bounded() -> None:
    shell = Shell(max_tcp_connections=2)
    await shell.port.open()
    joined = [await shell.join() for _ in range(2)]
    reader, writer = await shell.connect()
    await assert_ended(reader)
    assert shell.port.counters.refused == 1
    assert shell.closed == []
    writer.close()
    for _, writer, _ in joined:
        writer.close()
    await shell.until(closed=2)
    _, writer, _ = await shell.join()
    writer.close()
    await shell.port.close()


async def test_connections_of_one_host_are_bounded() -> None:
    shell = Shell(("127.0.0.1", "::1"), max_tcp_connections_per_host=2)
    await shell.port.open()
    joined = [await shell.join() for _ in range(2)]
    reader, writer = await shell.connect()
    await assert_ended(reader)
    assert shell.port.counters.refused == 1
    writer.close()
    for host in ("127.0.0.2", "::1"):  # others are not concerned
        _, writer = await asyncio.open_connection(
            "::1" if ":" in host else "127.0.0.1", shell.port.port, local_addr=(host, 0)
        )
        writer.write(frame(STUN))
        await shell.until(received=len(shell.received) + 1)
        writer.close()
    await shell.until(closed=2)
    joined.pop()[1].close()
    await shell.until(closed=3)
    joined.append(await shell.join())
    for _, writer, _ in joined:
        writer.close()
    await shell.until(closed=5)
    assert not shell.port._per_host
    await shell.port.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%2", "fe80::2%2", True),
    ],
)
def test_ipv6_network_counts_as_one_host(one: str, other: str, same: bool) -> None:
    assert (tcp._network_of(one) == tcp._network_of(other)) is same


def test_largest_frame_fits_where_datagrams_lie() -> None:
    assert msgspec.convert({"max_tcp_frame_size": SLOT_SIZE}, Config)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max_tcp_frame_size": SLOT_SIZE + 1}, Config)


async def test_slow_reader_loses_frames_and_costs_bounded_memory() -> None:
    shell = Shell(max_tcp_buffer=100_000)
    await shell.port.open()
    _, writer, address = await shell.join()
    for _ in range(20_000):
        shell.port.send(address, bytes(1200))
    (connection,) = shell.port._connections.values()
    assert connection._transport is not None
    assert connection._transport.get_write_buffer_size() <= 100_000 + 2
    sock = connection._transport.get_extra_info("socket")
    (unsent,) = unpack("i", fcntl.ioctl(sock.fileno(), SIOCOUTQNSD, bytes(4)))
    # It looks when it begins a segment of 64 KiB; without the bound it takes megabytes.
    assert 0 < unsent <= tcp.MAX_UNSENT + 65536
    counters = shell.port.counters
    assert counters.frames_dropped > 1000
    assert counters.frames_sent + counters.frames_dropped == 20_001
    writer.close()
    await shell.port.close()


async def test_sending_to_a_connection_that_is_gone_does_nothing(shell: Shell) -> None:
    shell.port.send(Address("192.0.2.1", 1, "tcp"), b"x")
    shell.port.disconnect(Address("192.0.2.1", 1, "tcp"))
    reader, writer, address = await shell.join()
    shell.port.disconnect(address)
    await assert_ended(reader)
    await shell.until(closed=1)
    shell.port.send(address, b"x")
    assert shell.port.counters.frames_sent == 1
    writer.close()


async def test_several_addresses_share_the_port() -> None:
    shell = Shell(("127.0.0.1", "127.0.0.2", "::1"))
    await shell.port.open()
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        _, writer = await shell.connect(host)
        writer.write(frame(STUN))
        await shell.until(received=len(shell.received) + 1)
        assert shell.received[-1][1] == Address(*writer.get_extra_info("sockname")[:2], "tcp")
        writer.close()
    await shell.port.close()


async def test_port_in_use_is_an_error_and_free_again_after_close() -> None:
    first = Shell()
    await first.port.open()
    second = Shell()
    second.port.port = first.port.port
    with pytest.raises(OSError, match="in use"):
        await second.port.open()
    _, writer, _ = await first.join()
    await first.port.close()
    await second.port.open()
    await second.port.close()
    writer.close()
