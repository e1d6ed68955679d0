"""Chromium with our client library: rooms as people use them, and what happens to them."""

import asyncio

import pytest

from tests.support.chromium import Chromium, Tab
from tests.support.clients import Clients
from tests.support.media import PictureTrack, ToneTrack
from tests.support.polling import until
from tests.support.room_page import enter, join
from tests.support.server import RunningServer, running_server

SHARE_SCREEN = """
async () => {
  const media = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 5 } });
  await room.publish(media.getVideoTracks()[0], { source: "screen_share" });
}
"""

# What the library sees when the browser finds that a path is lost.
LOSE_PATH = """
() => {
  for (const connection of connections) {
    Object.defineProperty(connection, "connectionState", {
      configurable: true,
      get: () => "failed",
    });
    connection.dispatchEvent(new Event("connectionstatechange"));
    delete connection.connectionState;
  }
}
"""


async def username_fragments(tab: Tab) -> list[str]:
    return [one["iceLocalUsernameFragment"] for one in await tab.statistics("transport")]


async def check_healthy(*tabs: Tab) -> None:
    """Nothing went wrong that the page or its user would have noticed."""
    for tab in tabs:
        assert tab.errors == []
        assert await tab.evaluate("problems") == []


async def test_four_tabs_see_and_hear_each_other(chromium: Chromium, server: RunningServer) -> None:
    names = ("ann", "ben", "cat", "dan")
    tabs = [await enter(chromium, server, name) for name in names]
    for tab in tabs:
        for one in await tab.decodes(3):
            assert one["frameWidth"] >= 160
        await tab.hears(3)
        assert await tab.evaluate("room.participants.size") == 3
    await check_healthy(*tabs)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
async def test_codec_that_is_preferred_is_forwarded(
    chromium: Chromium, server: RunningServer, codec: str
) -> None:
    publisher = await enter(chromium, server, "ann", codec=codec)
    viewer = await enter(chromium, server, "ben", publish=False)

    await viewer.decodes(1, codec=f"video/{codec}")

    (sent,) = await publisher.statistics("outbound-rtp", kind="video")
    assert sent["mimeType"] == f"video/{codec}"
    await viewer.until(
        f"[...room.participants.values()].some((p) => [...p.tracks.values()]"
        f".some((t) => t.info.mime_type === 'video/{codec}'))",
        "the track says its codec",
    )
    await check_healthy(publisher, viewer)


async def test_reloaded_tab_comes_back(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server, "ann")
    ben = await enter(chromium, server, "ben")
    await ann.decodes(1)

    await ben.page.reload()
    await join(ben, "ben")

    await ann.decodes(1)
    await ben.decodes(1)
    await ann.hears(1)
    assert await ann.evaluate("room.participants.size") == 1
    await check_healthy(ann, ben)


async def test_media_does_not_stop_while_websocket_is_lost(
    chromium: Chromium, server: RunningServer
) -> None:
    ann = await enter(chromium, server, "ann")
    ben = await enter(chromium, server, "ben")
    await ann.decodes(1)
    await ben.decodes(1)
    before = await ben.evaluate("connections.length")

    await ben.evaluate("() => { offline = true; sockets.at(-1).close(); }")
    await ben.until("room.state === 'reconnecting'", "the loss is noticed")
    await ann.decodes(1, more=20)
    await ben.decodes(1, more=20)
    assert await ben.evaluate("room.state") == "reconnecting"

    await ben.evaluate("() => { offline = false; }")
    await ben.until("room.state === 'connected'", "signaling is back")
    await ann.decodes(1)
    await ben.decodes(1)
    assert await ben.evaluate("connections.length") == before, "the session was resumed"
    assert await ann.evaluate("gone") == []
    await check_healthy(ann)
    assert await ben.evaluate("problems") == []


async def test_media_goes_on_after_ice_restart(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server, "ann")
    ben = await enter(chromium, server, "ben")
    await ann.decodes(1)
    await ben.decodes(1)
    old = set(await username_fragments(ben))
    assert len(old) == 2

    await ben.evaluate(LOSE_PATH)

    async def renewed() -> bool:
        return not old & set(await username_fragments(ben))

    await until(renewed, "both connections have new credentials")
    await ben.until(
        "connections.every((one) => one.connectionState === 'connected')", "both are connected"
    )
    await ann.decodes(1)
    await ben.decodes(1)
    await ann.hears(1)
    assert await ben.evaluate("connections.length") == 2
    await check_healthy(ann, ben)


async def test_shared_screen_is_a_second_video(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server, "ann")
    ben = await enter(chromium, server, "ben")
    await ann.decodes(1)

    await ben.evaluate(SHARE_SCREEN)

    widths = sorted(one["frameWidth"] for one in await ann.decodes(2))
    assert widths[0] < widths[1]
    sources = await ann.evaluate(
        "[...[...room.participants.values()][0].tracks.values()].map((t) => t.source).sort()"
    )
    assert sources == ["camera", "microphone", "screen_share"]
    await check_healthy(ann, ben)


async def test_killed_tab_is_gone_after_the_grace_period(chromium: Chromium) -> None:
    async with running_server(grace_period=1.5) as server:
        ann = await enter(chromium, server, "ann")
        ben = await enter(chromium, server, "ben")
        await ann.decodes(1)

        session = await ben.context.new_cdp_session(ben.page)
        crash = asyncio.create_task(session.send("Page.crash"))  # is never answered

        await ann.until("gone.includes('ben')", "the loss is noticed", deadline=6)
        assert await ann.evaluate("room.participants.size") == 0
        await check_healthy(ann)
        crash.cancel()
        await asyncio.gather(crash, return_exceptions=True)


async def test_browser_and_aiortc_see_and_hear_each_other(
    chromium: Chromium, server: RunningServer, clients: Clients
) -> None:
    tab = await enter(chromium, server, "ann")
    client = await clients.join("kitchen", "ben")
    await client.publish(PictureTrack(), ToneTrack())

    await tab.decodes(1)
    await tab.hears(1)
    for sid in [track["sid"] for track in client.joined["participants"][0]["tracks"]]:
        await client.received(sid, frames=10)
    await check_healthy(tab)


async def test_messages_travel_between_browsers(chromium: Chromium, server: RunningServer) -> None:
    ann = await enter(chromium, server, "ann", publish=False)
    ben = await enter(chromium, server, "ben", publish=False)
    await ben.evaluate("() => { window.texts = []; room.on('data', (d) => texts.push(d.text)); }")
    for reliable in (True, False):
        # The first goes by WebSocket; the data channels that it opens carry the others.
        await ann.evaluate("() => room.sendData('hello')")
        await ben.until("texts.includes('hello')", "a message arrives")
        await ann.until(
            "connections[0]?.sctp?.state === 'connected'", "the data channels are connected"
        )
        await ann.evaluate("(reliable) => room.sendData('direct', { reliable })", reliable)
        await ben.until("texts.pop() === 'direct'", "another one arrives")
    await check_healthy(ann, ben)
