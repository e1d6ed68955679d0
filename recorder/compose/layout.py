"""Where the tiles of a composite go: pure geometry, in even pixels.

grid      tiles of equal size, as large as they can be
speaker   a share or else the dominant speaker large, the others in a strip
screen    a share large, the people beside it; without one, a grid
audio     nothing
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recorder.values import Layout

MAX_TILES = 48
WIDEST = 16 / 9  # what cameras send
TALLEST = 4 / 3  # taller tiles would cut off too much of a camera's picture
TALLEST_UPRIGHT = 1.15  # of the large tile of an upright picture: half of that would be empty
SMALLEST = 64  # pixels of width; below that nobody is recognized
STRIPS = (0.2, 0.16, 0.13)  # widths of a strip beside, parts of the whole: as wide as all fit
ROWS = (0.3, 0.22, 0.18)  # of a tile in a strip below, where the picture is upright


@dataclass(frozen=True, slots=True)
class Tile:
    """What wants a place.

    Attributes:
        key: Tells it apart from the others.
        share: Whether it is a shared screen.
        video: Whether there is a picture, not only a name.
    """

    key: str
    share: bool = False
    video: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A tile's place; without a tile, the place that tells how many have found none."""

    tile: Tile | None
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Area:
    x: float
    y: float
    width: float
    height: float


def arrange(
    layout: Layout, tiles: Sequence[Tile], width: int, height: int, *, focus: str | None = None
) -> list[Placed]:
    """Give tiles their places.

    Args:
        layout: How.
        tiles: In the order in which they are to be shown.
        width: Of the whole picture, pixels.
        height: Of the whole picture, pixels.
        focus: Key of the dominant speaker's tile.
    """
    if layout == "audio" or not tiles:
        return []
    gap = gap_of(width, height)
    area = _Area(gap, gap, width - 2 * gap, height - 2 * gap)
    main = _main(layout, tiles, focus)
    if main is None or len(tiles) == 1:
        return _grid(tiles, area, gap, focus)
    others = [tile for tile in tiles if tile is not main]
    return _large_and_strip(main, others, area, gap, focus)


def gap_of(width: int, height: int) -> int:
    """Pixels between tiles, and around all."""
    return _even(max(2, min(width, height) / 60))


def fit(aspect: float, placed: Placed) -> Placed:
    """The largest part of a place that has this ratio of width to height, in its middle."""
    width = min(placed.width, placed.height * aspect)
    height = width / aspect
    x = placed.x + (placed.width - width) / 2
    return _place(placed.tile, x, placed.y + (placed.height - height) / 2, width, height)


def _main(layout: Layout, tiles: Sequence[Tile], focus: str | None) -> Tile | None:
    if layout == "grid":
        return None
    share = next((tile for tile in tiles if tile.share), None)
    if share is not None or layout == "screen":
        return share
    dominant = next((tile for tile in tiles if tile.key == focus), None)
    seen = next((tile for tile in tiles if tile.video), None)
    return dominant or seen or tiles[0]


def _grid(tiles: Sequence[Tile], area: _Area, gap: int, focus: str | None) -> list[Placed]:
    room = int(area.width // SMALLEST) * int(area.height // (SMALLEST / WIDEST))
    shown = _choose(tiles, max(1, min(MAX_TILES, room)), focus)
    count = len(shown)
    best, columns = (0.0, 0.0), 1
    for candidate in range(1, count + 1):
        size = _tile_size(area, gap, candidate, -(-count // candidate))
        if size[0] * size[1] > best[0] * best[1]:
            best, columns = size, candidate
    width, height = best
    rows = -(-count // columns)
    top = _begin(area.y, area.height, rows, height, gap)
    placed = []
    for row in range(rows):
        line = shown[row * columns : (row + 1) * columns]
        left = _begin(area.x, area.width, len(line), width, gap)
        for column, tile in enumerate(line):
            x, y = left + column * (width + gap), top + row * (height + gap)
            placed.append(_place(tile, x, y, width, height))
    return placed


def _tile_size(area: _Area, gap: int, columns: int, rows: int) -> tuple[float, float]:
    cell = (area.width - (columns - 1) * gap) / columns
    height = max(0.0, (area.height - (rows - 1) * gap) / rows)
    width = min(cell, height * WIDEST)
    return width, min(height, width / TALLEST)


def _large_and_strip(
    main: Tile, others: Sequence[Tile], area: _Area, gap: int, focus: str | None
) -> list[Placed]:
    """The main tile, and the others in a column right of it, or in a row below it."""
    beside = area.width >= area.height
    fractions = STRIPS if beside else ROWS
    width, count = 0.0, 0
    for fraction in fractions:
        width = area.width * fraction
        pitch = (width / WIDEST if beside else width) + gap
        count = max(1, int(((area.height if beside else area.width) + gap) // pitch))
        if count >= len(others):
            break
    height = width / WIDEST
    shown = _choose(others, count, focus)
    if beside:
        large = _main_size(main, area.width - width - gap, area.height, TALLEST)
        left = area.x + (area.width - large[0] - gap - width) / 2
        at = (left, area.y + (area.height - large[1]) / 2)
        x, y = left + large[0] + gap, _begin(area.y, area.height, len(shown), height, gap)
        step = (0.0, height + gap)
    else:
        large = _main_size(main, area.width, area.height - height - gap, TALLEST_UPRIGHT)
        top = area.y + (area.height - large[1] - gap - height) / 2
        at = (area.x + (area.width - large[0]) / 2, top)
        x, y = _begin(area.x, area.width, len(shown), width, gap), top + large[1] + gap
        step = (width + gap, 0.0)
    return [
        _place(main, *at, *large),
        *(
            _place(tile, x + index * step[0], y + index * step[1], width, height)
            for index, tile in enumerate(shown)
        ),
    ]


def _main_size(main: Tile, width: float, height: float, tallest: float) -> tuple[float, float]:
    """Of the large tile: a screen may have any shape."""
    if main.share:
        return width, height
    width = min(width, height * WIDEST)
    return width, min(height, width / tallest)


def _begin(start: float, length: float, count: int, size: float, gap: int) -> float:
    """Where a row begins that is to be in the middle."""
    return start + (length - count * size - (count - 1) * gap) / 2


def _choose(tiles: Sequence[Tile], count: int, focus: str | None) -> list[Tile | None]:
    """As many as there are places: those with a picture first; the last place tells of the rest."""
    if len(tiles) <= count:
        return list(tiles)
    wanted = sorted(tiles, key=lambda tile: (not tile.share, tile.key != focus, not tile.video))
    kept = {tile.key for tile in wanted[: count - 1]}
    return [*(tile for tile in tiles if tile.key in kept), None]


def _place(tile: Tile | None, x: float, y: float, width: float, height: float) -> Placed:
    return Placed(tile, _even(x), _even(y), max(2, _even(width)), max(2, _even(height)))


def _even(pixels: float) -> int:
    return int(pixels + 1e-6) // 2 * 2
