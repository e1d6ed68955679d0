"""A real server, a real publisher, real recorder processes, and their deaths."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folders import folder_of
from recorder.link import process as process_module
from recorder.link import supervisor as module
from recorder.link.messages import StartRecording, StatusIs, StopRecording, ToServer, TrackCame
from recorder.link.process import RecorderProcess
from recorder.link.supervisor import RecorderSupervisor
from recorder.link.tap import TrackTap
from recorder.values import RecordingStatus, TrackInfo
from sfu.errors import LocalError
from sfu.room.room import Room
from tests.recorder.files.probe import decode, ffprobe
from tests.recorder.link.exact_camera import WALL_OFFSET, ExactCamera
from tests.recorder.link.orders import order
from tests.support.clients import Client, clients_of
from tests.support.media import PictureTrack, ToneTrack, dominant_frequency, picture, psnr
from tests.support.polling import until
from tests.support.server import RunningServer, running_server, server_process


class Recording:
    """A supervisor, and what it tells."""

    def __init__(self, server: RunningServer, root: Path) -> None:
        self.statuses: list[RecordingStatus] = []
        self.supervisor = RecorderSupervisor(self.statuses.append)
        self.server = server
        self.root = root

    @property
    def room(self) -> Room:
        room = self.server.media.rooms.get("room")
        assert room is not None
        return room

    async def start(self, id: str = "RC_1", **fields) -> None:
        self.order = order(self.root, id, started_at=time.time(), **fields)
        await self.supervisor.start(self.room, self.order)

    def status(self, id: str = "RC_1") -> RecordingStatus:
        return next(status for status in reversed(self.statuses) if status.id == id)

    async def grown(self, by: int = 20_000) -> None:
        """Wait until so many bytes more are in files."""
        before = self.status().bytes
        await until(lambda: self.status().bytes >= before + by, "the files grow")

    @property
    def folder(self) -> Path:
        return folder_of(self.order)

    def manifest(self) -> Manifest:
        return ManifestFile(self.folder / FILE_NAME).load()


@asynccontextmanager
async def recording(root: Path) -> AsyncIterator[tuple[Recording, Client]]:
    """A room with a camera and a microphone, and a supervisor."""
    async with running_server() as server, clients_of(server.url) as clients:
        ann = await clients.join("room", "ann")
        await ann.publish(PictureTrack(), ToneTrack())
        made = Recording(server, root)
        try:
            yield made, ann
        finally:
            await made.supervisor.close()
            assert not made.supervisor.pids()


def check_media(folder: Path, manifest: Manifest) -> None:
    """Each file can be decoded, and shows and sounds as what was published."""
    for track in manifest.tracks:
        for segment in track.segments:
            path = folder / segment.file
            assert float(ffprobe(path)["format"]["duration"]) == pytest.approx(
                segment.duration, abs=0.1
            )
            frames = decode(path)
            if track.kind == "video":
                plane = frames[-1].to_ndarray(format="yuv420p")[:240, :320]
                assert psnr(picture(), plane) > 25
            else:
                sound = frames[len(frames) // 2 :][:25]
                samples = np.concatenate([frame.to_ndarray().reshape(2, -1)[0] for frame in sound])
                scaled = (samples * 32767).astype(np.int16)
                assert dominant_frequency(scaled) == pytest.approx(440, abs=3)


async def test_a_room_is_recorded_through_the_death_of_the_recorder(tmp_path):
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown(60_000)
        (pid,) = made.supervisor.pids()
        os.kill(pid, signal.SIGKILL)
        killed = time.time()
        await until(lambda: made.supervisor.pids() not in ([], [pid]), "another process runs")
        await made.grown(60_000)
        await made.supervisor.stop("RC_1")
        assert made.status().state == "complete"
        manifest = made.manifest()
    assert {status.state for status in made.statuses} == {
        "starting",
        "active",
        "finishing",
        "complete",
    }
    assert manifest.recovered
    assert manifest.errors == []
    assert [participant.identity for participant in manifest.participants] == ["ann"]
    assert sorted(track.kind for track in manifest.tracks) == ["audio", "video"]
    death = killed - manifest.started_at
    for track in manifest.tracks:
        first, second = track.segments
        assert death - 2.0 < first.start + first.duration < death + 0.1
        assert second.start > death
        assert len(track.gaps) == 1
    check_media(made.folder, manifest)
    starts = [track.segments[0].start for track in manifest.tracks]
    assert all(abs(one - other) < 1.0 for one, other in pairwise(starts))


async def test_several_recordings_share_a_process_which_ends_with_the_last(tmp_path):
    async with recording(tmp_path) as (made, _):
        await made.start("RC_1")
        await made.start("RC_2")
        assert len(made.supervisor.pids()) == 1
        with pytest.raises(LocalError):
            await made.start("RC_2")
        await until(lambda: made.status("RC_2").state == "active", "it runs")
        await made.supervisor.stop("RC_1")
        assert made.supervisor.active() == ["RC_2"]
        assert len(made.supervisor.pids()) == 1
        await made.supervisor.stop("RC_2")
        assert made.supervisor.active() == made.supervisor.pids() == []
        await made.supervisor.stop("RC_2")  # nothing happens


async def test_a_recording_ends_with_its_room(tmp_path):
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown()
        made.server.media.rooms.delete("room", now=made.server.media.now())
        await until(lambda: made.status().state == "complete", "it has ended")
        manifest = made.manifest()
        assert manifest.end_reason == "room_ended"
        check_media(made.folder, manifest)


async def test_a_server_that_goes_finishes_its_recordings(tmp_path):
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown()
    assert made.status().state == "complete"
    assert made.manifest().end_reason == "server_shutdown"


async def test_a_recorder_whose_server_dies_finishes_by_itself(tmp_path):
    async with (
        server_process("--recordings-dir", str(tmp_path)) as server,
        clients_of(server.url) as clients,
    ):
        ann = await clients.join("room", "ann")
        await ann.publish(PictureTrack(), ToneTrack())
        await clients.http.post(f"{server.url}/api/v1/rooms/room/recordings", json={})

        def files() -> list[Path]:
            return [file for file in tmp_path.rglob("*.mkv") if file.stat().st_size > 5_000]

        await until(lambda: len(files()) == 2, "both files grow")
        server.process.kill()
        (folder,) = {file.parent for file in files()}
        file = ManifestFile(folder / FILE_NAME)
        await until(lambda: file.load().state == "complete", "the manifest says so")
        manifest = file.load()
        assert (manifest.end_reason, manifest.recovered) == ("server_gone", False)
        check_media(folder, manifest)


async def test_a_recorder_that_dies_all_the_time_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESTART_DELAYS", (0.0,))
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown()
        for _ in range(module.MAX_DEATHS):
            (pid,) = await until(made.supervisor.pids, "a process runs")
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: made.supervisor.pids() != [pid], "it is gone")
        await until(lambda: made.status().state == "failed", "its files are repaired")
        manifest, status = made.manifest(), made.status()
        assert (manifest.state, manifest.recovered) == ("failed", True)
        assert all(segment.sha256 for segment in manifest.segments())
        assert status.bytes == sum(segment.bytes for segment in manifest.segments()) > 0
        assert "5 times" in manifest.errors[-1]
        assert status.error == f"{manifest.errors[-1]}; kept: {manifest.kept()}"
        assert made.supervisor.active() == made.supervisor.pids() == []
        check_media(made.folder, manifest)


async def test_a_recorder_that_hangs_is_told_of_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.5)
    monkeypatch.setattr(module, "HANGING", 12)
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown()
        assert made.status().warning == ""
        (pid,) = made.supervisor.pids()
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: made.status().warning == module.NO_ANSWER, "there is a warning")
        assert made.supervisor.pids() == [pid]
        await until(lambda: made.supervisor.pids() not in ([], [pid]), "another process runs")
        await made.grown()
        assert (made.status().state, made.status().warning) == ("active", "")
        await made.supervisor.stop("RC_1")
        assert made.status().state == "complete"
        assert [len(track.segments) for track in made.manifest().tracks] == [2, 2]


async def test_checksums_that_take_long_are_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FINISH_TIME", 1.0)
    monkeypatch.setattr(process_module, "EXIT_TIME", 60.0)
    async with recording(tmp_path) as (made, _):
        await made.start()
        await made.grown()
        pipe = next(made.folder.glob("*.mkv"))  # what is read from it has no end until we say so
        pipe.unlink()
        os.mkfifo(pipe)
        closing = asyncio.create_task(made.supervisor.close())
        await until(lambda: made.supervisor.active() == [], "nobody waits any more")
        assert made.status().state == "finishing"
        manifest = made.manifest()
        assert (manifest.state, manifest.end_reason) == ("finishing", "server_shutdown")
        os.close(await asyncio.to_thread(os.open, pipe, os.O_WRONLY))
        await closing
        assert made.manifest().state == "complete"


async def test_a_recorder_that_stands_still_keeps_all_times(tmp_path):
    """For two seconds, as in a machine that swaps; what came meanwhile waits in the link."""
    camera = ExactCamera()
    wanted = order(tmp_path, started_at=time.time())
    states: list[RecordingStatus] = []

    def hear(said: ToServer) -> None:
        if isinstance(said, StatusIs):
            states.append(said.status)

    process = RecorderProcess(hear, lambda: None)
    process.link.tell(StartRecording(wanted, WALL_OFFSET))
    tap = TrackTap(camera, process.link, "RC_1", wall_offset=WALL_OFFSET)
    info = TrackInfo("TR_v", "PA_ann", "ann", "video", "camera")
    process.link.tell(TrackCame("RC_1", tap.handle, info, time.time()))
    camera.taps.append(tap)
    sending = asyncio.create_task(camera.run())
    await until(lambda: states and states[-1].bytes, "it writes", deadline=30)
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(2.0)
    os.kill(process.pid, signal.SIGCONT)
    before = states[-1].bytes
    await until(lambda: states[-1].bytes > before + 50_000, "it goes on", deadline=30)
    sending.cancel()
    end = camera.newest
    process.link.tell(StopRecording("RC_1", "stopped"))
    await until(lambda: states[-1].state == "complete", "it ends", deadline=30)
    await process.close()
    manifest = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    (track,) = manifest.tracks
    (segment,) = track.segments
    assert track.gaps == []
    captured = manifest.started_at + segment.start + segment.duration
    assert captured == pytest.approx(end, abs=0.01)
