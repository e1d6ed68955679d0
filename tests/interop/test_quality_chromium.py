"""Chromium sends layers and receives the one that fits: the tile, and the path.

Sizes are small and frames few, for machines that have something else to do. Where such a machine
may freeze a picture all by itself, what counts is that it does not freeze every time.
"""

from typing import Any

import pytest

from tests.support.capacity import Capacity
from tests.support.chromium import Chromium, Tab
from tests.support.layers_page import SIZE, Page, scalable, simulcast
from tests.support.polling import until
from tests.support.room_page import enter
from tests.support.server import RunningServer
from tests.support.udp_bottleneck import udp_bottleneck

WIDTHS = [SIZE[0] // 4, SIZE[0] // 2, SIZE[0]]
NARROW, WIDE = 250_000, 5_000_000  # bit/s; the highest layer takes 400,000 or more
STALLED = 3.0  # s; a decoder that waits for a key frame that nobody asks for waits longer
SMALL = (320, 180)
ROUNDS = 3  # of switching there and back

SHARE_SCREEN = """
async () => {
  const { openScreen } = await import("/client/media.js");
  for (const track of await openScreen()) {
    const source = track.kind === "video" ? "screen_share" : "screen_share_audio";
    await room.publish(track, { source });
  }
}
"""
WATCH_SCREEN = """
async () => {
  window.page = { report: null, stall: 0 };
  room.on("mediareport", ({ status }) => (page.report = status));
  room.watchMedia(true);
}
"""
SHOW_SCREEN = """
(size) => {
  const [person] = room.participants.values();
  const screen = [...person.tracks.values()].find(({ source }) => source === "screen_share");
  room.configure(screen, size);
}
"""


def shown(width: int) -> dict[str, int]:
    """In a tile of this width."""
    return {"width": width, "height": width * 9 // 16}


async def switch(viewer: Page, width: int) -> int:
    """Change the tile's size, wait for the layer; returns how often the picture froze."""
    before = await viewer.received()
    await viewer.show(**shown(width))
    after = await viewer.decodes(width)
    return int(after["freezeCount"] - before["freezeCount"])


async def check_switches(viewer: Page) -> None:
    """Every size comes, and coming and going leaves no freeze behind."""
    frozen = []
    for _ in range(ROUNDS):
        frozen.append(sum([await switch(viewer, width) for width in WIDTHS]))
        if not frozen[-1]:
            return
    raise AssertionError(f"The picture freezes with each switch: {frozen}")


async def check_stopped(publisher: Page, rid: str) -> None:
    """This encoding is off, and sends nothing more while others go on."""

    async def off() -> dict[str, Any] | None:
        sent = await publisher.sent()
        return sent if not sent[rid]["active"] else None

    before = await until(off, f"{rid or 'the encoding'} is switched off", interval=0.1)
    running = [one for one in before if before[one]["active"]]

    async def more() -> dict[str, Any] | None:
        sent = await publisher.sent()
        grown = all(sent[one]["framesSent"] > before[one]["framesSent"] + 5 for one in running)
        return sent if grown else None

    after = await until(more, "the others go on", interval=0.1)
    assert after[rid]["framesSent"] <= before[rid]["framesSent"] + 1, "one may have been under way"


async def check_layers(publisher: Page, mode: str, width: int) -> None:
    """These spatial layers are encoded and no others."""

    async def limited() -> bool:
        sent = (await publisher.sent())[""]
        return (sent["scalabilityMode"], sent["frameWidth"]) == (mode, width)

    await until(limited, f"{mode} is encoded, {width} wide", interval=0.1)


def check_healthy(*tabs: Tab) -> None:
    for tab in tabs:
        assert tab.errors == []


@pytest.mark.parametrize(
    ("codec", "mode"), [("VP8", "L1T3"), ("VP9", "L1T1"), ("H264", None), ("AV1", "L1T1")]
)
async def test_tile_chooses_among_simulcast_layers(
    chromium: Chromium, server: RunningServer, codec: str, mode: str | None
) -> None:
    publisher = await Page.join(chromium, server, "ann")
    viewer = await Page.join(chromium, server, "ben")
    await publisher.publish(codec, simulcast(mode))
    await viewer.decodes(WIDTHS[2])
    await viewer.longest_stall()

    await check_switches(viewer)
    assert (await viewer.received())["mimeType"] == f"video/{codec}"

    await viewer.show(**shown(WIDTHS[0]))
    await viewer.decodes(WIDTHS[0])
    await check_stopped(publisher, "f")
    await check_stopped(publisher, "h")
    assert (await publisher.sent())["q"]["active"]
    # What was switched off comes back.
    await switch(viewer, WIDTHS[2])
    assert await viewer.longest_stall() < STALLED
    check_healthy(publisher.tab, viewer.tab)


async def test_path_chooses_among_simulcast_layers(
    chromium: Chromium, server: RunningServer
) -> None:
    (sock,) = server.media.worker.udp._sockets
    async with udp_bottleneck("127.0.0.1", sock.getsockname()[1], down={"queue": 0.3}) as path:
        publisher = await Page.join(chromium, server, "ann")
        viewer = await Page.join(chromium, server, "ben", relay=path.port)
        await publisher.publish("VP8", simulcast("L1T1"))
        await viewer.decodes(WIDTHS[2])
        await viewer.longest_stall()

        path.down.capacity = Capacity.constant(NARROW)
        path.begin()
        await viewer.decodes(*WIDTHS[:2])
        cause = "page.report?.tracks[0].cause === 'bandwidth'"
        await viewer.tab.until(cause, "the reason is told")
        sent = await publisher.sent()
        assert all(one["active"] for one in sent.values()), "it is wanted as soon as it fits"

        path.down.capacity = Capacity.constant(WIDE)
        path.begin()
        await viewer.decodes(WIDTHS[2])
        assert await viewer.longest_stall() < STALLED
        check_healthy(publisher.tab, viewer.tab)


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_tile_chooses_among_spatial_layers(
    chromium: Chromium, server: RunningServer, codec: str
) -> None:
    publisher = await Page.join(chromium, server, "ann")
    viewer = await Page.join(chromium, server, "ben")
    await publisher.publish(codec, scalable("L3T3_KEY"))
    await viewer.decodes(WIDTHS[2])
    await viewer.longest_stall()
    assert (await publisher.sent())[""]["scalabilityMode"] == "L3T3_KEY"

    await check_switches(viewer)
    assert await viewer.longest_stall() < STALLED

    # What nobody shows is not encoded, and comes back.
    for width, mode in zip(WIDTHS, ("L1T3", "L2T3_KEY", "L3T3_KEY"), strict=True):
        await viewer.show(**shown(width))
        await viewer.decodes(width)
        await check_layers(publisher, mode, width)
        await viewer.decodes(width)
    assert await viewer.longest_stall() < STALLED

    await viewer.show(**shown(WIDTHS[2]), visible=False)
    await check_stopped(publisher, "")
    await viewer.show(**shown(WIDTHS[2]), visible=True)
    await viewer.decodes(WIDTHS[2])
    assert (await viewer.received())["mimeType"] == f"video/{codec}"
    check_healthy(publisher.tab, viewer.tab)


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_temporal_layers_are_left_out(
    chromium: Chromium, server: RunningServer, codec: str
) -> None:
    publisher = await Page.join(chromium, server, "ann")
    viewer = await Page.join(chromium, server, "ben")
    await publisher.publish(codec, scalable("L1T3"), size=SMALL, frame_rate=15)
    await viewer.decodes(SMALL[0])

    async def share() -> float:
        """Of the frames that were sent, how many were decoded, of twenty or so."""
        sent, decoded = await counts()

        async def later() -> tuple[int, int] | None:
            now = await counts()
            return now if now[0] >= sent + 20 else None

        after = await until(later, "twenty frames", interval=0.1)
        return (after[1] - decoded) / (after[0] - sent)

    async def counts() -> tuple[int, int]:
        sent, received = await publisher.sent(), await viewer.received()
        return sent[""]["framesSent"], received["framesDecoded"]

    async def few() -> bool:
        return 0.1 < await share() < 0.4

    async def most() -> bool:
        return await share() > 0.75

    await until(most, "all frames")
    await viewer.show(temporal=0)
    await until(few, "every fourth frame")
    await viewer.show(temporal=2)
    await until(most, "all frames again")
    assert (await viewer.received())["frameWidth"] == SMALL[0]
    check_healthy(publisher.tab, viewer.tab)


async def test_screen_of_our_client_comes_in_the_size_that_is_shown(
    chromium: Chromium, server: RunningServer
) -> None:
    publisher = Page(await enter(chromium, server, "ann", publish=False))
    viewer = Page(await enter(chromium, server, "ben", publish=False))
    await viewer.tab.evaluate(WATCH_SCREEN)
    await publisher.tab.evaluate(SHARE_SCREEN)
    await viewer.tab.until("room.participants.values().next().value?.tracks.size", "it is shared")

    sent = await until(publisher.sent, "it is sent", interval=0.1)
    assert set(sent) == {"l", "h"}
    full = await publisher.tab.evaluate(
        "room.local.track('screen_share').mediaStreamTrack.getSettings().width"
    )
    # Text is read in its own size, where the size of the tile is not known.
    await viewer.decodes(full)

    await viewer.tab.evaluate(SHOW_SCREEN, shown(full // 2))
    await viewer.decodes(full // 2)
    await check_stopped(publisher, "h")
    await viewer.longest_stall()
    await viewer.tab.evaluate(SHOW_SCREEN, shown(full))
    await viewer.decodes(full)
    assert await viewer.longest_stall() < STALLED
    check_healthy(publisher.tab, viewer.tab)
