"""What can be sent of a track: its operating points, and what each of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfu.room.media_status import LayerStatus

if TYPE_CHECKING:
    from sfu.room.track import Track

INTERVAL = 0.25  # s between two looks at what the layers take
NOTICE = 0.05  # share by which a layer's bit rate must change to be looked at
FPS_NOTICE = 0.2  # share by which its frame rate must
AUDIO_BITRATE = 24_000  # bit/s kept free for an audio track, though it may be silent now
AUDIO_HEADROOM = 1.3  # of what is measured, kept free for it
DEFAULT_BITRATES = (150_000, 500_000, 1_700_000)  # bit/s, until a layer has been measured


class OperatingPoints:
    """Looks at the layers of a track four times a second, for all subscribers."""

    __slots__ = ("_looked_at", "_points", "_track", "_version")

    def __init__(self, track: Track) -> None:
        """Nothing has arrived."""
        self._track = track
        self._points: list[LayerStatus] = []
        self._looked_at = float("-inf")
        self._version = 0

    def expire(self) -> None:
        """Something else can be sent: look again, whenever the last look was."""
        self._looked_at = float("-inf")

    def get(self, now: float) -> list[LayerStatus]:
        """What can be sent now, from the smallest up: by spatial, then by temporal layer."""
        if now - self._looked_at >= INTERVAL:
            self._look(now)
        return self._points

    def version(self, now: float) -> int:
        """A number that changes when there are others, or they take much more or less."""
        if now - self._looked_at >= INTERVAL:
            self._look(now)
        return self._version

    def _look(self, now: float) -> None:
        self._looked_at = now
        points = self._audio(now) if self._track.kind == "audio" else self._video(now)
        if _layers(points) != _layers(self._points):
            self._track.fanout.look_again()  # some may not want what is new
        if _differ(points, self._points):
            self._points = points
            self._version += 1

    def _video(self, now: float) -> list[LayerStatus]:
        points: list[LayerStatus] = []
        encodings = self._track.encodings
        ordered = encodings.ordered
        for index, encoding in enumerate(ordered):
            stream = encodings.streams.get(encoding.ssrc or -1)
            if stream is None or encoding.stalled:
                continue
            rates = stream.layers.rates(now)
            frames = stream.layers.frame_rates(now)
            for spatial, temporal in rates:
                below = [rate for (s, t), rate in rates.items() if s <= spatial and t <= temporal]
                bitrate = round(sum(below)) or encoding.info.bitrate or _guess(index, len(ordered))
                width, height = stream.size_of(spatial)
                fps = sum(
                    [rate for (s, t), rate in frames.items() if s == spatial and t <= temporal]
                )
                points.append(
                    LayerStatus(
                        index + spatial, temporal, encoding.rid, width, height, bitrate, fps
                    )
                )
        return points

    def _audio(self, now: float) -> list[LayerStatus]:
        if self._track.gated:
            return []  # no bandwidth is kept free for it
        live = [s for s in self._track.encodings.streams.values() if s.bitrate.active(now)]
        if not live:
            return []
        bitrate = max(max(stream.bitrate.bitrate(now) for stream in live), AUDIO_BITRATE)
        if self._points and bitrate <= self._points[0].bitrate <= 3 * bitrate:
            return self._points  # voices come and go: only what needs more room is news
        return [LayerStatus(0, 0, "", 0, 0, round(AUDIO_HEADROOM * bitrate))]


def _layers(points: Sequence[LayerStatus]) -> list[tuple[int, int]]:
    return [(layer.spatial, layer.temporal) for layer in points]


def _differ(layers: Sequence[LayerStatus], before: Sequence[LayerStatus]) -> bool:
    """Whether there are other layers than before, or they take much more or less."""
    if len(layers) != len(before):
        return True
    for new, old in zip(layers, before, strict=True):
        if (new.spatial, new.temporal, new.width, new.height) != (
            old.spatial,
            old.temporal,
            old.width,
            old.height,
        ):
            return True
        if abs(new.bitrate - old.bitrate) > NOTICE * old.bitrate:
            return True
        if abs(new.fps - old.fps) > FPS_NOTICE * max(old.fps, new.fps):
            return True
    return False


def _guess(index: int, count: int) -> int:
    """Bit/s of a layer that has not been measured."""
    return DEFAULT_BITRATES[min(index if count > 1 else 1, len(DEFAULT_BITRATES) - 1)]
