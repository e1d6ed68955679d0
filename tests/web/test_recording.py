"""The sign that a room is recorded, and the button that begins and ends it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import Chromium, Tab
from tests.support.clients import access_token
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

ROOM = "/r/kitchen"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(recordings_dir=str(tmp_path)) as server:
        yield server


async def enter(chromium: Chromium, url: str, name: str = "") -> Tab:
    tab = await chromium.open(url)
    if name:
        await tab.page.fill("#name", name)
    await tab.page.click("#join")
    await expect(tab.page.locator("#call")).to_be_visible()
    return tab


async def sees(page: Page, text: str) -> None:
    await expect(page.locator("#recording")).to_be_visible()
    await expect(page.locator("#recording")).to_have_text(text)


async def test_everyone_sees_who_records_and_when_it_ends(
    chromium: Chromium, server: RunningServer, tmp_path: Path
) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await expect(ann.page.locator("#recording")).to_be_hidden()
    await ann.page.get_by_role("button", name="Record the room").click()
    await sees(ann.page, "You record this room")
    await sees(ben.page, "Ann records this room")
    await expect(ben.page.locator("#toasts")).to_contain_text("Ann records this room")

    await ben.page.reload()  # who comes later sees it too, and is not told as if it were new
    await sees(ben.page, "Ann records this room")
    await expect(ben.page.locator("#toasts")).not_to_contain_text("records")

    await ben.page.get_by_role("button", name="Stop recording").click()
    for tab in (ann, ben):
        await expect(tab.page.locator("#recording")).to_be_hidden()
        await expect(tab.page.locator("#toasts")).to_contain_text("The recording has ended")
        await expect(tab.page.get_by_role("button", name="Record the room")).to_be_enabled()
        assert tab.errors == []
    assert os.listdir(tmp_path) == ["kitchen"]


async def test_only_those_who_may_record_have_the_button(
    chromium: Chromium, tmp_path: Path
) -> None:
    keys = {"api_key": API_KEY, "api_secret": API_SECRET}
    grants = {"roomJoin": True, "room": "kitchen"}
    async with running_server(recordings_dir=str(tmp_path), **keys) as server:
        host = access_token("Ann", **grants, roomRecord=True)
        ann = await enter(chromium, f"{server.url}{ROOM}#token={host}")
        guest = access_token("Ben", **grants)
        ben = await enter(chromium, f"{server.url}{ROOM}#token={guest}")
        await expect(ben.page.locator("#record")).to_be_hidden()
        await ann.page.click("#record")
        await sees(ben.page, "Ann records this room")
        assert ann.errors == ben.errors == []


async def test_a_phone_has_room_for_the_sign_and_the_button(
    chromium: Chromium, server: RunningServer
) -> None:
    tab = await chromium.open(server.url + ROOM)
    await tab.page.set_viewport_size({"width": 360, "height": 640})
    await tab.page.fill("#name", "Ann")
    await tab.page.click("#join")
    await tab.page.click("#record")
    await expect(tab.page.locator("#recording")).to_be_in_viewport(ratio=1)
    boxes = []
    for button in ("microphone", "camera", "record", "people", "chat", "settings", "leave"):
        locator = tab.page.locator(f"#{button}")
        await expect(locator).to_be_in_viewport(ratio=1)
        boxes.append(await locator.bounding_box())
    assert len({round(box["y"] + box["height"] / 2) for box in boxes if box}) == 1, "in one row"
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360
