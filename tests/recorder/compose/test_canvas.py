"""Canvases: what is painted is there, sprites blend, and colours come through."""

import numpy as np
from PIL import Image

from recorder.compose.canvas import Canvas, planes_of, stamp, to_planes, to_sprite


def rgb(canvas: Canvas) -> np.ndarray:
    return np.asarray(canvas.to_frame().to_ndarray(format="rgb24"), int)


def filled(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Canvas:
    canvas = Canvas(width, height)
    canvas.paint(to_planes(Image.new("RGB", (width, height), colour)), 0, 0)
    return canvas


def test_colours_come_through() -> None:
    for colour in [(22, 24, 29), (255, 255, 255), (200, 40, 90)]:
        assert np.abs(rgb(filled(colour)) - colour).max() <= 4


def test_opaque_sprites_replace_and_transparent_ones_blend() -> None:
    canvas = filled((0, 0, 0))
    solid = to_sprite(Image.new("RGBA", (8, 8), (255, 255, 255, 255)))
    half = to_sprite(Image.new("RGBA", (8, 8), (255, 255, 255, 128)))
    clear = to_sprite(Image.new("RGBA", (8, 8), (255, 255, 255, 0)))
    canvas.apply(stamp([(solid, 0, 0), (half, 20, 10), (clear, 40, 30)], canvas.width))
    result = rgb(canvas)
    assert result[:8, :8].min() >= 250
    assert np.abs(result[10:18, 20:28] - 128).max() <= 5
    assert result[30:38, 40:48].max() <= 3
    assert result[20:, :20].max() <= 3


def test_what_is_not_touched_stays_exactly() -> None:
    canvas = filled((90, 120, 30))
    before = [plane.copy() for plane in canvas.planes]
    mostly_clear = Image.new("RGBA", (16, 16), (255, 255, 255, 0))
    mostly_clear.putpixel((5, 5), (255, 255, 255, 255))
    canvas.apply(stamp([(to_sprite(mostly_clear), 8, 8)], canvas.width))
    assert np.count_nonzero(canvas.planes[0] != before[0]) == 1
    assert np.count_nonzero(canvas.planes[1] != before[1]) == 1


def test_frames_are_copies() -> None:
    canvas = filled((0, 0, 0))
    frame = canvas.to_frame()
    canvas.copy(filled((255, 255, 255)))
    assert planes_of(frame)[0].max() <= 17
