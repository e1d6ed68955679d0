import pytest

from sfu.stream.audio_level import AudioLevel


def feed(level: AudioLevel, value: int, start: float, seconds: float) -> float:
    now = start
    for _ in range(round(seconds / 0.02)):
        level.add(value, now)
        now += 0.02
    return now


def test_nothing_came():
    level = AudioLevel()
    assert level.level(5.0) == 127
    assert not level.speaking(5.0)


@pytest.mark.parametrize("value", [0, 1, 20, 35, 60, 127])
def test_the_level_converges(value):
    level = AudioLevel()
    now = feed(level, value, 10.0, 3.0)
    assert level.level(now) == pytest.approx(value, abs=0.1)
    assert level.speaking(now) == (value < 40)


def test_the_first_syllable_is_speech():
    level = AudioLevel()
    assert level.speaking(feed(level, 25, 0.0, 0.12))


def test_a_click_is_no_speech():
    level = AudioLevel()
    now = feed(level, 127, 0.0, 1.0)
    level.add(10, now)
    assert not level.speaking(now)


def test_the_pause_between_two_words_is_still_speech():
    level = AudioLevel()
    now = feed(level, 25, 0.0, 1.0)
    now = feed(level, 80, now, 0.3)
    assert level.speaking(now)


def test_falling_silent_ends_it():
    level = AudioLevel()
    now = feed(level, 25, 0.0, 1.0)
    now = feed(level, 127, now, 1.2)
    assert not level.speaking(now)


def test_a_soft_voice_does_not_begin_but_goes_on():
    level = AudioLevel()
    now = feed(level, 45, 0.0, 2.0)
    assert not level.speaking(now)
    now = feed(level, 30, now, 1.0)
    now = feed(level, 45, now, 3.0)
    assert level.speaking(now)


def test_a_stream_that_stops_is_silent():
    level = AudioLevel()
    now = feed(level, 25, 0.0, 1.0)
    assert level.speaking(now + 0.3)
    assert not level.speaking(now + 0.6)
    assert level.level(now + 5.0) == pytest.approx(127, abs=0.1)
    level.add(45, now + 5.0)
    assert not level.speaking(now + 5.0), "what was before the pause does not count"


def test_the_louder_of_two_is_louder_and_stays_so():
    loud, soft = AudioLevel(), AudioLevel()
    now = feed(loud, 20, 0.0, 1.0)
    feed(soft, 30, 0.0, 1.0)
    for later in (0.0, 0.5, 1.0):
        assert loud.level(now + later) < soft.level(now + later)
