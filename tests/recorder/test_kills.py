"""Ten kills at random moments: six of recorders, four of servers, two of these with both."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from recorder.files.manifest import Manifest, Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.recovery import recover
from recorder.folders import folder_of
from recorder.link.messages import StartRecording, StatusIs, ToServer, TrackCame
from recorder.link.process import RecorderProcess
from recorder.link.tap import TrackTap
from recorder.values import TrackInfo
from tests.recorder.files.probe import decode, ffprobe
from tests.recorder.link.exact_camera import (
    WALL_OFFSET,
    ExactCamera,
    ExactMicrophone,
    ExactSource,
)
from tests.recorder.link.orders import order
from tests.support.api import Api
from tests.support.clients import clients_of
from tests.support.media import PictureTrack, ToneTrack
from tests.support.polling import until
from tests.support.server import ServerProcess, server_process

MOST = 2.0  # s that a kill may cost
RECORDER_KILLS = 6
LONGEST = 2.5  # s from a first sign of life to the kill


@pytest.fixture
def rng() -> Random:
    """Moments that are other ones each time; a failure shows how to have the same again."""
    seed = int(os.environ.get("KILL_SEED", time.time_ns() % 2**32))
    print(f"KILL_SEED={seed}")
    return Random(seed)


def end_of(manifest: Manifest, segment: Segment) -> float:
    """Unix seconds of the end of what is in a file."""
    return manifest.started_at + segment.start + segment.duration


def check_length(folder: Path, segment: Segment) -> None:
    """The file can be played from its beginning to where the manifest says that it ends."""
    path = folder / segment.file
    assert float(ffprobe(path)["format"]["duration"]) == pytest.approx(segment.duration, abs=0.1)
    frames = decode(path)
    assert float(frames[0].time) == pytest.approx(0, abs=0.03)
    assert float(frames[-1].time) == pytest.approx(segment.duration, abs=0.1)


class Killing:
    """One recording of a camera and a microphone, by one process after the other."""

    def __init__(self, root: Path) -> None:
        self.order = order(root, started_at=time.time())
        self.sources: list[ExactSource] = [ExactCamera(), ExactMicrophone()]
        self.told = asyncio.Event()

    def _hear(self, said: ToServer) -> None:
        if isinstance(said, StatusIs):
            self.told.set()

    async def run(self, *, seconds: float, resume: bool) -> list[tuple[float, float]]:
        """Have a process record until it is killed so long after it has said something.

        Returns:
            Of each source: when the process was there, and what was the newest when it died.
        """
        self.told.clear()
        process = RecorderProcess(self._hear, lambda: None)
        process.link.tell(StartRecording(self.order, WALL_OFFSET, resume=resume))
        for source in self.sources:
            tap = TrackTap(source, process.link, self.order.id, wall_offset=WALL_OFFSET)
            name = {"video": "camera", "audio": "microphone"}[source.kind]
            info = TrackInfo(f"TR_{source.kind}", "PA_ann", "ann", source.kind, name)
            process.link.tell(TrackCame(self.order.id, tap.handle, info, time.time()))
            source.taps = [tap]
        await asyncio.wait_for(self.told.wait(), 60)
        began = time.time()
        await asyncio.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        spans = [(began, source.newest) for source in self.sources]
        for source in self.sources:
            source.taps = []
        await process.close()
        return spans


async def test_a_recorder_that_is_killed_loses_two_seconds_at_most(
    tmp_path: Path, rng: Random
) -> None:
    """Six times in one recording. A camera knows what it had sent until each kill."""
    killing = Killing(tmp_path)
    sending = [asyncio.create_task(source.run()) for source in killing.sources]
    kills = [
        await killing.run(seconds=rng.uniform(0, LONGEST), resume=number > 0)
        for number in range(RECORDER_KILLS)
    ]
    for task in sending:
        task.cancel()
    folder = folder_of(killing.order)
    manifest = recover(folder)

    assert (manifest.state, manifest.errors) == ("complete", [])
    tracks = {track.kind: track for track in manifest.tracks}
    assert sorted(tracks) == ["audio", "video"]
    for number, source in enumerate(killing.sources):
        segments = tracks[source.kind].segments
        assert segments, "each process has some time"
        for segment in segments:
            check_length(folder, segment)
        for began, newest in (kill[number] for kill in kills):
            ends = [end_of(manifest, one) for one in segments]
            end = max([began, *(end for end in ends if end <= newest + 0.1)])
            bytes_lost = sum(size for moment, size in source.sent if end < moment <= newest)
            print(f"{source.kind}: {newest - end:.2f} s, {bytes_lost} bytes lost")
            assert newest - end <= MOST


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def killed(
    server: ServerProcess, rng: Random, *, with_recorder: bool
) -> tuple[str, float, float]:
    """Record a room until the server is killed.

    Returns:
        The recording's id, when there were files of both tracks, and when it was killed.
    """
    async with clients_of(server.url) as clients:
        ann = await clients.join("a", "ann")
        await ann.publish(PictureTrack(), ToneTrack())
        api = Api(clients)
        recording = (await api.record())["id"]

        async def begun() -> bool:
            return {"ann-camera.mkv", "ann-microphone.mkv"} <= set(await api.files(recording))

        await until(begun, "both tracks have files", deadline=30.0)
        began = time.time()
        await asyncio.sleep(rng.uniform(0, LONGEST))
        victims = [server.process.pid]
        if with_recorder:
            victims += children(server.process.pid)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        moment = time.time()
        await server.process.wait()
    return recording, began, moment


async def test_a_server_that_is_killed_loses_two_seconds_at_most(
    tmp_path: Path, rng: Random
) -> None:
    """Four times, with its recorder or without; the next server tells what there is."""
    kills: list[tuple[str, float, float]] = []
    for number in range(4):
        async with server_process("--recordings-dir", str(tmp_path)) as server:
            kills.append(await killed(server, rng, with_recorder=number % 2 == 0))
    async with (
        server_process("--recordings-dir", str(tmp_path)) as server,
        clients_of(server.url) as clients,
    ):
        found = [await Api(clients).reaches(recording, "complete") for recording, *_ in kills]
    assert [one["recovered"] for one in found] == [True, False, True, False]
    folders = {path.parent.name: path.parent for path in tmp_path.rglob(FILE_NAME)}  # noqa: ASYNC240
    for recording, began, moment in kills:
        manifest = ManifestFile(folders[recording] / FILE_NAME).load()
        assert manifest.errors == []
        assert sorted(track.kind for track in manifest.tracks) == ["audio", "video"]
        for track in manifest.tracks:
            assert len(track.segments) <= 1
            ends = [began]
            for segment in track.segments:
                check_length(folders[recording], segment)
                ends.append(end_of(manifest, segment))
            lost = moment - max(ends)
            print(f"{track.kind}: {lost:.2f} s lost")
            assert lost <= MOST
