"""Sound of a track: exact to the sample, drift followed without clicks, gaps silent and soft."""

import numpy as np
import pytest

from recorder.compose.audio_source import AudioSource
from recorder.values import EncodedFrame
from sfu.wire.parameters import OPUS
from tests.recorder.compose.clips import Sound, audio, tone

RATE = 48000


def heard(source: AudioSource, seconds: float, block: int = 960) -> Sound:
    """All that a source gives from time 0 on."""
    pieces = []
    for position in range(0, round(seconds * RATE), block):
        piece = source.read(position, block)
        pieces.append(np.zeros((block, 2), np.float32) if piece is None else piece)
    return np.concatenate(pieces)


def clicks(sound: Sound, like: Sound) -> float:
    """How much sharper than an unbroken tone its sharpest bend is."""
    return float(np.abs(np.diff(sound[:, 0], 2)).max() / np.abs(np.diff(like[:, 0], 2)).max())


def shift(sound: Sound, reference: Sound, reach: int = 2000) -> int:
    """By how many samples a sound is later than another one."""
    size = len(sound) + len(reference)
    spectrum = np.fft.rfft(sound[:, 0], size) * np.conj(np.fft.rfft(reference[:, 0], size))
    match = np.fft.irfft(spectrum, size)
    around = np.concatenate((match[-reach:], match[: reach + 1]))
    return int(np.argmax(around)) - reach


def chirp(seconds: float) -> Sound:
    """A sound that is like itself only without a shift."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 0.4 * np.sin(2 * np.pi * (200 * time + 150 * time**2 / seconds * 8))
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


@pytest.mark.parametrize("block", [240, 960, 1024])
def test_sound_is_where_it_was_captured(block: int) -> None:
    sound = chirp(2)
    source = AudioSource()
    source.receive(audio(sound, start=0.5))
    result = heard(source, 3, block)
    assert abs(shift(result[24000 : 24000 + len(sound)], sound)) <= 3
    assert not result[: 24000 - 320].any()
    assert not result[24000 + len(sound) + 320 :].any()


@pytest.mark.parametrize("skew", [100e-6, -100e-6, 0.001])
def test_drift_is_followed_without_clicks(skew: float) -> None:
    sound = tone(440, 20)
    source = AudioSource()
    # Matroska's times are whole milliseconds.
    source.receive(audio(sound, clock=lambda time: round(time * (1 + skew), 3)))
    result = heard(source, 20.5)
    ends = 20 * (1 + skew) * RATE
    last = np.flatnonzero(np.abs(result[:, 0]) > 1e-3)[-1]
    assert abs(last - ends) < 0.002 * RATE + 312, "after 20 s it ends when it should"
    middle = result[RATE : 19 * RATE]
    assert clicks(middle, sound) < 1.2
    # It was stretched, not cut: the wave has the level of a tone all along.
    levels = np.sqrt(np.mean(middle[:, 0].reshape(-1, 480) ** 2, axis=1))
    assert levels.min() > 0.9 * levels.mean()


def test_a_long_drift_stays_within_a_millisecond() -> None:
    sound = chirp(2)
    source = AudioSource()
    frames = audio(np.concatenate([tone(300, 28, 0.1), sound]), clock=lambda time: time * 1.0001)
    source.receive(frames)
    result = heard(source, 31)
    begin = round(28 * 1.0001 * RATE)
    assert abs(shift(result[begin : begin + len(sound)], sound)) < RATE / 1000


def test_lost_packets_are_a_soft_gap_and_nothing_slides() -> None:
    sound = chirp(2)
    frames = audio(sound)
    source = AudioSource()
    source.receive(frames[:40] + frames[50:])
    result = heard(source, 2)
    assert not result[39000:47500].any(), "from 0.8 s to 1 s"
    assert abs(shift(result[50000:90000], sound[50000:90000])) <= 3
    assert clicks(result[37000:50000], sound) < 1.5


def test_what_comes_too_late_is_left_out_and_fades_in() -> None:
    frames = audio(tone(440, 2))
    source = AudioSource()
    source.receive(frames[:25])
    first = heard(source, 1)
    source.receive(frames[25:])
    second = np.concatenate(
        [
            piece
            for position in range(RATE, 2 * RATE, 960)
            if (piece := source.read(position, 960)) is not None
        ]
    )
    assert not first[25000:].any()
    assert abs(second[0, 0]) < 0.01
    assert np.abs(second[480:960]).max() > 0.3
    assert clicks(np.concatenate((first, second)), tone(440, 1)) < 3


def test_junk_is_silence_and_nothing_breaks() -> None:
    frames = audio(tone(440, 1))
    junk = [
        EncodedFrame(b"\xff" * 40, frame.time, OPUS, True, duration=0.02) for frame in frames[20:30]
    ]
    source = AudioSource()
    source.receive(frames[:20] + junk + frames[30:])
    result = heard(source, 1)
    assert np.abs(result).max() < 1.5
    assert np.abs(result[35000:46000]).max() > 0.3
    assert not source.empty or heard(source, 2) is not None


def test_it_is_empty_when_all_was_heard() -> None:
    source = AudioSource()
    assert source.empty
    source.receive(audio(tone(440, 0.1)))
    assert not source.empty
    heard(source, 0.2)
    source.read(20000, 960)
    assert source.empty
