"""The page as people use it: real Chromium, the real server."""

import re

import pytest
from aiohttp import web
from playwright.async_api import Locator, Page, expect

from signaling.app import create_app
from tests.support.chromium import Chromium, Tab
from tests.support.polling import until
from tests.support.server import RunningServer, server_process

ROOM = "/r/kitchen"

# What a page must not keep when its person has left.
LEFT_OVER = """
  () => [
    ...connections.filter((one) => one.connectionState !== "closed").map(() => "connection"),
    ...sockets.filter((one) => one.readyState < WebSocket.CLOSING).map(() => "socket"),
    ...captured.filter((one) => one.readyState !== "ended").map((one) => one.kind),
  ]
"""
CAPTURED = """
window.captured = [];
for (const name of ["getUserMedia", "getDisplayMedia"]) {
  const ask = navigator.mediaDevices[name].bind(navigator.mediaDevices);
  navigator.mediaDevices[name] = async (wanted) => {
    const stream = await ask(wanted);
    captured.push(...stream.getTracks());
    return stream;
  };
}
"""


async def enter(chromium: Chromium, url: str, name: str) -> Tab:
    """A tab that went through the lobby."""
    tab = await chromium.open(url)
    await tab.context.add_init_script(CAPTURED)
    await tab.page.reload()
    await tab.page.fill("#name", name)
    await tab.page.click("#join")
    await expect(tab.page.locator("#call")).to_be_visible()
    return tab


def tile(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


async def test_two_people_meet(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    await expect(ann.page.get_by_text("Nobody else is here yet")).to_be_visible()
    ben = await enter(chromium, server.url + ROOM, "Ben <b>")

    for tab, other in ((ann, "Ben <b>"), (ben, "Ann")):
        await expect(tile(tab.page, other)).to_be_visible()
        await expect(tab.page.locator("#room-title")).to_have_text("kitchen")
        await expect(tab.page.locator("#people-badge")).to_have_text("2")
        await tab.decodes(1)
        await tab.hears(1)
        assert tab.errors == []
    await expect(ann.page.locator("#alone")).to_be_hidden()

    await ben.page.click("#leave")
    await expect(ben.page.get_by_role("heading", name="You left the room")).to_be_visible()
    await expect(tile(ann.page, "Ben <b>")).to_have_count(0)
    await ann.is_told("Ben <b> left")
    assert await ben.evaluate(LEFT_OVER) == []

    await ben.page.click("#again")
    await ben.page.click("#join")
    await ben.decodes(1)
    await ann.decodes(1)


async def test_mutes_are_shown_to_others(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)
    seen = tile(ben.page, "Ann")
    muted = seen.get_by_role("img", name="microphone off")
    await expect(muted).to_be_hidden()

    await ann.page.keyboard.press("Alt+m")
    await ann.page.keyboard.press("Alt+v")
    await expect(muted).to_be_visible()
    await expect(seen.locator("video")).to_be_hidden()
    await expect(seen.locator(".avatar")).to_have_text("A")
    light = "[...aiosfu.room.local.tracks].map((t) => t.mediaStreamTrack?.readyState ?? 'closed')"
    assert sorted(await ann.evaluate(light)) == ["closed", "live"], "the camera's light is out"

    await ben.page.click("#people")
    await expect(ben.page.get_by_role("img", name="camera off")).to_have_count(1)
    await ann.page.get_by_role("button", name="Turn camera on").click()
    await ann.page.get_by_role("button", name="Turn microphone on").click()
    await expect(muted).to_be_hidden()
    await expect(seen.locator("video")).to_be_visible()
    await ben.decodes(1)
    await ben.hears(1)
    assert ann.errors == ben.errors == []


async def test_administrators_mute_is_shown(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    await ann.until("aiosfu.room.local.track('microphone')?.sid", "the microphone is published")
    identity = await ann.evaluate("aiosfu.room.local.identity")
    sid = await ann.evaluate("aiosfu.room.local.track('microphone').sid")
    path = f"/api/v1/rooms/kitchen/participants/{identity}/tracks/{sid}"
    response = await ann.page.request.patch(server.url + path, data={"muted": True})
    assert response.ok

    await expect(ann.page.get_by_role("button", name="Turn microphone on")).to_be_visible()
    await ann.is_told("switched off by somebody")
    assert await ann.evaluate("aiosfu.room.local.track('microphone').mediaStreamTrack.enabled") is (
        False
    )


async def test_shared_screen_is_large(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ann.page.get_by_role("button", name="Share your screen").click()
    screen = tile(ben.page, "Ann's screen")
    await expect(screen).to_have_class(re.compile("focused"))
    await ben.decodes(2)

    async def width(name: str) -> float:
        box = await tile(ben.page, name).bounding_box()
        return box["width"] if box else 0.0

    async def is_large() -> bool:
        return await width("Ann's screen") > 2 * await width("Ben (you)")

    await until(is_large, "it is twice as wide as a person")
    await ben.page.get_by_role("button", name="Make Ann's screen small").click()
    await expect(screen).not_to_have_class(re.compile("focused"))

    await ann.page.get_by_role("button", name="Stop sharing your screen").click()
    await expect(screen).to_have_count(0)
    await ben.decodes(1)
    await ann.page.get_by_role("button", name="Share your screen").click()
    await expect(screen).to_be_visible()
    await ann.page.click("#leave")
    await ann.until(f"({LEFT_OVER})().length === 0", "everything is closed, the screen too")
    assert ann.errors == ben.errors == []


async def test_chat(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await expect(tile(ann.page, "Ben")).to_be_visible()

    await ann.page.click("#chat")
    await ann.page.keyboard.type("<img src=x> hello")
    await ann.page.keyboard.press("Enter")
    await expect(ben.page.get_by_role("button", name="Chat, 1 unread")).to_be_visible()
    await ben.page.click("#chat")
    await expect(ben.page.get_by_role("log")).to_contain_text("<img src=x> hello")
    await expect(ben.page.get_by_role("button", name="Chat", exact=True)).to_be_visible()
    # A second message goes by data channel, which is open by now.
    await ann.until("connections.some((c) => c.sctp?.state === 'connected')", "channels are open")
    await ann.page.keyboard.type("again")
    await ann.page.keyboard.press("Enter")
    await expect(ben.page.get_by_role("log")).to_contain_text("again")
    await ann.page.keyboard.press("Escape")
    await expect(ann.page.locator("#panel")).to_be_hidden()
    assert ann.errors == ben.errors == []


async def test_everything_works_by_keyboard_and_has_a_name(
    chromium: Chromium, server: RunningServer
) -> None:
    tab = await chromium.open(server.url + ROOM)
    await expect(tab.page.locator("#name")).to_be_focused()
    await tab.page.keyboard.type("Ann")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("#room-title")).to_be_focused()
    nameless = """
      () => [...document.querySelectorAll("button, input, select")]
        .filter((e) => e.checkVisibility())
        .filter((e) => !(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim()))
        .map((e) => e.outerHTML)
    """
    assert await tab.evaluate(nameless) == []
    reached = set()
    for _ in range(12):
        await tab.page.keyboard.press("Tab")
        reached.add(await tab.evaluate("document.activeElement.id"))
    assert {"microphone", "camera", "screen", "people", "chat", "settings", "leave"} <= reached
    await tab.page.focus("#settings")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("combobox", name="Camera").last).to_be_visible()
    assert await tab.evaluate(nameless) == []


async def test_phone_shows_everything(chromium: Chromium, server: RunningServer) -> None:
    tab = await chromium.open(server.url + ROOM)
    await tab.page.set_viewport_size({"width": 360, "height": 640})
    await expect(tab.page.locator("#join")).to_be_in_viewport(ratio=1)
    for device in ("camera", "microphone", "speaker"):
        choice = tab.page.locator(f"#lobby select[name={device}]")
        await choice.scroll_into_view_if_needed()
        await expect(choice).to_be_in_viewport(ratio=0.9)
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360
    await tab.page.fill("#name", "Ann")
    await tab.page.click("#join")
    for button in ("microphone", "camera", "people", "chat", "settings", "leave"):
        await expect(tab.page.locator(f"#{button}")).to_be_in_viewport(ratio=1)
    assert await tab.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("width", [360, 810, 1000, 1400])
async def test_device_choices_are_below_each_other(
    chromium: Chromium, server: RunningServer, width: int
) -> None:
    tab = await chromium.open(server.url + ROOM)
    await tab.page.set_viewport_size({"width": width, "height": 800})
    boxes = []
    for device in ("camera", "microphone", "speaker"):
        choice = tab.page.locator(f"#lobby select[name={device}]")
        await expect(choice).to_be_enabled()
        box = await choice.bounding_box()
        assert box is not None
        boxes.append(box)
    assert len({(box["x"], box["width"]) for box in boxes}) == 1
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
    assert boxes[0]["width"] >= 200


async def test_name_does_not_turn_round_what_is_beside_it(
    chromium: Chromium, server: RunningServer
) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    await enter(chromium, server.url + ROOM, "\u202e)uoy( neB\u2066")
    await expect(tile(ann.page, ")uoy( neB")).to_be_visible()
    await ann.page.click("#people")
    shown = await ann.page.locator("#call").inner_text()
    assert ")uoy( neB" in shown
    assert "\u202e" not in shown


async def test_name_room_and_mutes_are_remembered(
    chromium: Chromium, server: RunningServer
) -> None:
    tab = await enter(chromium, server.url + ROOM, "Ann")
    await tab.page.click("#camera")
    await expect(tab.page.get_by_role("button", name="Turn camera on")).to_be_visible()
    assert tab.page.url == server.url + ROOM
    await tab.page.goto(server.url + "/")
    await expect(tab.page.locator("#name")).to_have_value("Ann")
    await expect(tab.page.locator("#room")).to_have_value("kitchen")
    await expect(tab.page.get_by_text("Your camera is off")).to_be_visible()


async def test_room_survives_the_death_of_its_server(chromium: Chromium) -> None:
    async with server_process() as server:
        url = server.url
        ann = await enter(chromium, url + ROOM, "Ann")
        ben = await enter(chromium, url + ROOM, "Ben")
        await ann.decodes(1)
        await ben.decodes(1)
        server.process.kill()
        await server.process.wait()
        for tab in (ann, ben):
            await expect(
                tab.page.get_by_text("The connection was lost. Reconnecting")
            ).to_be_visible()
        # What is changed meanwhile holds afterwards.
        await ben.page.click("#microphone")
    async with server_process("--http-port", url.rsplit(":", 1)[1]):
        for tab in (ann, ben):
            await expect(tab.page.locator("#connection-banner")).to_be_hidden(timeout=20_000)
            await tab.decodes(1)
        await expect(
            tile(ann.page, "Ben").get_by_role("img", name="microphone off")
        ).to_be_visible()
        await expect(ann.page.get_by_role("article")).to_have_count(2)
        await ben.hears(1)


async def test_page_works_in_an_application_that_mounts_ours(chromium: Chromium) -> None:
    app = web.Application()
    app.add_subapp("/calls", create_app(dev=True, udp_port=0, tcp_port=0))
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
        ann = await enter(chromium, url + "/", "Ann")
        room = await ann.evaluate("aiosfu.room.name")
        assert ann.page.url == f"{url}/r/{room}"
        ben = await enter(chromium, ann.page.url, "Ben")
        await expect(tile(ann.page, "Ben")).to_be_visible()
        await ben.decodes(1)
        assert ann.errors == ben.errors == []
    finally:
        await runner.cleanup()


async def test_example_is_a_working_client(chromium: Chromium, server: RunningServer) -> None:
    tabs = []
    for name in ("Ann", "Ben"):
        tab = await chromium.open(server.url + "/assets/example.html")
        await tab.page.fill("[name=name]", name)
        await tab.page.click("#join button")
        tabs.append(tab)
    ann, ben = tabs
    for tab in tabs:
        await tab.decodes(1)
        await tab.hears(1)
    await ann.page.fill("[name=text]", "hello")
    await ann.page.keyboard.press("Enter")
    await expect(ben.page.locator("#chat")).to_have_text("Ann: hello")
    await ann.page.click("#mute")
    await expect(ann.page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    await ann.page.click("#leave")
    await expect(ann.page.locator("#status")).to_contain_text("You left the room")
    await expect(ben.page.locator("figure")).to_have_count(0)
    assert ann.errors == ben.errors == []
