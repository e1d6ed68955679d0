"""What the page says when something is in the way: in plain words, and what to do about it."""

import pytest
from playwright.async_api import expect

from sfu.transport.events import TransportFailed
from tests.support.chromium import Chromium, Tab, running_chromium
from tests.support.clients import access_token
from tests.support.server import (
    API_KEY,
    API_SECRET,
    RunningServer,
    running_server,
    server_process,
)

ROOM = "/r/kitchen"
KEYS = {"api_key": API_KEY, "api_secret": API_SECRET}

REFUSE_DEVICES = """
navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("as the browser says it", "%s");
};
"""

# Browsers refuse by what the person did before; the tests' person has always clicked.
REFUSE_SOUND = """
const play = HTMLMediaElement.prototype.play;
window.clicked = false;
addEventListener("click", ({ target }) => { clicked ||= target.id === "unblock"; }, true);
HTMLAudioElement.prototype.play = async function () {
  if (!clicked) throw new DOMException("play() must follow a click", "NotAllowedError");
  return play.call(this);
};
"""


def invitation(identity: str, *, room: str = "kitchen", **grants: bool) -> str:
    return access_token(identity, roomJoin=True, room=room, **grants)


async def open_changed(chromium: Chromium, url: str, script: str) -> Tab:
    """A tab in a browser that a script has changed before the page began."""
    tab = await chromium.open(url)
    await tab.context.add_init_script(script)
    await tab.page.reload()
    return tab


async def join(tab: Tab, name: str = "Ann") -> None:
    if await tab.page.locator("#name").is_editable():
        await tab.page.fill("#name", name)
    await tab.page.click("#join")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "This page may not use your camera and microphone. Allow it in"),
        ("NotFoundError", "No camera or microphone was found. Plug one in, or go on without."),
        ("NotReadableError", "Another program may be using it"),
    ],
)
async def test_no_devices(
    chromium: Chromium, server: RunningServer, error: str, words: str
) -> None:
    tab = await open_changed(chromium, server.url + ROOM, REFUSE_DEVICES % error)
    await expect(tab.page.locator("#preview-note")).to_contain_text(words)
    await join(tab)
    await expect(tab.page.get_by_role("article", name="Ann (you)")).to_be_visible()
    await tab.page.get_by_role("button", name="Turn camera on").click()
    await tab.is_told("camera")
    assert tab.errors == []


async def test_computer_without_devices(chromium: Chromium, server: RunningServer) -> None:
    nothing = "navigator.mediaDevices.enumerateDevices = async () => [];"
    tab = await open_changed(
        chromium, server.url + ROOM, REFUSE_DEVICES % "NotFoundError" + nothing
    )
    await expect(tab.page.locator("#preview-note")).to_contain_text("No camera or microphone")
    await expect(tab.page.locator("#lobby select:visible")).to_have_count(0)


async def test_call_says_that_others_miss_something(
    chromium: Chromium, server: RunningServer
) -> None:
    refusing = (
        "const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        + REFUSE_DEVICES % "NotAllowedError"
        + "window.allow = () => { navigator.mediaDevices.getUserMedia = ask; };"
    )
    tab = await open_changed(chromium, server.url + ROOM, refusing)
    await join(tab)
    banner = tab.page.locator("#unseen-banner")
    await expect(banner).to_contain_text("Others cannot see or hear you. This page may not use")
    await expect(banner).to_contain_text("Allow it in the address bar")
    await tab.evaluate("allow()")
    await tab.page.get_by_role("button", name="Turn microphone on").click()
    await expect(banner).to_contain_text("Others cannot see you.")
    await banner.get_by_role("button", name="Try again").click()
    await expect(banner).to_be_hidden()
    await expect(tab.page.get_by_role("button", name="Turn camera off")).to_be_visible()
    assert tab.errors == []


async def test_question_of_the_browser_that_nobody_answered(
    chromium: Chromium, server: RunningServer
) -> None:
    silent = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});"
    tab = await open_changed(chromium, server.url + ROOM, silent)
    await join(tab)
    banner = tab.page.locator("#unseen-banner")
    await expect(banner).to_contain_text("Others cannot see or hear you. Your browser is asking")
    await banner.get_by_role("button", name="Dismiss").click()
    await expect(banner).to_be_hidden()


async def test_page_without_https_can_watch() -> None:
    async with (
        running_chromium("--host-resolver-rules=MAP sfu.example 127.0.0.1") as chromium,
        running_server(**KEYS) as server,
    ):
        url = server.url.replace("127.0.0.1", "sfu.example")
        ann = await chromium.open(f"{server.url}{ROOM}?token={invitation('ann')}")
        await join(ann)
        tab = await chromium.open(f"{url}{ROOM}?token={invitation('ben')}")
        await expect(tab.page.locator("#preview-note")).to_contain_text("only to pages over https")
        await join(tab, "Ben")
        await tab.decodes(1)
        await tab.hears(1)
        await tab.page.locator("header .copy-link").click()
        await tab.is_told(url + ROOM)


async def test_browser_without_webrtc(chromium: Chromium, server: RunningServer) -> None:
    tab = await open_changed(chromium, server.url + ROOM, "delete window.RTCPeerConnection;")
    await expect(tab.page.get_by_role("heading")).to_have_text("This browser cannot take part")
    assert tab.errors == []


async def test_bad_invitation(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open(server.url + ROOM + "?token=nonsense&codec=VP9")
        assert tab.page.url == server.url + ROOM + "?codec=VP9", "the token left the address"
        await join(tab)
        await expect(tab.page.get_by_role("alert")).to_contain_text("Your invitation is not valid")
        await expect(tab.page.locator("#join")).to_be_enabled()


async def test_invitation_to_watch(chromium: Chromium) -> None:
    token = invitation("ann", room="cinema", canPublish=False)
    async with running_server(**KEYS) as server:
        tab = await chromium.open(server.url + "/?token=" + token)
        await expect(tab.page.locator("#room")).to_have_value("cinema")
        assert not await tab.page.locator("#room").is_editable()
        await join(tab)
        await expect(tab.page.locator("#microphone")).to_be_disabled()
        await expect(tab.page.locator("#screen")).to_be_hidden()
        assert tab.page.url == server.url + "/r/cinema"
        assert tab.errors == []


async def test_full_room(chromium: Chromium) -> None:
    async with running_server(max_participants=1) as server:
        ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
        await join(ann)
        await expect(ann.page.locator("#call")).to_be_visible()
        await join(ben, "Ben")
        await expect(ben.page.get_by_role("alert")).to_have_text(
            "The room is full. Try again when somebody has left."
        )
        await ann.page.click("#leave")
        await ben.page.click("#join")
        await expect(ben.page.locator("#call")).to_be_visible()


async def test_joined_elsewhere(chromium: Chromium) -> None:
    url = f"{ROOM}?token={invitation('ann')}"
    async with running_server(**KEYS) as server:
        first, second = [await chromium.open(server.url + url) for _ in range(2)]
        await join(first)
        await expect(first.page.locator("#call")).to_be_visible()
        await join(second)
        await expect(first.page.get_by_role("heading")).to_have_text("You joined elsewhere")
        await expect(second.page.locator("#call")).to_be_visible()
        await expect(second.page.locator("#people-badge")).to_have_text("1")


async def test_removed_and_closed(chromium: Chromium, server: RunningServer) -> None:
    ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
    for tab in (ann, ben):
        await join(tab)
        await expect(tab.page.locator("#call")).to_be_visible()
    identity = await ann.evaluate("aiosfu.room.local.identity")
    api = f"{server.url}/api/v1/rooms/kitchen"
    await ann.page.request.delete(f"{api}/participants/{identity}")
    await expect(ann.page.get_by_role("heading")).to_have_text("You were removed from the room")
    await ann.page.request.delete(api)
    await expect(ben.page.get_by_role("heading")).to_have_text("The room was closed")


async def test_server_that_is_gone(chromium: Chromium) -> None:
    async with running_server() as server:
        tab = await chromium.open(server.url + ROOM)
        await expect(tab.page.locator("#join")).to_be_visible()
    await join(tab)
    await expect(tab.page.get_by_role("alert")).to_contain_text("The server cannot be reached")


async def test_server_that_stops_and_comes_back(chromium: Chromium) -> None:
    async with server_process() as server:
        url = server.url
        tab = await chromium.open(url + ROOM)
        await join(tab)
        await expect(tab.page.locator("#call")).to_be_visible()
        await server.stop()
        await expect(tab.page.get_by_role("alert")).to_contain_text(
            "The server stopped. Waiting for it to come back"
        )
    async with server_process("--http-port", url.rsplit(":", 1)[1]):
        await expect(tab.page.locator("#connection-banner")).to_be_hidden()
        await tab.is_told("You are connected again")
        # The next loss is told by itself.
        await tab.evaluate("() => { offline = true; sockets.at(-1).close(); }")
        await expect(tab.page.get_by_role("alert")).to_contain_text("The connection was lost.")


async def test_leaving_while_the_connection_is_lost(
    chromium: Chromium, server: RunningServer
) -> None:
    ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
    await join(ann)
    await join(ben, "Ben")
    await expect(ben.page.locator("#people-badge")).to_have_text("2")
    await ann.evaluate("() => { offline = true; sockets.at(-1).close(); }")
    await expect(ann.page.locator("#connection-banner")).to_be_visible()
    await ann.evaluate("() => { offline = false; document.getElementById('leave').click(); }")
    await expect(ann.page.get_by_role("heading")).to_have_text("You left the room")
    # Long before the grace period ends.
    await expect(ben.page.locator("#people-badge")).to_have_text("1", timeout=5_000)
    await ann.until("sockets.at(-1).readyState === WebSocket.CLOSED", "its socket is closed")


async def test_messages_of_a_call_end_with_it(chromium: Chromium, server: RunningServer) -> None:
    ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
    await join(ann)
    await expect(ann.page.locator("#call")).to_be_visible()
    await join(ben, "Ben")
    toasts = ann.page.locator("#toasts")
    await expect(toasts).to_contain_text("Ben joined")
    await ann.page.click("#leave")
    await expect(ann.page.get_by_role("heading")).to_have_text("You left the room")
    await expect(toasts).to_be_hidden()
    assert await toasts.inner_text() == ""
    await ann.page.click("#again")
    await ann.page.click("#join")
    await expect(ann.page.locator("#call")).to_be_visible()
    await ann.page.locator("header .copy-link").click()
    await expect(toasts).to_contain_text("link")


async def test_browser_that_holds_the_sound_back(chromium: Chromium, server: RunningServer) -> None:
    ann = await chromium.open(server.url + ROOM)
    await join(ann)
    ben = await open_changed(chromium, server.url + ROOM, REFUSE_SOUND)
    await join(ben, "Ben")
    await ben.page.get_by_role("button", name="Click to hear").click()
    await expect(ben.page.locator("#sound-banner")).to_be_hidden()
    await ben.hears(1)
    assert ben.errors == []


async def test_camera_that_is_unplugged(chromium: Chromium, server: RunningServer) -> None:
    tab = await chromium.open(server.url + ROOM)
    await join(tab)
    await tab.until("aiosfu.room.local.track('camera')?.sid", "the camera is published")
    await tab.evaluate(
        "aiosfu.room.local.track('camera').mediaStreamTrack.dispatchEvent(new Event('ended'))"
    )
    await tab.is_told("Your camera was disconnected.")
    await tab.page.get_by_role("button", name="Turn camera on").click()
    await expect(tab.page.get_by_role("button", name="Turn camera off")).to_be_visible()
    assert tab.errors == []


async def test_network_that_lets_no_media_through(chromium: Chromium) -> None:
    # RFC 5737 3: nobody is at this address.
    blocked = {"announce": ("203.0.113.1",), "ice_tcp": False, "handshake_timeout": 3.0}
    async with running_server(**blocked) as server:
        ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
        for tab, name in ((ann, "Ann"), (ben, "Ben")):
            await join(tab, name)
            await expect(tab.page.locator("#call")).to_be_visible()
        await expect(ann.page.get_by_text("No sound or video gets through.")).to_be_visible(
            timeout=15_000
        )
        # The chat needs no media.
        await ann.page.click("#chat")
        await ann.page.keyboard.type("can you hear me?")
        await ann.page.keyboard.press("Enter")
        await expect(ben.page.get_by_role("button", name="Chat, 1 unread")).to_be_visible()
        assert await ann.evaluate("aiosfu.room.state") == "connected"


@pytest.mark.parametrize("half", ["publisher", "subscriber"])
async def test_media_connection_that_the_server_ended(
    chromium: Chromium, server: RunningServer, half: str
) -> None:
    ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
    await join(ann)
    await join(ben, "Ben")
    await ann.decodes(1)
    await ben.decodes(1)
    identity = await ann.evaluate("aiosfu.room.local.identity")
    room = server.media.rooms.get("kitchen")
    assert room is not None
    peer = getattr(room.participants[identity], half)
    peer.transport.close(now=server.media.worker.now())
    peer.handle_event(TransportFailed("timeout"))
    await ann.decodes(1)
    await ben.decodes(1)
    await ben.hears(1)
    await expect(ben.page.locator("#people-badge")).to_have_text("2")
    assert ann.errors == ben.errors == []
