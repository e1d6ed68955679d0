"""Layouts: everyone gets a place, tiles are even, apart, and as large as they can be."""

import pytest

from recorder.compose.layout import MAX_TILES, TALLEST, WIDEST, Placed, Tile, arrange, fit, gap_of
from recorder.values import Layout

SIZES = [(1280, 720), (1920, 1080), (720, 1280), (640, 480), (64, 64), (4096, 720)]


def people(count: int) -> list[Tile]:
    return [Tile(f"p{number}") for number in range(count)]


def check(placed: list[Placed], width: int, height: int) -> None:
    for one in placed:
        assert {one.x % 2, one.y % 2, one.width % 2, one.height % 2} == {0}
        assert one.width >= 2
        assert one.height >= 2
        assert one.x >= 0
        assert one.y >= 0
        assert one.x + one.width <= width
        assert one.y + one.height <= height
    for index, one in enumerate(placed):
        for other in placed[:index]:
            apart = (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
            )
            assert apart, (one, other)


@pytest.mark.parametrize("layout", ["grid", "speaker", "screen"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_tiles_stay_inside_and_apart(layout: Layout, width: int, height: int) -> None:
    for count in range(1, MAX_TILES + 4):
        check(arrange(layout, people(count), width, height, focus="p0"), width, height)
        shared = [Tile("screen", share=True), *people(count)]
        check(arrange(layout, shared, width, height), width, height)


@pytest.mark.parametrize("count", range(1, MAX_TILES + 1))
def test_grid_shows_all_in_equal_tiles_of_a_cameras_shape(count: int) -> None:
    placed = arrange("grid", people(count), 1280, 720)
    assert [one.tile for one in placed] == people(count)
    assert len({(one.width, one.height) for one in placed}) == 1
    assert TALLEST * 0.95 < placed[0].width / placed[0].height < WIDEST * 1.05
    # A third of the picture at least is people, even with three, for whom there is no good grid.
    assert sum(one.width * one.height for one in placed) > 1280 * 720 / 3


def test_four_people_fill_a_grid_of_two_by_two() -> None:
    placed = arrange("grid", people(4), 1280, 720)
    assert len({one.x for one in placed}) == len({one.y for one in placed}) == 2
    assert placed[0].height + placed[2].height + 3 * gap_of(1280, 720) == 720


def test_last_row_is_centred() -> None:
    placed = arrange("grid", people(3), 1280, 720)
    assert abs(placed[2].x + placed[2].width / 2 - 640) <= 2


def test_who_does_not_fit_is_counted_in_the_last_place() -> None:
    seen = [Tile(f"p{number}", video=number >= 30) for number in range(60)]
    placed = arrange("grid", seen, 1280, 720, focus="p3")
    assert len(placed) == MAX_TILES
    assert placed[-1].tile is None
    shown = {one.tile.key for one in placed if one.tile}
    assert {f"p{number}" for number in range(30, 60)} <= shown, "cameras come first"
    assert "p3" in shown, "so does who speaks"


def test_dominant_speaker_is_large() -> None:
    placed = arrange("speaker", people(5), 1280, 720, focus="p2")
    assert placed[0].tile == Tile("p2")
    largest = placed[0].width * placed[0].height
    assert all(one.width * one.height < largest / 5 for one in placed[1:])
    assert [one.tile.key for one in placed[1:] if one.tile] == ["p0", "p1", "p3", "p4"]


def test_before_anyone_speaks_a_camera_is_large() -> None:
    tiles = [Tile("off", video=False), Tile("on")]
    assert arrange("speaker", tiles, 1280, 720)[0].tile == tiles[1]


@pytest.mark.parametrize("layout", ["screen", "speaker"])
def test_shared_screen_is_large_and_people_are_beside_it(layout: Layout) -> None:
    tiles = [Tile("screen", share=True), *people(4)]
    placed = arrange(layout, tiles, 1280, 720, focus="p2")
    assert placed[0].tile == tiles[0]
    assert placed[0].width > 0.75 * 1280
    assert all(one.x > placed[0].x + placed[0].width for one in placed[1:])


def test_upright_pictures_have_people_below() -> None:
    placed = arrange("speaker", people(4), 720, 1280, focus="p0")
    assert all(one.y > placed[0].y + placed[0].height for one in placed[1:])


def test_without_a_shared_screen_screen_is_a_grid() -> None:
    assert arrange("screen", people(5), 1280, 720) == arrange("grid", people(5), 1280, 720)


def test_sound_alone_and_empty_rooms_have_no_tiles() -> None:
    assert arrange("audio", people(3), 1280, 720) == []
    assert arrange("grid", [], 1280, 720) == []


def test_fit_keeps_the_shape_and_the_middle() -> None:
    assert fit(2.0, Placed(None, 10, 20, 100, 100)) == Placed(None, 10, 44, 100, 50)
    assert fit(0.5, Placed(None, 10, 20, 100, 100)) == Placed(None, 34, 20, 50, 100)
