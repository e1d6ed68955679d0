"""Composing afterwards: sound and picture in step, the room as it was, clear errors."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recorder.cli import compose as command
from recorder.compose.offline import ComposeError, Options, compose
from recorder.files.manifest import Span
from recorder.values import EncodedFrame, Format
from tests.recorder.compose.clips import (
    RATE,
    Picture,
    Recording,
    audio,
    flat,
    pictures_of,
    sound_of,
    tone,
    video,
)

SMALL = Options("grid", 320, 180, 30)


def quietly(_seconds: float, _total: float) -> None:
    """Show nothing."""


def flashes(seconds: int, fps: int = 30) -> list[Picture]:
    """White for a tenth of a second at each whole second."""
    return [flat(160, 90, 230 if n % fps < fps // 10 else 40) for n in range(seconds * fps)]


def beeps(seconds: int) -> np.ndarray:
    """A tone for a tenth of a second at each whole second."""
    sound = tone(1000, seconds)
    sound[np.arange(len(sound)) % RATE >= RATE // 10] = 0
    return sound


def offsets(path: Path, seconds: int) -> list[float]:
    """By how much each beep is later than its flash, seconds."""
    pictures = [
        (time, float(picture[60:100, 120:200].mean())) for time, picture in pictures_of(path)
    ]
    bright = [
        time
        for (time, new), (_, old) in zip(pictures[1:], pictures, strict=False)
        if new > 150 > old
    ]
    if pictures[0][1] > 150:
        bright.insert(0, pictures[0][0])
    start, sound = sound_of(path)
    loud = np.flatnonzero(np.abs(sound[:, 0]) > 0.1)
    edges = [loud[0], *(b for a, b in itertools.pairwise(loud) if b - a > RATE // 2)]
    assert len(bright) == len(edges) == seconds
    return [start + edge / RATE - time for edge, time in zip(edges, bright, strict=True)]


@pytest.mark.parametrize("tracks", ["mkv", "webm"])
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_beeps_and_flashes_are_in_step(tmp_path: Path, tracks: Format, suffix: str) -> None:
    recording = Recording(tmp_path / "room", 4.0)
    recording.add_person("ann", "Ann")
    recording.add_track("ann", "camera", video(flashes(4)), format=tracks)
    recording.add_track("ann", "microphone", audio(beeps(4)), format=tracks)
    target = tmp_path / f"out.{suffix}"
    result = compose(recording.save(), target, SMALL, quietly)
    assert result.duration == 4.0
    assert result.bytes == target.stat().st_size
    assert max(map(abs, offsets(target, 4))) < 0.02
    assert len(pictures_of(target)) == 120


def test_tracks_that_begin_later_are_in_step_too(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 4.0)
    recording.add_person("ann")
    recording.add_track("ann", "camera", video(flashes(3), start=1.01))
    recording.add_track("ann", "microphone", audio(beeps(4)[RATE // 2 :], start=0.51))
    compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)
    assert max(map(abs, offsets(tmp_path / "out.mp4", 3))) < 0.02


def test_the_room_is_shown_as_it_was(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 3.0)
    recording.add_person("ann")
    recording.add_person("bob", present=Span(1.0, 2.0))
    white = [flat(160, 90, 230)] * 90
    recording.add_track("ann", "camera", video(white), mutes=[Span(2.5)])
    recording.add_track("bob", "camera", video(white[:30], start=1.0), published=Span(1.0, 2.0))
    compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)
    width = {
        round(time * 30): int((picture[90, :320] > 200).sum())
        for time, picture in pictures_of(tmp_path / "out.mp4")
    }
    assert width[20] > 280, "alone: one large tile"
    left = pictures_of(tmp_path / "out.mp4")[45][1][90, :320]
    assert (left[100] > 200, left[159] > 200, left[220] > 200) == (True, False, True)
    assert width[70] > 280
    assert width[80] < 100, "camera off"


def test_sound_alone(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    recording.add_track("ann", "microphone", audio(tone(440, 1)))
    compose(recording.save(), tmp_path / "out.mp4", Options("audio"), quietly)
    _, sound = sound_of(tmp_path / "out.mp4")
    assert abs(len(sound) - RATE) <= 1024
    assert np.abs(sound).max() > 0.3


def test_lost_files_are_told(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    recording.add_track("ann", "microphone", audio(tone(440, 1)))
    recording.add_track("bob", "microphone", audio(tone(440, 1))).unlink()
    assert compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly).missing == (
        "bob-microphone.mkv",
    )


def test_cut_files_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 2.0)
    path = recording.add_track("ann", "camera", video([flat(160, 90, 230)] * 60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)
    assert len(pictures_of(tmp_path / "out.mp4")) == 60


def test_an_empty_recording_is_told(tmp_path: Path) -> None:
    folder = Recording(tmp_path / "room", 5.0).save()
    with pytest.raises(ComposeError, match="no track was recorded"):
        compose(folder, tmp_path / "out.mp4", SMALL, quietly)
    assert [path.name for path in tmp_path.iterdir()] == ["room"]


def test_a_track_without_a_key_frame_is_no_picture(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    frames = video([flat(160, 90, 230)] * 10)
    path = recording.add_track("ann", "camera", frames)
    other = Recording(tmp_path / "other", 1.0)
    junk = [EncodedFrame(b"\x00" * 50, f.time, f.codec, f.key_frame, 0, 160, 90) for f in frames]
    shutil.copy(other.add_track("ann", "camera", junk), path)
    compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)
    assert len(pictures_of(tmp_path / "out.mp4")) == 30


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "active"}, "has not ended"),
        ({"mode": "composite"}, "a composite already"),
    ],
)
def test_recordings_that_cannot_be_composed(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    for name, value in change.items():
        setattr(recording.manifest, name, value)
    with pytest.raises(ComposeError, match=words):
        compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)


def test_files_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    path = recording.add_track("ann", "microphone", audio(tone(440, 1)))
    path.rename(tmp_path / "secret.mkv")
    recording.manifest.tracks[0].segments[0].file = "../secret.mkv"
    with pytest.raises(ComposeError, match="no file in the recording"):
        compose(recording.save(), tmp_path / "out.mp4", SMALL, quietly)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_command_composes_and_tells_how_fast(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "room", 1.0)
    recording.add_track("ann", "microphone", audio(tone(440, 1)))
    arguments = (recording.save(), "-o", tmp_path / "out.mp4", "--size", "320x180")
    code, output = run(*arguments)
    assert code == 0
    assert "0:00:01" in output
    assert "times as fast as real time" in output
    code, output = run(*arguments)
    assert code == 2
    assert "--overwrite" in output
    assert run(*arguments, "--overwrite", "--quiet") == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "x.avi"), "must end in"),
        (("-o", "x.mp4", "--size", "big"), "no size"),
        (("-o", "x.mp4", "--size", "641x360"), "must be even"),
        (("-o", "x.mp4", "--fps", "100"), "frames per second"),
        (("-o", "x.mp4", "--background", "blue"), "neither a colour"),
        (("-o", "x.mp4", "--background", "#12"), "no colour"),
        (("-o", "x.webm", "--video-codec", "h264"), "does not go into"),
        (("-o", "nowhere/x.mp4"), "no folder"),
        (("-o", "x.mp4"), "no recording"),
    ],
)
def test_command_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "#12" in arguments:
        recording = Recording(tmp_path / "room", 1.0)
        recording.add_track("ann", "microphone", audio(tone(440, 1)))
        recording.save()
    (tmp_path / "room").mkdir(exist_ok=True)
    code, output = run("room", *arguments)
    assert code in (1, 2)
    assert words in output
