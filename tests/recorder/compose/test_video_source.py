"""Pictures of a track: the nearest one at each time, turned and cut as its tile needs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from recorder.compose.video_source import MAX_FRAMES, VideoSource, View
from recorder.values import EncodedFrame
from tests.recorder.compose.clips import flat, scene, video

BRIGHTNESS = range(40, 220, 6)


def counted(fps: float = 30, start: float = 0.0) -> list[EncodedFrame]:
    """Pictures that can be told apart."""
    return video((flat(64, 48, luma) for luma in BRIGHTNESS), fps=fps, start=start)


def shown(source: VideoSource, time: float, fps: float = 30) -> int:
    """The number of the picture at a time."""
    source.advance(time + 0.5 / fps, 1 / fps)
    view = source.view(64, 48, whole=True)
    assert view is not None
    return round((float(view.planes[0].mean()) - BRIGHTNESS[0]) / BRIGHTNESS.step)


def view_of(frames: list[EncodedFrame], width: int, height: int, *, whole: bool = False) -> View:
    source = VideoSource()
    source.receive(frames)
    source.advance(10.0, 1 / 30)
    view = source.view(width, height, whole=whole)
    assert view is not None
    return view


def test_each_time_has_the_nearest_picture() -> None:
    source = VideoSource()
    source.receive(counted(start=0.01))
    assert [shown(source, n / 30) for n in range(25)] == list(range(25))


@pytest.mark.parametrize("phase", [n / 240 for n in range(8)])
def test_even_pictures_stay_even_however_they_lie_and_jitter(phase: float) -> None:
    rng = np.random.default_rng(1)
    frames = [
        replace(frame, time=frame.time + phase + rng.uniform(-0.0015, 0.0015))
        for frame in counted()
    ]
    source = VideoSource()
    source.receive(frames)
    first = shown(source, 1 / 30)
    numbers = [first, *(shown(source, n / 30) for n in range(2, 26))]
    assert sum(a != b - 1 for a, b in itertools.pairwise(numbers)) <= 1


def test_a_faster_rate_is_thinned_and_a_slower_one_repeated() -> None:
    source = VideoSource()
    source.receive(counted(fps=15))
    assert [shown(source, n / 30) for n in range(1, 20)] == [n // 2 for n in range(1, 20)]
    source = VideoSource()
    source.receive(counted(fps=60))
    assert [shown(source, n / 30) for n in range(10)] == [2 * n for n in range(10)]


def test_nothing_is_shown_before_a_key_frame_or_after_a_broken_one() -> None:
    frames = counted()
    source = VideoSource()
    source.receive(frames[1:5])
    source.advance(1.0, 1 / 30)
    assert source.view(64, 48, whole=True) is None
    assert source.needs_key_frame
    source.receive(frames[:1])
    assert not source.needs_key_frame
    source.advance(1.0, 1 / 30)
    assert source.aspect == 64 / 48
    source.receive([replace(frames[6], data=b"")])
    source.receive([replace(frames[7], data=b"\x00\x01", key_frame=True)])
    source.advance(1.0, 1 / 30)
    assert source.needs_key_frame
    assert source.view(64, 48, whole=True) is not None, "the last picture stays"


def test_what_waits_is_bounded_and_goes_on_at_a_key_frame() -> None:
    frames = counted()
    source = VideoSource()
    source.receive([replace(frames[0], time=n, key_frame=n % 100 == 0) for n in range(MAX_FRAMES)])
    assert not source.needs_key_frame
    source.receive([replace(frames[1], time=2000.0)])
    source.advance(99.0, 1 / 30)
    assert source.view(64, 48, whole=True) is None, "the first hundred were left out"
    source.advance(100.0, 1 / 30)
    assert source.view(64, 48, whole=True) is not None


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_pictures_are_turned_clockwise(turn: int) -> None:
    picture = flat(64, 48, 60)
    picture[:24, :32] = 200  # the upper left quarter is bright
    view = view_of(video([picture], rotation=turn), *((64, 48) if turn % 180 == 0 else (48, 64)))
    luma = view.planes[0]
    quarters = [
        float(part.mean())
        for half in np.array_split(luma, 2)
        for part in np.array_split(half, 2, 1)
    ]
    assert int(np.argmax(quarters)) == {0: 0, 90: 1, 180: 3, 270: 2}[turn]


def test_cameras_are_cut_to_fill_and_keep_their_middle() -> None:
    picture = flat(64, 48, 60)
    picture[20:28] = 200
    view = view_of(video([picture]), 128, 72)
    luma = view.planes[0]
    assert luma.shape == (72, 128)
    assert (view.x, view.y) == (0, 0)
    assert luma[36].mean() > 180
    assert abs(float(luma[:20].mean()) - 60) < 10


def test_shared_screens_are_shown_whole() -> None:
    view = view_of(video([flat(64, 48, 60)]), 128, 72, whole=True)
    assert view.planes[0].shape == (72, 96)
    assert (view.x, view.y) == (16, 0)


def test_upright_cameras_are_shown_whole_in_wide_tiles() -> None:
    view = view_of(video([flat(48, 86, 60)]), 128, 72)
    assert view.planes[0].shape == (72, 40)
    assert (view.x, view.y) == (44, 0)


def test_scaled_pictures_are_what_was_sent() -> None:
    view = view_of(video([scene(320, 180, 0.5)]), 160, 90)
    expected = scene(320, 180, 0.5)[:180].reshape(90, 2, 160, 2).mean(axis=(1, 3))
    error = np.mean((view.planes[0] - expected) ** 2)
    assert 10 * np.log10(255**2 / error) > 35
