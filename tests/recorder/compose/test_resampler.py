"""Stretching: the pitch hardly changes, the wave has no step, the length is exact."""

import numpy as np
import pytest

from recorder.compose.resampler import REACH, stretch
from tests.recorder.compose.clips import tone


@pytest.mark.parametrize("extra", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("hertz", [220, 1000, 8000])
def test_a_tone_stays_a_tone(extra: int, hertz: int) -> None:
    sound = tone(hertz, 0.1)
    piece = stretch(sound[1000 - REACH : 1960 + REACH], extra)
    assert len(piece) == 960 + extra
    along = np.arange(len(piece)) / len(piece)
    points = 1000 + np.arange(len(piece)) - extra * along * along * (3 - 2 * along)
    expected = 0.4 * np.sin(points * 2 * np.pi * hertz / 48000)
    assert np.max(np.abs(piece[:, 0] - expected)) < 0.4e-3, "60 dB below the tone"


def test_pieces_fit_to_what_is_before_and_after() -> None:
    sound = tone(440, 0.1)
    piece = stretch(sound[1000 - REACH : 1960 + REACH], 2)
    joined = np.concatenate((sound[:1000], piece, sound[1960:]))
    bends = np.abs(np.diff(joined[:, 0], 2))
    assert bends.max() < 1.1 * np.abs(np.diff(sound[:, 0], 2)).max()
