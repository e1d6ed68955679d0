"""What is in the folder, opened by FFmpeg as players do."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import pytest

from recorder.live.hls import KEPT, MASTER, PLAYLIST, WINDOW, HlsConnection
from recorder.live.output import OutputError
from tests.recorder.live.composites import FPS, Composite, encode_composite

START = 1_700_000_000.25  # Unix seconds


def write(folder: Path, composite: Composite, *, finish: bool = True) -> None:
    connection = HlsConnection(folder, composite.streams, start=START)
    for packet in composite.packets:
        connection.write(packet)
    connection.close(finish=finish)


def tags(folder: Path, name: str) -> list[str]:
    pattern = rf"#{name}:?(.*)"
    return re.findall(pattern, (folder / PLAYLIST).read_text())


def test_ffprobe_reads_it(tmp_path: Path, composite: Composite) -> None:
    write(tmp_path, composite)
    what = "stream=codec_name,nb_read_frames,width"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", what, "-of", "csv=p=0"]
    done = subprocess.run(
        [*command, str(tmp_path / MASTER)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert f"h264,320,{composite.frames}" in done.stdout
    assert "aac" in done.stdout


def test_segments_are_two_seconds_and_begin_with_key_frames(
    tmp_path: Path, composite: Composite
) -> None:
    write(tmp_path, composite)
    durations = [float(value.rstrip(",")) for value in tags(tmp_path, "EXTINF")]
    assert durations == pytest.approx([2.0, 2.0], abs=0.1)
    assert tags(tmp_path, "EXT-X-PROGRAM-DATE-TIME") == ["2023-11-14T22:13:20.250Z"]
    assert tags(tmp_path, "EXT-X-ENDLIST") == [""]
    init = (tmp_path / "init-0.mp4").read_bytes()
    segments = sorted(tmp_path.glob("*.m4s"))
    for segment in segments:
        whole = tmp_path / "whole.mp4"
        whole.write_bytes(init + segment.read_bytes())
        with av.open(str(whole)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        assert packets[0].is_keyframe
        assert len(packets) == 2 * FPS


def test_codecs_are_told(tmp_path: Path, composite: Composite) -> None:
    write(tmp_path, composite)
    master = (tmp_path / MASTER).read_text()
    assert re.search(r'CODECS="avc1\.64[0-9A-F]{4},mp4a\.40\.2",RESOLUTION=320x180', master)


def test_only_the_last_segments_are_kept(tmp_path: Path) -> None:
    number = WINDOW + KEPT + 3
    write(tmp_path, encode_composite(2.0 * number), finish=False)
    # The last one is not whole: it was not finished.
    assert tags(tmp_path, "EXT-X-MEDIA-SEQUENCE") == [str(number - 1 - WINDOW)]
    assert len(tags(tmp_path, "EXTINF")) == WINDOW
    assert len(list(tmp_path.glob("*.m4s"))) == WINDOW + KEPT
    assert tags(tmp_path, "EXT-X-ENDLIST") == []
    first = tags(tmp_path, "EXT-X-PROGRAM-DATE-TIME")
    assert first == ["2023-11-14T22:13:34.250Z"]  # seven segments later


def test_the_target_duration_does_not_change_by_a_pause(
    tmp_path: Path, composite: Composite
) -> None:
    pause = [
        replace(
            packet,
            pts=packet.pts + round(20 / packet.time_base),
            dts=packet.dts + round(20 / packet.time_base),
        )
        for packet in composite.packets
    ]
    connection = HlsConnection(tmp_path, composite.streams, start=START)
    targets = []
    for packet in [*composite.packets, *pause]:
        connection.write(packet)
        if (tmp_path / PLAYLIST).exists():
            targets += tags(tmp_path, "EXT-X-TARGETDURATION")
    connection.close(finish=True)
    (target,) = set(targets)
    durations = [float(value.rstrip(",")) for value in tags(tmp_path, "EXTINF")]
    assert len(durations) == 4
    assert round(max(durations)) <= int(target)


def test_another_connection_goes_on_after_a_discontinuity(
    tmp_path: Path, composite: Composite
) -> None:
    write(tmp_path, composite, finish=False)
    before = {path.name for path in tmp_path.glob("*.m4s")}
    write(tmp_path, composite)
    names = re.findall(r"segment-.*", (tmp_path / PLAYLIST).read_text())
    assert not before & set(names)
    assert tags(tmp_path, "EXT-X-MEDIA-SEQUENCE") == [str(len(before))]
    assert tags(tmp_path, "EXT-X-DISCONTINUITY") != []
    assert tags(tmp_path, "EXT-X-MAP") == ['URI="init-1.mp4"']


def test_sound_alone(tmp_path: Path) -> None:
    write(tmp_path, encode_composite(7, video=None))
    durations = [float(value.rstrip(",")) for value in tags(tmp_path, "EXTINF")]
    assert sum(durations) == pytest.approx(7, abs=0.1)
    assert all(duration < 2.2 for duration in durations)
    with av.open(str(tmp_path / MASTER)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 48000 == pytest.approx(7, abs=0.1)


def test_vp9_and_opus(tmp_path: Path) -> None:
    clip = encode_composite(2, video="vp9", audio="opus")
    write(tmp_path, clip)
    assert 'CODECS="vp09.00.41.08,opus"' in (tmp_path / MASTER).read_text()
    with av.open(str(tmp_path / MASTER)) as container:
        assert sum(1 for _ in container.decode(video=0)) == clip.frames


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, composite: Composite) -> None:
    (tmp_path / "hls").write_text("a file")
    with pytest.raises(OutputError, match="HLS cannot be written: File exists"):
        HlsConnection(tmp_path / "hls", composite.streams, start=START)


def test_a_disk_that_fails_later_is_told(tmp_path: Path, composite: Composite) -> None:
    connection = HlsConnection(tmp_path / "hls", composite.streams, start=START)
    (tmp_path / "hls").rmdir()

    def write_all() -> None:
        for packet in composite.packets:
            connection.write(packet)

    with pytest.raises(OutputError, match="HLS cannot be written: No such file"):
        write_all()
    connection.close(finish=False)
