"""A camera that knows exactly when it captured what, however busy the machine is."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.micro.sending import Source
from recorder.link.tap import TrackTap
from sfu.wire.parameters import VP8, Codec
from sfu.wire.rtp import RtpPacket
from tests.recorder.media.packetizer import encode_video, video_packets

WALL_OFFSET = time.time() - time.monotonic()
INTERVAL = 1 / 30  # s


class ExactCamera(Source):
    """Sends real VP8 to taps, each frame with the time at which it is sent.

    Attributes:
        taps: To which it sends.
        newest: When the newest frame was captured, Unix seconds.
    """

    def __init__(self) -> None:
        self.taps: list[TrackTap] = []
        self.newest = 0.0
        self._begun = time.monotonic()
        self._pictures = video_packets(VP8, encode_video(VP8, 30))
        self._index = 0

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> float:
        """The time of this timestamp."""
        return WALL_OFFSET + self._begun + timestamp / codec.clock_rate

    async def run(self) -> None:
        """Send until it is cancelled."""
        while True:
            for picture in self._pictures:
                self._send(picture)
                await asyncio.sleep(INTERVAL)

    def _send(self, picture: Sequence) -> None:
        now = time.monotonic()
        packets = []
        for part in picture:
            timestamp = round((now - self._begun) * VP8.clock_rate)
            packet = RtpPacket(96, 0, timestamp, 1, part.payload, part.marker)
            packet.index, packet.codec, packet.key_frame = self._index, VP8, part.key_frame
            self._index += 1
            packets.append(packet)
        self.newest = now + WALL_OFFSET
        for tap in self.taps:
            tap.receive_packets(packets, now=now)
