"""Chromium in a recording: what the page saw last, at 720p, and for how long."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from tests.recorder.files.probe import decode, ffprobe
from tests.support.api import Api
from tests.support.chromium import Chromium
from tests.support.clients import clients_of
from tests.support.polling import until
from tests.support.room_page import enter
from tests.support.server import running_server

WIDTH, HEIGHT = 1280, 720

PUBLISH = """
async () => {
  const video = { width: 1280, height: 720, frameRate: 10 };
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  const [camera] = media.getVideoTracks();
  const [microphone] = media.getAudioTracks();
  window.media = media;
  await room.publish(microphone, { source: "microphone" });
  await room.publish(camera, { source: "camera", preferredCodec: "VP8" });
  window.shown = document.createElement("video");
  shown.muted = true;
  shown.srcObject = new MediaStream([camera]);
  await shown.play();
}
"""

# What is on the screen when both tracks end, and when that is.
END = """
async () => {
  const canvas = new OffscreenCanvas(1280, 720);
  const context = canvas.getContext("2d");
  await new Promise((resolve) => shown.requestVideoFrameCallback(resolve));
  context.drawImage(shown, 0, 0);
  for (const track of media.getTracks()) track.stop();
  const at = (performance.timeOrigin + performance.now()) / 1000;
  const { data } = context.getImageData(0, 0, 1280, 720);
  const luma = [];
  for (let i = 0; i < data.length; i += 4 * 4) {
    luma.push(Math.round((66 * data[i] + 129 * data[i + 1] + 25 * data[i + 2]) / 256 + 16));
  }
  return { at, luma };
}
"""


def beeps(path: Path) -> list[float]:
    """When each begins, seconds in the file."""
    loud: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray()).max(axis=0)
            loud += [frame.time + n / frame.sample_rate for n in np.flatnonzero(wave > 0.02)]
    return loud[:1] + [after for before, after in pairwise(loud) if after - before > 0.1]


async def test_what_chromium_shows_and_plays_is_in_the_files(
    chromium: Chromium, tmp_path: Path
) -> None:
    async with (
        running_server(recordings_dir=str(tmp_path)) as server,
        clients_of(server.url) as clients,
    ):
        tab = await enter(chromium, server, "ann", publish=False)
        api = Api(clients)
        recording = (await api.record("kitchen"))["id"]
        await api.reaches(recording, "active")
        await tab.evaluate(PUBLISH)

        async def sends_all() -> list[dict[str, Any]]:
            return await tab.statistics("outbound-rtp", kind="video", frameHeight=HEIGHT)

        await until(sends_all, "720p is sent", deadline=30.0)
        await api.recorded(recording, seconds=(await api.recording(recording))["duration"] + 4)
        end = await tab.evaluate(END)
        before = (await api.recording(recording))["duration"]
        await api.recorded(recording, seconds=before + 1)  # what is on its way arrives
        await api.stop(recording)
        await api.reaches(recording, "complete")
        assert tab.errors == []
    (file,) = tmp_path.rglob(FILE_NAME)  # noqa: ASYNC240
    manifest: Manifest = ManifestFile(file).load()
    by_kind = {track.kind: track for track in manifest.tracks}
    (picture,), (sound,) = by_kind["video"].segments, by_kind["audio"].segments
    for segment in (picture, sound):
        expected = end["at"] - (manifest.started_at + segment.start)
        assert expected > 3
        assert segment.duration == pytest.approx(expected, abs=0.1)
        found = float(ffprobe(file.parent / segment.file)["format"]["duration"])
        assert found == pytest.approx(expected, abs=0.1)

    frames = decode(file.parent / picture.file)
    large = [frame for frame in frames if (frame.width, frame.height) == (WIDTH, HEIGHT)]
    assert len(large) > 15
    lumas = [frame.to_ndarray(format="yuv420p")[:HEIGHT] for frame in large[-15:]]
    moved = [int((np.abs(a.astype(int) - b) > 30).sum()) for a, b in pairwise(lumas)]
    assert sum(count > 100 for count in moved) > 10, "it moves"
    screen = np.array(end["luma"], np.uint8).reshape(HEIGHT, WIDTH // 4)
    alike = [float(np.corrcoef(screen.ravel(), luma[:, ::4].ravel())[0, 1]) for luma in lumas]
    assert max(alike[-3:]) > 0.95, "it is what the page saw last"
    assert alike[0] < max(alike[-3:]), "before it was something else"
    rising = beeps(file.parent / sound.file)[1:]  # the first may have begun before
    spacing = [after - before for before, after in pairwise(rising)]
    assert len(spacing) >= 4
    assert spacing == pytest.approx([np.median(spacing)] * len(spacing), abs=0.025)
