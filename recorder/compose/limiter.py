"""Keeps a mix below full scale without clipping it."""

import numpy as np

from recorder.compose.decoders import Samples

BLOCK = 240  # samples, 5 ms: how long it takes to get quieter, and how far ahead it looks
CEILING = 0.89  # -1 dBFS: encoders overshoot
RELEASE = 0.01  # of full gain in each block: half a second from silence to full


class Limiter:
    """Turns loud moments down before they come, and up again slowly.

    Between the ends of a block the gain is a straight line, and at both of its ends low enough for
    the loudest sample in it: what comes out never passes the ceiling.
    """

    def __init__(self) -> None:
        self._next = np.zeros((BLOCK, 2), np.float32)
        self._gain = 1.0  # at the beginning of `_next`
        self._allowed = 1.0  # the most that `_next` may have

    def process(self, block: Samples) -> Samples:
        """Take the next BLOCK samples, and give those before them."""
        peak = float(np.max(np.abs(block)))
        allowed = min(1.0, CEILING / peak) if peak else 1.0
        end = min(self._allowed, allowed, self._gain + RELEASE)
        result = self._next
        if self._gain < 1 or end < 1:
            result = result * np.linspace(self._gain, end, BLOCK, dtype=np.float32)[:, None]
        self._next, self._gain, self._allowed = block, end, allowed
        return result
