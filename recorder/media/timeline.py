"""When the frames of a track were captured: RTP timestamps onto the server's wall clock."""

from recorder.media.frame import Unit
from recorder.values import Reference
from sfu.wire.sequence import timestamp_distance

SLEW = 0.001  # s per s; ten times any real drift, yet no ear or eye follows it
FAST_SLEW = 0.02  # s per s, where sound and picture would be out of step
IN_STEP = 0.015  # s; what is nearly 0.02 is made less in good time, as people notice that
SMOOTHING = 4.0  # s over which an error is taken out, so that reports may be a little off
JUMP = 0.5  # s between timestamps and arrivals that no network explains, unless it clears up
PATIENCE = 0.5  # s for which a late frame may turn out to be the first of a burst
SETTLING = 3.0  # s until the least delay is known
CACHED = 3.0  # s by which the first frames may be old: they come from a cache, all at once
EARLIEST = 4.0  # s by which frames may come to be earlier than the first was
REFUTED = 0.1  # s by which a frame must be early to show that an anchor was set too late
BELIEVABLE = 10.0  # s by which a report may contradict what came before
REORDERED = 1.0  # s by which pictures may not be in the order of their timestamps
LEAK = 1e-4  # s per s by which the least delay may grow
MIN_STEP = 0.001  # s; Matroska tells times in milliseconds
MAX_REFERENCES = 8  # streams


class Timeline:
    """Gives each frame its time, in decoding order.

    Within a stream time goes on as timestamps do. What reports say besides is followed by
    stretching time a little, so nothing ever jumps or goes backwards. Where timestamps do not tell
    of the time that passed (they jump, or stood still in a pause), the arrival of the frame does.

    Args:
        clock_rate: RTP clock in Hz.

    Attributes:
        offset_correction: What must be added to the times that were given out before a sender
            report was known, seconds; None until it is. `refer` sets it, once; times that are given
            out afterwards contain it.
    """

    __slots__ = (
        "_anchored",
        "_clock_rate",
        "_delay",
        "_floor",
        "_last",
        "_references",
        "_refuted",
        "_shift",
        "_ssrc",
        "_time",
        "_timestamp",
        "offset_correction",
    )

    def __init__(self, clock_rate: int) -> None:
        self.offset_correction: float | None = None
        self._clock_rate = clock_rate
        self._references: dict[int, Reference] = {}
        self._ssrc: int | None = None  # of the stream that the following is about
        self._timestamp = 0
        self._time = 0.0  # of that timestamp
        self._last = float("-inf")  # the least time that may be given out next
        self._delay = 0.0  # the least from a frame's time until it came, on two clocks
        self._floor = 0.0  # below which no delay can be
        self._anchored = 0.0  # when the first frame came, monotonic
        self._shift: float | None = None  # from the present report to an anchor that refutes it
        self._refuted = 0.0  # the delay that refutes the anchor instead

    def refer(self, reference: Reference) -> None:
        """Note when a timestamp was sampled."""
        known = self._references.pop(reference.ssrc, None)
        # Who has reported once and guesses now, has jumped: arrivals tell that better.
        if known is not None and known.reported and not reference.reported:
            reference = known
        self._references[reference.ssrc] = reference
        if len(self._references) > MAX_REFERENCES:
            del self._references[next(iter(self._references))]
        if self.offset_correction is None and reference.ssrc == self._ssrc and reference.reported:
            error = self._refer(reference, self._timestamp) - self._time
            if abs(error) <= BELIEVABLE:
                self.offset_correction = error
                self._last += error
                self._move(error)
                self._time += error

    def place(self, unit: Unit, newest: Unit, *, now: float) -> float | None:
        """When a frame was captured, Unix seconds; later than all that was returned before.

        Args:
            unit: The next frame.
            newest: The last frame that has come, perhaps the same.
            now: Monotonic seconds.

        Returns:
            None while nobody knows: ask again when there is another reference, or in half a second.
        """
        if self._ssrc is None:
            time = self._referred(unit)
            if time is None:
                return None
            self._anchored = unit.arrival
            self._delay = unit.arrival - time
            self._floor = self._delay - EARLIEST
            if self._references[unit.ssrc].reported:
                self.offset_correction = 0.0
        elif unit.ssrc != self._ssrc:
            time = self._change(unit)
        else:
            elapsed = self._elapsed(unit)
            time = self._time + elapsed
            early = time + self._delay - unit.arrival
            if elapsed < -REORDERED or self._too_early(unit, early):
                time = self._anchor(unit)
            elif early < -JUMP and not self._catches_up(newest):
                if now - unit.arrival < PATIENCE:
                    return None
                time = self._anchor(unit)
            elif elapsed <= 0:
                return self._give(time)
            else:
                if unit.arrival - time < self._refuted:
                    self._shift = None
                time = self._follow(unit, time, elapsed)
        self._delay = min(self._delay, unit.arrival - time)
        self._ssrc, self._timestamp, self._time = unit.ssrc, unit.timestamp, time
        return self._give(time)

    def _give(self, time: float) -> float:
        time = max(time, self._last)
        self._last = time + MIN_STEP
        return time

    def _elapsed(self, unit: Unit) -> float:
        return timestamp_distance(unit.timestamp, self._timestamp) / self._clock_rate

    def _referred(self, unit: Unit) -> float | None:
        """What the reference of its stream says."""
        reference = self._references.get(unit.ssrc)
        if reference is None:
            return None
        return self._refer(reference, unit.timestamp)

    def _refer(self, reference: Reference, timestamp: int) -> float:
        elapsed = timestamp_distance(timestamp, reference.timestamp) / self._clock_rate
        return reference.time + elapsed

    def _too_early(self, unit: Unit, early: float) -> bool:
        """Whether it would have come before it was captured, by far."""
        settled = unit.arrival - self._anchored > SETTLING
        return early > (JUMP if settled else CACHED) or early > self._delay - self._floor

    def _catches_up(self, newest: Unit) -> bool:
        """Whether a frame that came since is not late: all were held up on the way."""
        if newest.ssrc != self._ssrc:
            return True
        return newest.arrival - self._time - self._elapsed(newest) - self._delay < JUMP / 2

    def _anchor(self, unit: Unit) -> float:
        """Its time by its arrival; where time has gone ahead of that, it is stretched instead."""
        stretched = self._last + max(0.0, (1 - FAST_SLEW) * unit.duration - MIN_STEP)
        time = max(unit.arrival - self._delay, stretched)
        referred = self._referred(unit)
        self._shift = None if referred is None else time - referred
        self._refuted = self._delay - REFUTED
        return time

    def _change(self, unit: Unit) -> float:
        """The first time of another stream."""
        self._shift = None
        by_arrival = unit.arrival - self._delay
        referred = self._referred(unit)
        if referred is None or not -BELIEVABLE < referred - by_arrival < self._delay - self._floor:
            return by_arrival
        if self.offset_correction is None or not self._references[unit.ssrc].reported:
            return by_arrival
        return referred

    def _follow(self, unit: Unit, time: float, elapsed: float) -> float:
        """The time as timestamps go on, moved a little towards what is reported."""
        self._delay += LEAK * elapsed
        referred = self._referred(unit)
        if referred is None:
            return time
        error = referred - time
        if abs(error) > BELIEVABLE:
            return time
        if self.offset_correction is not None and not self._references[unit.ssrc].reported:
            return time  # arrivals tell as much, and are known better by now
        if self._shift is not None:
            # The report may be from before the jump: then it is as far off as it was at the anchor.
            if abs(error + self._shift) < abs(error):
                return time
            self._shift = None
        most = elapsed * (SLEW if abs(error) <= IN_STEP else FAST_SLEW)
        step = max(-most, min(most, error * min(1.0, elapsed / SMOOTHING)))
        self._move(step)
        return time + step

    def _move(self, step: float) -> None:
        """Frames have later times now, so less delay."""
        self._delay -= step
        self._floor -= step
