import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.files import chronicle as chronicles
from recorder.files import manifest as manifests
from recorder.files.chronicle import Chronicle
from recorder.files.manifest import Manifest, Segment, Span
from recorder.files.manifest_file import FILE_NAME, MAX_BYTES, ManifestError, ManifestFile
from recorder.values import ParticipantInfo, RecordingRequest, TrackInfo
from sfu.config import Config

STARTED = 1_767_225_630.25
ANN = ParticipantInfo("PA_1", "ann", "Ann")
CAMERA = TrackInfo("TR_1", "PA_1", "ann", "video", "camera", "front")
PROTOCOL = (Path(__file__).parents[3] / "PROTOCOL.md").read_text()
DOCUMENTED = PROTOCOL.partition("\n## Recordings: manifest.json\n")[2].partition("\n## ")[0]


def begin(**request: Any) -> Chronicle:
    return Chronicle.begin("RC_1", "lobby", RecordingRequest(**request), by="ann", time=STARTED)


def test_a_call_is_told() -> None:
    chronicle = begin()
    chronicle.add_participant(ANN, time=STARTED - 60)
    track = chronicle.add_track(CAMERA, time=STARTED - 50)
    chronicle.set_muted("TR_1", True, time=STARTED + 1)
    chronicle.set_muted("TR_1", True, time=STARTED + 2)
    chronicle.set_muted("TR_1", False, time=STARTED + 3)
    chronicle.set_muted("TR_1", False, time=STARTED + 4)
    chronicle.note_gap("TR_1", STARTED + 5, STARTED + 5.5)
    chronicle.set_speakers(["ann", "bob"], time=STARTED + 6)
    chronicle.add_message("ann", "chat", "Hello", time=STARTED + 7)
    chronicle.remove_track("TR_1", time=STARTED + 8)
    chronicle.remove_participant("PA_1", time=STARTED + 9)
    chronicle.finish("stopped", time=STARTED + 10)
    chronicle.end("complete")

    told = chronicle.manifest
    assert (told.started, told.ended) == (
        "2026-01-01T00:00:30.250+00:00",
        "2026-01-01T00:00:40.250+00:00",
    )
    assert (told.state, told.duration, told.end_reason) == ("complete", 10, "stopped")
    assert told.tracks == [track]
    assert track is not None
    assert track.published == Span(0, 8)
    assert track.mutes == [Span(1, 3)]
    assert track.gaps == [Span(5, 5.5)]
    assert told.participants[0].present == Span(0, 9)
    assert msgspec.to_builtins(told.speakers) == [{"time": 6, "identities": ["ann", "bob"]}]
    assert told.messages[0].text == "Hello"


def test_the_end_is_the_end_of_all_that_goes_on() -> None:
    chronicle = begin()
    chronicle.add_participant(ANN, time=STARTED)
    chronicle.add_track(msgspec.structs.replace(CAMERA, muted=True), time=STARTED + 1)

    chronicle.finish("room_ended", time=STARTED + 5)

    assert chronicle.manifest.participants[0].present == Span(0, 5)
    assert chronicle.manifest.tracks[0].published == Span(1, 5)
    assert chronicle.manifest.tracks[0].mutes == [Span(1, 5)]


def test_the_last_name_is_kept() -> None:
    chronicle = begin()
    chronicle.add_participant(ANN, time=STARTED)
    chronicle.add_participant(msgspec.structs.replace(ANN, name="Anna"), time=STARTED + 5)
    (kept,) = chronicle.manifest.participants
    assert (kept.name, kept.present) == ("Anna", Span(0))


def test_after_a_restart_the_same_people_and_tracks_go_on() -> None:
    first = begin()
    first.add_participant(ANN, time=STARTED)
    first.add_track(CAMERA, time=STARTED)

    second = Chronicle(msgspec.json.decode(msgspec.json.encode(first.manifest), type=Manifest))
    second.add_participant(ANN, time=STARTED + 10)
    track = second.add_track(CAMERA, time=STARTED + 10)
    second.remove_track("TR_1", time=STARTED + 12)

    assert len(second.manifest.participants) == 1
    assert second.manifest.tracks == [track]
    assert second.manifest.tracks[0].published == Span(0, 12)


def test_what_nobody_has_heard_of_is_no_news() -> None:
    chronicle = begin()
    before = msgspec.json.encode(chronicle.manifest)

    chronicle.remove_participant("PA_9", time=STARTED)
    chronicle.remove_track("TR_9", time=STARTED)
    chronicle.set_muted("TR_9", True, time=STARTED)
    chronicle.note_gap("TR_9", STARTED, STARTED)

    assert msgspec.json.encode(chronicle.manifest) == before


def test_errors_that_repeat_are_told_once() -> None:
    chronicle = begin()
    for _ in range(3):
        chronicle.add_error("The disk is slow.")

    assert chronicle.manifest.errors == ["The disk is slow."]


def test_nothing_that_people_do_makes_it_larger_than_can_be_read() -> None:
    name = "\x01" * Config().max_name_size  # takes six bytes each in JSON
    chronicle = begin()
    for number in range(5_001):
        sid = f"TR_{number}"
        chronicle.add_participant(ParticipantInfo(f"PA_{number}", name, name), time=STARTED)
        info = TrackInfo(sid, f"PA_{number}", name, "video", "camera", name)
        chronicle.add_track(info, time=STARTED)
        chronicle.add_message(name, name, "\x01" * 10_000, time=STARTED)
    for _ in range(20_001):
        chronicle.set_speakers([name] * 20, time=STARTED)
    for _ in range(1_001):
        chronicle.note_gap("TR_0", STARTED, STARTED)
        chronicle.set_muted("TR_0", True, time=STARTED)
        chronicle.set_muted("TR_0", False, time=STARTED)

    told = chronicle.manifest
    assert len(msgspec.json.format(msgspec.json.encode(told), indent=2)) < MAX_BYTES
    assert told.left_out > 10_000
    assert len(told.participants) == len(told.tracks) == 5_000


def test_without_news_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    chronicle, file = begin(), ManifestFile(path)
    file.save(chronicle.manifest)
    first = path.stat()
    file.save(chronicle.manifest)
    assert path.stat().st_ino == first.st_ino
    chronicle.add_error("something new")
    file.save(chronicle.manifest)
    assert path.stat().st_ino != first.st_ino
    assert file.load().errors == ["something new"]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    chronicle = begin(mode="composite", layout="speaker")
    chronicle.add_participant(ANN, time=STARTED)
    track = chronicle.add_track(CAMERA, time=STARTED)
    assert track is not None
    track.segments.append(Segment("a/ü.mkv", "mkv", ["VP8"], 0.5))
    file = ManifestFile(tmp_path / FILE_NAME)

    file.save(chronicle.manifest)

    assert file.load() == chronicle.manifest
    assert file.load().composite == manifests.Composite("speaker", 1280, 720, 30)
    chronicle.finish("stopped", time=STARTED)
    chronicle.end("complete")
    file.save(chronicle.manifest)
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version"),
        ({"state": "lost"}, "state"),
        ({"tracks": [{}]}, "missing required field"),
        ({"room": None}, "room"),
        ({"tracks": [{"segments": [{"file": "../x"}]}]}, "missing|no file in"),
    ],
)
def test_what_is_no_manifest_is_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    whole = msgspec.to_builtins(begin().manifest) | change
    (tmp_path / FILE_NAME).write_bytes(msgspec.json.encode(whole))

    with pytest.raises(ManifestError, match=reason):
        ManifestFile(tmp_path / FILE_NAME).load()


@pytest.mark.parametrize("name", ["../a.mkv", "/a.mkv", "a/../../b.mkv", "", "."])
def test_files_outside_of_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no file in the recording's folder"):
        Segment(name, "mkv", ["VP8"], 0)


def test_a_manifest_may_not_be_huge(tmp_path: Path) -> None:
    with (tmp_path / FILE_NAME).open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    with pytest.raises(ManifestError, match="more than 64 MiB"):
        ManifestFile(tmp_path / FILE_NAME).load()


SAVING = """
import sys
from pathlib import Path
from recorder.files.chronicle import Chronicle
from recorder.files.manifest_file import ManifestFile
from recorder.values import RecordingRequest

file = ManifestFile(Path(sys.argv[1]))
chronicle = Chronicle.begin("RC_1", "lobby", RecordingRequest(), by="", time=0)
for number in range(10_000):
    chronicle.add_message("ann", "chat", "x" * 100, time=number)
    file.save(chronicle.manifest)
    print(number, flush=True)
"""


def test_a_process_that_is_killed_leaves_a_whole_manifest(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    for lines in (1, 17, 60):
        with subprocess.Popen(
            [sys.executable, "-c", SAVING, str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        ) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
        assert len(ManifestFile(path).load().messages) >= lines


def test_the_documented_example_is_a_manifest(tmp_path: Path) -> None:
    [example] = re.findall(r"```jsonc\n(.*?)```", DOCUMENTED, re.DOTALL)
    decoded = msgspec.json.decode(example, type=Manifest)

    assert msgspec.to_builtins(decoded) == msgspec.json.decode(example)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("The recording", manifests.Manifest),
        ("Participants of a recording", manifests.Participant),
        ("Tracks of a recording", manifests.Track),
        ("Files of a recording", manifests.Segment),
        ("A composite", manifests.Composite),
    ],
)
def test_every_field_is_documented(title: str, kind: type) -> None:
    text = DOCUMENTED.partition(f"\n### {title}\n")[2].partition("\n### ")[0]
    names = [
        name
        for heads in re.findall(r"^- ((?:`\w+`(?:, )?)+):", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", heads)
    ]
    assert sorted(names) == sorted(kind.__struct_fields__)


def test_the_documented_bounds_are_those_of_the_lists() -> None:
    assert (
        f"({chronicles.MAX_SPANS:,} of each track, {chronicles.MAX_SPEAKERS:,} `speakers`, "
        f"{chronicles.MAX_MESSAGES:,} of all others; {chronicles.MAX_BYTES >> 20} MiB in all)"
    ) in DOCUMENTED
    assert f"{chronicles.MAX_TEXT:,} characters" in DOCUMENTED
