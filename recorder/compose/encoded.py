"""What a composite's encoder makes, for any number of files and streams at once.

`CompositeEncoder` (`recorder.compose.encoder`) has an attribute `streams: EncodedStreams`, and its
`encode_video`, `encode_audio` and `flush` return lists of `EncodedPacket`, in order of decoding in
each stream. Whoever muxes makes streams of its own from the templates and packets of its own from
the values, because PyAV's muxers change the packets that they are given:

    stream = container.add_stream_from_template(streams.video, opaque=True)
    container.mux_one(packet.for_stream(stream))
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from sfu.wire.parameters import Kind


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet of the composite.

    Attributes:
        kind: Which of the two streams.
        data: H.264: Annex B; AAC: raw, without ADTS; VP8, VP9, Opus: as they are.
        pts: When it is shown, in units of `time_base`; 0 is when the composite began.
        dts: When it is decoded.
        duration: In units of `time_base`.
        time_base: Seconds.
        key_frame: Always true for sound.
    """

    kind: Kind
    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction
    key_frame: bool

    @property
    def time(self) -> float:
        """Seconds from the composite's beginning at which it is decoded."""
        return float(self.dts * self.time_base)

    def for_stream(
        self, stream: VideoStream | AudioStream, *, offset: float = 0.0
    ) -> "Packet[Stream]":
        """A packet for a muxer's stream.

        Args:
            stream: Made from the template.
            offset: Seconds that are taken from its times.
        """
        shift = round(Fraction(offset) / self.time_base)
        packet = Packet(self.data)
        packet.stream = stream
        packet.time_base = self.time_base
        packet.pts = self.pts - shift
        packet.dts = self.dts - shift
        packet.duration = self.duration
        packet.is_keyframe = self.key_frame
        return packet


@dataclass(frozen=True, slots=True)
class EncodedStreams:
    """Templates of what is muxed: streams whose encoders are open, so that headers are known.

    Attributes:
        video: None for a mix alone.
        audio: Always there.
    """

    video: VideoStream | None
    audio: AudioStream

    def add_to(
        self, container: av.container.OutputContainer
    ) -> dict[Kind, VideoStream | AudioStream]:
        """Make the same streams in a container that is to be written."""
        made: dict[Kind, VideoStream | AudioStream] = {}
        if self.video is not None:
            made["video"] = container.add_stream_from_template(self.video, opaque=True)
        made["audio"] = container.add_stream_from_template(self.audio, opaque=True)
        return made

    @property
    def codecs(self) -> tuple[str, ...]:
        """FFmpeg's names: "h264", "vp8", "vp9", "aac", "opus"."""
        streams: Iterable[VideoStream | AudioStream | None] = (self.video, self.audio)
        return tuple(one.codec_context.codec.canonical_name for one in streams if one is not None)
