"""Clips: from files of several kinds, from the test picture, from the cache."""

from fractions import Fraction
from pathlib import Path
from struct import unpack_from

import av
import numpy as np
import pytest

from benchmarks.load import clips, encoding
from benchmarks.load.clips import frame_rate, load_clip, origins
from benchmarks.load.media import Clip
from benchmarks.load.model import LoadError, LoadPlan
from benchmarks.load.payloads import VP8_START
from sfu.wire.payload import h264, vp8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(encoding, "LENGTH", 2.0)
    return tmp_path / "cache" / "aiosfu" / "clips"


def plan(**options) -> LoadPlan:
    return LoadPlan("http://127.0.0.1:1", **options)


def write_film(
    path: Path,
    *,
    fps: int,
    seconds: float,
    size: tuple[int, int],
    codec: str = "libx264",
    profile: str = "high",
    sound_codec: str = "aac",
) -> None:
    """A film with a white bar that moves, and a tone."""
    rate = 48000 if sound_codec == "libopus" else 44100
    with av.open(str(path), "w") as container:
        options = {"profile": profile} if codec == "libx264" else {"auto-alt-ref": "0"}
        video = container.add_stream(codec, rate=fps, options=options)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = container.add_stream(sound_codec, rate=rate)
        for number in range(round(fps * seconds)):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            picture[:, number * 7 % size[0] :][:, :40] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = np.sin(np.arange(round(rate * seconds)) / 20).astype(np.float32)
        layout = "flt" if sound_codec == "libopus" else "fltp"
        for start in range(0, len(samples) - 960, 960):
            block = samples[np.newaxis, start : start + 960]
            sound = av.AudioFrame.from_ndarray(block, format=layout, layout="mono")
            sound.sample_rate, sound.pts = rate, start
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


@pytest.mark.parametrize("fps", [15, 24, 60])
def test_a_film_is_played_at_the_frame_rate_that_was_asked_for(tmp_path: Path, fps: int) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, fps=fps, seconds=1.5, size=(320, 240))
    clip = load_clip(plan(clip=str(film), codecs=("vp8", "opus"), fps=30.0))
    (video,) = clip.tracks["vp8"]
    (audio,) = clip.tracks["opus"]
    assert len(video.frames) == pytest.approx(45, abs=3)
    assert len(audio.frames) == pytest.approx(75, abs=6)
    assert [i for i, frame in enumerate(video.frames) if frame.key][:2] == [0, 30]
    assert all(frame.key and len(frame.payloads) == 1 for frame in audio.frames)


def packets_of(film: Path, kind: str) -> list[bytes]:
    """What FFmpeg reads from a file."""
    with av.open(str(film)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_vp8_and_opus_are_played_as_they_are(tmp_path: Path) -> None:
    film = tmp_path / "film.webm"
    write_film(film, fps=25, seconds=2, size=(320, 240), codec="libvpx", sound_codec="libopus")
    asked = plan(clip=str(film), codecs=("vp8", "opus"), fps=25.0)
    assert origins(asked) == {"vp8": "played as it is", "opus": "played as it is"}
    clip = load_clip(asked)
    size = len(VP8_START)
    played = [
        b"".join(payload[size:] for payload in frame.payloads)
        for frame in clip.tracks["vp8"][0].frames
    ]
    assert played == packets_of(film, "video")
    sound = [frame.payloads[0][3:] for frame in clip.tracks["opus"][0].frames]
    assert sound == [packet[1:] for packet in packets_of(film, "audio")]


def test_baseline_h264_is_played_as_it_is_and_aac_encoded(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, fps=25, seconds=2, size=(320, 240), profile="baseline")
    asked = plan(clip=str(film), codecs=("h264", "opus"), fps=25.0)
    assert origins(asked) == {"h264": "played as it is", "opus": "encoded anew"}
    frames = load_clip(asked).tracks["h264"][0].frames
    in_file = packets_of(film, "video")
    assert len(frames) == len(in_file) == 50
    for frame, packet in zip(frames, in_file, strict=True):
        # Key frames have got parameter sets in front, of which the file has one copy.
        slices = [payload for payload in frame.payloads if payload[0] & 0x1F != h264.STAP_A]
        assert slices
        assert all(each[2:] in packet for each in slices)
        assert (
            (len(slices) < len(frame.payloads)) == frame.key == h264.is_key_frame(frame.payloads[0])
        )
    assert frames[0].key


@pytest.mark.parametrize(
    "changes",
    [
        {"fps": 30.0},
        {"bitrate": 200_000},
        {"simulcast": True},
        {"codecs": ("vp8",)},
    ],
)
def test_what_is_wanted_otherwise_is_encoded_anew(tmp_path: Path, changes) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, fps=25, seconds=1, size=(320, 240), profile="baseline")
    asked = plan(**{"clip": str(film), "codecs": ("h264",), "fps": 25.0, **changes})
    assert set(origins(asked).values()) == {"encoded anew"}
    assert load_clip(asked).tracks[asked.codecs[0]][0].frames[0].key


def test_pictures_in_another_order_than_shown_are_encoded_anew(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    write_film(film, fps=25, seconds=1, size=(320, 240), profile="main")  # with B frames
    assert origins(plan(clip=str(film), codecs=("h264",), fps=25.0)) == {"h264": "encoded anew"}


def test_frame_rate_is_the_files(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    write_film(film, fps=24, seconds=1, size=(64, 64))
    assert frame_rate(plan(clip=str(film))) == pytest.approx(24)
    with pytest.raises(LoadError, match=r"nothing\.mkv"):
        frame_rate(plan(clip=str(tmp_path / "nothing.mkv")))


def test_large_films_are_made_smaller(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    write_film(film, fps=5, seconds=0.6, size=(1600, 1200))
    clip = load_clip(plan(clip=str(film), codecs=("vp8",), fps=5.0))
    head = clip.tracks["vp8"][0].frames[0].payloads[0][len(VP8_START) + 6 :]  # RFC 6386 9.1
    assert unpack_from("<HH", head) == (960, 720)


def test_what_was_encoded_once_is_read_from_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_clip(plan(codecs=("h264",)))
    (file,) = cache.iterdir()
    monkeypatch.setattr(clips, "_encode", lambda *_: pytest.fail("encoded again"))
    assert load_clip(plan(codecs=("h264",))) == first
    assert load_clip(plan(codecs=("h264",), packet_size=600)) != first  # only cut anew
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    monkeypatch.setattr(encoding, "LENGTH", 2.0)
    file.write_bytes(file.read_bytes()[:1000])
    assert load_clip(plan(codecs=("h264",))) == first
    assert len(file.read_bytes()) > 1000


def test_other_settings_are_other_clips(cache: Path) -> None:
    load_clip(plan(codecs=("h264",)))
    load_clip(plan(codecs=("h264",), bitrate=300_000))
    load_clip(plan(codecs=("h264",), fps=15.0))
    assert len(list(cache.iterdir())) == 3


def test_simulcast_has_three_encodings_of_rising_bitrate() -> None:
    clip = load_clip(plan(codecs=("vp8",), simulcast=True))
    encodings = clip.tracks["vp8"]
    assert [encoding.rid for encoding in encodings] == ["q", "h", "f"]
    sizes = [
        sum(len(payload) for frame in encoding.frames for payload in frame.payloads)
        for encoding in encodings
    ]
    assert sizes == sorted(sizes)
    assert sizes[2] > 5 * sizes[0]
    assert {len(encoding.frames) for encoding in encodings} == {60}


def test_bitrate_is_about_what_was_asked_for() -> None:
    (video,) = load_clip(plan(codecs=("h264",), bitrate=2_000_000)).tracks["h264"]
    octets = sum(len(payload) for frame in video.frames for payload in frame.payloads)
    assert octets * 8 / 2.0 == pytest.approx(2_000_000, rel=0.3)


@pytest.mark.parametrize(
    ("name", "content"), [("notes.txt", b"no film"), ("empty.mp4", b""), ("gone.mp4", None)]
)
def test_what_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, name, content) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoadError, match=name) as caught:
        load_clip(plan(clip=str(path)))
    assert str(caught.value).endswith(".")


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    film = tmp_path / "silent.mp4"
    with av.open(str(film), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(video.encode(None))
    with pytest.raises(LoadError, match="has no sound"):
        load_clip(plan(clip=str(film), codecs=("opus",)))


@pytest.mark.parametrize("codec", ["vp8", "h264", "opus"])
@pytest.mark.parametrize("packets", [1, 40])
def test_synthetic_packets_have_exactly_the_size_asked_for(codec: str, packets: int) -> None:
    clip = Clip.synthetic([codec], packets_per_frame=packets, packet_size=1100)
    (encoding_,) = clip.tracks[codec]
    for frame in encoding_.frames[:3]:
        sizes = [12 + len(payload) for payload in frame.payloads]
        sizes[-1] += 8  # the stamp
        assert sizes == [1100] * (1 if codec == "opus" else packets)
    if codec != "opus":
        is_key_frame = vp8.is_key_frame if codec == "vp8" else h264.is_key_frame
        keys = [is_key_frame(frame.payloads[0]) for frame in encoding_.frames]
        assert keys == [frame.key for frame in encoding_.frames] == [True] + [False] * 299
        assert encoding_.next_key_frame(5) == 0
