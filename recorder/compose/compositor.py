"""A room as one picture and one sound, at any moment: the same afterwards and live."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av

from recorder.compose.audio_source import AudioSource
from recorder.compose.decoders import SAMPLE_RATE
from recorder.compose.layout import Placed, Tile, arrange, fit
from recorder.compose.mixer import Mixer
from recorder.compose.scene import Scene, Seat
from recorder.compose.stage import BACKGROUND, Cell, Stage
from recorder.compose.video_source import VideoSource
from recorder.values import EncodedFrame, Layout, ParticipantInfo, TrackInfo

STALE = 10.0  # s without a new picture, after which a camera counts as off
BREAK = SAMPLE_RATE // 100  # samples by which a mix may be asked for at another time, 10 ms
SMALLEST, LARGEST = 64, 4096  # pixels of a side


class Compositor:
    """Is told what happens and given what was encoded, each with its time; shows any later moment.

    What happens may be told long before the moment is rendered, and in any order; moments may be
    left out, but are asked for in order. Nothing here looks at a clock. All calls come from one
    thread.

    Args:
        layout: Where people go.
        width: Even, pixels.
        height: Even, pixels.
        fps: Frames per second that are going to be rendered.
        background: "#rrggbb", or the file of a picture.
        threads: For decoding and scaling; None for one for each processor.

    Raises:
        ValueError: Size, rate or background cannot be.
    """

    def __init__(
        self,
        layout: Layout = "grid",
        width: int = 1280,
        height: int = 720,
        fps: int = 30,
        *,
        background: str | Path = BACKGROUND,
        threads: int | None = None,
    ) -> None:
        check_size(width, height, fps)
        self._layout = layout
        self._interval = 1 / fps
        self._scene = Scene()
        self._stage = Stage(width, height, background)
        self._video: dict[str, VideoSource] = {}
        self._audio: dict[str, AudioSource] = {}
        self._ended: set[str] = set()  # audio that is still to be heard to its end
        self._sizes: dict[str, tuple[int, int, bool]] = {}  # of tiles, by track
        self._mixer: Mixer | None = None
        threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()

    # What happens; times are Unix seconds.

    def add_participant(self, participant: ParticipantInfo, *, time: float) -> None:
        """Someone comes."""
        self._scene.at(time, lambda: self._scene.add_participant(participant))

    def remove_participant(self, sid: str, *, time: float) -> None:
        """Someone leaves."""
        self._scene.at(time, lambda: self._scene.remove_participant(sid))

    def add_track(self, track: TrackInfo, *, time: float) -> None:
        """A track begins; its frames may be given from now on."""
        if track.kind == "audio":
            self._audio.setdefault(track.sid, AudioSource())
        elif self._layout != "audio":
            self._video.setdefault(track.sid, VideoSource())
        self._scene.at(time, lambda: self._scene.add_track(track))

    def remove_track(self, sid: str, *, time: float) -> None:
        """A track ends."""

        def remove() -> None:
            self._scene.remove_track(sid)
            self._video.pop(sid, None)
            if sid in self._audio:
                self._ended.add(sid)

        self._scene.at(time, remove)

    def set_muted(self, sid: str, muted: bool, *, time: float) -> None:
        """A track is muted, or goes on."""

        def change() -> None:
            self._scene.set_muted(sid, muted)
            if muted and sid in self._video:
                self._video[sid].clear()

        self._scene.at(time, change)

    def set_speakers(self, identities: Sequence[str], *, time: float) -> None:
        """Who speaks, the dominant speaker first."""
        self._scene.at(time, lambda: self._scene.set_speakers(identities))

    def receive(self, sid: str, frames: Sequence[EncodedFrame]) -> None:
        """Frames of a track, in decoding order; those of unknown tracks are left out."""
        source = self._audio.get(sid) or self._video.get(sid)
        if source is not None:
            source.receive(frames)

    def take_key_frame_wishes(self) -> list[str]:
        """The sids of tracks that cannot be shown before a key frame comes."""
        return [
            sid
            for sid, source in self._video.items()
            if source.needs_key_frame and self._scene.is_on(sid)
        ]

    # What is seen and heard.

    def render(self, time: float) -> av.VideoFrame:
        """The picture at a time: of each track the frame that was captured nearest to it.

        Args:
            time: Unix seconds, later than that of the last picture.

        Returns:
            yuv420p, BT.601, limited range; without a pts.
        """
        self._scene.advance(time + self._interval / 2)
        self._for_all(lambda item: self._advance(*item, time), list(self._video.items()))
        seats = {seat.key: seat for seat in self._scene.seats()}
        tiles = [
            Tile(seat.key, seat.share, self._seen(seat, time))
            for seat in seats.values()
            if not seat.share or self._seen(seat, time)
        ]
        canvas = self._stage.canvas
        focus = self._scene.focus(list(seats.values()))
        placed = arrange(self._layout, tiles, canvas.width, canvas.height, focus=focus)
        cells, pictures = [], []
        self._sizes.clear()
        for place in placed:
            if place.tile is None:
                more = len(tiles) - len(placed) + 1
                cells.append(Cell(place.x, place.y, place.width, place.height, more=more))
                continue
            seat = seats[place.tile.key]
            source = self._video[seat.track] if place.tile.video and seat.track else None
            if source is not None and seat.share and source.aspect:
                place = fit(source.aspect, place)
            cells.append(_cell(place, seat, video=source is not None))
            if source is not None and seat.track:
                self._sizes[seat.track] = (place.width, place.height, seat.share)
                view = source.view(place.width, place.height, whole=seat.share)
                if view is not None:
                    pictures.append((view.planes, place.x + view.x, place.y + view.y))
        self._stage.set(cells)
        return self._stage.draw(pictures).to_frame()

    def mix(self, time: float, count: int) -> av.AudioFrame:
        """The sound from a time on; calls follow each other without a break.

        Args:
            time: Unix seconds. When it is not where the last mix ended, a new one begins.
            count: Samples at 48 kHz.

        Returns:
            Stereo, "fltp"; the pts counts samples since the mix began.
        """
        if self._layout == "audio":
            self._scene.advance(time)  # else pictures do that
        position = round(time * SAMPLE_RATE)
        if self._mixer is None or abs(self._mixer.position - position) > BREAK:
            self._mixer = Mixer(position)
        frame = self._mixer.mix(list(self._audio.values()), count)
        for sid in self._ended & self._audio.keys():
            if self._audio[sid].empty:
                del self._audio[sid]
                self._ended.discard(sid)
        return frame

    def _advance(self, sid: str, source: VideoSource, time: float) -> None:
        """Decode what is due, and scale it to the size that it probably needs."""
        source.advance(time + self._interval / 2, self._interval)
        if sid in self._sizes:
            width, height, whole = self._sizes[sid]
            source.view(width, height, whole=whole)

    def _for_all(
        self,
        work: Callable[[tuple[str, VideoSource]], None],
        items: list[tuple[str, VideoSource]],
    ) -> None:
        if self._pool and len(items) > 1:
            list(self._pool.map(work, items))
        else:
            for item in items:
                work(item)

    def _seen(self, seat: Seat, time: float) -> bool:
        """Whether there is a picture to be shown; that of a screen may stand still for long."""
        source = self._video.get(seat.track or "")
        if source is None or source.aspect is None:
            return False
        return seat.share or time - source.changed < STALE


def check_size(width: int, height: int, fps: int) -> None:
    """Raise ValueError for a picture that cannot be."""
    for side in (width, height):
        if side % 2 or not SMALLEST <= side <= LARGEST:
            raise ValueError(
                f"{width}x{height} cannot be composed: both must be even, "
                f"and from {SMALLEST} to {LARGEST}."
            )
    if not 1 <= fps <= 60:
        raise ValueError(f"{fps} frames per second cannot be composed: from 1 to 60 can.")


def _cell(place: Placed, seat: Seat, *, video: bool) -> Cell:
    return Cell(
        place.x,
        place.y,
        place.width,
        place.height,
        seat.name,
        seat.identity,
        video,
        seat.silent and not seat.share,
        seat.speaking,
    )
