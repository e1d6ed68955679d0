import errno
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from random import Random

import pytest

from recorder.files import torn_file
from recorder.files.chronicle import Chronicle
from recorder.files.hashing import hash_file
from recorder.files.manifest import Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.muxer import PIECE
from recorder.files.recovery import MARGIN, SUFFIX, find_unfinished, recover
from recorder.files.track_writer import TrackWriter
from recorder.values import EncodedFrame, Format, ParticipantInfo, RecordingRequest, TrackInfo
from sfu.wire.parameters import AV1, OPUS, VP8, VP9, Codec
from tests.recorder.files.clips import FPS, H264, moved, pictures, sound, turned
from tests.recorder.files.probe import decode, ffprobe, packets

STARTED = 1_700_000_000.0
CLIPS = {
    "VP8": pictures(VP8, noise=40),
    "VP9": pictures(VP9),
    "AV1": pictures(AV1),
    "H264": pictures(H264),
    "opus": sound(),
}
CASES: list[tuple[str, Format]] = [
    *(("VP8", "mkv"), ("AV1", "mkv"), ("H264", "mkv"), ("opus", "mkv")),
    *(("VP9", "webm"), ("H264", "mp4"), ("opus", "mp4")),
]


class Torn:
    """A recording whose recorder is dead."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.chronicle = Chronicle.begin(
            "RC_1", "lobby", RecordingRequest(), by="ann", time=STARTED
        )
        self.chronicle.add_participant(ParticipantInfo("PA_1", "ann"), time=STARTED)
        self.file = ManifestFile(folder / FILE_NAME)

    def write(self, frames: Sequence[EncodedFrame], format: Format = "mkv") -> Path:
        """Write a track, of which the file is as it is when its writer is killed."""
        sid = f"TR_{len(self.chronicle.manifest.tracks)}"
        info = TrackInfo(sid, "PA_1", "ann", frames[0].codec.kind, "unknown")
        track = self.chronicle.add_track(info, time=frames[0].time)
        assert track is not None
        writer = TrackWriter(
            self.folder,
            PurePosixPath(sid),
            format=format,
            started_at=STARTED,
            segments=track.segments,
            recording="RC_1",
            track=info,
        )
        assert all(writer.write(frame) for frame in frames)
        self.file.save(self.chronicle.manifest)
        path = self.folder / track.segments[0].file
        data = path.read_bytes()
        writer.close()
        path.write_bytes(data)
        return path


@pytest.mark.parametrize(("clip", "format"), CASES)
def test_a_file_that_is_cut_anywhere_keeps_what_is_before(
    tmp_path: Path, clip: str, format: Format
) -> None:
    frames = turned(moved(CLIPS[clip], STARTED + 2), 90 if clip != "opus" else 0)
    path = Torn(tmp_path / "whole").write(frames, format)
    data, all_packets = path.read_bytes(), packets(path)
    lost = len(frames) - len(all_packets)
    assert (
        0 <= lost / len(frames) <= PIECE / 2 + 0.02
    )  # of two seconds; the last piece was not written
    picker = Random(1)

    kept = []
    for cut in sorted(picker.randrange(1, len(data)) for _ in range(12)):
        torn = Torn(tmp_path / f"cut-{cut}")
        path = torn.write(frames, format)
        path.write_bytes(data[:cut])

        manifest = recover(torn.folder)

        if not manifest.segments():
            kept.append(0)
            continue
        found = packets(path)
        assert found == all_packets[: len(found)]
        assert ffprobe(path)
        assert len(decode(path)) == len(found)
        [segment] = manifest.segments()
        assert segment.start == 2
        assert segment.duration == pytest.approx(found[-1][0], abs=0.05)
        assert segment.bytes == path.stat().st_size
        assert segment.sha256 == hash_file(path)
        kept.append(len(found))
    assert kept == sorted(kept)
    assert kept[-1] > len(frames) / 2


@pytest.mark.parametrize("format", ["mkv", "mp4"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_disk_that_fails_for_a_moment_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Format, share: float
) -> None:
    frames = moved(CLIPS["H264"], STARTED + 2)
    torn = Torn(tmp_path)
    path = torn.write(frames, format)
    data, expected = path.read_bytes(), packets(path)

    class Failing(io.FileIO):
        def read(self, size: int = -1) -> bytes | None:
            if self.tell() + size > share * len(data):
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    with monkeypatch.context() as failing:
        failing.setattr(torn_file, "open", lambda path, *_, **__: Failing(path), raising=False)
        with pytest.raises(OSError, match="Input/output error"):
            recover(torn.folder)
    assert path.read_bytes() == data
    assert not torn.file.load().has_ended

    recover(torn.folder)
    assert packets(path) == expected


@pytest.mark.parametrize("format", ["mkv", "mp4"])
@pytest.mark.parametrize("codec", [H264, OPUS], ids=lambda codec: codec.name)
def test_a_killed_writer_costs_the_last_half_second_at_most(
    tmp_path: Path, codec: Codec, format: Format
) -> None:
    clip = CLIPS[codec.name]
    picker = Random(codec.name + format)
    for attempt in range(3):  # with all cases: twelve moments
        torn = Torn(tmp_path / str(attempt))
        sure = write_until_killed(torn, clip, format, frames=picker.randrange(30, 300))

        manifest = recover(torn.folder)

        [segment] = manifest.segments()
        found = packets(torn.folder / segment.file)
        assert [data for _, data in found] == bare(clip, len(found), format)
        length = 1 / FPS if codec is H264 else 0.02
        assert len(found) * length >= sure * length - PIECE - 2 * length
        assert segment.duration == pytest.approx(len(found) * length, abs=0.05)
        assert manifest.state == "complete"
        assert manifest.recovered
        assert manifest.end_reason == "interrupted"
        assert manifest.duration == pytest.approx(segment.start + segment.duration)
        assert manifest.ended_at == pytest.approx(STARTED + manifest.duration)
        assert manifest.participants[0].present.end == manifest.duration
        assert list(find_unfinished(tmp_path)) == []


@pytest.mark.parametrize("format", ["mkv", "webm", "mp4"])
def test_files_that_no_manifest_tells_of_are_adopted(tmp_path: Path, format: Format) -> None:
    torn = Torn(tmp_path)
    clip = CLIPS["VP9"]
    torn.write(moved(clip, STARTED), format)
    told = torn.file.load()
    later = torn.write(moved(clip, STARTED + 5), format)  # of a track that came just before
    ManifestFile(tmp_path / FILE_NAME).save(told)
    for name, other in (("not-ours.mkv", later.read_bytes()), (f"other.{format}", b"")):
        (tmp_path / name).write_bytes(other)

    manifest = recover(tmp_path)

    assert [track.sid for track in manifest.tracks] == ["TR_0", "TR_1"]
    assert [track.identity for track in manifest.tracks] == ["ann", "ann"]
    assert [track.published.start for track in manifest.tracks] == [0, 5]
    first, adopted = manifest.segments()
    assert adopted.file == later.name
    assert (adopted.start, adopted.codecs) == (5, ["VP9"])
    assert (adopted.width, adopted.height) == (320, 180)
    assert adopted.duration == first.duration == pytest.approx(1.6, abs=0.15)
    assert adopted.sha256 == hash_file(later)
    assert manifest.duration == pytest.approx(5 + adopted.duration)
    assert (manifest.state, manifest.errors) == ("complete", [])


def test_a_new_file_of_a_track_that_is_known_takes_its_place(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    torn.write(turned(moved(CLIPS["VP8"], STARTED), 0))
    told = torn.file.load()
    track = torn.chronicle.manifest.tracks[0]
    writer = TrackWriter(
        tmp_path,
        PurePosixPath("TR_0"),
        format="mkv",
        started_at=STARTED,
        segments=track.segments,
        recording="RC_1",
        track=TrackInfo("TR_0", "PA_1", "ann", "video", "unknown"),
    )
    for frame in moved(CLIPS["VP8"], STARTED + 3):
        writer.write(frame)
    ManifestFile(tmp_path / FILE_NAME).save(told)

    (track,) = recover(tmp_path).tracks

    assert [(one.file, one.start) for one in track.segments] == [("TR_0.mkv", 0), ("TR_0-2.mkv", 3)]
    writer.close()


@pytest.mark.parametrize("format", ["mkv", "webm", "mp4"])
def test_a_file_that_was_only_opened_is_none(tmp_path: Path, format: Format) -> None:
    torn = Torn(tmp_path)
    path = torn.write(moved(CLIPS["VP9"][:1], STARTED), format)

    manifest = recover(tmp_path)

    assert manifest.segments() == []
    assert not path.exists()
    assert (manifest.state, manifest.errors) == ("complete", [])


def test_what_is_recovered_is_left_as_it_is(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    path = torn.write(moved(CLIPS["VP8"], STARTED))
    first = recover(tmp_path)
    before = path.stat()

    assert recover(tmp_path) == first
    assert path.stat() == before


def test_files_that_were_finished_are_not_touched(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    finished = torn.write(moved(CLIPS["opus"], STARTED))
    torn.chronicle.manifest.tracks[0].segments[0].sha256 = "0" * 64
    torn.write(moved(CLIPS["VP8"], STARTED))
    data = finished.read_bytes()

    manifest = recover(tmp_path)

    assert finished.read_bytes() == data
    assert manifest.tracks[0].segments[0].sha256 == "0" * 64


def test_a_recovery_that_was_interrupted_begins_again(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    path = torn.write(moved(CLIPS["VP8"], STARTED))
    path.with_name(path.name + SUFFIX).write_bytes(path.read_bytes()[:1000])

    manifest = recover(tmp_path)

    assert manifest.segments()[0].duration == pytest.approx(1.6, abs=0.1)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([FILE_NAME, path.name])


def test_files_in_which_nothing_is_are_no_files(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    torn.write(moved(CLIPS["VP8"], STARTED))
    empty = torn.write(moved(CLIPS["opus"], STARTED))
    empty.write_bytes(b"")
    missing = torn.write(moved(CLIPS["opus"], STARTED))
    missing.unlink()

    manifest = recover(tmp_path)

    assert [len(track.segments) for track in manifest.tracks] == [1, 0, 0]
    assert not empty.exists()
    assert manifest.state == "complete"
    assert manifest.errors == []


def test_a_recording_of_which_nothing_can_be_read_has_failed(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    path = torn.write(moved(CLIPS["VP8"], STARTED))
    path.write_bytes(Random(1).randbytes(10_000))

    manifest = recover(tmp_path)

    assert manifest.state == "failed"
    assert path.exists()
    [error] = manifest.errors
    assert error.startswith(f"{path.name} cannot be read: ")
    assert str(tmp_path) not in error


def test_a_hole_that_a_power_cut_left_costs_what_is_behind_it(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    path = torn.write(moved(CLIPS["VP8"], STARTED))
    whole = packets(path)
    data = bytearray(path.read_bytes())
    hole = len(data) // 2
    data[hole : hole + 4096] = bytes(4096)
    path.write_bytes(data)

    manifest = recover(tmp_path)

    found = packets(path)
    damaged = [number for number, packet in enumerate(found) if packet not in whole]
    assert len(found) - len(damaged) > len(whole) / 3
    assert manifest.state == "complete"
    assert ffprobe(path)


def test_a_recording_without_tracks_is_complete(tmp_path: Path) -> None:
    torn = Torn(tmp_path)
    torn.chronicle.set_speakers(["ann"], time=STARTED + 3)
    torn.file.save(torn.chronicle.manifest)

    manifest = recover(tmp_path)

    assert manifest.state == "complete"
    assert manifest.duration == 3


def test_unfinished_recordings_are_found_wherever_they_are(tmp_path: Path) -> None:
    torn = Torn(tmp_path / "lobby/2026/RC_1")
    torn.file.save(torn.chronicle.manifest)
    ended = Torn(tmp_path / "lobby/2026/RC_2")
    ended.chronicle.finish("stopped", time=STARTED)
    ended.chronicle.end("complete")
    ended.file.save(ended.chronicle.manifest)
    for number, other in enumerate(("not JSON", "[]", "{}", '{"state": 1}')):
        folder = tmp_path / f"other-{number}"
        folder.mkdir()
        (folder / FILE_NAME).write_text(other)
    hidden = Torn(tmp_path / ".trash/RC_3")
    hidden.file.save(hidden.chronicle.manifest)

    assert list(find_unfinished(tmp_path)) == [tmp_path / "lobby/2026/RC_1"]
    assert list(find_unfinished(tmp_path / "not there")) == []


def test_without_space_for_a_second_file_the_torn_one_is_kept(small_disk: Path) -> None:
    torn = Torn(small_disk)
    path = torn.write(moved(CLIPS["VP8"], STARTED))
    data, count = path.read_bytes(), len(packets(path))
    fill(small_disk, leave=len(data) // 2 + MARGIN)

    manifest = recover(small_disk)

    assert path.read_bytes() == data
    [segment] = manifest.segments()
    assert segment.duration == pytest.approx(count / FPS, abs=0.05)
    assert segment.sha256 == hash_file(path)
    assert manifest.state == "complete"
    assert manifest.errors == [f"{path.name} was not repaired: no space left"]


def write_until_killed(
    torn: Torn, clip: Sequence[EncodedFrame], format: Format, *, frames: int
) -> int:
    """Have a process write a track until it is killed; return how many frames it was sure of."""
    info = TrackInfo("TR_1", "PA_1", "ann", clip[0].codec.kind, "unknown")
    track = torn.chronicle.add_track(info, time=STARTED)
    assert track is not None
    name, start = "killed", 0.0
    track.segments.append(
        Segment(f"{name}.{format}", format, [clip[0].codec.name], start)  # as it was saved last
    )
    torn.file.save(torn.chronicle.manifest)
    job = torn.folder / "job"
    job.write_bytes(pickle.dumps((clip, torn.folder, name, format, STARTED)))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.recorder.files.writing_process", str(job)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        assert len(process.stdout.read(frames)) == frames  # a byte for each
        process.kill()
        written = frames + len(process.stdout.read())
    job.unlink()
    return written


def bare(clip: Sequence[EncodedFrame], count: int, format: Format) -> list[bytes]:
    """Payloads of this many frames, as the container has them."""
    data = [clip[number % len(clip)].data for number in range(count)]
    if clip[0].codec.name != "H264":
        return data
    return [b"".join(len(unit).to_bytes(4, "big") + unit for unit in units(one)) for one in data]


def units(annex_b: bytes) -> list[bytes]:
    return [unit for unit in re.split(b"\0\0\0?\1", annex_b) if unit]


def fill(disk: Path, *, leave: int) -> None:
    """Have others take the space of a disk."""
    size = shutil.disk_usage(disk).free - leave
    with (disk / "others").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
