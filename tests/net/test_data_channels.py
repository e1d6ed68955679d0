"""Data channels over real SCTP: what they carry is in the interop tests; here is how they end."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    DataChunk,
)

from sfu.net import data_channels
from sfu.net.data_channels import DataChannels
from tests.support.clients import Client, Clients, clients_of
from tests.support.polling import until
from tests.support.server import RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def clients(server: RunningServer) -> AsyncIterator[Clients]:
    async with clients_of(server.url) as clients:
        yield clients


def tasks() -> list[asyncio.Task[object]]:
    """Those of data channels."""
    return [task for task in asyncio.all_tasks() if "DataChannels" in repr(task.get_coro())]


async def test_channels_end_with_their_participant(server: RunningServer, clients: Clients) -> None:
    before = len(tasks())
    ann = await clients.join("kitchen", "ann")
    await ann.open_channels()
    assert len(tasks()) == before + 1
    await ann.leave()
    await until(lambda: len(tasks()) == before, "the end of the channels' task")
    assert not server.media.worker._tasks


async def test_channels_end_when_the_connection_does(
    server: RunningServer, clients: Clients
) -> None:
    ann = await clients.join("kitchen", "ann")
    await ann.open_channels()
    room = server.media.rooms.get("kitchen")
    assert room
    channels = room.participant("ann").channels
    assert channels
    await ann.publisher.close()
    await until(lambda: not channels.send("x", reliable=True), "the channels' end")
    await until(lambda: not server.media.worker._tasks, "the end of their tasks")


async def test_a_stopping_server_ends_them() -> None:
    async with running_server() as server, clients_of(server.url) as clients:
        ann = await clients.join("kitchen", "ann")
        await ann.open_channels()
        worker = server.media.worker
        assert worker._tasks
        await worker.close()
        assert not worker._tasks


async def test_channels_of_other_names_are_closed(server: RunningServer, clients: Clients) -> None:
    ann = await clients.join("kitchen", "ann")
    await ann.open_channels()
    stranger = ann.publisher.createDataChannel("stranger")
    await until(lambda: stranger.readyState == "closed", "the end of the channel")


async def test_rubbish_on_a_channel_costs_nobody_anything(
    server: RunningServer, clients: Clients
) -> None:
    ann, ben = await clients.join("kitchen", "ann"), await clients.join("kitchen", "ben")
    await ann.open_channels()
    await ben.open_channels()
    for channel in (ann.channels["reliable"], ann.channels["lossy"]):
        for rubbish in ("", "{", b"\xff\xfe", "x" * 60000):
            channel.send(rubbish)
    ann.send_data(b"still here")
    await until(lambda: bool(ben.data), "a message")


def channels_of(server: RunningServer, name: str) -> DataChannels:
    room = server.media.rooms.get("kitchen")
    assert room
    channels = room.participant(name).channels
    assert channels
    assert channels._channels.keys() == {"reliable", "lossy"}
    return channels


async def assert_ended(server: RunningServer, client: Client, channels: DataChannels) -> None:
    """The server sends no more, has no more to do, and has told the client."""
    await until(lambda: not server.media.worker._tasks, "the end of the channels' tasks")
    assert not channels.send("x", reliable=True)
    assert not channels.send("x", reliable=False)
    for channel in client.channels.values():
        await until(lambda channel=channel: channel.readyState == "closed", "the client to know")
    channels.close()
    assert not server.media.worker._tasks


async def test_what_the_library_cannot_stand_ends_the_channels(
    server: RunningServer, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await clients.join("kitchen", "ann")
    await ann.open_channels()
    channels = channels_of(server, "ann")

    async def fail(data: bytes) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(channels._sctp, "_handle_data", fail)
    ann.send_data(b"poison")
    await assert_ended(server, ann, channels)


@pytest.mark.parametrize(
    ("flags", "size", "gap", "streams"),
    [
        (SCTP_DATA_FIRST_FRAG, 1100, 1, 1),
        (SCTP_DATA_FIRST_FRAG, 1, 1, 1),
        (SCTP_DATA_FIRST_FRAG, 1, 1, 65_000),
        # Whole messages are delivered at once, but that they came has to be remembered.
        (SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG | SCTP_DATA_UNORDERED, 1, 2, 1),
    ],
    ids=["large pieces", "small pieces", "streams", "gaps"],
)
async def test_a_flood_that_cannot_be_delivered_ends_the_channels(
    server: RunningServer,
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
    flags: int,
    size: int,
    gap: int,
    streams: int,
) -> None:
    monkeypatch.setattr(data_channels, "MAX_UNDELIVERED", 1 << 18)
    monkeypatch.setattr(data_channels, "MAX_MISORDERED", 200)
    ann = await clients.join("kitchen", "ann")
    await ann.open_channels()
    channels = channels_of(server, "ann")
    sctp = ann.publisher.sctp
    assert sctp
    for number in range(3000):
        if sctp.state == "closed":
            break
        chunk = DataChunk(flags)
        chunk.tsn = (sctp._local_tsn + number * gap) & 0xFFFFFFFF
        chunk.stream_id = 3 + number % streams
        chunk.user_data = bytes(size)
        await sctp._send_chunk(chunk)
        await asyncio.sleep(0)
    await assert_ended(server, ann, channels)


async def test_a_long_message_with_losses_is_no_flood(
    server: RunningServer, clients: Clients
) -> None:
    ann, ben = await clients.join("kitchen", "ann"), await clients.join("kitchen", "ben")
    await ann.open_channels()
    await ben.open_channels()
    sctp = channels_of(server, "ann")._sctp
    handle = sctp._handle_data
    count = itertools.count()

    async def lossy(data: bytes) -> None:
        if next(count) % 5:
            await handle(data)

    sctp._handle_data = lossy  # type: ignore[method-assign]
    for number in range(20):
        ann.send_data(bytes([number]) * 30_000)
    await until(lambda: len(ben.data) == 20, "all messages", deadline=60)
