"""The delay-based estimate: additive or multiplicative increase, multiplicative decrease.

draft-ietf-rmcat-gcc-02 section 5.5, with libwebrtc's later link-capacity estimate in the place of
the "near maximum" region.
"""

import math

from sfu.congestion.overuse import State

DECREASE = 0.85  # of what the path delivers (gcc-02 5.5: beta)
DEEP_DECREASE = 0.6  # with a queue of `DEEP_QUEUE`: it must not only stop growing, but go
DEEP_QUEUE = 0.3  # s
GENTLE_DECREASE = 0.9  # for a queue that a probe has made
SHALLOW_QUEUE = 0.05  # s; up to here the plain decrease empties it soon enough
INCREASE = 0.08  # per s (gcc-02 5.5: eta), while nothing is known of the capacity
MIN_ADDITIVE = 4000.0  # bit/s per s
RESPONSE = 0.1  # s; what the detector needs, on top of the round trip
PACKET_BITS = 8 * 1200
FRAME_RATE = 30.0
HEADROOM = 1.5  # of what is acknowledged: more than that nobody has tried
HEADROOM_BITRATE = 10_000.0  # bit/s; on top, for what is sent when nearly nothing is
PROVEN = 1.2  # of what is acknowledged: as much is left when a probe showed less
MAX_STEP = 1.0  # s; what a pause counts at most
SATURATED = 0.9  # of what is sent: less coming is a link that is full
CLEAR = 0.02  # s; no queue to speak of …
CLEAR_TIME = 1.0  # s; … for so long: the next queue is another one
SETTLED = 0.8  # s after a decrease; then all that is acknowledged was sent behind it
FUTILE = 3  # decreases that did not clear the queue: it is somebody else's
DRAINING = 1.15  # of what is sent: more coming is a queue of ours that empties
FORGET = 0.2  # per s, of the most that came: the path may have become a thin one
YIELDED = 0.8  # of the most that came
STANDING_TIME = 0.3  # s
SHARED_RESPONSE = 1.0  # s; losses are judged over so long, and those of one overflow count once
SHARED_DECREASE = 0.7  # CUBIC's (RFC 9438 4.6) …
SHARED_INCREASE = 3 * (1 - SHARED_DECREASE) / (1 + SHARED_DECREASE)  # … packets a round trip (4.3)
RISE = 1.0  # per s: the additive increase beside it, which grows with short round trips, at most
LONG_QUEUE = 0.15  # s; from here on, whatever does not go through is too much
SHARED_QUEUE = 0.4  # s; more of somebody else's queue is nothing to live with either
FLOODED = 0.7  # of what is sent: less coming is far too much, not a few drops of a burst
BROKEN = 0.5  # of what is sent: less coming, and that late, is a path that has become another one
BROKEN_QUEUE = 0.08  # s; more than jitter
PLENTY = 0.65  # of the estimate: sending less is limited by the media, not by us


class LinkCapacity:
    """Mean and deviation of the rates at which the path was found to be full.

    Attributes:
        mean: Bit/s; None while nothing is known.
    """

    __slots__ = ("_deviation", "mean")

    def __init__(self) -> None:
        self.mean: float | None = None
        self._deviation = 0.4  # kbit/s, square of the error over the mean

    def add(self, bitrate: float, weight: float = 0.05) -> None:
        """Note a rate at which the path was full."""
        if self.mean is None:
            self.mean = bitrate
            return
        self.mean += weight * (bitrate - self.mean)
        error = (bitrate - self.mean) / 1000
        deviation = self._deviation + weight * (
            error * error / max(self.mean / 1000, 1.0) - self._deviation
        )
        self._deviation = min(max(deviation, 0.4), 2.5)  # 25 to 160 kbit/s, each way, at 1.6 Mbit/s

    def includes(self, bitrate: float) -> int:
        """-1, 0, 1: the rate is below, within, above what this path has been found to carry."""
        if self.mean is None:
            return 0
        margin = 3 * math.sqrt(self._deviation * self.mean / 1000) * 1000
        return (bitrate > self.mean + margin) - (bitrate < self.mean - margin)

    def forget(self) -> None:
        """The path has become another one."""
        self.mean = None


class RateControl:
    """The estimate that follows what the overuse detector says.

    Attributes:
        estimate: Bit/s.
        capacity: What the path was found to carry.
        minimum: Bit/s; the estimate is never lower.
        contended: Whether another flow keeps a queue that sending less does not clear. It would
            take all that we give up, and then loss is what tells.
    """

    __slots__ = (
        "_before",
        "_decreased",
        "_futile",
        "_maximum",
        "_peak",
        "_queued",
        "_standing",
        "_updated",
        "capacity",
        "contended",
        "estimate",
        "minimum",
    )

    def __init__(self, *, start: float, minimum: float, maximum: float) -> None:
        self.estimate = start
        self.capacity = LinkCapacity()
        self.minimum = minimum
        self._maximum = maximum
        self._updated: float | None = None
        self._decreased = float("-inf")
        self._queued = float("-inf")  # when there was a queue for the last time
        self._futile = 0  # decreases since the queue was clear
        self._peak = 0.0  # bit/s; the most that came since then
        self._standing = 0.0  # s for which the queue was none of ours
        self._before = 0.0  # bit/s that came when it was, for the last time
        self.contended = False

    def update(
        self,
        state: State,
        acknowledged: float | None,
        recent: tuple[float, float] | None,
        *,
        round_trip: float,
        queue: float,
        latest: float = 0.0,
        gentle: bool = False,
        now: float,
    ) -> float:
        """Move the estimate after a feedback.

        Args:
            state: Of the detector.
            acknowledged: What comes, bit/s.
            recent: What came and what was sent lately, bit/s each.
            round_trip: Seconds.
            queue: Delay in queues, seconds.
            latest: What the last packets waited, seconds: `queue`, or what becomes one.
            gentle: Whether the queue is known to be ours, and to go away by itself.
            now: Monotonic seconds.

        Returns:
            The estimate, bit/s.
        """
        elapsed = 0.0 if self._updated is None else min(now - self._updated, MAX_STEP)
        self._updated = now
        if queue >= CLEAR:
            self._queued = now
        elif now - self._queued > CLEAR_TIME:
            self._futile = 0
            self._before = acknowledged or 0.0
            self._peak = self._standing = 0.0
            self.contended = False
        self._look_for_others(recent, max(queue, latest), elapsed)
        shared = self._futile >= FUTILE and queue <= SHARED_QUEUE
        limit = FLOODED if queue < LONG_QUEUE or self.contended else SATURATED
        flooded = (
            not gentle
            and recent is not None
            and (
                (recent[0] < limit * recent[1] and queue >= SHALLOW_QUEUE)
                or (
                    recent[0] < BROKEN * recent[1]
                    and latest >= BROKEN_QUEUE
                    # A key frame is much to send at once, but comes as quickly as what was before.
                    and acknowledged is not None
                    and recent[0] < FLOODED * acknowledged
                )
            )
        )
        # A full queue has no trend, but loses.
        if (state == "overusing" and not (shared or self.contended)) or flooded:
            if flooded:
                queue = max(queue, latest)
            self._overuse(acknowledged, recent, round_trip, queue, gentle, now)
        elif (state != "underusing" or self.contended) and acknowledged is not None:
            # While our queue empties (underusing), the rate is held.
            self._increase(acknowledged, round_trip, elapsed)
            settled = now - self._decreased > SETTLED
            if settled and queue < CLEAR and acknowledged > self.estimate:
                self._set(acknowledged)  # it goes through, and nothing waits
        return self.estimate

    def _look_for_others(
        self, recent: tuple[float, float] | None, queue: float, elapsed: float
    ) -> None:
        """Find out whose the queue is.

        Alone in front of a full link, we get all that it carries, whatever we send, until the queue
        is gone. When less comes because less is sent, and the queue stays, the rest is another's.
        """
        if recent is None or queue < SHALLOW_QUEUE:
            return
        came, sent = recent
        self._peak = max(self._peak * (1 - FORGET * elapsed), came)
        if queue > SHARED_QUEUE:
            self._standing = 0.0
            if self.contended:
                self.contended = False
                self._decreased = float("-inf")  # what was spared is due at once
        elif came > DRAINING * sent:
            self._standing = 0.0
        elif came >= SATURATED * sent and came < YIELDED * self._peak:
            self._standing += elapsed
            if self._standing >= STANDING_TIME and not self.contended:
                self.contended = True
                tried = max(HEADROOM * came, DECREASE * self._peak)
                # All decreases count as one.
                self._set(max(self.estimate, min(SHARED_DECREASE * self._before, tried)))

    def prove(self, bitrate: float, *, acknowledged: float | None, full: bool) -> None:
        """Take over what a probe has shown.

        Args:
            bitrate: Bit/s that went through.
            acknowledged: What comes of the media, bit/s.
            full: Whether the probe filled the link: then no more than this goes through, though
                jitter can make a probe look slow, so what comes anyway is not given up for it.
        """
        if bitrate > self.estimate:
            self._set(bitrate)
            if self.capacity.includes(bitrate) > 0:
                self.capacity.forget()
        elif full and acknowledged is not None:
            self._set(min(self.estimate, max(bitrate, PROVEN * acknowledged)))

    def yield_to_others(self, *, now: float) -> None:
        """More is lost than usual while `contended`: as a TCP does, send less, once for it all."""
        if now - self._decreased > SHARED_RESPONSE:
            self._decreased = now
            self._set(SHARED_DECREASE * self.estimate)

    def follow(self, bitrate: float) -> None:
        """Go on from what is known from elsewhere."""
        self._set(bitrate)
        self._updated = None

    def _set(self, bitrate: float) -> None:
        self.estimate = min(max(bitrate, self.minimum), self._maximum)

    def _increase(self, acknowledged: float, round_trip: float, elapsed: float) -> None:
        if self.capacity.includes(acknowledged) > 0:
            self.capacity.forget()
        estimate = self.estimate
        limit = max(HEADROOM * acknowledged + HEADROOM_BITRATE, estimate)
        if self.contended:
            # As a TCP does.
            packets = SHARED_INCREASE * PACKET_BITS / round_trip**2
            estimate += min(packets, RISE * estimate) * elapsed
        elif self.capacity.mean is None:
            estimate += max(INCREASE * estimate, 1000.0) * elapsed
        else:
            # About one packet for each response time.
            frame = estimate / FRAME_RATE
            packet = frame / math.ceil(frame / PACKET_BITS)
            estimate += max(packet / (round_trip + RESPONSE), MIN_ADDITIVE) * elapsed
        self._set(min(estimate, limit))

    def _overuse(
        self,
        acknowledged: float | None,
        recent: tuple[float, float] | None,
        round_trip: float,
        queue: float,
        gentle: bool,
        now: float,
    ) -> None:
        """Decrease, at most once in each response time unless far too much is sent."""
        estimate = self.estimate
        came = acknowledged
        saturated = False
        if recent is not None:
            received, sent = recent
            saturated = received < SATURATED * sent
            if (
                came is None
                or came < DECREASE * received
                or (saturated and received < DECREASE * came)
            ):
                # The longer mean still holds what came before the capacity went down, or before
                # more was sent.
                came = received
        response = SHARED_RESPONSE if self.contended else round_trip + RESPONSE
        too_early = now - self._decreased < response
        if too_early and not (saturated and came is not None and came < estimate / 2):
            return
        self._decreased = now
        self._futile += 1
        if self.contended:
            self._set(max(DECREASE * (came or 0.0), SHARED_DECREASE * estimate))
            return
        depth = min(max((queue - SHALLOW_QUEUE) / (DEEP_QUEUE - SHALLOW_QUEUE), 0.0), 1.0)
        if came is not None and acknowledged is not None:
            # A large frame fills the link for a moment; the media itself leaves room for its queue.
            gentle |= not depth and acknowledged < DECREASE * came
        factor = GENTLE_DECREASE if gentle else DECREASE - depth * (DECREASE - DEEP_DECREASE)
        if came is None:
            self._set(estimate / 2)
            return
        target = factor * came
        if came < PLENTY * estimate and not saturated:
            # Little comes because little is sent; that tells nothing of what would go through.
            target = max(target, factor * estimate)
        else:
            if self.capacity.includes(came) < 0:
                self.capacity.forget()
            self.capacity.add(came)
        if target >= estimate and self.capacity.mean is not None:
            target = factor * self.capacity.mean
        if target < estimate:
            self._set(target)
