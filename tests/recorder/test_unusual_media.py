"""What publishers do that is not usual: recorded in virtual time, and the files are opened."""

from dataclasses import replace
from pathlib import Path

import pytest

from recorder.files.manifest import Manifest
from recorder.folders import folder_of
from recorder.values import RecordedPacket
from sfu.wire.parameters import OPUS, VP8, VP9
from tests.recorder.files.probe import decode, ffprobe, packets
from tests.recorder.link.orders import order
from tests.recorder.media.packetizer import (
    FPS,
    audio_packets,
    encode_audio,
    encode_video,
    video_packets,
)
from tests.recorder.playing import SID, START, Playing

Units = list[list[RecordedPacket]]
INTERVAL = {"video": 1 / FPS, "audio": 0.02}


def media(kind: str, count: int) -> Units:
    if kind == "video":
        return video_packets(VP8, encode_video(VP8, count))
    return [[packet] for packet in audio_packets(encode_audio(count))]


def changed(units: Units, **fields: object) -> Units:
    return [[replace(packet, **fields) for packet in unit] for unit in units]


def shifted(units: Units, ticks: int) -> Units:
    """With other timestamps, which have 32 bits."""
    return [
        [replace(packet, timestamp=(packet.timestamp + ticks) % 2**32) for packet in unit]
        for unit in units
    ]


def numbered(units: Units, first: int) -> Units:
    """With numbers from this one on."""
    flat = [packet for unit in units for packet in unit]
    return [
        [replace(packet, index=packet.index - flat[0].index + first) for packet in unit]
        for unit in units
    ]


def started(tmp_path: Path, kind: str, first: RecordedPacket, **fields: object) -> Playing:
    playing = Playing(order(tmp_path, **fields))
    playing.add(kind)
    playing.refer(first, START, kind=kind)
    return playing


def files(playing: Playing, manifest: Manifest) -> list[Path]:
    return [folder_of(playing.order) / segment.file for segment in manifest.segments()]


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_track_of_one_packet_is_a_file_that_can_be_played(tmp_path: Path, kind: str) -> None:
    """Of a picture as small as that, for video."""
    units = media(kind, 1)
    if kind == "video":
        units = video_packets(VP8, encode_video(VP8, 1, width=16, height=16))
    assert [len(unit) for unit in units] == [1]
    playing = started(tmp_path, kind, units[0][0])
    playing.play((kind, START, 1.0, units))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    assert ffprobe(path)["nb_read_packets"] == "1"
    assert len(decode(path)) == 1
    assert (manifest.state, manifest.errors, manifest.tracks[0].gaps) == ("complete", [], [])


def test_a_publisher_that_never_sends_a_key_frame_is_asked_and_told_of(tmp_path: Path) -> None:
    video = media("video", 120)
    deltas = [unit for unit in video if not unit[0].key_frame]
    deltas = numbered(deltas, 0)
    playing = started(tmp_path, "video", deltas[0][0])
    playing.play(("video", START, 1 / FPS, deltas))
    manifest = playing.stop()
    assert manifest.state == "complete"
    assert files(playing, manifest) == []
    assert list(folder_of(playing.order).glob("*.mkv")) == []
    assert 4 <= len(playing.wishes) <= 6, "once a second"
    status = playing.recording.status()
    assert (status.state, status.bytes, status.tracks) == ("complete", 0, 1)


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("ticks", [7 << 29, -(1 << 20), 90_000 * 3600], ids=["far", "back", "hour"])
def test_times_go_on_where_timestamps_jump(tmp_path: Path, kind: str, ticks: int) -> None:
    units = media(kind, 90)
    playing = started(tmp_path, kind, units[0][0])
    playing.play((kind, START, INTERVAL[kind], [*units[:40], *shifted(units[40:], ticks)]))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    times = [time for time, _ in packets(path)]
    expected = [number * INTERVAL[kind] for number in range(90)]
    assert times == pytest.approx(expected, abs=0.05)
    assert len(decode(path)) == 90
    assert manifest.segments()[0].duration == pytest.approx(expected[-1], abs=0.05)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_timestamps_wrap(tmp_path: Path, kind: str) -> None:
    units = media(kind, 90)
    ticks = 2**32 - units[45][0].timestamp
    playing = started(tmp_path, kind, shifted(units, ticks)[0][0])
    playing.play((kind, START, INTERVAL[kind], shifted(units, ticks)))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    times = [time for time, _ in packets(path)]
    assert times == pytest.approx([n * INTERVAL[kind] for n in range(90)], abs=0.008)
    sent = [data for data, _ in encode_video(VP8, 90)] if kind == "video" else encode_audio(90)
    assert [data for _, data in packets(path)] == list(sent)
    assert manifest.tracks[0].gaps == []


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_another_ssrc_goes_on_in_the_same_file(tmp_path: Path, kind: str) -> None:
    """As after a reload, and as where another layer is the best one."""
    units = media(kind, 90)
    at = 40 if kind == "audio" else next(n for n in range(40, 90) if units[n][0].key_frame)
    other = shifted(changed(units[at:], ssrc=99), 123_456_789)
    playing = started(tmp_path, kind, units[0][0])
    playing.play((kind, START, INTERVAL[kind], units[:at]))
    playing.refer(other[0][0], START + at * INTERVAL[kind], kind=kind)
    playing.play((kind, START + at * INTERVAL[kind], INTERVAL[kind], numbered(other, 5)))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    assert len(decode(path)) == 90
    times = [time for time, _ in packets(path)]
    assert times == pytest.approx([n * INTERVAL[kind] for n in range(90)], abs=0.02)


def test_silence_that_is_not_sent_is_silence_in_the_file(tmp_path: Path) -> None:
    """Opus DTX: timestamps go on, numbers do too, and 1.5 s have no packet."""
    units = media("audio", 100)
    late = shifted(units[50:], round(1.5 * OPUS.clock_rate))
    playing = started(tmp_path, "audio", units[0][0])
    playing.play(("audio", START, 0.02, units[:50]), ("audio", START + 2.5, 0.02, late))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    times = [time for time, _ in packets(path)]
    expected = [0.02 * n + (1.5 if n >= 50 else 0) for n in range(100)]
    assert times == pytest.approx(expected, abs=0.008)
    assert manifest.tracks[0].gaps == []
    assert manifest.segments()[0].duration == pytest.approx(3.5, abs=0.01)
    assert len(decode(path)) == 100


def test_another_size_goes_on_in_the_same_file(tmp_path: Path) -> None:
    small = video_packets(VP8, encode_video(VP8, 30, width=160, height=120))
    large = media("video", 30)
    later = numbered(shifted(small, 30 * 3000), large[-1][-1].index + 1)
    playing = started(tmp_path, "video", large[0][0])
    playing.play(("video", START, 1 / FPS, [*large, *later]))
    manifest = playing.stop()
    (path,) = files(playing, manifest)
    sizes = [(frame.width, frame.height) for frame in decode(path)]
    assert sizes == [(320, 240)] * 30 + [(160, 120)] * 30
    assert manifest.tracks[0].gaps == []


def test_another_codec_or_another_turn_begins_another_file(tmp_path: Path) -> None:
    first, second = media("video", 30), video_packets(VP9, encode_video(VP9, 30))
    second = numbered(shifted(second, 30 * 3000), first[-1][-1].index + 1)
    third = numbered(shifted(media("video", 30), 60 * 3000), second[-1][-1].index + 1)
    playing = started(tmp_path, "video", first[0][0])
    playing.play(("video", START, 1 / FPS, [*first, *second, *changed(third, rotation=90)]))
    manifest = playing.stop()
    segments = manifest.segments()
    assert [(one.codecs, one.rotation) for one in segments] == [
        (["VP8"], 0),
        (["VP9"], 0),
        (["VP8"], 90),
    ]
    assert [one.start for one in segments] == pytest.approx([0, 1, 2], abs=0.01)
    assert [one.file for one in segments] == [
        "ann-camera.mkv",
        "ann-camera-2.mkv",
        "ann-camera-3.mkv",
    ]
    for path in files(playing, manifest):
        assert len(decode(path)) == 30
    assert manifest.tracks[0].gaps == []
    assert SID["video"] == manifest.tracks[0].sid
