"""Data channels over real SCTP: what they carry is in the interop tests; here is how they end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.clients import Clients, clients_of
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
