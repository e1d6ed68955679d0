"""A clip that flashes and beeps at each whole second, and where recordings of it do."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from tests.recorder.media.packetizer import FPS

WIDTH, HEIGHT = 320, 180
RATE = 48000  # Hz
FLASH = 3  # pictures


@cache
def flashes(seconds: int) -> tuple[tuple[bytes, bool], ...]:
    """Black, and white at the beginning of each second."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.bit_rate, encoder.gop_size = 500_000, FPS
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    packets = []
    for number in range(seconds * FPS):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = 235 if number % FPS < FLASH else 16
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return tuple((bytes(packet), packet.is_keyframe) for packet in packets)


@cache
def beeps(seconds: int) -> tuple[bytes, ...]:
    """Silence, and 1 kHz for a tenth at the beginning of each second."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "flt"
    encoder.bit_rate = 64_000
    packets = []
    for number in range(seconds * 50):
        at = np.arange(number * 960, (number + 1) * 960)
        wave = 0.5 * np.sin(2 * np.pi * 1000 * at / RATE) * (at % RATE < RATE // 10)
        samples = np.repeat(wave, 2).astype(np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, number * 960
        packets += encoder.encode(frame)
    return tuple(bytes(packet) for packet in packets)


def when_it_flashes(path: Path) -> np.ndarray:
    """Seconds in the file."""
    bright = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            middle = frame.to_ndarray()[HEIGHT // 3 : HEIGHT // 2, WIDTH // 3 : WIDTH // 2]
            bright.append((float(frame.time), float(middle.mean())))
    return rises(bright, 100.0, 0.5)


def when_it_beeps(path: Path) -> np.ndarray:
    """Seconds in the file."""
    loud = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray()[0])
            loud += [(frame.time + n / RATE, wave[n]) for n in range(0, frame.samples, 12)]
    return rises(loud, 0.1, 0.5)


def rises(values: list[tuple[float, float]], threshold: float, rest: float) -> np.ndarray:
    """When values go above the threshold, not counting those within `rest` after another."""
    found: list[float] = []
    last = float("-inf")
    for time, value in values:
        if value > threshold:
            if time - last > rest:
                found.append(time)
            last = time
    return np.array(found)
