"""Pictures and sound to encoded packets, once for all files and streams that want them."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, cast

import av
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.stream import VideoStream

from recorder.compose.decoders import SAMPLE_RATE
from recorder.compose.encoded import EncodedPacket, EncodedStreams
from sfu.wire.parameters import Kind

VideoCodec = Literal["h264", "vp8", "vp9"]
AudioCodec = Literal["aac", "opus"]

KEY_FRAMES = 2  # s between key frames: HLS segments begin with one
AUDIO_BITRATE = 128_000  # bit/s, stereo
BITS_PER_PIXEL = 0.08  # of live pictures: 2.2 Mb/s for 720p at 30 frames per second
LEAST_BITRATE = 200_000  # bit/s of live pictures, however small
BT601 = 6  # colours, as H.273 numbers them in its tables 2 to 4 (SMPTE ST 170)
LIMITED = 1  # range of values, as FFmpeg numbers it

ENCODERS = {
    "h264": "libx264",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "aac": "aac",
    "opus": "libopus",
}


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How pictures are encoded.

    Attributes:
        width: Even, pixels.
        height: Even, pixels.
        fps: Frames per second.
        codec: "h264", "vp8" or "vp9".
        live: Whether a steady bitrate and no delay matter, rather than equal quality.
        bitrate: bit/s of live pictures; 0 for what suits their size.
    """

    width: int
    height: int
    fps: int
    codec: VideoCodec = "h264"
    live: bool = False
    bitrate: int = 0


class CompositeEncoder:
    """Encodes one stream of pictures and one of sound.

    Pictures may be given by another thread than sound.

    Args:
        video: None for sound alone.
        audio: "aac" or "opus".

    Attributes:
        streams: What is muxed.
    """

    def __init__(self, video: VideoSettings | None, audio: AudioCodec = "aac") -> None:
        # A container for nothing: encoders tell muxers what they need by its streams.
        self._container = av.open("composite", "w", format="null")
        pictures = _add_video(self._container, video) if video else None
        sound = _add_audio(self._container, audio)
        self._container.start_encoding()
        self.streams = EncodedStreams(pictures, sound)
        self._time_bases = {"audio": Fraction(1, SAMPLE_RATE)}
        if video:
            self._time_bases["video"] = Fraction(1, video.fps)

    @property
    def audio_samples(self) -> int:
        """How many samples `encode_audio` takes at once."""
        return int(cast(Any, self.streams.audio.codec_context).frame_size)

    def encode_video(
        self, frame: av.VideoFrame, number: int, *, key_frame: bool = False
    ) -> list[EncodedPacket]:
        """Encode a picture.

        Args:
            frame: yuv420p, of the size of the settings.
            number: Of the frame, at the settings' rate; 0 is the composite's beginning. Numbers
                grow, and some may be left out.
            key_frame: Whether it must be one.
        """
        frame.pts = number
        frame.time_base = self._time_bases["video"]
        frame.pict_type = PictureType.I if key_frame else PictureType.NONE
        return self._encode("video", self.streams.video, frame)

    def encode_audio(self, frame: av.AudioFrame) -> list[EncodedPacket]:
        """Encode a mix of `audio_samples` (the last may be shorter); its pts counts samples."""
        frame.time_base = self._time_bases["audio"]
        return self._encode("audio", self.streams.audio, frame)

    def flush(self) -> list[EncodedPacket]:
        """What is still inside; nothing can be encoded afterwards."""
        packets = []
        if self.streams.video is not None:
            packets += self._encode("video", self.streams.video, None)
        return packets + self._encode("audio", self.streams.audio, None)

    def _encode(
        self,
        kind: Kind,
        stream: VideoStream | AudioStream | None,
        frame: av.VideoFrame | av.AudioFrame | None,
    ) -> list[EncodedPacket]:
        assert stream is not None
        return [
            EncodedPacket(
                kind,
                bytes(packet),
                packet.pts,
                packet.dts,
                packet.duration,
                self._time_bases[kind],
                packet.is_keyframe,
            )
            for packet in cast(Any, stream.codec_context).encode(frame)
        ]


def codecs_for(format: str) -> tuple[VideoCodec, AudioCodec]:
    """What goes into a composite of the format "mp4", "webm" or "mkv"."""
    return ("vp9", "opus") if format == "webm" else ("h264", "aac")


def _add_video(container: av.container.OutputContainer, settings: VideoSettings) -> VideoStream:
    codec = settings.codec
    stream = cast(
        VideoStream,
        container.add_stream(ENCODERS[codec], settings.fps, options=_OPTIONS[codec](settings)),
    )
    context = cast(Any, stream.codec_context)
    context.width, context.height = settings.width, settings.height
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, settings.fps)
    context.gop_size = KEY_FRAMES * settings.fps
    context.colorspace = context.color_primaries = context.color_trc = BT601
    context.color_range = LIMITED
    # One for each processor; but those of libvpx for VP8 wait for each other by spinning.
    context.thread_count = 1 if codec == "vp8" else 0
    context.flags |= Flags.global_header
    if settings.live:
        context.bit_rate = _bitrate(settings)
    return stream


def _add_audio(container: av.container.OutputContainer, codec: AudioCodec) -> AudioStream:
    stream = cast(AudioStream, container.add_stream(ENCODERS[codec], SAMPLE_RATE))
    context = cast(Any, stream.codec_context)
    context.layout = "stereo"
    context.format = "fltp" if codec == "aac" else "flt"
    context.bit_rate = AUDIO_BITRATE
    context.time_base = Fraction(1, SAMPLE_RATE)
    context.flags |= Flags.global_header
    return stream


def _bitrate(settings: VideoSettings) -> int:
    pixels = settings.width * settings.height * settings.fps
    return settings.bitrate or max(LEAST_BITRATE, round(pixels * BITS_PER_PIXEL))


def _x264(settings: VideoSettings) -> dict[str, str]:
    if not settings.live:
        return {"preset": "veryfast", "crf": "21"}
    rate = str(_bitrate(settings))
    # No key frames where scenes change: segments of HLS are to be equally long.
    return {
        "preset": "veryfast",
        "tune": "zerolatency",
        "maxrate": rate,
        "bufsize": rate,
        "sc_threshold": "0",
    }


def _vp8(settings: VideoSettings) -> dict[str, str]:
    options = {"deadline": "realtime", "cpu-used": "10"}
    if not settings.live:
        options |= {"crf": "12", "b": str(3 * _bitrate(settings))}  # at most
    return options


def _vp9(settings: VideoSettings) -> dict[str, str]:
    options = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "tile-columns": "2"}
    if settings.live:
        options["lag-in-frames"] = "0"  # else 24 pictures stay in the encoder
    else:
        options |= {"crf": "32", "b": "0"}
    return options


_OPTIONS = {"h264": _x264, "vp8": _vp8, "vp9": _vp9}
