"""A picture as YUV planes, and the little pictures that are stamped on it.

All in BT.601, limited range, which is what WebRTC sends where it says nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]  # Y, and U and V with half the width and height
Weights = NDArray[np.uint16]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture with transparency, as what it does to each pixel that it touches.

    Attributes:
        rows: For Y, U and V: rows of the pixels, from the sprite's top.
        columns: Their columns.
        keep: Parts of 256 that stay of what is there.
        add: 256 times what is added.
    """

    rows: tuple[Positions, ...]
    columns: tuple[Positions, ...]
    keep: tuple[Weights, ...]
    add: tuple[Weights, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Many sprites at their places on one canvas, as one operation."""

    positions: tuple[Positions, ...]
    keep: tuple[Weights, ...]
    add: tuple[Weights, ...]


def planes_of(frame: av.VideoFrame) -> Planes:
    """Views of a yuv420p frame's planes; they live as long as one of them does."""
    luma, first, second = map(_view, frame.planes)
    return luma, first, second


def to_planes(image: Image.Image) -> Planes:
    """A picture of even size without its transparency."""
    frame = av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24")
    return planes_of(
        frame.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
    )


def to_sprite(image: Image.Image) -> Sprite:
    """A picture of even size with transparency ("RGBA")."""
    alpha = np.asarray(image.getchannel("A"), np.uint32)
    luma, *chroma = (plane.astype(np.uint32) for plane in to_planes(image))
    layers = [_layer(alpha, luma * alpha)]
    # The colour of a chroma pixel is that of its four pixels, as far as they can be seen.
    quarter = _sum4(alpha)
    layers += [_layer(quarter // 4, plane * quarter // 4) for plane in chroma]
    rows, columns, keep, add = zip(*layers, strict=True)
    return Sprite(rows, columns, keep, add)


def stamp(sprites: Sequence[tuple[Sprite, int, int]], width: int) -> Stamp:
    """Put sprites at (x, y), even numbers, where none may overlap another or the edges.

    Args:
        sprites: Each with x and y.
        width: Of the canvas.
    """
    positions, keep, add = [], [], []
    for plane in range(3):
        half = 1 if plane == 0 else 2
        stride = width // half
        found = [
            (sprite.rows[plane] + y // half) * stride + sprite.columns[plane] + x // half
            for sprite, x, y in sprites
        ]
        none = np.empty(0, np.uint16)
        positions.append(np.concatenate([np.empty(0, np.intp), *found]))
        keep.append(np.concatenate([none, *(sprite.keep[plane] for sprite, _, _ in sprites)]))
        add.append(np.concatenate([none, *(sprite.add[plane] for sprite, _, _ in sprites)]))
    return Stamp(tuple(positions), tuple(keep), tuple(add))


class Canvas:
    """A picture that is painted on again and again.

    Args:
        width: Even, pixels.
        height: Even, pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        size = width * height
        self._bytes = np.zeros(size * 3 // 2, np.uint8)
        ends = (0, size, size * 5 // 4, size * 3 // 2)
        self._flat = [self._bytes[a:b] for a, b in pairwise(ends)]
        self.planes: Planes = (
            self._flat[0].reshape(height, width),
            self._flat[1].reshape(height // 2, width // 2),
            self._flat[2].reshape(height // 2, width // 2),
        )

    def copy(self, other: "Canvas") -> None:
        """Become like another one of the same size."""
        self._bytes[:] = other._bytes

    def paint(self, picture: Planes, x: int, y: int) -> None:
        """Put a picture at an even place; it must not reach over the edges."""
        for index, (mine, other) in enumerate(zip(self.planes, picture, strict=True)):
            left, top = (x, y) if index == 0 else (x // 2, y // 2)
            height, width = other.shape
            mine[top : top + height, left : left + width] = other

    def apply(self, sprites: Stamp) -> None:
        """Put sprites on what is there."""
        for flat, at, keep, add in zip(
            self._flat, sprites.positions, sprites.keep, sprites.add, strict=True
        ):
            flat[at] = (flat[at] * keep + add) >> 8

    def to_frame(self) -> av.VideoFrame:
        """A copy for an encoder."""
        array = self._bytes.reshape(self.height * 3 // 2, self.width)
        frame = av.VideoFrame.from_ndarray(array, format="yuv420p")
        frame.colorspace = Colorspace.SMPTE170M
        frame.color_range = ColorRange.MPEG
        return frame


def _view(plane: VideoPlane) -> Plane:
    samples = np.frombuffer(memoryview(plane), np.uint8)
    return samples.reshape(plane.height, plane.line_size)[:, : plane.width]


def _layer(
    alpha: NDArray[np.uint32], value: NDArray[np.uint32]
) -> tuple[Positions, Positions, Weights, Weights]:
    """The pixels of one plane that are touched; alpha of 255 keeps nothing."""
    rows, columns = np.nonzero(alpha)
    chosen = alpha[rows, columns]
    keep = 256 - (chosen * 256 + 127) // 255
    add = (value[rows, columns] * 256 + 127) // 255 + 128  # half of a step: it is rounded
    return rows, columns, keep.astype(np.uint16), add.astype(np.uint16)


def _sum4(plane: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]
