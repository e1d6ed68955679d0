"""A composite in the making: pictures and sound up to now, encoded."""

import time
from collections.abc import Callable

from recorder.compose.compositor import Compositor
from recorder.compose.decoders import SAMPLE_RATE
from recorder.compose.encoded import EncodedPacket
from recorder.compose.encoder import KEY_FRAMES, CompositeEncoder, VideoSettings, codecs_for
from recorder.live.pacer import Pacer
from recorder.values import RecordingRequest

LATENCY = 1.0  # s that the composite is behind: packets are waited for up to 0.6 s, then decoded
BUDGET = 0.15  # s at once, so that what comes meanwhile does not wait for long


class Composer:
    """Makes packets of what a compositor shows, as time goes on.

    Attributes:
        compositor: To be told what happens, and given frames.
        encoder: Of all that is made.
    """

    def __init__(
        self,
        request: RecordingRequest,
        *,
        start: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin.

        Args:
            request: What the composite is like.
            start: Unix seconds, that are shown first.
            clock: Seconds; tells what work costs.

        Raises:
            ValueError: There can be no such composite.
        """
        self._start = start
        self._clock = clock
        self._video = request.layout != "audio"
        self.compositor = Compositor(
            request.layout,
            request.width,
            request.height,
            request.fps,
            background=request.background,
        )
        video_codec, audio_codec = codecs_for(request.format or "mp4")
        settings = VideoSettings(request.width, request.height, request.fps, video_codec, live=True)
        self.encoder = CompositeEncoder(settings if self._video else None, audio_codec)
        self._fps = request.fps
        self._pacer = Pacer(request.fps)
        self._samples = 0
        self._key_frames = -1  # number of the last one, counted in intervals of them

    @property
    def dropped(self) -> int:
        """Pictures that were left out."""
        return self._pacer.dropped

    def advance(self, time: float) -> list[EncodedPacket]:
        """Make what is due, or as much of it as may be done at once.

        Args:
            time: Unix seconds, now.

        Returns:
            Packets in order of time.
        """
        return self._make(time - LATENCY - self._start, BUDGET)

    def finish(self, time: float) -> list[EncodedPacket]:
        """Make what is left, and empty the encoder.

        Args:
            time: Unix seconds, at which the composite ends.
        """
        packets = self._make(time - self._start, None)
        packets += self.encoder.flush()
        self.compositor.close()
        return sorted(packets, key=_time)

    def _make(self, until: float, budget: float | None) -> list[EncodedPacket]:
        began = self._clock()
        packets: list[EncodedPacket] = []
        while budget is None or self._clock() - began < budget:
            hurry = budget is not None
            number = self._pacer.next(until, hurry=hurry) if self._video else None
            if number is not None:
                before = self._clock()
                packets += self._picture(number)
                self._pacer.made(self._clock() - before)
            # Sound goes along with the pictures: muxers wait for the later of both.
            reached = until if number is None else min(until, number / self._fps)
            mixed = self._mix(reached)
            packets += mixed
            if number is None and not mixed:
                break
        return sorted(packets, key=_time)

    def _picture(self, number: int) -> list[EncodedPacket]:
        seconds = number / self._fps
        interval = int(seconds // KEY_FRAMES)
        key_frame = interval != self._key_frames
        self._key_frames = interval
        picture = self.compositor.render(self._start + seconds)
        return self.encoder.encode_video(picture, number, key_frame=key_frame)

    def _mix(self, until: float) -> list[EncodedPacket]:
        """Sound up to there, a second at once at most."""
        size = self.encoder.audio_samples
        packets: list[EncodedPacket] = []
        most = self._samples + SAMPLE_RATE
        while self._samples + size <= min(until * SAMPLE_RATE, most):
            mix = self.compositor.mix(self._start + self._samples / SAMPLE_RATE, size)
            packets += self.encoder.encode_audio(mix)
            self._samples += size
        return packets


def _time(packet: EncodedPacket) -> float:
    return packet.time
