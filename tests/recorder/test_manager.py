"""What runs, what is kept and who is told, whatever recorder processes do."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from recorder.archive import MAX_FAILURES
from recorder.files.manifest import Manifest, Segment, Span, Track
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.manager import RecordingManager
from recorder.recording import Recording, RecordingEvent
from recorder.values import RecordingRequest, State
from sfu.config import Config
from sfu.errors import LimitError, LocalError, SfuError
from sfu.room.events import RecordingChanged
from sfu.room.room import Room
from tests.support.polling import until
from tests.support.recordings import NoRepairs, PaperRecorder
from tests.support.virtual_room import Member, VirtualServer

TRACKS = RecordingRequest()
COMPOSITE = RecordingRequest(mode="composite", layout="speaker")


class Studio:
    """A manager over real rooms, with a recorder that only takes orders."""

    def __init__(self, root: Path | None, **settings: Any) -> None:
        self.config = Config(recordings_dir=str(root or ""), **settings)
        self.server = VirtualServer(self.config)
        self.recorder = PaperRecorder()
        self.repairs = NoRepairs()
        self.made = 0
        self.events: list[RecordingEvent] = []
        self.manager = RecordingManager(
            self.config,
            make_recorder=self._make,
            repairs=self.repairs,
            identify=lambda: self.server.endpoint.identifiers.sid("RC"),
            clock=lambda: self.server.time.now + self.server.endpoint.wall_offset,
        )
        self.manager.on_changed.append(self.events.append)
        self.server.rooms.on_opened = self.manager.open_room

    def _make(self, tell: Callable[[Any], None]) -> PaperRecorder:
        self.made += 1
        return self.recorder.make(tell)

    def room(self, name: str = "room") -> Room:
        return self.server.rooms.open(name, now=self.server.time.now)

    async def start(self, room: Room, request: RecordingRequest = TRACKS) -> Recording:
        recording = self.manager.start(room, request, by="ann")
        await asyncio.sleep(0)
        return recording

    def states(self, recording_id: str) -> list[State]:
        """Those that listeners were told."""
        told = [event.recording for event in self.events]
        return [recording.state for recording in told if recording.id == recording_id]


def heard(member: Member) -> list[tuple[str, str]]:
    return [
        (event.recording.state, event.recording.error) for event in member.heard(RecordingChanged)
    ]


def keep(root: Path, folder: str, **fields: Any) -> Path:
    """A recording of an earlier day."""
    path = root / folder
    path.mkdir(parents=True)
    (path / "ann-camera.mkv").write_bytes(b"x" * 1000)
    track = Track(
        "TR_1",
        "PA_1",
        "ann",
        "video",
        "camera",
        "",
        Span(0.0, 9.0),
        gaps=[Span(1.0, 2.0)],
        segments=[Segment("ann-camera.mkv", "mkv", ["VP8"], 0.5, 8.0, 1000, "ab" * 32)],
    )
    manifest = Manifest(
        **{
            "id": "RC_old",
            "room": "room",
            "mode": "tracks",
            "started_at": 1_600_000_000.0,
            "started": "2020-09-13T12:26:40Z",
            "state": "complete",
            "ended_at": 1_600_000_009.0,
            "duration": 9.0,
            "tracks": [track],
            **fields,
        }
    )
    ManifestFile(path / FILE_NAME).save(manifest)
    return path


async def test_nothing_runs_and_nothing_is_made_before_the_first_recording(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "new")
    await studio.manager.open()
    studio.server.join("ann")
    await asyncio.sleep(0)
    assert (studio.made, studio.repairs.asked) == (0, False)
    assert not (tmp_path / "new").exists()
    await studio.manager.close()
    assert studio.made == 0


async def test_a_recording_from_its_start_to_its_end(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    ann = studio.server.join("ann")
    recording = await studio.start(ann.participant.room)
    assert (recording.state, recording.started_by, recording.room) == ("starting", "ann", "room")
    assert recording.started_at == studio.server.time.now + 1_700_000_000
    order = studio.recorder.orders[recording.id]
    assert (order.room, order.request, order.started_by) == ("room", TRACKS, "ann")
    assert Path(order.root) == tmp_path
    assert recording.folder == f"room/2023-11-14/{recording.id}"

    studio.recorder.tell(recording.id, "active", bytes=1000, duration=1.0)
    studio.recorder.tell(recording.id, "active", bytes=2000, duration=2.0, tracks=2)
    now = studio.manager.get(recording.id)
    assert (now.state, now.status.bytes, now.status.tracks) == ("active", 2000, 2)
    assert studio.manager.of_room("room") == [now]

    assert studio.manager.stop(recording.id).state == "finishing"
    studio.recorder.tell(recording.id, "active", bytes=3000)  # it was on its way already
    assert studio.manager.get(recording.id).state == "finishing"
    await asyncio.sleep(0.01)
    ended = studio.manager.get(recording.id)
    assert (ended.state, ended.status.bytes, ended.ended) == ("complete", 3000, True)
    assert ended.ended_at is not None
    assert studio.recorder.stopped == [recording.id]
    assert studio.manager.stop(recording.id) == ended, "that changes nothing"
    assert studio.states(recording.id) == ["starting", "active", "finishing", "complete"]
    assert heard(ann) == [(state, "") for state in studio.states(recording.id)]
    assert ann.participant.room.recordings == {}


async def test_everyone_hears_of_errors_and_listeners_of_warnings_too(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    ann = studio.server.join("ann")
    recording = await studio.start(ann.participant.room)
    studio.recorder.tell(recording.id, "active")
    studio.recorder.tell(recording.id, "active", warning="only 90 MiB are left")
    studio.recorder.tell(recording.id, "active", bytes=5)
    studio.recorder.tell(recording.id, "failed", error="no space left")
    assert heard(ann) == [("starting", ""), ("active", ""), ("failed", "no space left")]
    assert [event.recording.status.warning for event in studio.events] == [
        *("", "", "only 90 MiB are left", "only 90 MiB are left")
    ]
    assert studio.manager.get(recording.id).state == "failed"


async def test_a_recorder_that_cannot_start_is_a_failed_recording(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    ann = studio.server.join("ann")
    studio.recorder.refusal = LimitError("The recorder cannot be started.", name="server_full")
    recording = await studio.start(ann.participant.room)
    assert studio.manager.get(recording.id).state == "failed"
    assert heard(ann) == [("starting", ""), ("failed", "The recorder cannot be started.")]
    studio.recorder.refusal = None
    again = await studio.start(ann.participant.room)
    assert again.id in studio.recorder.orders


async def test_failures_without_files_are_not_kept_forever(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.recorder.refusal = LimitError("No.")
    room = studio.room()
    ids = [(await studio.start(room)).id for _ in range(MAX_FAILURES + 3)]
    assert {one.id for one in studio.manager.of_room("room")} == set(ids[3:])


async def test_stopping_at_once_waits_for_the_start(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    recording = studio.manager.start(studio.room(), TRACKS, by="ann")
    studio.manager.stop(recording.id)
    studio.manager.stop(recording.id)
    await asyncio.sleep(0.01)
    assert list(studio.recorder.orders) == studio.recorder.stopped == [recording.id]
    assert studio.states(recording.id) == ["starting", "finishing", "complete"]


async def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    studio = Studio(tmp_path, max_recordings=2)
    room = studio.room()

    def refusal(request: RecordingRequest, room: Room = room) -> str:
        with pytest.raises(SfuError) as refused:
            studio.manager.start(room, request, by="")
        return refused.value.name

    assert refusal(RecordingRequest(format="webm", mode="composite", fps=0)) == "bad_request"
    await studio.start(room)
    assert refusal(TRACKS) == "conflict"
    other = await studio.start(room, COMPOSITE)
    assert refusal(RecordingRequest(identities=("bob",))) == "limit_reached"
    studio.manager.stop(other.id)
    await asyncio.sleep(0.01)
    studio.server.rooms.delete("room", now=0.0)
    assert refusal(COMPOSITE) == "room_not_found"
    await studio.manager.close()
    assert refusal(TRACKS, studio.room("other")) == "server_shutdown"
    nowhere = Studio(None)
    with pytest.raises(LocalError) as refused:
        nowhere.manager.start(nowhere.room(), TRACKS, by="")
    assert refused.value.name == "not_allowed"


async def test_rooms_that_the_settings_name_are_recorded_from_their_opening_on(
    tmp_path: Path,
) -> None:
    studio = Studio(tmp_path, record_rooms=("lecture-*",), record_mode="composite")
    ann = studio.server.join("ann", room="lecture-1")
    studio.server.join("bob", room="kitchen")
    await asyncio.sleep(0)
    (order,) = studio.recorder.orders.values()
    assert (order.room, order.request.mode, order.started_by) == ("lecture-1", "composite", "")
    assert list(ann.participant.room.recordings) == [order.id]


async def test_a_room_opens_though_it_cannot_be_recorded(tmp_path: Path) -> None:
    studio = Studio(tmp_path, record_rooms=("*",), max_recordings=1)
    studio.server.join("ann", room="one")
    studio.server.join("bob", room="two")
    await asyncio.sleep(0)
    assert [order.room for order in studio.recorder.orders.values()] == ["one"]


async def test_closing_finishes_what_runs(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    recording = await studio.start(studio.room())
    await studio.manager.close()
    assert studio.recorder.closed
    assert studio.manager.get(recording.id).state == "complete"


# -- what was recorded before


async def test_recordings_of_earlier_days_are_known(tmp_path: Path) -> None:
    keep(tmp_path, "room/2020-09-13/RC_old")
    keep(tmp_path, "other/2020-09-13/RC_2", id="RC_2", room="other", errors=["first", "last"])
    (tmp_path / "stray").mkdir()
    (tmp_path / "stray" / FILE_NAME).write_text("[]")
    studio = Studio(tmp_path)
    await studio.manager.open()
    (old,) = studio.manager.of_room("room")
    assert (old.id, old.folder, old.ended_at) == ("RC_old", "room/2020-09-13/RC_old", 1_600_000_009)
    status = old.status
    assert (status.bytes, status.duration, status.gaps, status.tracks) == (1000, 9.0, 1, 1)
    assert studio.manager.get("RC_2").status.error == "last"
    new = await studio.start(studio.room())
    assert [one.id for one in studio.manager.of_room("room")] == [new.id, "RC_old"]
    assert not studio.repairs.asked
    with pytest.raises(LocalError) as refused:
        studio.manager.get("RC_none")
    assert refused.value.name == "recording_not_found"


async def test_files_are_those_of_the_manifest_and_the_manifest(tmp_path: Path) -> None:
    folder = keep(tmp_path, "RC_old")
    studio = Studio(tmp_path)
    await studio.manager.open()
    files = await studio.manager.files("RC_old")
    assert [(file.name, file.bytes, file.duration) for file in files] == [
        ("ann-camera.mkv", 1000, 8.0),
        (FILE_NAME, (folder / FILE_NAME).stat().st_size, 0.0),
    ]
    assert await studio.manager.path("RC_old", "ann-camera.mkv") == folder / "ann-camera.mkv"
    new = await studio.start(studio.room())
    assert await studio.manager.files(new.id) == [], "its manifest is not there yet"
    keep(folder, "RC_inner", id="RC_inner")
    (folder / "left.mkv").touch()
    for name in ("RC_inner/ann-camera.mkv", "RC_inner/manifest.json", "left.mkv"):
        with pytest.raises(LocalError):
            await studio.manager.path("RC_old", name)


@pytest.mark.parametrize(
    "name",
    ["none.mkv", "../secret", "/etc/passwd", ".lock", "sub", "link", "a\0b", "", ".", "x" * 5000],
)
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "recordings"
    folder = keep(root, "day/RC_old")
    (folder.parent / "secret").write_text("secret")
    (folder / ".lock").touch()
    (folder / "sub").mkdir()
    (folder / "link").symlink_to(folder.parent / "secret")
    studio = Studio(root)
    await studio.manager.open()
    for find in (studio.manager.path, studio.manager.url):
        with pytest.raises(LocalError) as refused:
            await find("RC_old", name)
        assert refused.value.name == "recording_not_found"


async def test_deleting_leaves_nothing_of_it_and_all_of_others(tmp_path: Path) -> None:
    keep(tmp_path, "room/day/RC_old")
    (tmp_path / "room/day/RC_old/hls").mkdir()
    (tmp_path / "room/day/RC_old/hls/1.m4s").touch()
    keep(tmp_path, "room/other/RC_2", id="RC_2")
    studio = Studio(tmp_path)
    await studio.manager.open()
    await studio.manager.delete("RC_old")
    assert [one.id for one in studio.manager.of_room("room")] == ["RC_2"]
    assert os.listdir(tmp_path / "room") == ["other"]
    with pytest.raises(LocalError):
        await studio.manager.delete("RC_old")
    await studio.manager.delete("RC_2")
    assert os.listdir(tmp_path) == [], "empty folders go too"


async def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "recordings", tmp_path / "elsewhere"
    keep(root, "RC_old")
    studio = Studio(root)
    await studio.manager.open()
    (root / "RC_old").rename(elsewhere)
    (root / "RC_old").symlink_to(elsewhere)
    with pytest.raises(LocalError) as refused:
        await studio.manager.delete("RC_old")
    assert refused.value.name == "conflict"
    assert (elsewhere / "ann-camera.mkv").exists()


async def test_what_runs_is_not_deleted(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    recording = await studio.start(studio.room())
    with pytest.raises(LocalError) as refused:
        await studio.manager.delete(recording.id)
    assert refused.value.name == "conflict"


class OneRepair(NoRepairs):
    """Finishes the manifest of one folder, as the process would."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def run(self, root: object, told: Callable[[str], None]) -> None:
        file = ManifestFile(self.folder / FILE_NAME)
        manifest = file.load()
        manifest.state, manifest.recovered = "complete", True
        file.save(manifest)
        told(self.folder.name)


async def test_unfinished_recordings_are_repaired_and_told_of(tmp_path: Path) -> None:
    folder = keep(tmp_path, "RC_old", state="active", ended_at=None, duration=None)
    studio = Studio(tmp_path)
    studio.manager._archive._repairs = OneRepair(folder)
    told = asyncio.Event()
    studio.manager.on_changed.append(lambda _: told.set())
    await studio.manager.open()
    assert studio.manager.get("RC_old").state == "active"
    await asyncio.wait_for(told.wait(), 10)
    (event,) = studio.events
    assert (event.recording.state, event.recording.recovered) == ("complete", True)
    assert studio.manager.get("RC_old") == event.recording
    await studio.manager.close()


async def test_what_was_kept_for_long_enough_is_deleted(tmp_path: Path) -> None:
    day = 86_400.0
    studio = Studio(tmp_path, recording_days=30, recording_bytes=2500)
    now = studio.server.endpoint.wall_offset
    for number, (age, state) in enumerate(
        [(31, "complete"), (29, "complete"), (2, "failed"), (1, "complete"), (99, "active")]
    ):
        ended = None if state == "active" else now - age * day
        keep(tmp_path, f"RC_{number}", id=f"RC_{number}", state=state, ended_at=ended)
    await studio.manager.open()
    await studio.manager.tidy()
    left = {one.id for one in studio.manager.of_room("room")}
    assert left == {"RC_2", "RC_3", "RC_4"}, "one too old, one too much, and never what goes on"
    assert set(os.listdir(tmp_path)) == left
    await studio.manager.close()


async def test_what_is_kept_is_bounded_as_soon_as_a_recording_ends(tmp_path: Path) -> None:
    keep(tmp_path, "RC_old")
    studio = Studio(tmp_path, recording_bytes=1500)
    await studio.manager.open()
    recording = await studio.start(studio.room())
    studio.recorder.tell(recording.id, "active", bytes=1000)
    await asyncio.sleep(0)
    assert studio.manager.get("RC_old").ended, "there is not too much yet"
    studio.recorder.tell(recording.id, "complete", bytes=1000)
    await until(lambda: not (tmp_path / "RC_old").exists(), "the older one is deleted")
    await studio.manager.close()
    assert [one.id for one in studio.manager.of_room("room")] == [recording.id]


async def test_what_cannot_be_deleted_is_logged(tmp_path: Path) -> None:
    folder = keep(tmp_path, "RC_old")
    studio = Studio(tmp_path, recording_days=1)
    await studio.manager.open()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with structlog.testing.capture_logs() as logs:
        await studio.manager.tidy()
    await studio.manager.close()
    told = next(line for line in logs if line["event"] == "recording not deleted")
    assert told["id"] == "RC_old"
    assert "no folder of a recording" in told["reason"]


async def test_live_segments_are_removed_when_a_recording_has_ended(tmp_path: Path) -> None:
    def hls(folder: Path) -> Path:
        segment = folder / "hls" / "segment-00000000.m4s"
        segment.parent.mkdir(parents=True)
        segment.touch()
        return segment

    old = hls(keep(tmp_path, "RC_old"))
    repaired = keep(tmp_path, "RC_1", id="RC_1", state="active", ended_at=None, duration=None)
    left = hls(repaired)
    studio = Studio(tmp_path)
    studio.manager._archive._repairs = OneRepair(repaired)
    await studio.manager.open()
    recording = await studio.start(studio.room(), COMPOSITE)
    new = hls(tmp_path / recording.folder)
    studio.recorder.tell(recording.id, "active")
    assert await studio.manager.path(recording.id, f"hls/{new.name}") == new
    studio.recorder.tell(recording.id, "complete")
    for segment in (old, left, new):
        await until(lambda segment=segment: not segment.parent.exists(), "it is removed")
    await studio.manager.close()
    assert (repaired / "ann-camera.mkv").exists()
