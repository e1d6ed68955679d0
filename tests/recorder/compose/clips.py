"""Encoded material with known content, and recordings made of it."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from recorder.files.description import StreamInfo
from recorder.files.manifest import Manifest, Participant, Segment, Span, Speakers, Track
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.segment_writer import SegmentWriter
from recorder.values import EncodedFrame, Format
from sfu.room.permissions import Source
from sfu.wire.parameters import OPUS, VP8

RATE = 48000
OPUS_HEAD = b"OpusHead\x01\x02\x38\x01" + (48000).to_bytes(4, "little") + bytes(3)
Picture = NDArray[np.uint8]
Sound = NDArray[np.float32]


def flat(width: int, height: int, luma: int, u: int = 128, v: int = 128) -> Picture:
    """A picture of one colour, as I420."""
    picture = np.empty((height * 3 // 2, width), np.uint8)
    picture[:height] = luma
    picture[height : height * 5 // 4] = u
    picture[height * 5 // 4 :] = v
    return picture


def scene(width: int, height: int, phase: float) -> Picture:
    """Smooth waves, which survive encoding and scaling, and so can be compared."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = flat(width, height, 0, 110, 150)
    waves = np.sin(columns * 9 / width + phase) + np.cos(rows * 7 / height - phase)
    picture[:height] = (126 + 40 * waves).astype(np.uint8)
    return picture


def video(
    pictures: Iterable[Picture],
    *,
    fps: float = 30,
    start: float = 0.0,
    rotation: int = 0,
    bitrate: int = 4_000_000,
) -> list[EncodedFrame]:
    """Encode pictures of one size as VP8; in good quality, where they are small."""
    context: Any = None
    frames = []
    for number, picture in enumerate(pictures):
        if context is None:
            context = av.CodecContext.create("libvpx", "w")
            context.height, context.width = picture.shape[0] * 2 // 3, picture.shape[1]
            context.pix_fmt = "yuv420p"
            context.time_base = Fraction(1, 1000)
            context.gop_size = 1000
            context.thread_count = 1  # libvpx's would spin
            context.bit_rate = bitrate
            context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = round(number * 1000 / fps)
        frames += [
            EncodedFrame(
                bytes(packet),
                start + number / fps,
                VP8,
                packet.is_keyframe,
                width=context.width,
                height=context.height,
                rotation=rotation,
            )
            for packet in context.encode(frame)
        ]
    return frames


def tone(hertz: float, seconds: float, level: float = 0.4) -> Sound:
    """A sine on both sides."""
    wave = level * np.sin(np.arange(round(seconds * RATE)) * (2 * np.pi * hertz / RATE))
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


def audio(
    sound: Sound, *, start: float = 0.0, clock: Callable[[float], float] = lambda time: time
) -> list[EncodedFrame]:
    """Encode sound as Opus in packets of 20 ms.

    Args:
        sound: 48 kHz, (number, 2).
        start: Of the first packet.
        clock: Seconds on our clock for seconds on the sender's.
    """
    context: Any = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = RATE, "stereo", "flt"
    context.bit_rate = 96_000
    frames = []
    for first in range(0, len(sound) - 959, 960):
        piece = np.ascontiguousarray(sound[first : first + 960].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, first
        frames += [
            EncodedFrame(
                bytes(packet),
                start + clock(first / RATE),
                OPUS,
                True,
                duration=0.02,
                extradata=OPUS_HEAD,
            )
            for packet in context.encode(frame)
        ]
    return frames


class Recording:
    """A folder with tracks and their manifest.

    Args:
        folder: Is made.
        duration: Seconds.
    """

    def __init__(self, folder: Path, duration: float) -> None:
        folder.mkdir()
        self.folder = folder
        self.manifest = Manifest(
            id="RC_1",
            room="hall",
            mode="tracks",
            started_at=1_700_000_000.0,
            started="2023-11-14T22:13:20Z",
            state="complete",
            duration=duration,
        )

    def add_person(self, identity: str, name: str = "", *, present: Span | None = None) -> None:
        """Somebody who is there all the time, or from when to when."""
        person = Participant(f"PA_{identity}", identity, name, present or Span(0.0))
        self.manifest.participants.append(person)

    def add_track(
        self,
        identity: str,
        source: Source,
        frames: Sequence[EncodedFrame],
        *,
        format: Format = "mkv",
        published: Span | None = None,
        mutes: Sequence[Span] = (),
    ) -> Path:
        """Write the file of a track; times are seconds from the recording's start."""
        kind = frames[0].codec.kind
        name = f"{identity}-{source}.{format}"
        writer = SegmentWriter(
            self.folder / name, StreamInfo.of(frames[0]), format=format, start=frames[0].time
        )
        for frame in frames:
            writer.write(frame)
        writer.close()
        segment = Segment(
            name,
            format,
            [frames[0].codec.name],
            frames[0].time,
            duration=writer.duration,
            rotation=frames[0].rotation,
        )
        self.manifest.tracks.append(
            Track(
                f"TR_{identity}_{source}",
                f"PA_{identity}",
                identity,
                kind,
                source,
                "",
                published or Span(frames[0].time),
                list(mutes),
                [],
                [segment],
            )
        )
        return self.folder / name

    def set_speakers(self, time: float, *identities: str) -> None:
        """Who speaks from then on."""
        self.manifest.speakers.append(Speakers(time, list(identities)))

    def save(self) -> Path:
        """Write the manifest; the folder."""
        ManifestFile(self.folder / FILE_NAME).save(self.manifest)
        return self.folder


def pictures_of(path: Path) -> list[tuple[float, Picture]]:
    """All pictures of a file with their times, as I420."""
    with av.open(path) as container:
        return [
            (frame.time, frame.to_ndarray(format="yuv420p"))  # type: ignore[misc]
            for frame in container.decode(video=0)
        ]


def sound_of(path: Path) -> tuple[float, Sound]:
    """When a file's sound begins, and all of it."""
    with av.open(path) as container:
        pieces = list(container.decode(audio=0))
    assert pieces[0].time is not None
    return pieces[0].time, np.concatenate([piece.to_ndarray() for piece in pieces], axis=1).T


def psnr(picture: Picture, expected: Picture) -> float:
    """Of two pictures of the same size, decibels."""
    error = np.mean((picture.astype(float) - expected.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
