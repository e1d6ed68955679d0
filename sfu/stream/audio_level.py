"""How loud an audio stream is, from the levels that its packets tell (RFC 6464)."""

SILENCE = 127.0  # -dBov; RFC 6464 3: also what digital silence is given
SPEAKING_LEVEL = 45.0  # -dBov; speech at a usual gain is 15 to 40, a quiet room 55 and more
HANGOVER = 0.5  # s; pauses between words are shorter
ATTACK_TIME = 0.06  # s; three packets: a click of one packet is no speech
RELEASE_TIME = 0.3  # s; a syllable
MAX_GAP = 0.2  # s; a longer time without packets is a pause of the sender's (DTX)
USUAL_INTERVAL = 0.02  # s; of Opus packets


class AudioLevelMeter:
    """Smooths the levels of one stream and tells whether somebody speaks.

    The voice flag counts once a sender has set it: many leave it at 0, and with those that do not,
    a packet without it is noise.
    """

    __slots__ = ("_flags", "_level", "_spoke", "_time")

    def __init__(self) -> None:
        self._level = SILENCE
        self._time = float("-inf")
        self._spoke = float("-inf")
        self._flags = False

    def add(self, level: int, voice: bool, *, now: float) -> None:
        """Take the level of one packet.

        Args:
            level: -dBov, 0 (loudest) to 127 (silence).
            voice: The voice flag of the packet.
            now: Monotonic seconds.
        """
        elapsed = now - self._time
        smoothed = self._level
        if elapsed > MAX_GAP:
            smoothed = SILENCE
            elapsed = USUAL_INTERVAL
        self._time = now
        if voice:
            self._flags = True
        elif self._flags:
            level = 127
        # A first-order low pass, without its exponential function, on each packet of each speaker.
        time = ATTACK_TIME if level < smoothed else RELEASE_TIME
        self._level = smoothed = smoothed + (level - smoothed) * elapsed / (time + elapsed)
        if smoothed <= SPEAKING_LEVEL:
            self._spoke = now

    def level(self, *, now: float) -> float:
        """Smoothed, -dBov: 0 is the loudest, 127 is silence."""
        return SILENCE if now - self._time > MAX_GAP else self._level

    def speaking(self, *, now: float) -> bool:
        """Whether it is, or was within `HANGOVER`, as loud as speech."""
        return now - self._spoke <= HANGOVER
