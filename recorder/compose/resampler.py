"""Sound made a little longer or shorter, so gently that nobody hears it."""

import numpy as np
from numpy.typing import NDArray

from recorder.compose.decoders import Samples

REACH = 16  # samples before and after a point that its value is made of
PHASES = 512  # steps between two samples; between steps values are interpolated


def _kernel() -> NDArray[np.float32]:
    """Windowed sinc: for each phase the weights of the 2 * REACH samples around."""
    offsets = np.arange(-REACH + 1, REACH + 1)
    distance = offsets[None, :] - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.kaiser(2 * 2048 * REACH + 1, 9.0)  # 90 dB of stop band
    at = np.interp(distance / REACH, np.linspace(-1, 1, window.size), window, left=0, right=0)
    weights = np.sinc(distance) * at
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, np.float32)


KERNEL = _kernel()


def stretch(samples: Samples, extra: int) -> Samples:
    """Make sound longer by some samples, or shorter.

    The rate changes smoothly from 1 and back to 1, so pieces that are stretched and pieces that are
    not fit together without a step.

    Args:
        samples: With REACH more before and after than what is to be made of it.
        extra: How many more samples to make; less than a twentieth of them.
    """
    count = len(samples) - 2 * REACH
    made = count + extra
    along = np.arange(made) / made
    smooth = along * along * (3 - 2 * along)  # 0 to 1, and level at both ends
    points = np.arange(made) - extra * smooth
    whole = np.floor(points)
    phase = (points - whole) * PHASES
    step = phase.astype(np.intp)
    part = (phase - step).astype(np.float32)[:, None]
    weights = KERNEL[step] * (1 - part) + KERNEL[np.minimum(step + 1, PHASES)] * part
    first = whole.astype(np.intp) + 1  # the earliest of the samples around a point
    around = samples[first[:, None] + np.arange(2 * REACH)]
    made_samples: Samples = np.einsum("ik,ikc->ic", weights, around, dtype=np.float32)
    return made_samples
