"""What is on a composite apart from the moving pictures, drawn again only when it changes."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageOps

from recorder.compose import labels
from recorder.compose.canvas import Canvas, Planes, Sprite, stamp, to_planes, to_sprite

BACKGROUND = "#16181d"
MAX_CACHED = 512  # drawings
_Drawing = TypeVar("_Drawing")


@dataclass(frozen=True, slots=True)
class Cell:
    """A tile as it is drawn.

    Attributes:
        x: Even pixels.
        y: Even pixels.
        width: Even pixels.
        height: Even pixels.
        name: To be shown; empty on a tile that stands for others.
        identity: Whose tile it is.
        video: Whether a picture comes in it.
        silent: Whether the person cannot be heard.
        speaking: Whether the person speaks.
        more: How many others the tile stands for.
    """

    x: int
    y: int
    width: int
    height: int
    name: str = ""
    identity: str = ""
    video: bool = False
    silent: bool = False
    speaking: bool = False
    more: int = 0


class Stage:
    """Background, tiles without a picture, names, rings and corners.

    Args:
        width: Even, pixels.
        height: Even, pixels.
        background: "#rrggbb", or the file of a picture, which is cut to fill everything.

    Raises:
        ValueError: The background is neither.
    """

    def __init__(self, width: int, height: int, background: str | Path) -> None:
        self.canvas = Canvas(width, height)
        self._background = _background(background, width, height)
        self._plate = labels.plate_colour(_mean(self._background))
        self._ground = Canvas(width, height)
        self._ground.paint(to_planes(self._background), 0, 0)
        self._base = Canvas(width, height)
        self._cells: Sequence[Cell] | None = None
        self._over = stamp([], width)
        self._cache: dict[Hashable, object] = {}

    def set(self, cells: Sequence[Cell]) -> None:
        """Show these tiles from now on."""
        if cells == self._cells:
            return
        self._cells = cells
        self._base.copy(self._ground)
        sprites = []
        for cell in cells:
            self._base.paint(self._plain(cell), cell.x, cell.y)
            sprites.append((self._edge(cell), cell.x, cell.y))
            name = self._name(cell)
            if name is not None:
                sprite, height = name
                margin = labels.label_margin(cell.height)
                sprites.append((sprite, cell.x + margin, cell.y + cell.height - margin - height))
        self._over = stamp(sprites, self.canvas.width)

    def draw(self, pictures: Sequence[tuple[Planes, int, int]]) -> Canvas:
        """The whole picture, with moving pictures at their x and y."""
        self.canvas.copy(self._base)
        for planes, x, y in pictures:
            self.canvas.paint(planes, x, y)
        self.canvas.apply(self._over)
        return self.canvas

    def _plain(self, cell: Cell) -> Planes:
        """A tile without a picture."""
        size = (cell.width, cell.height)

        def draw() -> Planes:
            if cell.more:
                return to_planes(labels.more(*size, cell.more, self._plate))
            if cell.video:
                return to_planes(Image.new("RGB", size, self._plate))
            name = labels.legible(cell.name, cell.identity)
            return to_planes(labels.avatar(*size, name, cell.identity, self._plate))

        what = cell.more or cell.video or (cell.name, cell.identity)
        return self._cached(("plain", size, what), draw)

    def _edge(self, cell: Cell) -> Sprite:
        box = (cell.x, cell.y, cell.x + cell.width, cell.y + cell.height)
        draw = labels.ring if cell.speaking else labels.corners
        radius = labels.radius_of(cell.width, cell.height)
        return self._cached(
            ("edge", box, cell.speaking),
            lambda: to_sprite(draw(cell.width, cell.height, radius, self._background.crop(box))),
        )

    def _name(self, cell: Cell) -> tuple[Sprite, int] | None:
        if not cell.name:
            return None

        def draw() -> tuple[Sprite, int] | None:
            name = labels.legible(cell.name, cell.identity)
            image = labels.label(name, cell.width, cell.height, silent=cell.silent)
            return None if image is None else (to_sprite(image), image.height)

        return self._cached(
            ("name", cell.name, cell.identity, cell.width, cell.height, cell.silent), draw
        )

    def _cached(self, key: Hashable, draw: Callable[[], _Drawing]) -> _Drawing:
        found = self._cache.pop(key, None)
        drawing = draw() if found is None else found
        self._cache[key] = drawing  # as the one that was used last
        if len(self._cache) > MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        return drawing  # type: ignore[return-value]


def _background(background: str | Path, width: int, height: int) -> Image.Image:
    if isinstance(background, str):
        return Image.new("RGB", (width, height), labels.parse_colour(background))
    try:
        with Image.open(background) as image:
            return ImageOps.fit(image.convert("RGB"), (width, height))
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{background} is no picture that can be read: {error}.") from error


def _mean(image: Image.Image) -> labels.Colour:
    red, green, blue = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore
    return red, green, blue
