"""The page of a live composite, in Chromium."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recorder.folder_lock import FolderLock
from recorder.live.hls import HlsConnection
from tests.recorder.live.composites import encode_composite
from tests.signaling.test_hls import CREDENTIALS, make_recording, token
from tests.support.chromium import Chromium
from tests.support.polling import until
from tests.support.server import RunningServer, running_server

STATE = """() => {
  const video = document.getElementById("video");
  const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  if (video.videoWidth) context.drawImage(video, 0, 0, 320, 8, 0, 0, 1, 1);
  return {
    time: video.currentTime,
    end,
    width: video.videoWidth,
    words: document.getElementById("status").textContent,
    grey: context.getImageData(0, 0, 1, 1).data[0],
  };
}"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    with FolderLock(make_recording(tmp_path, "RC_1", "active")):  # somebody makes it
        async with running_server(recordings_dir=str(tmp_path), **CREDENTIALS) as server:
            yield server


async def test_it_plays_what_comes_and_what_begins_anew(
    server: RunningServer, chromium: Chromium, tmp_path: Path
) -> None:
    clip = encode_composite(8)
    hls = tmp_path / "room" / "RC_1" / "hls"
    first = HlsConnection(hls, clip.streams, start=0.0)
    half = len(clip.packets) // 2
    for packet in clip.packets[:half]:
        first.write(packet)
    tab = await chromium.open(
        f"{server.url}/assets/watch.html#recording=RC_1&token={token(room_join=True, room='room')}"
    )
    await until(lambda: tab.page.evaluate(f"({STATE})().time > 0.5"), "it plays", deadline=30)
    state = await tab.page.evaluate(STATE)
    assert (state["width"], state["words"]) == (320, "")
    assert state["grey"] > 0
    before = state["end"]
    for packet in clip.packets[half:]:
        first.write(packet)
    first.close(finish=False)  # as when the recorder is killed
    await until(lambda: tab.page.evaluate(f"({STATE})().end > {before}"), "more is there")
    second = HlsConnection(hls, clip.streams, start=8.0)
    for packet in clip.packets:
        second.write(packet)
    second.close(finish=True)
    await until(
        lambda: tab.page.evaluate(f"({STATE})().words === 'That was all.'"), "the end", deadline=30
    )
    assert (await tab.page.evaluate(STATE))["end"] >= before + 8
    assert tab.errors == []


async def test_what_is_there_no_more_has_ended(
    server: RunningServer, chromium: Chromium, tmp_path: Path
) -> None:
    clip = encode_composite(4)
    hls = tmp_path / "room" / "RC_1" / "hls"
    connection = HlsConnection(hls, clip.streams, start=0.0)
    for packet in clip.packets:
        connection.write(packet)
    tab = await chromium.open(
        f"{server.url}/assets/watch.html#recording=RC_1&token={token(room_join=True, room='room')}"
    )
    await until(lambda: tab.page.evaluate(f"({STATE})().end > 0"), "it plays", deadline=30)
    (hls / "live.m3u8").unlink()
    await until(
        lambda: tab.page.evaluate(f"({STATE})().words === 'That was all.'"), "the end", deadline=30
    )


async def test_who_may_not_watch_is_told(server: RunningServer, chromium: Chromium) -> None:
    tab = await chromium.open(
        f"{server.url}/assets/watch.html#recording=RC_1&token={token(room_join=True, room='other')}"
    )
    await until(
        lambda: tab.page.evaluate(
            f"({STATE})().words === 'The server does not let you watch this.'"
        ),
        "it says so",
    )
