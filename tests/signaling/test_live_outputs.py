"""A composite while it is made, through the whole server: watched as HLS, and pushed to nginx."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.recorder.live.rtmp_server import RtmpServer, running_rtmp_server
from tests.support.api import Api
from tests.support.clients import Clients, access_token, clients_of
from tests.support.media import PictureTrack, ToneTrack, dominant_frequency, picture, psnr
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, running_server

WIDTH, HEIGHT, FPS = 320, 180, 15
RATE = 48_000  # Hz


@pytest.fixture
async def rtmp(tmp_path: Path) -> AsyncIterator[RtmpServer]:
    async with running_rtmp_server(tmp_path) as server:
        yield server


@pytest.fixture
async def them(tmp_path: Path) -> AsyncIterator[Clients]:
    keys = {"api_key": API_KEY, "api_secret": API_SECRET}
    async with (
        running_server(**keys, recordings_dir=str(tmp_path / "recordings")) as server,
        clients_of(server.url) as clients,
    ):
        yield clients


def check(address: str, *, seconds: float) -> None:
    """There is so much picture and sound, and it is what was published."""
    luma, samples = np.zeros(()), []
    with av.open(address) as container:
        pictures = 0
        for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
            if isinstance(frame, av.VideoFrame):
                pictures += 1
                luma = frame.to_ndarray(format="yuv420p")[:HEIGHT]
            else:
                samples.append(frame.to_ndarray()[0])
            if pictures >= seconds * FPS and sum(map(len, samples)) >= seconds * RATE:
                break
    assert luma.shape == (HEIGHT, WIDTH)
    assert pictures >= seconds * FPS
    sound = np.concatenate(samples)[-RATE:]
    assert dominant_frequency((sound * 32767).astype(np.int16)) == pytest.approx(440, abs=3)
    # One person in a grid fills the canvas, and is cut above and below; a name is at the bottom.
    expected = picture()[(240 - HEIGHT) // 2 :][:HEIGHT]
    upper = slice(10, HEIGHT - 40), slice(10, WIDTH - 10)
    assert psnr(expected[upper], luma[upper]) > 20


async def test_a_composite_is_watched_and_pushed_while_it_is_recorded(
    them: Clients, rtmp: RtmpServer
) -> None:
    ann = await them.join(token=access_token("ann", room="a", roomJoin=True))
    await ann.publish(PictureTrack(), ToneTrack(440))
    token = access_token("boss", room="a", roomRecord=True)
    api = Api(them, token)
    started = await api.record(
        mode="composite",
        hls=True,
        outputs=[rtmp.url("secret-key")],
        width=WIDTH,
        height=HEIGHT,
        fps=FPS,
    )
    recording = started["id"]

    async def states() -> dict[str, Any]:
        return {one["url"]: one["state"] for one in (await api.recording(recording))["outputs"]}

    pushed = f"rtmp://127.0.0.1:{rtmp.port}/live"
    active = {"hls": "active", pushed: "active"}

    async def all_active() -> bool:
        return await states() == active

    await until(all_active, "both are told to be active", deadline=30.0)
    await api.recorded(recording, seconds=8.0)
    playlist = f"{them.url}/api/v1/recordings/{recording}/hls/index.m3u8"
    watching = access_token("viewer", room="a", roomJoin=True)
    await asyncio.to_thread(check, f"{playlist}?token={watching}", seconds=3)
    async with them.http.get(playlist) as response:
        assert response.status == 401

    assert await states() == active
    await api.stop(recording)
    ended = await api.reaches(recording, "complete")
    assert {one["url"]: one["state"] for one in ended["outputs"]} == dict.fromkeys(active, "ended")
    assert all(one["error"] == "" for one in ended["outputs"])
    assert "secret-key" not in str(ended)
    rtmp.stop()
    (arrived,) = rtmp.files()
    assert arrived.name.startswith("secret-key")
    await asyncio.to_thread(check, str(arrived), seconds=5)
