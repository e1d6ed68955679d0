"""One track's pictures, each at its time and in the size of its tile."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from recorder.compose.canvas import Planes, planes_of
from recorder.compose.decoders import VideoDecoder
from recorder.values import EncodedFrame

MAX_FRAMES = 900  # that wait, half a minute
MAX_BYTES = 64 << 20  # that wait
SLACK = 0.1  # parts of an output frame that a picture may be early or late, to be shown evenly
MAX_CUT = 0.36  # parts of a picture that may be cut off to fill its tile; else it is shown whole


@dataclass(frozen=True, slots=True)
class View:
    """A picture for a tile, and where in the tile it goes."""

    planes: Planes
    x: int
    y: int


class VideoSource:
    """Decodes a track's frames when they are due, and scales the one that is shown."""

    def __init__(self) -> None:
        self._frames: deque[EncodedFrame] = deque()
        self._bytes = 0
        self._decoder = VideoDecoder()
        self._reformatter = VideoReformatter()
        self._picture: av.VideoFrame | None = None
        self._turn = 0  # quarters, clockwise
        self._view: View | None = None
        self._size = (0, 0)
        self.changed = float("-inf")  # time of the picture

    def receive(self, frames: Sequence[EncodedFrame]) -> None:
        """Frames, in decoding order; when too many wait, up to the next key frame are left out."""
        for frame in frames:
            self._frames.append(frame)
            self._bytes += len(frame.data)
        while len(self._frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._frames.popleft().data)
            while self._frames and not self._frames[0].key_frame:
                self._bytes -= len(self._frames.popleft().data)
            self._decoder.lose()

    @property
    def needs_key_frame(self) -> bool:
        """Whether nothing can be shown before one."""
        return self._decoder.broken and not any(frame.key_frame for frame in self._frames)

    @property
    def aspect(self) -> float | None:
        """Width to height of the picture as it is to be seen; None without one."""
        if self._picture is None:
            return None
        ratio = self._picture.width / self._picture.height
        return 1 / ratio if self._turn % 2 else ratio

    def clear(self) -> None:
        """Show nothing until the next picture."""
        self._picture = self._view = None

    def advance(self, until: float, interval: float) -> None:
        """Decode what is due.

        A picture that falls between two output frames would be shown now twice, now not at all; so
        a repeated picture gives way to one that is due very soon, and one that came very late waits
        when there is another to be shown.

        Args:
            until: Unix seconds.
            interval: Between output frames, seconds.
        """
        slack = interval * SLACK
        due = sum(frame.time <= until for frame in self._frames)
        if due == 0 and self._frames and self._frames[0].time <= until + slack:
            due = 1
        elif due > 1 and self._frames[due - 1].time > until - slack:
            due -= 1
        for _ in range(due):
            frame = self._frames.popleft()
            self._bytes -= len(frame.data)
            picture = self._decoder.decode(frame)
            if picture is not None:
                self._picture, self._view = picture, None
                self._turn = frame.rotation // 90 % 4
                self.changed = frame.time

    def view(self, width: int, height: int, *, whole: bool) -> View | None:
        """The picture for a tile of this size.

        Args:
            width: Of the tile, even pixels.
            height: Of the tile, even pixels.
            whole: Whether nothing may be cut off.
        """
        aspect = self.aspect
        if self._picture is None or aspect is None:
            return None
        if self._view is None or self._size != (width, height):
            self._size = (width, height)
            self._view = self._scale(self._picture, aspect, width, height, whole=whole)
        return self._view

    def _scale(
        self, picture: av.VideoFrame, aspect: float, width: int, height: int, *, whole: bool
    ) -> View:
        tile = width / height
        cut = 1 - min(aspect / tile, tile / aspect)
        cover = not whole and cut <= MAX_CUT
        if (aspect > tile) == cover:
            scaled = (_even(height * aspect), height)
        else:
            scaled = (width, _even(width / aspect))
        planes = self._planes(picture, *scaled)
        left, top = _even((scaled[0] - width) / 2), _even((scaled[1] - height) / 2)
        if cover:
            return View(_cut(planes, max(0, left), max(0, top), width, height), 0, 0)
        return View(planes, _even((width - scaled[0]) / 2), _even((height - scaled[1]) / 2))

    def _planes(self, picture: av.VideoFrame, width: int, height: int) -> Planes:
        """The picture in this size, turned as it is to be seen."""
        upright = self._turn % 2 == 0
        smaller = width * height < picture.width * picture.height
        scaled = self._reformatter.reformat(
            picture,
            width if upright else height,
            height if upright else width,
            "yuv420p",
            src_colorspace=_colorspace(picture),
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR if smaller else Interpolation.BICUBIC,
            threads=1,
        )
        planes = planes_of(scaled)
        if self._turn == 0:
            return planes
        return tuple(np.rot90(plane, -self._turn) for plane in planes)  # type: ignore[return-value]


def _colorspace(picture: av.VideoFrame) -> int:
    """As swscale has it; what does not say is BT.601."""
    return int(Colorspace.ITU709) if picture.colorspace == 1 else int(Colorspace.ITU601)


def _cut(planes: Planes, left: int, top: int, width: int, height: int) -> Planes:
    luma, *chroma = planes
    x, y, w, h = left // 2, top // 2, width // 2, height // 2
    first, second = (plane[y : y + h, x : x + w] for plane in chroma)
    return luma[top : top + height, left : left + width], first, second


def _even(pixels: float) -> int:
    return max(2, int(pixels + 1) // 2 * 2) if pixels > 0 else 0
