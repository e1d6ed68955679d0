"""Mixes: voices add up, at their times, without a break between pieces."""

import numpy as np

from recorder.compose.audio_source import AudioSource
from recorder.compose.limiter import CEILING
from recorder.compose.mixer import Mixer
from tests.recorder.compose.clips import RATE, Sound, audio, tone


def mixed(*sounds: Sound, seconds: float, piece: int = 1024) -> Sound:
    sources = []
    for sound in sounds:
        source = AudioSource()
        source.receive(audio(sound))
        sources.append(source)
    mixer = Mixer(0)
    frames = [mixer.mix(sources, piece) for _ in range(round(seconds * RATE) // piece)]
    assert [frame.pts for frame in frames] == [piece * n for n in range(len(frames))]
    assert mixer.position == piece * len(frames)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T


def strength(sound: Sound, hertz: float) -> float:
    """Amplitude of one pitch."""
    time = np.arange(len(sound)) / RATE
    return float(2 * abs(np.mean(sound[:, 0] * np.exp(-2j * np.pi * hertz * time))))


def test_two_tones_are_both_heard() -> None:
    result = mixed(tone(400, 2, 0.3), tone(600, 2, 0.3), seconds=2)[12000:84000]
    assert abs(strength(result, 400) - 0.3) < 0.02
    assert abs(strength(result, 600) - 0.3) < 0.02
    assert strength(result, 1000) < 0.001, "no intermodulation"


def test_many_loud_voices_do_not_clip() -> None:
    result = mixed(*(tone(200 + 50 * n, 1, 0.8) for n in range(6)), seconds=1)
    assert np.abs(result).max() <= CEILING + 1e-6
    assert np.sqrt(np.mean(result[12000:40000] ** 2)) > 0.2


def test_the_length_of_pieces_does_not_matter() -> None:
    sounds = (tone(400, 1, 0.7), tone(610, 1, 0.7))
    one, other = mixed(*sounds, seconds=1, piece=1024), mixed(*sounds, seconds=1, piece=960)
    count = min(len(one), len(other))
    assert np.array_equal(one[:count], other[:count])


def test_without_sound_there_is_silence() -> None:
    assert not mixed(seconds=0.1).any()
