"""A composite as its encoder makes it: a bar that moves, and a tone."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.compose.encoder import AudioCodec, CompositeEncoder, VideoCodec, VideoSettings

WIDTH, HEIGHT, FPS = 320, 180, 15
SAMPLE_RATE = 48000
TONE = 440.0  # Hz


@dataclass(frozen=True)
class Composite:
    """What an encoder made; packets are in order of time."""

    encoder: CompositeEncoder
    packets: list[EncodedPacket]
    seconds: float

    @property
    def streams(self) -> EncodedStreams:
        return self.encoder.streams

    @property
    def frames(self) -> int:
        return sum(packet.kind == "video" for packet in self.packets)


def encode_composite(
    seconds: float,
    *,
    video: VideoCodec | None = "h264",
    audio: AudioCodec = "aac",
) -> Composite:
    """Encode a clip as it is done live."""
    settings = VideoSettings(WIDTH, HEIGHT, FPS, video, live=True) if video else None
    encoder = CompositeEncoder(settings, audio)
    packets: list[EncodedPacket] = []
    if video:
        for number in range(round(seconds * FPS)):
            packets += encoder.encode_video(picture(number), number)
    size = encoder.audio_samples
    for start in range(0, round(seconds * SAMPLE_RATE), size):
        packets += encoder.encode_audio(tone(start, size, encoder_format(audio)))
    packets += encoder.flush()
    return Composite(encoder, sorted(packets, key=lambda packet: packet.time), seconds)


def encoder_format(audio: AudioCodec) -> str:
    return "fltp" if audio == "aac" else "flt"


def picture(number: int) -> av.VideoFrame:
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    planes[:HEIGHT] = 40
    left = number * 8 % (WIDTH - 32)
    planes[:HEIGHT, left : left + 32] = 220
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def tone(start: int, count: int, format: str) -> av.AudioFrame:
    wave = 0.3 * np.sin(2 * np.pi * TONE * (start + np.arange(count)) / SAMPLE_RATE)
    samples = np.stack([wave, wave]).astype(np.float32)
    if format == "flt":
        samples = np.ascontiguousarray(samples.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format=format, layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = start
    frame.time_base = Fraction(1, SAMPLE_RATE)
    return frame
