"""Fixtures of the tests that look at the page."""

from collections.abc import AsyncIterator

import pytest

from tests.support.chromium import Chromium, running_chromium
from tests.support.server import RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    """A server that lets anyone in."""
    async with running_server() as server:
        yield server


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """A browser with a camera, a microphone and a screen that are not real."""
    async with running_chromium() as chromium:
        yield chromium
