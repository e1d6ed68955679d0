"""Known pictures and tones, and how to recognise them after a journey."""

import asyncio
import fractions
import time
from contextlib import suppress

import av
import numpy as np
from aiortc import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

SAMPLE_RATE = 48000  # Hz
FRAME_SAMPLES = SAMPLE_RATE // 50  # 20 ms
VIDEO_CLOCK = 90000  # Hz
AUDIO_TIME_BASE = fractions.Fraction(1, SAMPLE_RATE)
VIDEO_TIME_BASE = fractions.Fraction(1, VIDEO_CLOCK)

Luma = NDArray[np.uint8]


def picture(width: int = 320, height: int = 240) -> Luma:
    """A grey picture with slopes and edges, so that a shift or a wrong size shows."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    slopes = 64 + 64 * x / width + 64 * y / height
    blocks = 40 * ((x // (width // 8) + y // (height // 6)) % 2)
    return (slopes + blocks).astype(np.uint8)


def video_frame(luma: Luma) -> av.VideoFrame:
    """The picture as a YUV 4:2:0 frame."""
    height, width = luma.shape
    chroma = np.full((height // 2, width), 128, dtype=np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")


def luma_of(frame: av.VideoFrame) -> Luma:
    """The luma plane of a decoded frame."""
    return frame.to_ndarray(format="yuv420p")[: frame.height, : frame.width]


def psnr(one: Luma, other: Luma) -> float:
    """Peak signal-to-noise ratio in dB; 0 for pictures of different sizes."""
    if one.shape != other.shape:
        return 0.0
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def dominant_frequency(samples: NDArray[np.int16]) -> float:
    """The strongest frequency of 48 kHz samples in Hz, 0 for silence."""
    values = samples.astype(np.float64)
    if values.size == 0 or np.max(np.abs(values)) < 100:
        return 0.0
    spectrum = np.abs(np.fft.rfft(values * np.hanning(values.size)))
    spectrum[0] = 0
    return float(np.argmax(spectrum) * SAMPLE_RATE / values.size)


class _Paced(MediaStreamTrack):
    """A track whose frames come in real time."""

    def __init__(self, interval: float) -> None:
        super().__init__()
        self._interval = interval
        self._count = 0
        self._start = 0.0

    async def _next(self) -> int:
        """Wait for the time of the next frame; returns its number."""
        if self.readyState != "live":
            raise MediaStreamError
        if not self._count:
            self._start = time.monotonic()
        wait = self._start + self._count * self._interval - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._count += 1
        return self._count - 1


class PictureTrack(_Paced):
    """Video that always shows `luma`."""

    kind = "video"

    def __init__(self, luma: Luma | None = None, *, rate: int = 15) -> None:
        super().__init__(1 / rate)
        self.luma = picture() if luma is None else luma
        self._rate = rate

    async def recv(self) -> av.VideoFrame:
        number = await self._next()
        frame = video_frame(self.luma)
        frame.pts = number * VIDEO_CLOCK // self._rate
        frame.time_base = VIDEO_TIME_BASE
        return frame


class ToneTrack(_Paced):
    """Audio of one frequency in Hz."""

    kind = "audio"

    def __init__(self, frequency: float = 440.0) -> None:
        super().__init__(FRAME_SAMPLES / SAMPLE_RATE)
        self.frequency = frequency

    async def recv(self) -> av.AudioFrame:
        number = await self._next()
        at = np.arange(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES) / SAMPLE_RATE
        samples = (12000 * np.sin(2 * np.pi * self.frequency * at)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = number * FRAME_SAMPLES
        frame.time_base = AUDIO_TIME_BASE
        return frame


class Sink:
    """Reads a received track to its end and keeps what the checks need.

    Attributes:
        frames: Number of frames so far.
        last: The newest frame.
        ended: Whether the track has ended.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self.track = track
        self.frames = 0
        self.last: av.VideoFrame | av.AudioFrame | None = None
        self.ended = False
        self._sound: list[NDArray[np.int16]] = []
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while True:
                self.last = frame = await self.track.recv()
                self.frames += 1
                if isinstance(frame, av.AudioFrame):
                    channels = len(frame.layout.channels)
                    self._sound.append(frame.to_ndarray().reshape(-1)[::channels])
                    del self._sound[:-50]
        except MediaStreamError:
            self.ended = True

    def psnr(self, luma: Luma) -> float:
        """How close the newest picture is to `luma`, dB."""
        return psnr(luma, luma_of(self.last)) if isinstance(self.last, av.VideoFrame) else 0.0

    def frequency(self) -> float:
        """Dominant frequency of the last half second, Hz."""
        sound = self._sound[-25:]
        return dominant_frequency(np.concatenate(sound)) if len(sound) == 25 else 0.0

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
