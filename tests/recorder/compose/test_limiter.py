"""The limiter: nothing passes the ceiling, what is quiet is untouched, the gain never jumps."""

import numpy as np

from recorder.compose.decoders import Samples
from recorder.compose.limiter import BLOCK, CEILING, Limiter
from tests.recorder.compose.clips import tone


def limited(sound: Samples) -> Samples:
    limiter = Limiter()
    padded = np.concatenate((sound, np.zeros((BLOCK, 2), np.float32)))
    blocks = [
        limiter.process(padded[first : first + BLOCK]) for first in range(0, len(padded), BLOCK)
    ]
    return np.concatenate(blocks[1:])


def test_quiet_sound_is_not_touched() -> None:
    sound = tone(440, 0.5)
    assert np.array_equal(limited(sound), sound)


def test_two_loud_voices_do_not_clip() -> None:
    sound = tone(440, 1, 0.9) + tone(570, 1, 0.9)
    result = limited(sound)
    assert np.abs(sound).max() > 1.7
    assert np.abs(result).max() <= CEILING + 1e-6
    assert np.sqrt(np.mean(result**2)) > 0.3, "it is still loud"


def test_a_sudden_peak_is_met_softly_and_left_softly() -> None:
    sound = tone(100, 1, 0.5)
    sound[24000:24100] *= 4
    result = limited(sound)
    assert np.abs(result).max() <= CEILING + 1e-6
    heard = np.abs(sound[:, 0]) > 0.05
    gain = result[heard, 0] / sound[heard, 0]
    assert np.abs(np.diff(gain)).max() < 0.02
    assert gain[-1] == 1
    assert np.array_equal(result[: 24000 - 2 * BLOCK], sound[: 24000 - 2 * BLOCK])
