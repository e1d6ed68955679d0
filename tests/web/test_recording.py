"""The sign that a room is recorded, and the panel of those who may record it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.chromium import Chromium, Tab
from tests.support.clients import access_token
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

ROOM = "/r/kitchen"
KEYS = {"api_key": API_KEY, "api_secret": API_SECRET}


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


def token(name: str, *, may_record: bool) -> str:
    return access_token(name, roomJoin=True, room="kitchen", roomRecord=may_record)


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Recordings")


async def record(page: Page) -> None:
    await page.get_by_role("button", name="Recordings").click()
    await panel(page).get_by_role("button", name="Start recording").click()


async def sees(page: Page, text: str) -> None:
    await expect(page.locator("#recording")).to_be_visible()
    await expect(page.locator("#recording")).to_have_text(text)


async def test_everyone_sees_who_records_and_when_it_ends(
    chromium: Chromium, server: RunningServer, tmp_path: Path
) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await expect(ann.page.locator("#recording")).to_be_hidden()
    await record(ann.page)
    await sees(ann.page, "You record this room")
    await sees(ben.page, "Ann records this room")
    await ben.is_told("Ann records this room")

    await ben.page.reload()  # who comes later sees it too, and is not told as if it were new
    await sees(ben.page, "Ann records this room")
    await expect(ben.page.locator("#toasts")).not_to_contain_text("records")

    await ben.page.get_by_role("button", name="Recordings").click()
    await panel(ben.page).get_by_role("button", name="Stop").click()
    for tab in (ann, ben):
        await expect(tab.page.locator("#recording")).to_be_hidden()
        await tab.is_told("The recording has ended")
        await expect(panel(tab.page).get_by_role("button", name="Start recording")).to_be_visible()
        await expect(panel(tab.page).get_by_role("listitem")).to_contain_text("Complete")
        assert tab.errors == []
    assert os.listdir(tmp_path) == ["kitchen"]


async def test_those_who_may_record_get_and_delete_what_was_recorded(
    chromium: Chromium, tmp_path: Path
) -> None:
    async with running_server(recordings_dir=str(tmp_path), **KEYS) as server:
        host = token("Ann", may_record=True)
        ann = await enter(chromium, f"{server.url}{ROOM}#token={host}")
        asked: list[str] = []
        ann.page.on("request", lambda request: asked.append(request.url))
        guest = token("Ben", may_record=False)
        ben = await enter(chromium, f"{server.url}{ROOM}#token={guest}")
        await expect(ben.page.locator("#record")).to_be_hidden()
        await record(ann.page)
        await sees(ben.page, "Ann records this room")

        item = panel(ann.page).get_by_role("listitem").first
        await expect(item).to_contain_text(re.compile(r"Recording0:0\d · \d.*by you"))
        await expect(item).to_contain_text(re.compile(r"0:0[1-9]"))
        await item.get_by_role("button", name="Stop").click()
        await expect(item).to_contain_text("Complete")
        await item.get_by_text("Files").click()
        async with ann.page.expect_download() as downloading:
            await item.get_by_role("button", name="Download Ann-microphone.mkv").click()
        download = await downloading.value
        (kept,) = tmp_path.rglob("Ann-microphone.mkv")  # noqa: ASYNC240
        assert download.suggested_filename == kept.name
        downloaded = await asyncio.to_thread(Path(await download.path()).read_bytes)
        assert downloaded == kept.read_bytes()

        question = ann.page.get_by_role("dialog", name="Delete this recording?")
        await item.get_by_role("button", name="Delete").click()
        await ann.page.keyboard.press("Enter")  # what is chosen is the harmless one
        await expect(question).to_be_hidden()
        await expect(item.get_by_role("button", name="Delete")).to_be_focused()
        assert kept.exists()
        await ann.page.keyboard.press("Enter")
        await question.get_by_role("button", name="Delete").click()
        await expect(panel(ann.page)).to_contain_text("There are none yet.")
        assert not kept.exists()
        assert asked
        assert not any(host in url for url in asked)
        assert ann.errors == ben.errors == []


async def test_a_film_is_watched_live_by_its_link(chromium: Chromium, tmp_path: Path) -> None:
    async with running_server(recordings_dir=str(tmp_path), **KEYS) as server:
        host = token("Ann", may_record=True)
        ann = await enter(chromium, f"{server.url}{ROOM}#token={host}")
        await ann.page.get_by_role("button", name="Recordings").click()
        picture = panel(ann.page).get_by_role("combobox", name="Picture")
        await expect(picture).to_be_hidden()
        await panel(ann.page).get_by_role("radio", name="One film").check()
        await picture.select_option("speaker")
        await panel(ann.page).get_by_label("Live stream too").check()
        await panel(ann.page).get_by_role("button", name="Start recording").click()
        await expect(panel(ann.page)).to_contain_text("One film, the speaker large")

        link = await panel(ann.page).get_by_label("Link to the live stream").input_value()
        assert re.fullmatch(rf"{server.url}/assets/watch.html#recording=RC_\w+&room=kitchen", link)
        async with ann.context.expect_page() as opening:
            await panel(ann.page).get_by_role("link", name="Watch live").click()
        live = await opening.value
        time = "document.getElementById('video').currentTime"
        await until(lambda: live.evaluate(f"{time} > 0.5"), "it plays", deadline=40.0)
        assert live.url == link
        assert ann.errors == []


async def test_a_phone_has_room_for_the_sign_and_the_button(
    chromium: Chromium, server: RunningServer
) -> None:
    tab = await chromium.open(server.url + ROOM)
    await tab.page.set_viewport_size({"width": 360, "height": 640})
    await tab.page.fill("#name", "Ann")
    await tab.page.click("#join")
    await record(tab.page)
    await expect(panel(tab.page).get_by_role("listitem")).to_contain_text("Recording")
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.locator("#recording")).to_be_in_viewport(ratio=1)
    boxes = []
    for button in ("microphone", "camera", "record", "people", "chat", "settings", "leave"):
        locator = tab.page.locator(f"#{button}")
        await expect(locator).to_be_in_viewport(ratio=1)
        boxes.append(await locator.bounding_box())
    assert len({round(box["y"] + box["height"] / 2) for box in boxes if box}) == 1, "in one row"
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360
