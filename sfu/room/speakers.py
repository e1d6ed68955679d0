"""Who speaks in a room, in which order they were heard, and whose media is worth sending."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from sfu.stream.audio_level import AudioLevelMeter

TICK = 0.1  # s between two looks at the levels
NOTICE_INTERVAL = 0.3  # s between two notices, at least: quick enough for an eye
NOTICEABLE = 6.0  # dB that a level must change to be told of without another reason
PRESENCE_TIME = 1.0  # s; time constant with which speaking becomes presence, and is forgotten
QUIET = 60.0  # -dBov; speaking as quietly as that adds nothing to presence
DOMINANCE = 1.3  # presence of a new dominant speaker / that of the one before
HEARD = 0.12  # presence of who has said more than "mhm": half a second at a usual level
FORGOTTEN = 0.04  # presence below which the next words are a new contribution
LOUDER = 6.0  # dB by which a speaker must pass another to take its place among the loudest

K = TypeVar("K", bound=Hashable)


class Speaker(NamedTuple, Generic[K]):
    """What is told of one participant.

    Attributes:
        key: Of the participant.
        level: 0 (silence) to 1 (full scale), linear as the audioLevel of W3C webrtc-stats.
        active: Whether it speaks.
    """

    key: K
    level: float
    active: bool


class _Voice:
    """One participant's voice."""

    __slots__ = ("active", "heard", "meter", "presence", "told")

    def __init__(self) -> None:
        self.meter = AudioLevelMeter()
        self.presence = 0.0
        self.active = False
        self.heard = False
        self.told: float | None = None  # level that was told last, None for inactive


class SpeakerObserver(Generic[K]):
    """Keeps the order of speakers from the levels of their audio packets.

    A voice gains presence while it speaks, more when it is louder, and loses it in silence, with a
    time constant of a second. The dominant speaker is replaced by one with clearly more presence
    that speaks; so a short remark, a cough or a pause for breath changes nothing, as in the
    algorithm of Volfin and Cohen ("Dominant Speaker Identification for Multipoint
    Videoconferencing", 2012), of which this is the idea without its three time scales.

    Attributes:
        dominant: Who spoke last for long; stays in silence, None while nobody has spoken.
    """

    def __init__(self) -> None:
        self.dominant: K | None = None
        self._voices: dict[K, _Voice] = {}
        self._order: list[K] = []
        self._ticked = float("-inf")
        self._told = float("-inf")
        self._told_order: list[K] = []
        self._gone: list[K] = []

    def join(self, key: K) -> AudioLevelMeter:
        """A participant that may speak; returns the meter to feed, the same one for each call."""
        voice = self._voices.get(key)
        if voice is None:
            voice = self._voices[key] = _Voice()
            self._order.append(key)
        return voice.meter

    def leave(self, key: K) -> None:
        """A participant speaks no more; unknown ones are ignored."""
        voice = self._voices.pop(key, None)
        if voice is None:
            return
        self._order.remove(key)
        if self.dominant == key:
            self.dominant = None
        if voice.told is not None:
            self._told_order.remove(key)
            self._gone.append(key)

    def add(self, key: K, level: int, voice: bool, *, now: float) -> None:
        """Take the level of one packet; see `AudioLevelMeter.add`."""
        self.join(key).add(level, voice, now=now)

    @property
    def order(self) -> Sequence[K]:
        """All participants: the dominant one, then who was heard last, then in order of joining."""
        return self._order

    @property
    def meters(self) -> Mapping[K, AudioLevelMeter]:
        """The meters of all participants."""
        return {key: voice.meter for key, voice in self._voices.items()}

    def update(self, *, now: float) -> None:
        """Bring the order up to date; does nothing within `TICK` of the last time."""
        elapsed = now - self._ticked
        if elapsed < TICK:
            return
        self._ticked = now
        gain = elapsed / (PRESENCE_TIME + elapsed) if elapsed < PRESENCE_TIME else 0.5
        best: K | None = None
        most = 0.0
        for key, voice in self._voices.items():
            voice.active = active = voice.meter.speaking(now=now)
            if not active and voice.presence == 0.0:
                continue
            loudness = max(0.0, 1 - voice.meter.level(now=now) / QUIET) if active else 0.0
            voice.presence += (loudness - voice.presence) * gain
            if active and voice.presence > most:
                best, most = key, voice.presence
            if voice.presence >= HEARD and not voice.heard:
                voice.heard = True
                self._advance(key)
            elif voice.presence < FORGOTTEN:
                voice.heard = False
                if not active:
                    voice.presence = 0.0
        if best is None or most < HEARD or best == self.dominant:
            return
        if self.dominant is None or most > DOMINANCE * self._voices[self.dominant].presence:
            self.dominant = best
            self._order.remove(best)
            self._order.insert(0, best)

    def _advance(self, key: K) -> None:
        """Who has begun to speak comes behind those who speak already, before all others."""
        order, voices = self._order, self._voices
        at = order.index(key)
        place = 0
        while place < at and (order[place] == self.dominant or voices[order[place]].heard):
            place += 1
        del order[at]
        order.insert(place, key)

    def changed(self, *, now: float) -> list[Speaker[K]] | None:
        """Those who speak, in the order of speakers, and those who have stopped since last told.

        Brings the order up to date, too; to be called about every `TICK`.

        Returns:
            None where nothing is to be told: nobody began or stopped, their order is the same and
            their levels are nearly so, or the last time was less than `NOTICE_INTERVAL` ago.
        """
        self.update(now=now)
        if now - self._told < NOTICE_INTERVAL:
            return None
        speaking = [key for key in self._order if self._voices[key].active]
        stopped = self._gone + [
            key for key in self._told_order if key in self._voices and not self._voices[key].active
        ]
        levels = [self._voices[key].meter.level(now=now) for key in speaking]
        if speaking == self._told_order and not stopped and not self._noticeable(speaking, levels):
            return None
        for key in stopped:
            if key in self._voices:
                self._voices[key].told = None
        for key, level in zip(speaking, levels, strict=True):
            self._voices[key].told = level
        self._told = now
        self._told_order = speaking
        self._gone = []
        return [
            Speaker(key, round(10 ** (-level / 20), 4), True)
            for key, level in zip(speaking, levels, strict=True)
        ] + [Speaker(key, 0.0, False) for key in stopped]

    def _noticeable(self, speaking: list[K], levels: list[float]) -> bool:
        for key, level in zip(speaking, levels, strict=True):
            told = self._voices[key].told
            if told is None or abs(level - told) >= NOTICEABLE:
                return True
        return False


def last_n(order: Sequence[K], count: int, *, exclude: Collection[K] = ()) -> list[K]:
    """Whose video is sent: the first `count` in the order of speakers.

    Sticky because that order is: it changes only when somebody has been heard, and who was heard
    longest ago gives way.

    Args:
        order: Of an observer.
        count: How many.
        exclude: Who does not count: the receiver itself, those without video.
    """
    chosen: list[K] = []
    for key in order:
        if len(chosen) >= count:
            break
        if key not in exclude:
            chosen.append(key)
    return chosen


class LoudestSpeakers(Generic[K]):
    """Whose audio is sent where not everybody's can be.

    All places are taken, by silent participants where fewer speak, so that most of those who begin
    are heard from their first word. Who speaks takes the place of the silent one that was heard
    longest ago; of another who speaks only when louder for a while.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._chosen: set[K] = set()
        self._levels: dict[K, float] = {}  # of those who speak, -dBov over a second
        self._time = float("-inf")

    def choose(
        self, order: Sequence[K], meters: Mapping[K, AudioLevelMeter], *, now: float
    ) -> frozenset[K]:
        """The participants to hear now; to be called about every `TICK`.

        Args:
            order: Of an observer.
            meters: Of the same observer.
            now: Monotonic seconds.
        """
        chosen = self._chosen
        chosen.intersection_update(meters)
        for key in order:
            if len(chosen) >= self._count:
                break
            chosen.add(key)
        levels = self._measure(order, meters, now)
        silent = [key for key in order if key in chosen and key not in levels]
        waiting = [key for key in levels if key not in chosen]
        for key in sorted(waiting, key=levels.__getitem__):
            place = silent.pop() if silent else self._quietest(levels[key])
            if place is None:
                break
            chosen.remove(place)
            chosen.add(key)
        return frozenset(chosen)

    def _measure(
        self, order: Sequence[K], meters: Mapping[K, AudioLevelMeter], now: float
    ) -> dict[K, float]:
        """The levels of those who speak; who has just begun counts as quiet."""
        elapsed = min(now - self._time, PRESENCE_TIME)
        gain = elapsed / (PRESENCE_TIME + elapsed)
        self._time = now
        levels: dict[K, float] = {}
        for key in order:
            meter = meters[key]
            if meter.speaking(now=now):
                before = self._levels.get(key, QUIET)
                levels[key] = before + (meter.level(now=now) - before) * gain
        self._levels = levels
        return levels

    def _quietest(self, level: float) -> K | None:
        """Who gives way to somebody of this level, where all speak; None for nobody."""
        if not self._chosen:
            return None
        key = max(self._chosen, key=self._levels.__getitem__)
        return key if self._levels[key] - level >= LOUDER else None
