import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from sfu.room.connection_quality import (
    LOST_TIME,
    RECOVERY_TIME,
    ConnectionQuality,
    QualityInput,
    opinion_score,
    rating,
)

FINE = QualityInput(round_trip=0.04, jitter=0.002)


def first(**measured):
    score = ConnectionQuality().update([QualityInput(**measured)], now=0.0)
    assert score is not None
    return score.quality


def run(inputs, *, interval=1.0):
    """(time, quality) of each change told."""
    quality = ConnectionQuality()
    told = []
    for i, measured in enumerate(inputs):
        score = quality.update([measured], now=i * interval)
        if score is not None:
            assert score is quality.current
            told.append((i * interval, score.quality))
    return told


def lossy(loss):
    return replace(FINE, loss=loss)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, "excellent"),
        ({"round_trip": 0.15, "jitter": 0.01}, "excellent"),
        ({"round_trip": 0.05, "loss": 0.01}, "excellent"),
        ({"round_trip": 0.05, "loss": 0.05}, "good"),
        ({"round_trip": 0.3, "jitter": 0.03}, "good"),
        ({"round_trip": 0.05, "loss": 0.10}, "poor"),
        ({"round_trip": 0.8}, "poor"),
        ({"wanted": 1_700e3, "received": 1_700e3}, "excellent"),
        ({"wanted": 1_700e3, "received": 500e3}, "good"),
        ({"wanted": 1_700e3, "received": 150e3}, "poor"),
        ({"wanted": 150e3, "received": 0}, "poor"),
        ({"silence": LOST_TIME}, "lost"),
    ],
)
def test_what_a_connection_is_called(measured, expected):
    assert first(**measured) == expected


def test_the_rating_of_the_documented_values():
    # 93.2 - 24 × 0.06 and what the docstring says.
    assert rating(QualityInput()) == pytest.approx(91.76)
    assert rating(QualityInput()) - rating(QualityInput(loss=0.02)) == pytest.approx(8.64, abs=0.01)
    assert rating(QualityInput()) - rating(QualityInput(loss=0.05)) == pytest.approx(19)
    third = QualityInput(wanted=900e3, received=300e3)
    assert rating(QualityInput()) - rating(third) == pytest.approx(15.85, abs=0.01)
    paused = QualityInput(wanted=900e3)
    assert rating(QualityInput()) - rating(paused) == pytest.approx(45)


@pytest.mark.parametrize("name", ["loss", "round_trip", "jitter", "wanted"])
def test_worse_is_never_rated_better(name):
    scale = {"loss": 1.0, "round_trip": 3.0, "jitter": 0.5, "wanted": 1e7}[name]
    base = replace(FINE, received=100e3)
    ratings = [rating(replace(base, **{name: scale * i / 100})) for i in range(101)]
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[0] > ratings[-1]


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e-9, 1.0, 1e12, math.inf])
def test_absurd_measurements_are_rated_within_bounds(value):
    for name in ("loss", "round_trip", "jitter", "wanted", "received"):
        assert 0 <= rating(replace(FINE, **{name: value})) <= 93.2


def test_the_opinion_score():
    assert opinion_score(-5) == 1.0
    assert opinion_score(0) == 1.0
    assert opinion_score(93.2) == pytest.approx(4.41, abs=0.01)
    assert opinion_score(60) == pytest.approx(3.1)
    assert min(opinion_score(value / 10) for value in range(933)) == 1.0


def test_the_worst_direction_counts():
    quality = ConnectionQuality()
    score = quality.update([FINE, lossy(0.2), FINE], now=0.0)
    assert score is not None
    assert score.quality == "poor"


def test_without_a_connection_nothing_is_told():
    assert ConnectionQuality().update([], now=0.0) is None


def test_the_same_is_not_told_again():
    assert run([FINE] * 100) == [(0.0, "excellent")]


def test_a_fall_is_told_at_once_and_a_recovery_after_a_while():
    told = run([FINE] * 10 + [lossy(0.15)] * 10 + [FINE] * 10)
    assert told == [(0.0, "excellent"), (10.0, "poor"), (20.0 + RECOVERY_TIME, "excellent")]


def test_a_short_recovery_is_not_told():
    inputs = [lossy(0.15)] * 5 + ([FINE] * 3 + [lossy(0.15)]) * 20
    assert run(inputs) == [(0.0, "poor")]


def test_the_end_of_a_loss_of_connection_is_told_soon():
    lost = replace(FINE, silence=LOST_TIME)
    told = run([FINE] * 5 + [lost] * 5 + [FINE] * 5)
    assert told == [(0.0, "excellent"), (5.0, "lost"), (10.0, "excellent")]


def test_changes_keep_their_distance():
    rng = random.Random(1)
    losses = [
        loss for _ in range(200) for loss in [rng.choice((0, 0.05, 0.2))] * rng.randint(1, 40)
    ]
    told = run([lossy(loss) for loss in losses], interval=0.25)
    assert len(told) > 10
    assert all(b[0] - a[0] >= 2 for a, b in pairwise(told))
    assert all(a[1] != b[1] for a, b in pairwise(told))


@pytest.mark.parametrize("loss", [0.0267, 0.076])
def test_noise_at_a_bound_does_not_flap(loss):
    rng = random.Random(2)
    bound = rating(lossy(loss))
    assert min(abs(bound - 80), abs(bound - 65)) < 1
    told = run([lossy(loss * rng.uniform(0.95, 1.05)) for _ in range(1000)])
    assert len(told) == 1
