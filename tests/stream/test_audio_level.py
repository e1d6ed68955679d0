import random

import pytest

from sfu.stream.audio_level import HANGOVER, MAX_GAP, SILENCE, AudioLevelMeter

INTERVAL = 0.02


def play(meter, levels, *, start=100.0, voice=False):
    """Add one packet for each level; returns the time of the last."""
    now = start
    for i, level in enumerate(levels):
        now = start + i * INTERVAL
        meter.add(level, voice, now=now)
    return now


def test_nothing_came():
    meter = AudioLevelMeter()
    assert meter.level(now=5.0) == SILENCE
    assert not meter.speaking(now=5.0)


@pytest.mark.parametrize("level", [0, 20, 60, 127])
def test_a_steady_level_is_reached_within_half_a_second(level):
    meter = AudioLevelMeter()
    now = play(meter, [level] * 25)
    assert meter.level(now=now) == pytest.approx(level, abs=1)


def test_speech_is_noticed_within_a_fifth_of_a_second_and_ends_after_the_hangover():
    meter = AudioLevelMeter()
    now = play(meter, [127] * 50)
    assert not meter.speaking(now=now)
    now = play(meter, [25] * 10, start=now + INTERVAL)
    assert meter.speaking(now=now)
    now = play(meter, [127] * 50, start=now + INTERVAL)
    assert not meter.speaking(now=now)


def test_speech_with_pauses_between_words_is_one_speech():
    meter = AudioLevelMeter()
    now = play(meter, [25] * 25)
    for _ in range(20):
        for _ in range(15):
            now = play(meter, [75], start=now + INTERVAL)
            assert meter.speaking(now=now)
        for _ in range(10):
            now = play(meter, [25], start=now + INTERVAL)
            assert meter.speaking(now=now)


@pytest.mark.parametrize("packets", [1, 2])
def test_a_click_is_no_speech(packets):
    meter = AudioLevelMeter()
    now = play(meter, [100] * 50)
    for _ in range(10):
        now = play(meter, [20] * packets, start=now + INTERVAL)
        assert not meter.speaking(now=now)
        now = play(meter, [100] * 50, start=now + INTERVAL)


def test_a_click_after_a_pause_of_the_sender_is_no_speech():
    meter = AudioLevelMeter()
    now = play(meter, [127] * 10)
    meter.add(10, False, now=now + 0.4)
    assert not meter.speaking(now=now + 0.4)


def test_noise_of_a_room_is_no_speech():
    rng = random.Random(1)
    meter = AudioLevelMeter()
    now = play(meter, [rng.randint(50, 70) for _ in range(1000)])
    assert not meter.speaking(now=now)


def test_a_sender_that_stops_sending_is_silent():
    meter = AudioLevelMeter()
    now = play(meter, [20] * 50)
    assert meter.level(now=now + MAX_GAP / 2) < 25
    assert meter.level(now=now + 2 * MAX_GAP) == SILENCE
    assert meter.speaking(now=now + HANGOVER / 2)
    assert not meter.speaking(now=now + HANGOVER + 0.01)


def test_the_level_falls_within_a_second():
    meter = AudioLevelMeter()
    now = play(meter, [20] * 50)
    now = play(meter, [90] * 50, start=now + INTERVAL)
    assert meter.level(now=now) > 85


def test_the_voice_flag_counts_once_it_was_set():
    never = AudioLevelMeter()
    assert never.speaking(now=play(never, [20] * 50))
    sometimes = AudioLevelMeter()
    now = play(sometimes, [20] * 50, voice=True)
    assert sometimes.speaking(now=now)
    now = play(sometimes, [20] * 100, start=now + INTERVAL)
    assert not sometimes.speaking(now=now)


@pytest.mark.parametrize("seed", range(5))
def test_the_level_stays_between_what_came(seed):
    rng = random.Random(seed)
    meter = AudioLevelMeter()
    now = 0.0
    for _ in range(2000):
        now += rng.choice((0.0, 0.0, 0.001, 0.02, 0.06, 0.15, 0.5))
        meter.add(rng.randint(10, 100), bool(rng.getrandbits(1)), now=now)
        assert 10 <= meter.level(now=now) <= SILENCE
