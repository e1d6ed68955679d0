"""A camera and a microphone that know when they captured what, however busy the machine is."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.micro.sending import Source
from recorder.link.tap import TrackTap
from recorder.values import RecordedPacket
from sfu.wire.parameters import OPUS, VP8, Codec, Kind
from sfu.wire.rtp import RtpPacket
from tests.recorder.media.packetizer import (
    audio_packets,
    encode_audio,
    encode_video,
    video_packets,
)

WALL_OFFSET = time.time() - time.monotonic()


class ExactSource(Source):
    """Sends real media to taps, each frame with the time at which it is sent.

    Attributes:
        kind: "audio" or "video".
        taps: To which it sends.
        newest: When the newest frame was captured, Unix seconds.
        sent: Of each frame that the taps got, when it was captured and its bytes.
    """

    def __init__(
        self, kind: Kind, codec: Codec, units: Sequence[Sequence[RecordedPacket]], interval: float
    ) -> None:
        self.kind = kind
        self.taps: list[TrackTap] = []
        self.newest = 0.0
        self.sent: list[tuple[float, int]] = []
        self._begun = time.monotonic()
        self._codec = codec
        self._units = units
        self._interval = interval
        self._index = 0

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> float:
        """The time of this timestamp."""
        return WALL_OFFSET + self._begun + timestamp / codec.clock_rate

    async def run(self) -> None:
        """Send until it is cancelled."""
        while True:
            for unit in self._units:
                self._send(unit)
                await asyncio.sleep(self._interval)

    def _send(self, unit: Sequence[RecordedPacket]) -> None:
        now = time.monotonic()
        packets = []
        for part in unit:
            timestamp = round((now - self._begun) * self._codec.clock_rate)
            packet = RtpPacket(96, 0, timestamp, 1, part.payload, part.marker)
            packet.index, packet.codec = self._index, self._codec
            packet.key_frame = part.key_frame
            self._index += 1
            packets.append(packet)
        self.newest = now + WALL_OFFSET
        if self.taps:
            self.sent.append((self.newest, sum(len(part.payload) for part in unit)))
        for tap in self.taps:
            tap.receive_packets(packets, now=now)


class ExactCamera(ExactSource):
    """Thirty pictures of VP8 a second, a key frame each third of one."""

    def __init__(self) -> None:
        super().__init__("video", VP8, video_packets(VP8, encode_video(VP8, 30)), 1 / 30)


class ExactMicrophone(ExactSource):
    """Fifty packets of Opus a second."""

    def __init__(self) -> None:
        units = [[packet] for packet in audio_packets(encode_audio(50))]
        super().__init__("audio", OPUS, units, 0.02)
