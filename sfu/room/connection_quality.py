"""How good a participant's connection is, in one word."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal

Quality = Literal["excellent", "good", "poor", "lost"]

BEST = 93.2  # ITU-T G.107: the rating of a connection with nothing wrong
DEVICE_DELAY = 0.06  # s; capture, a 20 ms frame, and a jitter buffer's least
LOSS_ROBUSTNESS = 20.0  # percent of loss that costs half of all; Opus with concealment
PENALTY_PER_HALVING = 10.0  # rating lost with each halving of the bit rate of video
MAX_PENALTY = 45.0  # rating lost with video that is paused for want of bandwidth

EXCELLENT = 80.0  # G.109: "satisfied" and better
GOOD = 65.0  # G.109: "some users dissatisfied", and half of "many"
MARGIN = 2.0  # rating by which a bound must be passed
INTERVAL = 2.0  # s between two changes that are told, at least
RECOVERY_TIME = 4.0  # s that a connection must be better before that is told
LOST_TIME = 5.0  # s without a packet


@dataclass(frozen=True, slots=True)
class QualityInput:
    """What was measured of one direction of a connection, over the last seconds.

    Attributes:
        loss: Share of the packets that were lost, 0 to 1, before repair.
        round_trip: Seconds.
        jitter: Seconds, RFC 3550 6.4.1.
        wanted: bit/s of the video that is wanted; what nobody wants does not count.
        received: bit/s of the layers that were chosen for it.
        silence: Seconds since a packet came; 0 where nothing is due.
    """

    loss: float = 0.0
    round_trip: float = 0.0
    jitter: float = 0.0
    wanted: float = 0.0
    received: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True, slots=True)
class QualityScore:
    """What is told.

    Attributes:
        quality: In one word.
        score: Mean opinion score, 1 (bad) to 4.5 (excellent); 1 for a lost connection.
    """

    quality: Quality
    score: float


def rating(measured: QualityInput) -> float:
    """Rate one direction of a connection, after the E-model (ITU-T G.107).

    R = 93.2 - Id - Ie - Iv, and never below 0, where

    - Id = 24 d + 110 max(0, d - 0.1773) is what delay costs (the usual approximation of G.107),
      with d = round trip / 2 + 2 × jitter + 60 ms, in seconds: jitter becomes delay in the
      receiver's buffer, and `DEVICE_DELAY` is what devices and codec add.
    - Ie = 95 × loss / (loss + 20 %) is what loss costs. 2 % cost 8.6; 5 % cost 19; 10 % cost 32.
    - Iv = 10 × log2(wanted / received), 45 at most, is what video costs that comes in a lower
      layer than wanted: one that needs a third of the bit rate costs 16, a pause 45. 0 where no
      video is wanted.

    Returns:
        0 to 93.2: from 80 on it is excellent, from 65 on good.
    """
    delay = measured.round_trip / 2 + 2 * measured.jitter + DEVICE_DELAY
    impairment = 24 * delay + 110 * max(0.0, delay - 0.1773)
    loss = 100 * min(max(measured.loss, 0.0), 1.0)
    impairment += 95 * loss / (loss + LOSS_ROBUSTNESS)
    if measured.received < measured.wanted:
        halvings = log2(max(measured.wanted, 1.0) / max(measured.received, 1.0))
        impairment += min(PENALTY_PER_HALVING * halvings, MAX_PENALTY)
    return min(max(BEST - impairment, 0.0), BEST)


def opinion_score(rating: float) -> float:
    """The mean opinion score of a rating (ITU-T G.107 annex B)."""
    if rating <= 0:
        return 1.0
    score = 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating)
    return max(1.0, score)


class ConnectionQuality:
    """Turns what is measured of one participant into few changes of one word.

    The worse direction counts. A change for the worse is told when a bound is passed by `MARGIN`;
    one for the better when that has been so for `RECOVERY_TIME`, too. Nothing is told within
    `INTERVAL` of the last change. A connection is lost when no packet came for `LOST_TIME`.

    Attributes:
        current: What was told last, or None.
    """

    def __init__(self) -> None:
        self.current: QualityScore | None = None
        self._told = float("-inf")
        self._better_since: float | None = None

    def update(self, measured: Sequence[QualityInput], *, now: float) -> QualityScore | None:
        """Take what was measured; to be called about once a second.

        Args:
            measured: Each direction of each of the participant's connections; nothing where there
                is none that should be up.
            now: Monotonic seconds.

        Returns:
            What to tell, None for nothing new.
        """
        if not measured:
            return None
        if max(m.silence for m in measured) >= LOST_TIME:
            value = 0.0
            quality: Quality = "lost"
        else:
            value = min(rating(m) for m in measured)
            quality = self._judge(value)
        before = self.current
        if before is not None and not self._due(before.quality, quality, now):
            return None
        self.current = QualityScore(quality, round(opinion_score(value), 2))
        self._told = now
        self._better_since = None
        return self.current

    def _judge(self, value: float) -> Quality:
        """The word for this rating; at its bounds, the word that was told keeps."""
        told = self.current.quality if self.current else None
        margin = {"excellent": -MARGIN, None: 0.0}.get(told, MARGIN)
        if value >= EXCELLENT + margin:
            return "excellent"
        margin = {"excellent": -MARGIN, "good": -MARGIN, None: 0.0}.get(told, MARGIN)
        return "good" if value >= GOOD + margin else "poor"

    def _due(self, before: Quality, quality: Quality, now: float) -> bool:
        """Whether a change is to be told now."""
        if _RANK[quality] <= _RANK[before]:
            self._better_since = None
        elif self._better_since is None:
            self._better_since = now
        if quality == before or now - self._told < INTERVAL:
            return False
        if before == "lost" or self._better_since is None:
            return True
        return now - self._better_since >= RECOVERY_TIME


_RANK = {"lost": 0, "poor": 1, "good": 2, "excellent": 3}
