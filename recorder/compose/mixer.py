"""All voices as one sound, exact to the sample."""

from collections.abc import Sequence

import av
import numpy as np

from recorder.compose.audio_source import AudioSource
from recorder.compose.decoders import SAMPLE_RATE, Samples
from recorder.compose.limiter import BLOCK, Limiter

READ = 4 * BLOCK  # samples that are asked for at once, 20 ms


class Mixer:
    """Adds up what the sources have, from one position on without a break.

    Args:
        position: Of the first sample: samples at 48 kHz since 1970.
    """

    def __init__(self, position: int) -> None:
        self._start = position
        self._position = position  # of what is read next, which is further than what is given
        self._limiter = Limiter()
        self._ready: list[Samples] = []
        self._first = True
        self._given = 0

    @property
    def position(self) -> int:
        """Of the next sample."""
        return self._start + self._given

    def mix(self, sources: Sequence[AudioSource], count: int) -> av.AudioFrame:
        """The next samples, 48 kHz stereo ("fltp"); the pts counts samples from the start on."""
        have = sum(map(len, self._ready))
        while have < count:
            read = self._read(sources)
            for first in range(0, READ, BLOCK):
                block = self._limiter.process(read[first : first + BLOCK])
                if self._first:  # what the limiter had before the first block
                    self._first = False
                    continue
                self._ready.append(block)
                have += len(block)
        samples = np.concatenate(self._ready)
        self._ready = [samples[count:]] if len(samples) > count else []
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:count].T), format="fltp", layout="stereo"
        )
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._given
        self._given += count
        return frame

    def _read(self, sources: Sequence[AudioSource]) -> Samples:
        total = np.zeros((READ, 2), np.float32)
        for source in sources:
            samples = source.read(self._position, READ)
            if samples is not None:
                total += samples
        self._position += READ
        return total
