"""One track's sound, each sample at its time."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from recorder.compose.decoders import SAMPLE_RATE, AudioDecoder, Samples
from recorder.compose.resampler import REACH, stretch
from recorder.media import opus
from recorder.values import EncodedFrame

JUMP = 480  # samples, 10 ms: what is further off than that was lost, or sent after a pause
FADE = 240  # samples, 5 ms: how softly sound begins and ends
FOLLOW = 0.05  # part of a difference that is believed at each packet: times are rounded
STEADY = 4  # samples that times may be off before anything is done
STEP = 2  # samples by which a packet is made longer or shorter at most: 0.2 % of 20 ms
MAX_PACKETS = 3000  # that wait: a minute

ALONG = np.linspace(0, 1, FADE, endpoint=False, dtype=np.float32)[:, None]
RISE = ALONG * ALONG * (3 - 2 * ALONG)  # level at both ends
SILENCE = np.zeros((2 * REACH, 2), np.float32)


class AudioSource:
    """Decodes a track's packets when they are due, and lines them up.

    Positions are samples at 48 kHz since 1970. Where the sender's clock and ours drift apart, sound
    is stretched; where there is a gap, it fades out and in.
    """

    def __init__(self) -> None:
        self._packets: deque[EncodedFrame] = deque(maxlen=MAX_PACKETS)
        self._decoder = AudioDecoder()
        self._pieces: deque[tuple[int, Samples]] = deque()  # given out, with their positions
        self._recent = SILENCE[:0]  # what was decoded last; the last REACH of it not yet given out
        self._end = 0  # position behind what was given out
        self._wanted = 0  # position that is read next
        self._difference = 0.0  # between when sound should be and when it is, samples, smoothed

    def receive(self, frames: Sequence[EncodedFrame]) -> None:
        """Packets, in order."""
        self._packets.extend(frames)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to be heard."""
        return not (self._packets or self._pieces or len(self._recent))

    def read(self, position: int, count: int) -> Samples | None:
        """Samples from a position on, not before those read last; None for silence."""
        until = position + count
        self._wanted = position
        while self._packets and _start(self._packets[0]) < until + JUMP + REACH:
            self._place(self._packets.popleft())
        if self._end < until:
            self._finish()
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= position:
            self._pieces.popleft()
        if not self._pieces or self._pieces[0][0] >= until:
            return None
        result = np.zeros((count, 2), np.float32)
        for start, piece in self._pieces:
            first, last = max(start, position), min(start + len(piece), until)
            if first < last:
                result[first - position : last - position] += piece[first - start : last - start]
        return result

    def _place(self, frame: EncodedFrame) -> None:
        """Decode a packet, and put it where it belongs."""
        samples = self._decoder.decode(frame)
        start = _start(frame)
        off = start - (self._end + REACH)
        if not len(self._recent) or abs(off) >= JUMP:
            self._finish()
            late = max(0, max(self._end, self._wanted) - start)
            if late < len(samples):
                self._begin(start + late, samples[late:])
            return
        self._difference += (off - self._difference) * FOLLOW
        extra = 0
        if abs(self._difference) > STEADY:
            extra = max(-STEP, min(STEP, round(self._difference)))
            self._difference -= extra
        self._go_on(samples, extra)

    def _begin(self, start: int, samples: Samples) -> None:
        """After silence: fade in."""
        count = min(FADE, len(samples))
        samples[:count] *= RISE[:: FADE // count][:count]
        self._recent = SILENCE
        self._end = start - REACH
        self._difference = 0.0
        self._go_on(samples, 0)

    def _go_on(self, samples: Samples, extra: int) -> None:
        """Give out all but the last REACH samples, which are needed to stretch what comes next."""
        known = np.concatenate((self._recent, samples))
        around = known[len(self._recent) - 2 * REACH :]
        self._give(stretch(around, extra) if extra else around[REACH:-REACH])
        self._recent = known[-FADE - REACH :]

    def _finish(self) -> None:
        """Before silence: give out the rest, and let it fade away, turned round its last sample."""
        if not len(self._recent):
            return
        turned = 2 * self._recent[-1] - np.resize(self._recent[-2::-1], (FADE, 2))
        self._give(np.concatenate((self._recent[-REACH:], turned * RISE[::-1])))
        self._end -= FADE  # what comes next may begin while this fades
        self._recent = SILENCE[:0]

    def _give(self, samples: Samples) -> None:
        self._pieces.append((self._end, samples))
        self._end += len(samples)


def _start(frame: EncodedFrame) -> int:
    return round(frame.time * SAMPLE_RATE) - opus.DELAY
