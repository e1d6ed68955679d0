"""Fixtures of the tests that look at the page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from tests.support.chromium import Chromium, running_chromium
from tests.support.server import RunningServer, running_server

# Machines that run tests are slow at times; this is for what never comes.
expect.set_options(timeout=20_000)


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
