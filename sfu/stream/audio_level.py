"""How loud one audio stream is, and whether somebody speaks in it (RFC 6464)."""

from math import exp

SILENCE = 127  # -dBov; the value that RFC 6464 gives to digital silence
ATTACK = 0.05  # s; a first syllable must show
RELEASE = 0.3  # s; the pauses between words must not
SPEAKING_BELOW = 40  # -dBov; speech near a microphone is at 15 to 35, room noise beyond 50
SILENT_ABOVE = 50  # -dBov; the gap between the two keeps a soft voice from flickering
HOLD = 0.5  # s; for which somebody still speaks after falling silent, or sending nothing (DTX)
MAX_GAP = 0.1  # s; the longest time that one packet stands for


class AudioLevel:
    """Smooths the audio levels of one stream and tells speech from silence with hysteresis."""

    __slots__ = ("_last", "_last_loud", "_level")

    def __init__(self) -> None:
        self._level = float(SILENCE)
        self._last = float("-inf")
        self._last_loud = float("-inf")

    def add(self, level: int, now: float) -> None:
        """Note the level of one packet.

        Args:
            level: Loudness in -dBov: 0 is the loudest, 127 silence.
            now: Monotonic seconds.
        """
        elapsed = min(now - self._last, MAX_GAP)
        before = self.level(now)
        time_constant = ATTACK if level < before else RELEASE
        self._level = before + (level - before) * (1 - exp(-elapsed / time_constant))
        self._last = now
        if self._level < SPEAKING_BELOW or (self._level < SILENT_ABOVE and self.speaking(now)):
            self._last_loud = now

    def level(self, now: float) -> float:
        """Smoothed loudness in -dBov, 0 to 127; it fades when packets stop coming."""
        idle = max(0.0, now - self._last - MAX_GAP)
        return SILENCE - (SILENCE - self._level) * exp(-idle / RELEASE)

    def speaking(self, now: float) -> bool:
        """Whether somebody speaks."""
        return now - self._last_loud < HOLD
