"""Encoders: what they make is what its name says, and goes into several files at once."""

import shutil
from pathlib import Path
from typing import get_args

import av
import pytest

from recorder.compose.encoded import EncodedPacket
from recorder.compose.encoder import AudioCodec, CompositeEncoder, VideoCodec, VideoSettings
from recorder.compose.mixer import Mixer
from recorder.files.muxer import PIECE, Muxer
from recorder.values import Format
from tests.recorder.compose.clips import pictures_of, psnr, scene, sound_of


def encode(encoder: CompositeEncoder, seconds: float) -> list[EncodedPacket]:
    packets, mixer = [], Mixer(0)
    if encoder.streams.video is not None:
        for number in range(round(seconds * 30)):
            picture = av.VideoFrame.from_ndarray(scene(320, 180, number / 30), format="yuv420p")
            packets += encoder.encode_video(picture, number, key_frame=number == 20)
    for _ in range(round(seconds * 48000 / encoder.audio_samples)):
        packets += encoder.encode_audio(mixer.mix([], encoder.audio_samples))
    return packets + encoder.flush()


def write(encoder: CompositeEncoder, packets: list[EncodedPacket], path: Path, to: Format) -> None:
    muxer = Muxer(path, to)
    streams = encoder.streams.add_to(muxer.container)
    for packet in sorted(packets, key=lambda packet: packet.time):
        muxer.mux(packet.for_stream(streams[packet.kind]))
    muxer.close()


@pytest.mark.parametrize(
    ("video", "audio", "to"),
    [("h264", "aac", "mp4"), ("vp8", "opus", "webm"), ("vp9", "opus", "webm")],
)
@pytest.mark.parametrize("live", [False, True])
def test_files_hold_what_was_encoded(
    tmp_path: Path, video: VideoCodec, audio: AudioCodec, to: Format, live: bool
) -> None:
    encoder = CompositeEncoder(VideoSettings(320, 180, 30, video, live=live), audio)
    packets = encode(encoder, 1.5)
    assert encoder.streams.codecs == (video, audio)
    for copy in ("one", "other"):  # one encoding, two files
        write(encoder, packets, tmp_path / copy, to)
        pictures = pictures_of(tmp_path / copy)
        assert [round(time * 30) for time, _ in pictures] == list(range(45))
        assert psnr(pictures[40][1], scene(320, 180, 40 / 30)) > 33
        start, sound = sound_of(tmp_path / copy)
        assert abs(start) < 0.03
        assert abs(len(sound) / 48000 - 1.5) < 0.06


def test_key_frames_come_when_asked_for_and_every_two_seconds() -> None:
    encoder = CompositeEncoder(VideoSettings(320, 180, 30, live=True))
    keys = [p.pts for p in encode(encoder, 3) if p.kind == "video" and p.key_frame]
    assert keys == [0, 20, 80]


@pytest.mark.parametrize("codec", get_args(VideoCodec))
@pytest.mark.parametrize("fps", [5, 30])
def test_live_pictures_come_out_at_once(codec: VideoCodec, fps: int) -> None:
    encoder = CompositeEncoder(VideoSettings(320, 180, fps, codec, live=True))
    for number in range(5):
        picture = av.VideoFrame.from_ndarray(scene(320, 180, number / fps), format="yuv420p")
        assert [packet.pts for packet in encoder.encode_video(picture, number)] == [number]


@pytest.mark.parametrize("to", ["mp4", "mkv"])
def test_seldom_pictures_do_not_hold_back_sound(tmp_path: Path, to: Format) -> None:
    """A kill just before the next picture costs no more than the last piece."""
    encoder, mixer = CompositeEncoder(VideoSettings(320, 180, 1, live=True)), Mixer(0)
    picture = av.VideoFrame.from_ndarray(scene(320, 180, 0), format="yuv420p")
    packets = [packet for number in range(4) for packet in encoder.encode_video(picture, number)]
    for _ in range(round(3.95 * 48000 / encoder.audio_samples)):
        packets += encoder.encode_audio(mixer.mix([], encoder.audio_samples))
    muxer = Muxer(tmp_path / "a", to)
    streams = encoder.streams.add_to(muxer.container)
    for packet in sorted(packets, key=lambda packet: packet.time):
        muxer.mux(packet.for_stream(streams[packet.kind]))
    shutil.copy(tmp_path / "a", tmp_path / "torn")
    muxer.close()
    with av.open(tmp_path / "torn") as container:
        times = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None]
    assert times[-1] > 3.95 - 2 * PIECE + 0.2


def test_colours_are_declared(tmp_path: Path) -> None:
    encoder = CompositeEncoder(VideoSettings(320, 180, 30))
    write(encoder, encode(encoder, 0.5), tmp_path / "a.mp4", "mp4")
    with av.open(tmp_path / "a.mp4") as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (6, 1), "BT.601, limited"


def test_sound_alone(tmp_path: Path) -> None:
    encoder = CompositeEncoder(None)
    write(encoder, encode(encoder, 1), tmp_path / "a.mp4", "mp4")
    with av.open(tmp_path / "a.mp4") as container:
        assert [stream.type for stream in container.streams] == ["audio"]
