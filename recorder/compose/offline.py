"""A recording's tracks into one file, as fast as the processors allow."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av

from recorder.compose.compositor import Compositor
from recorder.compose.decoders import SAMPLE_RATE
from recorder.compose.encoded import EncodedPacket
from recorder.compose.encoder import CompositeEncoder, VideoCodec, VideoSettings, codecs_for
from recorder.compose.recorded_tracks import RecordedTrack
from recorder.compose.stage import BACKGROUND
from recorder.files.manifest import Manifest, Track
from recorder.files.manifest_file import FILE_NAME, ManifestError, ManifestFile
from recorder.files.muxer import Muxer
from recorder.values import Format, Layout, ParticipantInfo, TrackInfo

AHEAD = 0.3  # s that tracks are read ahead of what is rendered: a mix needs to know what follows
WAITING = 16  # pictures and pieces of sound that wait for the encoder
FORMATS: dict[str, Format] = {".mp4": "mp4", ".webm": "webm", ".mkv": "mkv"}

Progress = Callable[[float, float], None]  # seconds done, seconds in all


class ComposeError(Exception):
    """It cannot be composed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a recording is composed.

    Attributes:
        layout: Where people go.
        width: Even, pixels.
        height: Even, pixels.
        fps: Frames per second.
        background: "#rrggbb", or the file of a picture.
        codec: Of the pictures; None for what suits the file.
    """

    layout: Layout = "grid"
    width: int = 1280
    height: int = 720
    fps: int = 30
    background: str | Path = BACKGROUND
    codec: VideoCodec | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """What came of it.

    Attributes:
        duration: Seconds of the file.
        bytes: Its size.
        took: Seconds.
        missing: Files of the recording that are not there.
    """

    duration: float
    bytes: int
    took: float
    missing: tuple[str, ...]


def compose(folder: Path, target: Path, options: Options, progress: Progress) -> Composed:
    """Write a composite of a recording's tracks.

    The file has its name only when it is finished.

    Args:
        folder: With the manifest.
        target: "….mp4" (H.264, AAC), "….webm" (VP9, Opus) or "….mkv"; replaced if it is there.
        options: How.
        progress: Told from time to time.

    Raises:
        ComposeError: It cannot be done.
    """
    begun = time.monotonic()
    manifest = _load(folder)
    tracks = [RecordedTrack(folder, track) for track in manifest.tracks]
    if all(track.empty for track in tracks):
        raise ComposeError(f"There is nothing in {folder} to compose: no track was recorded.")
    duration = max(manifest.duration or 0.0, *(track.end for track in tracks))
    video = options.layout != "audio"
    if not any(track.kind == "audio" for track in manifest.tracks) and not video:
        raise ComposeError(f"There is no sound in {folder}; choose another layout.")
    part = target.with_name(f".{target.name}.part")
    try:
        compositor = Compositor(
            options.layout,
            options.width,
            options.height,
            options.fps,
            background=options.background,
        )
    except ValueError as error:
        raise ComposeError(str(error)) from None
    try:
        _tell(compositor, manifest)
        part.unlink(missing_ok=True)
        output = _Output(part, FORMATS[target.suffix.lower()], options)
        try:
            _render(compositor, tracks, output, options.fps if video else 0, duration, progress)
        finally:
            output.close()
        part.replace(target)
        size = target.stat().st_size
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ComposeError(f"{target} cannot be written: {reason or error}.") from None
    finally:
        compositor.close()
        part.unlink(missing_ok=True)
    missing = tuple(name for track in tracks for name in track.missing)
    return Composed(duration, size, time.monotonic() - begun, missing)


def _load(folder: Path) -> Manifest:
    try:
        manifest = ManifestFile(folder / FILE_NAME).load()
    except FileNotFoundError:
        raise ComposeError(
            f"{folder} is no recording: there is no {FILE_NAME}. Name the folder that holds it."
        ) from None
    except (OSError, ManifestError) as error:
        raise ComposeError(f"{folder} cannot be read: {error}.") from None
    if manifest.mode == "composite":
        raise ComposeError(f"{folder} is a composite already, without the tracks it was made of.")
    if not manifest.has_ended:
        raise ComposeError(
            f"{folder} has not ended: stop it; if its server is gone, "
            "start the server again, which repairs it."
        )
    return manifest


def _tell(compositor: Compositor, manifest: Manifest) -> None:
    """What happened, in seconds from the recording's start."""
    for person in manifest.participants:
        info = ParticipantInfo(person.sid, person.identity, person.name)
        compositor.add_participant(info, time=person.present.start)
        if person.present.end is not None:
            compositor.remove_participant(person.sid, time=person.present.end)
    for track in manifest.tracks:
        _tell_track(compositor, track)
    for speakers in manifest.speakers:
        compositor.set_speakers(speakers.identities, time=speakers.time)


def _tell_track(compositor: Compositor, track: Track) -> None:
    info = TrackInfo(
        track.sid, track.participant, track.identity, track.kind, track.source, track.name
    )
    compositor.add_track(info, time=track.published.start)
    for mute in track.mutes:
        compositor.set_muted(track.sid, True, time=mute.start)
        if mute.end is not None:
            compositor.set_muted(track.sid, False, time=mute.end)
    if track.published.end is not None:
        compositor.remove_track(track.sid, time=track.published.end)


def _render(
    compositor: Compositor,
    tracks: list[RecordedTrack],
    output: "_Output",
    fps: int,
    duration: float,
    progress: Progress,
) -> None:
    """Render it all; without pictures where the rate is 0."""
    step = 1 / fps if fps else 0.1
    piece, mixed, samples = output.audio_samples, 0, round(duration * SAMPLE_RATE)
    for number in range(round(duration / step)):
        now = number * step
        for track in tracks:
            compositor.receive(track.sid, track.read(now + step + AHEAD))
        if fps:
            output.put(compositor.render(now), number)
        while mixed < min(samples, round((now + step) * SAMPLE_RATE)):
            count = min(piece, samples - mixed)
            output.put(compositor.mix(mixed / SAMPLE_RATE, count), mixed)
            mixed += count
        progress(now + step, duration)


class _Output:
    """Encodes and writes in a thread of its own, while the next pictures are rendered."""

    def __init__(self, path: Path, format: Format, options: Options) -> None:
        codec, audio = codecs_for(format)
        settings = VideoSettings(options.width, options.height, options.fps, options.codec or codec)
        self._encoder = CompositeEncoder(None if options.layout == "audio" else settings, audio)
        self.audio_samples = self._encoder.audio_samples
        self._muxer = Muxer(path, format)
        self._streams = self._encoder.streams.add_to(self._muxer.container)
        self._queue: queue.Queue[tuple[av.VideoFrame | av.AudioFrame, int] | None] = queue.Queue(
            WAITING
        )
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def put(self, frame: av.VideoFrame | av.AudioFrame, number: int) -> None:
        """Hand over a picture with its number, or sound.

        Raises:
            OSError: What was handed over before could not be written.
        """
        if self._error is not None:
            raise self._error
        self._queue.put((frame, number))

    def close(self) -> None:
        """Write the rest.

        Raises:
            OSError: It could not be written.
        """
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                frame, number = item
                if isinstance(frame, av.VideoFrame):
                    self._write(self._encoder.encode_video(frame, number))
                else:
                    self._write(self._encoder.encode_audio(frame))
            self._write(self._encoder.flush())
            self._muxer.close()
        except Exception as error:  # told to the other thread
            self._error = error
            while self._queue.get() is not None:
                pass

    def _write(self, packets: list[EncodedPacket]) -> None:
        for packet in packets:
            self._muxer.mux(packet.for_stream(self._streams[packet.kind]))
