"""Real encoded video with temporal layers, and what a decoder makes of it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.scheduling import usual_scheduling

WIDTH, HEIGHT = 160, 96
RATE = 30
# libvpx's third layering mode: the second layer needs the base layer alone, and so does the first
# picture of the third, whose second one needs the second layer.
PATTERN = (0, 2, 1, 2)
SYNCS = (False, True, True, False)
TEMPORAL_LAYERS = (
    "ts_number_layers=3:ts_target_bitrate=100,160,240:ts_rate_decimator=4,2,1:"
    "ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"
)


@dataclass(frozen=True)
class EncodedFrame:
    """One encoded picture.

    Attributes:
        data: As the encoder wrote it.
        key: Whether it is a key frame.
        temporal: Its layer.
        sync: Whether it needs the base layer alone.
    """

    data: bytes
    key: bool
    temporal: int = 0
    sync: bool = False


def pictures(
    count: int, *, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Iterator[av.VideoFrame]:
    """Pictures with noise that moves: no two are alike, and none can be guessed from another."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 255, (height, width), dtype=np.uint8)
    for number in range(count):
        luma = np.roll(noise, 3 * number, axis=1) // 2
        luma[:, : width // 4] = int(100 + 80 * math.sin(number))
        chroma = np.full((height // 2, width), 128, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")
        frame.pts = number
        frame.time_base = Fraction(1, RATE)
        yield frame


@usual_scheduling()
def encode(
    codec: str,
    count: int,
    *,
    key_interval: int = 1000,
    layers: bool = False,
    seed: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
) -> list[EncodedFrame]:
    """Encode pictures.

    Args:
        codec: An encoder's name, "libvpx" or "libvpx-vp9" for temporal layers.
        count: How many.
        key_interval: Pictures from key frame to key frame.
        layers: Whether in three temporal layers.
        seed: Of the pictures.
        size: Width and height.
        options: More of the encoder's options.
        pixels: Pixel format.
    """
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = size
    context.pix_fmt = pixels
    context.time_base = Fraction(1, RATE)
    context.bit_rate = 240_000
    context.gop_size = key_interval
    context.options = {"g": str(key_interval), "keyint_min": str(key_interval)} | (options or {})
    if codec.startswith("libvpx"):
        context.options |= {"deadline": "realtime", "lag-in-frames": "0"}
        # Below zero VP8's speed does not depend on how busy the machine is.
        context.options |= {"cpu-used": "8" if codec.endswith("9") else "-8"}
        context.options |= {"error-resilient": "1", "auto-alt-ref": "0"}
        if layers:
            context.options |= {"ts-parameters": TEMPORAL_LAYERS}
    encoded = []
    for frame in pictures(count, seed=seed, size=size):
        if frame.pts and frame.pts % key_interval == 0:
            frame.pict_type = av.video.frame.PictureType.I
        encoded += context.encode(frame if pixels == "yuv420p" else frame.reformat(format=pixels))
    encoded += context.encode(None)
    frames = []
    for number, packet in enumerate(encoded):
        key = bool(packet.is_keyframe)
        place = number % len(PATTERN) if layers else 0
        temporal = 0 if key else PATTERN[place] if layers else 0
        frames.append(EncodedFrame(bytes(packet), key, temporal, layers and SYNCS[place]))
    return frames


def decode(codec: str, frames: Iterable[bytes]) -> list[NDArray[np.uint8] | None]:
    """What each frame looks like; None for one after which the decoder shows nothing.

    Raises:
        av.FFmpegError: When the decoder reports an error.
    """
    context = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    looks: list[NDArray[np.uint8] | None] = []
    for data in frames:
        shown = context.decode(av.Packet(data))
        looks.append(shown[-1].to_ndarray(format="gray") if shown else None)
    return looks


def same(
    one: Sequence[NDArray[np.uint8] | None], other: Sequence[NDArray[np.uint8] | None]
) -> bool:
    """Whether two decoders showed the very same."""
    return len(one) == len(other) and all(
        a is not None and b is not None and np.array_equal(a, b)
        for a, b in zip(one, other, strict=True)
    )
