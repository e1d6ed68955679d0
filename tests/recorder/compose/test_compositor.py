"""Composites: tiles show their tracks, people come and go, and nothing is slow to be seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recorder.compose.compositor import STALE, Compositor
from recorder.compose.layout import Tile, arrange
from recorder.values import EncodedFrame, Layout, ParticipantInfo, TrackInfo
from tests.recorder.compose.clips import audio, flat, psnr, scene, tone, video

WIDTH, HEIGHT = 640, 360
BACKGROUND = 22  # luma of #16181d is about 36


@contextmanager
def composing(layout: Layout = "grid", **options: object) -> Iterator[Compositor]:
    compositor = Compositor(layout, WIDTH, HEIGHT, 30, threads=2, **options)  # type: ignore[arg-type]
    try:
        yield compositor
    finally:
        compositor.close()


def join(compositor: Compositor, identity: str, *sources: str, time: float = 0.0) -> None:
    compositor.add_participant(ParticipantInfo(f"PA_{identity}", identity), time=time)
    for source in sources:
        kind = "audio" if source == "microphone" else "video"
        info = TrackInfo(f"{identity}-{source}", f"PA_{identity}", identity, kind, source)  # type: ignore[arg-type]
        compositor.add_track(info, time=time)


def luma(compositor: Compositor, time: float) -> np.ndarray:
    return compositor.render(time).to_ndarray(format="yuv420p")[:HEIGHT].astype(int)


def colour(*shade: int, seconds: float = 1.0, start: float = 0.0) -> list[EncodedFrame]:
    """A picture of one colour, now and then."""
    return video((flat(160, 90, *shade) for _ in range(round(seconds * 10))), fps=10, start=start)


def middle(picture: np.ndarray, place: int, count: int, layout: Layout = "grid") -> float:
    """Luma in the middle of a tile, above the name."""
    placed = arrange(layout, [Tile(str(n)) for n in range(count)], WIDTH, HEIGHT)[place]
    y, x = placed.y + placed.height // 2, placed.x + placed.width // 2
    return float(picture[y - 4 : y + 4, x - 4 : x + 4].mean())


def test_tiles_show_their_tracks() -> None:
    with composing() as compositor:
        for phase, identity in enumerate(("ann", "bob", "cid", "dan")):
            join(compositor, identity, "camera")
            compositor.receive(f"{identity}-camera", video([scene(640, 360, phase)]))
        picture = compositor.render(0.0).to_ndarray(format="yuv420p")[:HEIGHT]
        for phase, place in enumerate(arrange("grid", [Tile(str(n)) for n in range(4)], 640, 360)):
            tile = picture[place.y : place.y + place.height, place.x : place.x + place.width]
            rows = (np.arange(place.height) + 0.5) * 360 / place.height
            columns = (np.arange(place.width) + 0.5) * 640 / place.width
            expected = scene(640, 360, phase)[rows.astype(int)][:, columns.astype(int)]
            inner = np.s_[10:120, 10:-10]  # without corners and name
            assert psnr(tile[inner], expected[inner]) > 32


def test_people_come_go_and_switch_their_cameras_off() -> None:
    with composing() as compositor:
        join(compositor, "ann", "camera")
        join(compositor, "bob", "camera", time=1.0)
        compositor.receive("ann-camera", colour(200, seconds=5))
        compositor.receive("bob-camera", colour(90, start=1.0, seconds=4))
        compositor.set_muted("ann-camera", True, time=2.0)
        compositor.remove_participant("PA_bob", time=3.0)
        assert abs(middle(luma(compositor, 0.5), 0, 1) - 200) < 4
        both = luma(compositor, 1.5)
        assert abs(middle(both, 0, 2) - 200) < 4
        assert abs(middle(both, 1, 2) - 90) < 4
        muted = luma(compositor, 2.5)
        assert abs(middle(muted, 0, 2) - 200) > 20, "an avatar"
        assert abs(middle(muted, 1, 2) - 90) < 4
        alone = luma(compositor, 3.5)
        assert alone[HEIGHT // 2, WIDTH - 40] == alone[HEIGHT // 2, 40], "one avatar's plate"


def test_a_camera_that_stands_still_for_long_is_off() -> None:
    with composing() as compositor:
        join(compositor, "ann", "camera")
        compositor.receive("ann-camera", colour(200, seconds=0.1))
        assert abs(middle(luma(compositor, STALE - 0.1), 0, 1) - 200) < 4
        assert abs(middle(luma(compositor, STALE + 0.1), 0, 1) - 200) > 20


def test_a_shared_screen_stands_still_as_long_as_it_likes() -> None:
    with composing("screen") as compositor:
        join(compositor, "ann", "screen_share")
        compositor.receive("ann-screen_share", colour(200, seconds=0.1))
        assert abs(middle(luma(compositor, 100.0), 0, 1) - 200) < 4


def test_the_speaker_is_large_and_has_a_ring() -> None:
    with composing("speaker") as compositor:
        for identity, shade in (("ann", 200), ("bob", 90)):
            join(compositor, identity, "camera", "microphone")
            compositor.receive(f"{identity}-camera", colour(shade, seconds=2))
        compositor.set_speakers(["bob"], time=0.5)
        assert abs(luma(compositor, 0.4)[180, 200] - 200) < 4
        frame = compositor.render(0.6)
        assert abs(int(frame.to_ndarray(format="yuv420p")[180, 200]) - 90) < 4
        red, green, blue = frame.to_ndarray(format="rgb24")[180, 8].astype(int)
        assert green > red + 50, "a green ring"
        assert green > blue + 30


def test_pictures_change_size_in_mid_stream() -> None:
    with composing() as compositor:
        join(compositor, "ann", "camera")
        compositor.receive("ann-camera", colour(200))
        assert abs(middle(luma(compositor, 0.9), 0, 1) - 200) < 4
        compositor.receive("ann-camera", video([flat(320, 240, 90)], start=1.0))
        assert abs(middle(luma(compositor, 1.0), 0, 1) - 90) < 4


def test_key_frames_are_wished_for_where_nothing_can_be_shown() -> None:
    with composing() as compositor:
        join(compositor, "ann", "camera", "microphone")
        join(compositor, "bob", "camera")
        compositor.receive("bob-camera", colour(90))
        compositor.receive("ann-camera", colour(200)[1:])
        compositor.render(0.5)
        assert compositor.take_key_frame_wishes() == ["ann-camera"]
        compositor.receive("ann-camera", colour(200, start=1.0))
        assert compositor.take_key_frame_wishes() == []


def test_forty_eight_people_are_all_seen() -> None:
    frames = colour(200, seconds=0.2)
    with composing() as compositor:
        for number in range(48):
            join(compositor, f"p{number}", "camera")
            compositor.receive(f"p{number}-camera", frames)
        picture = luma(compositor, 0.1)
        assert all(abs(middle(picture, place, 48) - 200) < 6 for place in range(48))
        for number in range(48, 60):
            join(compositor, f"p{number}", "camera")
        compositor.render(0.2)


def test_background_may_be_a_colour_or_a_picture(tmp_path: Path) -> None:
    with composing(background="#ffffff") as compositor:
        assert luma(compositor, 0.0).min() > 230
    path = tmp_path / "wall.png"
    Image.new("RGB", (300, 300), (255, 255, 255)).save(path)
    with composing(background=path) as compositor:
        assert luma(compositor, 0.0).min() > 230
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no picture"):
        Compositor(background=path)
    with pytest.raises(ValueError, match="no colour"):
        Compositor(background="blue")


@pytest.mark.parametrize("size", [(641, 360, 30), (640, 32, 30), (640, 360, 0), (9000, 360, 30)])
def test_what_cannot_be_is_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be composed"):
        Compositor("grid", *size)


def test_sound_is_mixed_to_its_end_and_a_break_begins_anew() -> None:
    with composing("audio") as compositor:
        join(compositor, "ann", "microphone")
        compositor.receive("ann-microphone", audio(tone(440, 1)))
        compositor.remove_track("ann-microphone", time=0.9)
        pieces = [compositor.mix(n * 0.02, 960) for n in range(60)]
        assert [piece.pts for piece in pieces] == [960 * n for n in range(60)]
        levels = [float(np.abs(piece.to_ndarray()).max()) for piece in pieces]
        assert min(levels[2:49]) > 0.35
        assert max(levels[51:]) == 0
        assert compositor.mix(5.0, 960).pts == 0


def test_frames_of_unknown_tracks_are_left_out() -> None:
    with composing() as compositor:
        compositor.receive("nobody", [replace(frame) for frame in colour(200)])
        compositor.render(0.0)
