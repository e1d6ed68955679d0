"""Media quality as people see it: what is sent for what is shown, and what the page tells of it."""

import json
import re
from typing import Any
from urllib.parse import quote

from playwright.async_api import Locator, WebSocketRoute, expect

from tests.support.chromium import Chromium, Tab
from tests.support.polling import until
from tests.support.server import RunningServer

ROOM = "/r/kitchen"

# Layers of the camera that are encoded, by rid.
ACTIVE = """
  aiosfu.room.local.track("camera").transceiver.sender.getParameters().encodings
    .filter((one) => one.active).map((one) => one.rid ?? "")
"""
FIRST_VIDEO = """
  [...aiosfu.room.participants.values()].flatMap((person) => [...person.tracks.values()])
    .find((track) => track.kind === "video")
"""


class Wire:
    """The WebSocket of a tab, on which the test can say what a server would.

    Attributes:
        sent: What the page has sent.
    """

    def __init__(self, *withheld: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self._withheld = withheld
        self._page: WebSocketRoute | None = None

    def route(self, page: WebSocketRoute) -> None:
        """Stand between the page and the server; events named at the start do not pass."""
        self._page = page
        server = page.connect_to_server()

        def to_server(text: str | bytes) -> None:
            self.sent.append(json.loads(text))
            server.send(text)

        def to_page(text: str | bytes) -> None:
            if json.loads(text)["type"] not in self._withheld:
                page.send(text)

        page.on_message(to_server)
        server.on_message(to_page)

    def say(self, type: str, **fields: Any) -> None:
        """An event for the page."""
        assert self._page is not None
        self._page.send(json.dumps({"type": type, **fields}))


async def enter(chromium: Chromium, url: str, name: str, *, wire: Wire | None = None) -> Tab:
    tab = await chromium.open(url)
    if wire:
        await tab.page.route_web_socket(re.compile(r"/ws$"), wire.route)
        await tab.page.reload()
    await tab.page.fill("#name", name)
    await tab.page.click("#join")
    await expect(tab.page.locator("#call")).to_be_visible()
    return tab


def tile(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("article", name=name, exact=True)


async def received(tab: Tab, server: RunningServer) -> dict[str, Any]:
    """What the server knows of the one video that the tab receives."""
    identity = quote(await tab.evaluate("aiosfu.room.local.identity"))
    path = f"/api/v1/rooms/kitchen/participants/{identity}/media"
    response = await tab.page.request.get(server.url + path)
    tracks = (await response.json())["tracks"]
    videos: list[dict[str, Any]] = [one for one in tracks if one["kind"] == "video"]
    return videos[0]


async def test_sizes_that_nobody_looks_at_are_not_encoded(
    chromium: Chromium, server: RunningServer
) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)
    await ann.until(f"({ACTIVE}).join() === 'q,h'", "two tiles beside each other need no 720p")

    await ben.page.set_viewport_size({"width": 1920, "height": 1080})
    await ben.page.get_by_role("button", name="Make Ann large").click()
    await ann.until(f"({ACTIVE}).includes('f')", "a large tile does")
    await ben.decodes(1)

    await ben.page.get_by_role("button", name="Make Ann small").click()
    await ben.page.set_viewport_size({"width": 360, "height": 400})
    await ann.until(f"({ACTIVE}).join() === 'q'", "a telephone needs the smallest")
    await ben.decodes(1)
    assert ann.errors == ben.errors == []


async def test_size_of_a_tile_is_told_in_device_pixels(
    chromium: Chromium, server: RunningServer
) -> None:
    await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)

    async def told() -> bool:
        box = await tile(ben, "Ann").bounding_box()
        ratio = await ben.evaluate("devicePixelRatio")
        settings = (await received(ben, server))["settings"]
        assert box is not None
        wanted = [round(box["width"] * ratio), round(box["height"] * ratio)]
        return settings["visible"] and [settings["width"], settings["height"]] == wanted

    await until(told, "the server knows the size")
    await ben.page.set_viewport_size({"width": 700, "height": 500})
    await until(told, "and the next")


async def test_video_out_of_sight_is_not_sent(chromium: Chromium, server: RunningServer) -> None:
    await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)

    async def cause() -> str:
        return str((await received(ben, server))["cause"])

    async def is_hidden() -> bool:
        return await cause() == "hidden"

    async def is_sent() -> bool:
        return await cause() == "wanted"

    await ben.evaluate("document.querySelector('#stage').hidden = true")
    await until(is_hidden, "it is hidden")
    await ben.evaluate("document.querySelector('#stage').hidden = false")
    await until(is_sent, "it is seen again")
    await ben.decodes(1)

    # Another window before this one: browsers that are tested have no windows.
    await ben.evaluate("""
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    """)
    await until(is_hidden, "the page is hidden")
    await ben.evaluate("delete document.hidden")
    await ben.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await until(is_sent, "the page is seen again")
    await ben.decodes(1)
    assert ben.errors == []


async def test_muted_camera_keeps_its_settings(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)
    await ann.page.keyboard.press("Alt+v")
    await expect(tile(ben, "Ann").locator("video")).to_be_hidden()
    media = await received(ben, server)
    assert (media["cause"], media["settings"]["visible"]) == ("muted", True)
    await ann.page.keyboard.press("Alt+v")
    await ben.decodes(1)


async def test_paused_tile_says_why(chromium: Chromium, server: RunningServer) -> None:
    await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben")
    await ben.decodes(1)
    note = tile(ben, "Ann").locator(".tile-note")
    await expect(note).to_be_hidden()
    await ben.evaluate(f"aiosfu.room.configure({FIRST_VIDEO}, {{ paused: true }})")
    await expect(note).to_have_text("Paused")
    await ben.evaluate(f"aiosfu.room.configure({FIRST_VIDEO}, {{ paused: false }})")
    await expect(note).to_be_hidden()
    await ben.decodes(1)


async def test_panel_tells_figures_and_reasons(chromium: Chromium, server: RunningServer) -> None:
    wire = Wire()
    await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben", wire=wire)
    await ben.decodes(1)
    await ben.page.get_by_role("button", name="Connection").click()
    panel = ben.page.get_by_role("region", name="Connection")
    rated = re.compile(r"Your connection(Excellent|Good|Poor)Available")
    await expect(panel).to_contain_text(rated)
    await expect(panel).to_contain_text(re.compile(r"Available\d"))
    ann = panel.locator("#stats-received li", has_text="Ann")
    await expect(ann).to_contain_text(re.compile(r"\d+×\d+ · \d+ fps · \d.* · VP8"))
    await expect(ann).to_contain_text("As wanted")
    await expect(ann.locator(".layer.sent")).to_have_count(1)
    own = panel.locator("#stats-sent li", has_text="Your camera")
    await expect(own).to_contain_text("720p: off, nobody needs it")

    await ben.evaluate(f"aiosfu.room.configure({FIRST_VIDEO}, {{ paused: true }})")
    await expect(ann).to_contain_text("Paused")
    await ben.page.get_by_role("button", name="Close the panel").click()
    watched = [one["enabled"] for one in wire.sent if one["type"] == "watch_media"]
    assert watched == [True, False]
    assert ben.errors == []


async def test_quality_of_connections_is_shown(chromium: Chromium, server: RunningServer) -> None:
    wire = Wire("connection_quality")
    ann = await enter(chromium, server.url + ROOM, "Ann")
    ben = await enter(chromium, server.url + ROOM, "Ben", wire=wire)
    await ben.decodes(1)
    bars = tile(ben, "Ann").locator(".bars")
    await expect(bars).to_be_hidden()
    sid = await ann.evaluate("aiosfu.room.local.sid")
    for quality, words in (("excellent", "Excellent connection"), ("lost", "Connection lost")):
        wire.say("connection_quality", participant=sid, quality=quality, score=3.0)
        await expect(bars).to_have_attribute("aria-label", words)
    own = await ben.evaluate("aiosfu.room.local.sid")
    wire.say("connection_quality", participant=own, quality="poor", score=2.0)
    await expect(tile(ben, "Ben (you)").get_by_role("img", name="Poor")).to_be_visible()
    wire.say("connection_quality", participant="PA_nobody", quality="poor", score=2.0)
    await ben.page.click("#stats")
    await expect(ben.page.locator("#stats-connection")).to_contain_text("Your connectionPoor")
    assert ben.errors == []


async def test_speakers_have_a_place_in_a_full_room(
    chromium: Chromium, server: RunningServer
) -> None:
    wire = Wire("speakers_changed")
    ben = await enter(chromium, server.url + ROOM, "Ben", wire=wire)
    own = await ben.evaluate("aiosfu.room.local.info")
    for index in range(100):
        name = f"Guest {index}"
        guest = {**own, "sid": f"PA_{index}", "identity": name, "name": name, "tracks": []}
        wire.say("participant_joined", participant=guest)
    last = tile(ben, "Guest 99")
    await expect(ben.page.locator("#unseated")).to_contain_text(re.compile(r"^\d+ more"))
    await expect(last).to_have_count(0)
    shown = await ben.page.get_by_role("article").count()

    wire.say("speakers_changed", speakers=[{"participant": "PA_99", "level": 0.5}])
    await expect(last).to_have_class(re.compile("speaking"))
    assert await ben.page.get_by_role("article").count() == shown
    await expect(tile(ben, "Ben (you)")).to_be_visible()
    wire.say("speakers_changed", speakers=[])
    await expect(last).not_to_have_class(re.compile("speaking"))
    await ben.page.set_viewport_size({"width": 2560, "height": 1440})
    await expect(ben.page.get_by_role("article")).to_have_count(101)
    await expect(ben.page.locator("#unseated")).to_be_hidden()
    assert ben.errors == []


async def test_page_works_with_a_server_that_knows_nothing_of_it(
    chromium: Chromium, server: RunningServer
) -> None:
    await enter(chromium, server.url + ROOM, "Ann")
    tab = await chromium.open(server.url + ROOM)
    asked = []

    def route(page: WebSocketRoute) -> None:
        upstream = page.connect_to_server()
        upstream.on_message(page.send)

        def to_server(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] not in ("track_settings", "watch_media"):
                return upstream.send(text)
            asked.append(message["type"])
            refusal = {"type": "error", "error": "bad_request", "message": "unknown type"}
            return page.send(json.dumps({**refusal, "id": message["id"]}))

        page.on_message(to_server)

    await tab.page.route_web_socket(re.compile(r"/ws$"), route)
    await tab.page.reload()
    await tab.page.fill("#name", "Ben")
    await tab.page.click("#join")
    await tab.decodes(1)
    await tab.page.click("#stats")
    await expect(tab.page.locator("#stats-received")).to_contain_text("fps")
    await tab.page.set_viewport_size({"width": 700, "height": 500})
    await tab.page.set_viewport_size({"width": 900, "height": 600})
    await tab.decodes(1)
    await expect(tab.page.locator("#toasts .problem")).to_have_count(0)
    assert sorted(asked) == ["track_settings", "watch_media"]
    assert tab.errors == []
