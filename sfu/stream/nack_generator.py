"""Which lost packets of one stream to ask for again, and when (RFC 4585 6.2.1)."""

FIRST_DELAY = 0.010  # s; reordering on real paths is nearly always shorter than this
MAX_DELAY = 0.050  # s; where packets are overtaken by more, asking for them twice costs less
DELAY_MARGIN = 1.1  # of the time by which packets were overtaken
DELAY_DECAY = 1 / 32  # of the excess over the first delay, for each gap
MIN_INTERVAL = 0.033  # s; one video frame at 30 fps: asking faster only asks twice for one packet
BACKOFF = 0.5  # each further try waits this much of an interval longer, to spare a full path
MAX_AGE = 2.0  # s; by then every decoder has frozen, asked for a key frame and gone on
MAX_TRIES = 10
MAX_TRACKED = 1000  # lost packets; more than that is an outage, which only a key frame ends
INITIAL_RTT = 0.1  # s; until the first repair has been timed
RTT_SMOOTHING = 0.125  # weight of a new measurement, as for TCP (RFC 6298 2.3)


class _Loss:
    """One lost packet."""

    __slots__ = ("found", "next_try", "tried", "tries")

    def __init__(self, now: float, delay: float) -> None:
        self.found = now
        self.next_try = now + delay
        self.tries = 0
        self.tried = now


class NackGenerator:
    """Tracks the lost packets of one stream from the gap that shows them to repair or surrender.

    Packets are known by their index (the sequence number unwrapped), so nothing here wraps. Nothing
    is asked for before `delay`: on a path that reorders, packets may only have been overtaken.

    Args:
        limit: Most packets to track, if less than 1000: there is no use in asking for packets that
            nobody could keep.
        rtt: Round-trip time to begin with, seconds.

    Attributes:
        rtt: Round-trip time to the sender in seconds, as `repaired` measures it. An ice-lite end
            that only receives has no other way to learn it; until the first repair, the round trip
            of another connection of the same client does better than a guess.
        delay: Seconds from the gap to the first try; grows with what is seen of reordering.
        key_frame: Index where the newest key frame begins, -1 for none yet: when there is too much
            to ask for, what comes before it is given up first.
        given_up: How many packets were given up on, ever.
        newest_given_up: The highest index that `missing` gave up on, -1 for none yet: what comes
            after it cannot be decoded, unless a key frame begins behind it.
    """

    __slots__ = (
        "_limit",
        "_losses",
        "_next_time",
        "_timed",
        "delay",
        "given_up",
        "key_frame",
        "newest_given_up",
        "rtt",
    )

    def __init__(self, *, limit: int = MAX_TRACKED, rtt: float = INITIAL_RTT) -> None:
        self._limit = min(limit, MAX_TRACKED)
        self.rtt = rtt
        self.delay = FIRST_DELAY
        self.key_frame = -1
        self.given_up = 0
        self.newest_given_up = -1
        self._losses: dict[int, _Loss] = {}  # ascending: gaps are only ever found at the front
        self._next_time: float | None = None
        self._timed = False

    def __len__(self) -> int:
        return len(self._losses)

    def __contains__(self, index: int) -> bool:
        return index in self._losses

    def add(self, first: int, end: int, *, now: float) -> bool:
        """Note that the packets from index `first` up to but not including `end` did not come.

        Returns:
            False when there is so much to repair that all of it was given up: only a key frame
            helps now.
        """
        losses = self._losses
        if len(losses) + end - first > self._limit:
            for index in [index for index in losses if index < self.key_frame]:
                del losses[index]
                self.given_up += 1
            if len(losses) + end - first > self._limit:
                self.given_up += end - first
                self.clear()
                return False
        for index in range(first, end):
            losses[index] = _Loss(now, self.delay)
        due = now + self.delay
        self.delay += (FIRST_DELAY - self.delay) * DELAY_DECAY
        if self._next_time is None or due < self._next_time:
            self._next_time = due
        return True

    def late(self, index: int, *, now: float, answers: bool) -> bool:
        """The packet came by the way of all others: `forget` it and learn how long to wait.

        Args:
            index: Of the packet.
            now: Monotonic seconds.
            answers: Whether repairs come that way too, for want of a retransmission stream: then
                one that has been asked for tells nothing.
        """
        loss = self._losses.get(index)
        if loss is not None and (not loss.tries or not answers):
            overtaken = DELAY_MARGIN * (now - loss.found)
            self.delay = max(self.delay, min(overtaken, MAX_DELAY))
        return self.forget(index)

    def forget(self, index: int) -> bool:
        """The packet came after all, by whatever way; returns whether it was being tracked."""
        if self._losses.pop(index, None) is None:
            return False
        if not self._losses:
            self._next_time = None
        return True

    def repaired(self, index: int, *, now: float) -> bool:
        """The packet came as a retransmission: `forget` it and learn the round-trip time."""
        loss = self._losses.get(index)
        if loss is not None and loss.tries == 1:  # Karn: else it may answer an earlier request
            weight = RTT_SMOOTHING if self._timed else 1.0  # RFC 6298 2.2: the first counts whole
            self.rtt += weight * (now - loss.tried - self.rtt)
            self._timed = True
        return self.forget(index)

    def note_round_trip(self, seconds: float) -> None:
        """Take this for the round-trip time until a repair has been timed."""
        if not self._timed:
            self.rtt = seconds

    def missing(self, *, now: float, oldest: int = 0) -> list[int]:
        """The indexes to ask for now, ascending; each of them counts as one more try.

        Args:
            now: Monotonic seconds.
            oldest: Index below which packets are of no more use: they are given up.
        """
        if self._next_time is None or now < self._next_time:
            return []
        interval = max(MIN_INTERVAL, self.rtt)
        due = []
        hopeless = []
        next_time = None
        for index, loss in self._losses.items():
            if loss.next_try <= now:
                if loss.tries == MAX_TRIES or now - loss.found > MAX_AGE or index < oldest:
                    hopeless.append(index)
                    continue
                due.append(index)
                loss.next_try = now + interval * (1 + BACKOFF * loss.tries)
                loss.tries += 1
                loss.tried = now
            if next_time is None or loss.next_try < next_time:
                next_time = loss.next_try
        for index in hopeless:
            del self._losses[index]
        if hopeless:
            self.given_up += len(hopeless)
            self.newest_given_up = max(self.newest_given_up, hopeless[-1])
        self._next_time = next_time
        return due

    def clear(self) -> None:
        """Give up on everything."""
        self.given_up += len(self._losses)
        self._losses.clear()
        self._next_time = None

    def next_time(self) -> float | None:
        """When `missing` may have something to say; None for not before the next loss."""
        return self._next_time
