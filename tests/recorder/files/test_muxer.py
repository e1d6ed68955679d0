import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet

from recorder.files.chronicle import Chronicle
from recorder.files.description import StreamInfo, describe
from recorder.files.manifest import Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.muxer import PIECE, Muxer
from recorder.files.recovery import recover
from recorder.values import EncodedFrame, Format, RecordingRequest
from sfu.wire.parameters import VP8
from tests.recorder.files.clips import H264, pictures, sound
from tests.recorder.files.probe import packets

MICROSECOND = Fraction(1, 1_000_000)


class Composite:
    """Pictures and sound in one file, as a composite is written."""

    def __init__(self, path: Path, format: Format) -> None:
        self.muxer = Muxer(path, format)
        clips = (pictures(H264 if format == "mp4" else VP8), sound())
        self.streams = []
        for clip in clips:
            container, template = describe(StreamInfo.of(clip[0]), clip[0])
            with container:
                self.streams.append(
                    self.muxer.container.add_stream_from_template(template, opaque=True)
                )
        order = [(frame.time, number, frame) for number, clip in enumerate(clips) for frame in clip]
        for _, number, frame in sorted(order, key=lambda entry: entry[:2]):
            self.muxer.mux(self.packet(number, frame))

    def packet(self, number: int, frame: EncodedFrame) -> "Packet[Any]":
        packet: Packet[Any] = Packet(frame.data)
        packet.stream = self.streams[number]
        packet.time_base = MICROSECOND
        packet.pts = packet.dts = round(frame.time / MICROSECOND)
        packet.duration = round(frame.duration / MICROSECOND)
        packet.is_keyframe = frame.key_frame
        return packet


def times(path: Path) -> dict[str, list[float]]:
    """Of the packets of each kind."""
    found: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                found[packet.stream.type].append(float(packet.pts * packet.time_base))
    return found


@pytest.mark.parametrize("format", ["mp4", "webm", "mkv"])
def test_a_torn_composite_keeps_pictures_and_sound_in_step(tmp_path: Path, format: Format) -> None:
    path = tmp_path / f"composite.{format}"
    composite = Composite(path, format)
    data = path.read_bytes()
    composite.muxer.close()
    whole = times(path)
    path.write_bytes(data[:-100])
    request = RecordingRequest(mode="composite")
    chronicle = Chronicle.begin("RC_1", "lobby", request, by="ann", time=0)
    assert chronicle.manifest.composite is not None
    chronicle.manifest.composite.segments.append(Segment(path.name, format, ["VP8", "opus"], 0))
    ManifestFile(tmp_path / FILE_NAME).save(chronicle.manifest)

    manifest = recover(tmp_path)

    found = times(path)
    for kind in ("video", "audio"):
        assert found[kind] == pytest.approx(whole[kind][: len(found[kind])], abs=2e-3)
        assert found[kind][-1] == pytest.approx(2 - PIECE, abs=0.2)
    [segment] = manifest.segments()
    assert segment.duration == pytest.approx(2 - PIECE, abs=0.2)
    assert manifest.state == "complete"


@pytest.mark.parametrize("format", ["mp4", "webm", "mkv"])
def test_what_was_written_until_half_a_second_ago_is_in_the_file(
    tmp_path: Path, format: Format
) -> None:
    path = tmp_path / f"composite.{format}"
    composite = Composite(path, format)

    assert composite.muxer.bytes == path.stat().st_size
    assert max(time for time, _ in packets(path)) >= 2 - PIECE - 0.04
    composite.muxer.close()
    assert composite.muxer.bytes == path.stat().st_size


def test_a_file_is_made_safe_only_where_there_is_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    path = tmp_path / "composite.mkv"
    muxer = Composite(path, "mkv").muxer

    muxer.sync()
    muxer.sync()
    assert synced == [str(path)]
    muxer.close()
    assert synced == [str(path)] * 2


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_text("another's")

    with pytest.raises(FileExistsError):
        Muxer(tmp_path / "a.mkv", "mkv")

    assert (tmp_path / "a.mkv").read_text() == "another's"


def test_where_there_is_no_folder_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Muxer(tmp_path / "nowhere" / "a.mkv", "mkv")
