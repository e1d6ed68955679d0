"""Fixtures of the tests with real clients."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clients import Clients, clients_of
from tests.support.server import RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    """A server that lets anyone in."""
    async with running_server() as server:
        yield server


@pytest.fixture
async def clients(server: RunningServer) -> AsyncIterator[Clients]:
    """Python clients of `server`."""
    async with clients_of(server.url) as clients:
        yield clients
