"""What sender reports tell: when the frame of an RTP timestamp was sampled (RFC 3550 6.4.1).

Lip sync between the streams of one publisher rests on the publisher's own clock: both of its clocks
are read through the same `SenderClock`, so whatever error that has is the same in both, and what a
subscriber computes from our reports is what the publisher said.
"""

from sfu.wire.sequence import timestamp_distance

STEP = 0.5  # s; a clock that is off by more was set, or stood still while its machine slept
SLEW = 0.001  # s per s; ten times any real drift, yet no ear or eye follows it
WINDOW = 30.0  # s; the least delayed report within it is taken to be as quick as the path allows
LEAK = 1 / 256  # of the error taken at each frame that comes later than expected


class SenderClock:
    """Maps the NTP clock of one publisher onto ours; all of the publisher's streams share it.

    Our clock is the monotonic one plus a constant, so that it reads as Unix time and never steps.

    Args:
        wall_offset: Unix seconds less monotonic seconds.

    Attributes:
        wall_offset: As given.
        offset: What to add to sender time to get our time, seconds; None before the first report.
    """

    __slots__ = (
        "_late",
        "_minimum",
        "_step",
        "_target",
        "_updated",
        "_window_end",
        "offset",
        "wall_offset",
    )

    def __init__(self, *, wall_offset: float) -> None:
        self.wall_offset = wall_offset
        self.offset: float | None = None
        self._step = 0.0
        self._late: float | None = None  # sample of the last report, if that was very late
        self._target = 0.0
        self._minimum = 0.0
        self._window_end = 0.0
        self._updated = 0.0

    def receive(self, ntp_time: float, *, now: float) -> float | None:
        """Note the NTP time of a sender report that just came.

        The first report sets the offset. Later ones move it slowly towards the least delayed one,
        which follows drift and a first report that was held up. When the publisher sets its clock,
        the step is taken out of what this returns, so that what its other streams reported before
        the step stays right.

        Args:
            ntp_time: Unix seconds on the publisher's clock.
            now: Monotonic seconds.

        Returns:
            The sender time: the NTP time less all steps of that clock. None for a report so late
            that either it was held up or the clock was set back: the next report will tell which.
        """
        arrival = now + self.wall_offset
        sender_time = ntp_time - self._step
        sample = arrival - sender_time
        late, self._late = self._late, None
        if self.offset is None:
            self._begin_window(sample, now)
            self.offset = self._target = sample
        elif sample > self.offset + STEP and (late is None or abs(sample - late) > STEP):
            self._late = sample
            return None
        elif abs(sample - self.offset) > STEP:
            self._step += self.offset - sample
            sender_time = arrival - self.offset
            self._target = self.offset
            self._begin_window(self.offset, now)
        else:
            self._minimum = min(self._minimum, sample)
            if now >= self._window_end:
                self._target = self._minimum
                self._begin_window(sample, now)
            self._target = min(self._target, sample)
            most = SLEW * (now - self._updated)
            self.offset += max(-most, min(most, self._target - self.offset))
        self._updated = now
        return sender_time

    def _begin_window(self, sample: float, now: float) -> None:
        self._minimum = sample
        self._window_end = now + WINDOW


class RtpClock:
    """Ties the RTP timestamps of one stream to our clock.

    Before the first sender report the arrival of its frames has to do; then streams of one
    publisher agree only as far as their delays do.

    Args:
        sender_clock: The publisher's.
        clock_rate: RTP clock in Hz.

    Attributes:
        reported: Whether a sender report ties the timestamps; until then, feed `observe`.
    """

    __slots__ = ("_clock_rate", "_sender_clock", "_time", "_timestamp", "reported")

    def __init__(self, *, sender_clock: SenderClock, clock_rate: int) -> None:
        self.reported = False
        self._sender_clock = sender_clock
        self._clock_rate = clock_rate
        self._time: float | None = None  # sender time when reported, else our time
        self._timestamp = 0

    def restart(self) -> None:
        """Forget the timestamps: the stream goes on with others."""
        self.reported = False
        self._time = None

    def observe(self, timestamp: int, arrival: float) -> None:
        """Note a new packet; of use only while not `reported`. The first one of a frame counts.

        Args:
            timestamp: RTP timestamp.
            arrival: Monotonic seconds.
        """
        ours = arrival + self._sender_clock.wall_offset
        if self._time is not None:
            if timestamp == self._timestamp:
                return
            late = ours - self._time - self._elapsed(timestamp)
            if 0 < late <= STEP:  # held up on the way, or the clocks drift: follow slowly
                ours -= late * (1 - LEAK)
        self._time = ours
        self._timestamp = timestamp

    def receive(self, ntp_time: float, rtp_time: int, *, now: float) -> None:
        """Note a sender report of this stream.

        Args:
            ntp_time: Its NTP time in Unix seconds.
            rtp_time: The RTP timestamp of the same instant.
            now: When it came, monotonic seconds.
        """
        sender_time = self._sender_clock.receive(ntp_time, now=now)
        if sender_time is not None:
            self._time = sender_time
            self._timestamp = rtp_time
            self.reported = True

    def reference(self, *, now: float) -> tuple[float, int] | None:
        """The RTP timestamp that a frame sampled now would have, for our own sender reports.

        Returns:
            Our time in Unix seconds and the timestamp; None while nothing is known.
        """
        ours = now + self._sender_clock.wall_offset
        if self._time is None:
            return None
        elapsed = round((ours - self._offset() - self._time) * self._clock_rate)
        return ours, (self._timestamp + elapsed) & 0xFFFFFFFF

    def _offset(self) -> float:
        """From the time line of `_time` to ours."""
        offset = self._sender_clock.offset if self.reported else 0.0
        assert offset is not None
        return offset

    def _elapsed(self, timestamp: int) -> float:
        return timestamp_distance(timestamp, self._timestamp) / self._clock_rate
