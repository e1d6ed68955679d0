"""FFmpeg's own WHIP muxer publishes; aiortc and Chromium watch."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import pytest

from tests.support.chromium import Chromium
from tests.support.clients import access_token, clients_of
from tests.support.ffmpeg_whip import TONE
from tests.support.media import picture
from tests.support.polling import until
from tests.support.room_page import enter
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

pytestmark = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="FFmpeg before 8.0 has no WHIP muxer"
)


@asynccontextmanager
async def ffmpeg(url: str, *token: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A publisher that ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.ffmpeg_whip", url, *token),
        stdin=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 15)


async def test_ffmpeg_is_seen_and_heard() -> None:
    luma = picture()
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        ben = await clients.join(token=access_token("ben", roomJoin=True, room="kitchen"))
        token = access_token("ffmpeg", roomJoin=True, room="kitchen", canSubscribe=False)
        async with ffmpeg(f"{server.url}/whip/kitchen", token) as process:
            await ben.wait_for("participant_joined")
            viewer = clients.whep(
                "kitchen", token=access_token("cat", roomJoin=True, room="kitchen")
            )
            await viewer.watch("audio", "video")
            await until(lambda: viewer.sinks["video"].psnr(luma) > 30, "a good picture")
            await until(lambda: abs(viewer.sinks["audio"].frequency() - TONE) < 5, "the tone")

            (publisher,) = ben.participants.values()
            assert publisher["identity"] == "ffmpeg"
            assert sorted(t["mime_type"] for t in publisher["tracks"]) == [
                "audio/opus",
                "video/H264",
            ]
        assert process.returncode == 0
        left = await ben.wait_for("participant_left")
        assert (left["identity"], left["reason"]) == ("ffmpeg", "left")


async def test_ffmpeg_is_seen_and_heard_in_a_browser(
    server: RunningServer, chromium: Chromium
) -> None:
    tab = await enter(chromium, server, "ann", publish=False)
    async with ffmpeg(f"{server.url}/whip/kitchen"):
        (video,) = await tab.decodes(1, codec="video/H264")
        assert (video["frameWidth"], video["frameHeight"]) == (320, 240)
        await tab.hears(1)
    await tab.until("gone.length === 1", "the publisher leaves")
    assert tab.errors == []
