"""Fixtures of the tests with real clients."""

from collections.abc import AsyncIterator

import pytest

from tests.support.chromium import Chromium, running_chromium
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


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """A browser with a camera, a microphone and a screen that are not real."""
    async with running_chromium() as chromium:
        yield chromium
