"""Encoding clips with PyAV: from a media file, or from FFmpeg's test picture and test tone."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.filter import Graph
from av.frame import Frame
from av.video.frame import PictureType, VideoFrame

LENGTH = 10.0  # s of the built-in clip; it is played in a loop
FILE_LENGTH = 30.0  # s of a file that are played, likewise
KEY_FRAME_INTERVAL = 1.0  # s; how soon a request for a key frame is answered
SIZE = (640, 360)  # of the test picture
MAX_SIZE = (1280, 720)  # larger pictures are made smaller
AUDIO_BITRATE = 32_000  # bit/s
AUDIO_RATE = 48_000  # Hz

_ENCODERS = {"vp8": "libvpx", "h264": "libx264"}
_OPTIONS = {  # for real time: no frame waits for a later one
    "vp8": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"},
    "h264": {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline"},
}


class MediaError(Exception):
    """A media file cannot be used; the message is a sentence."""


def encode_video(
    codec: str, source: Path | None, *, fps: float, bitrate: int, scale: int
) -> list[tuple[bytes, bool]]:
    """Encoded frames, and whether each is a key frame.

    Args:
        codec: "vp8" or "h264".
        source: A media file; None for the test picture.
        fps: Frames a second.
        bitrate: Bit/s.
        scale: By how much width and height are divided.

    Raises:
        MediaError: The file cannot be read or has no video.
    """
    rate = Fraction(fps).limit_denominator(1001)
    pictures = _pictures(source, rate)
    encoder: av.VideoCodecContext | None = None
    encoded: list[tuple[bytes, bool]] = []
    count = round((FILE_LENGTH if source else LENGTH) * fps)
    for number, picture in enumerate(islice(pictures, count)):
        if encoder is None:
            encoder = _video_encoder(codec, picture, rate, bitrate, scale)
        frame = picture.reformat(encoder.width, encoder.height, format="yuv420p")
        frame.pts, frame.time_base = number, 1 / rate
        frame.pict_type = PictureType.NONE  # the encoder chooses, not the file
        encoded += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    if encoder is not None:
        encoded += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(None)]
    if not encoded:
        raise MediaError(f"{source} has no video.")
    return encoded


def encode_audio(source: Path | None) -> list[bytes]:
    """Opus packets of 20 ms each.

    Args:
        source: A media file; None for the test tone.

    Raises:
        MediaError: The file cannot be read or has no sound.
    """
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_RATE, "stereo", "s16"
    encoder.bit_rate = AUDIO_BITRATE
    resampler = AudioResampler("s16", "stereo", AUDIO_RATE, frame_size=AUDIO_RATE // 50)
    encoded: list[bytes] = []
    for sound in _sounds(source):
        for frame in resampler.resample(sound):
            encoded += [bytes(packet) for packet in encoder.encode(frame)]
        if len(encoded) >= (FILE_LENGTH if source else LENGTH) * 50:
            break
    if not encoded:
        raise MediaError(f"{source} has no sound.")
    return encoded


def _video_encoder(
    codec: str, picture: VideoFrame, rate: Fraction, bitrate: int, scale: int
) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    divisor = scale * max(1.0, picture.width / MAX_SIZE[0], picture.height / MAX_SIZE[1])
    encoder.width, encoder.height = _even(picture.width / divisor), _even(picture.height / divisor)
    encoder.pix_fmt, encoder.bit_rate = "yuv420p", bitrate
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.gop_size = max(1, round(KEY_FRAME_INTERVAL * rate))
    encoder.options = _OPTIONS[codec]
    return encoder


def _even(size: float) -> int:
    return max(2, 2 * round(size / 2))


def _pictures(source: Path | None, rate: Fraction) -> Iterator[VideoFrame]:
    """Pictures of the file at this frame rate, or the test picture."""
    if source is None:
        size = f"{SIZE[0]}x{SIZE[1]}"
        for frame in _generated("testsrc2", f"size={size}:rate={rate}", "buffersink"):
            assert isinstance(frame, VideoFrame)
            yield frame
        return
    shown: VideoFrame | None = None
    due = Fraction(0)
    first: Fraction | None = None
    for frame in _decoded(source, "video"):
        assert isinstance(frame, VideoFrame)
        if frame.pts is None or frame.time_base is None:
            continue
        moment = frame.pts * frame.time_base
        first = moment if first is None else first
        while shown is not None and moment - first > due:  # repeat or leave out, as time goes on
            yield shown
            due += 1 / rate
        shown = frame
    if shown is not None:
        yield shown


def _sounds(source: Path | None) -> Iterator[AudioFrame]:
    frames = (
        _decoded(source, "audio")
        if source
        else _generated("sine", f"frequency=440:sample_rate={AUDIO_RATE}", "abuffersink")
    )
    for frame in frames:
        assert isinstance(frame, AudioFrame)
        yield frame


def _generated(name: str, arguments: str, sink: str) -> Iterator[Frame]:
    """Frames of one of FFmpeg's sources, without end."""
    graph = Graph()
    source, end = graph.add(name, arguments), graph.add(sink)
    source.link_to(end)
    graph.configure()
    while True:
        yield end.pull()


def _decoded(source: Path, kind: str) -> Iterator[Frame]:
    """Frames of the first stream of this kind in a file, damaged ones left out."""
    try:
        with av.open(str(source)) as container:
            stream = next((each for each in container.streams if each.type == kind), None)
            if stream is not None:
                for frame in container.decode(stream):
                    if isinstance(frame, VideoFrame | AudioFrame):
                        yield frame
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{source} cannot be read: {error.strerror}.") from error
