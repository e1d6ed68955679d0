"""The loss-based bound: tells loss that less sending would avoid from loss that the path just has.

A radio link loses what it loses whatever is sent; a full queue, or a policer, loses what is too
much. So the same share lost at two rates is the path's own, and no reason to send less. A bound
that was set because of loss is a trial of that, unless other rates were seen before: when less is
sent and as much is lost, the bound is lifted. libwebrtc's second loss-based estimator searches a
model of the path for the same distinction; comparing needs no model.
"""

import math
from collections import deque
from collections.abc import Iterable

from sfu.congestion.history import AckedBurst, FeedbackResult

INTERVAL = 0.25  # s; of one observation, so that a feedback with few packets does not count alone
MIN_PACKETS = 10  # of one observation
OBSERVATIONS = 4  # judged together, about 1 s
QUEUED_EXCESS = 0.03  # of the packets; tolerated above the path's own loss where there is a queue
UNQUEUED_EXCESS = 0.08  # and where there is none: with v1 of the draft, 10 % in all
SIGMAS = 2.5  # of the share's own noise
MIN_QUEUE = 0.025  # s
OUTAGE = 0.1  # s; when nothing came for so long, the path was away, not full
RESPONSE = 0.3  # s; on top of the round trip, until a change shows in what is told
JUDGED = (
    0.6  # of the greater loss: when so much is lost at the lesser rate, sending less is no help
)
SLOWER = 0.8  # of the share lost: to judge, one rate must be lower by so much
APART = 0.8  # of the greater rate, and in any case by this: small losses are noise
STEADY = 2.0  # between the rates of one second: a mean of others' losses tells of no rate
REMEMBERED = 10  # seconds, or so, of rates and their losses
RECOVERY = 0.1  # per s
SETTLED = 5.0  # s; until a probe may lift the bound: short trains pass a policer unharmed
LIMITED = 0.65  # of the estimate: when less comes, little was sent, and it is not all too much
LIMITED_DECREASE = 0.85
LEARNING = 0.05  # of the difference to the path's own loss, for each observation
MAX_INHERENT = 0.3  # nobody can watch a call that loses more


class LossBound:
    """An upper bound of the estimate, from what the feedback tells as lost.

    Attributes:
        bound: Bit/s; infinite while loss is no reason to send less.
        loss: Share of packets lost within the last second or so, 0..1.
        inherent: Share that the path loses whatever is sent, 0..1.
    """

    __slots__ = (
        "_began",
        "_lost",
        "_observed",
        "_received",
        "_seen",
        "_set_at",
        "_size",
        "bound",
        "inherent",
        "loss",
    )

    def __init__(self) -> None:
        self.bound = math.inf
        self.loss = 0.0
        self.inherent = 0.0
        # Packets received and lost, and bit/s that came.
        self._observed: deque[tuple[int, int, float]] = deque(maxlen=OBSERVATIONS)
        self._seen: deque[tuple[float, float]] = deque(maxlen=REMEMBERED * OBSERVATIONS)
        self._received = self._lost = self._size = 0
        self._began: float | None = None
        self._set_at = -math.inf

    def update(
        self,
        result: FeedbackResult,
        *,
        estimate: float,
        acknowledged: float | None,
        queue: float,
        round_trip: float,
        now: float,
    ) -> float:
        """Take what a feedback tells.

        Args:
            result: The feedback against what was sent.
            estimate: The delay-based one, bit/s.
            acknowledged: What comes, bit/s.
            queue: Delay in queues, seconds.
            round_trip: Seconds.
            now: Monotonic seconds.

        Returns:
            `bound`.
        """
        if now - self._set_at < round_trip:
            # Sent before that showed: the losses of one overflow count once (RFC 6582).
            return self.bound
        self._received += result.received
        self._size += result.size
        if result.lost or result.recovered:
            lost = result.lost - result.recovered
            if result.lost:
                lost -= _outages(result.bursts)
            self._lost += lost
        if self._began is None:
            self._began = now
        elapsed = now - self._began
        total = self._received + max(self._lost, 0)
        if elapsed < INTERVAL or total < MIN_PACKETS:
            return self.bound
        self._observed.append((self._received, max(self._lost, 0), 8 * self._size / elapsed))
        self._received = self._size = 0
        self._lost = min(self._lost, 0)  # what came late was lost in an observation before
        self._began = now
        total = sum(received + lost for received, lost, _ in self._observed)
        self.loss = sum(lost for _, lost, _ in self._observed) / total
        self._judge(total, estimate, acknowledged, queue, round_trip, elapsed, now)
        return self.bound

    def prove(self, bitrate: float, *, now: float) -> None:
        """Lift the bound to what a probe has shown, bit/s, unless it was set lately."""
        if self.bound < bitrate and now - self._set_at > SETTLED:
            self.bound = bitrate

    def lift(self) -> bool:
        """Take the bound away; returns whether there was one."""
        bounded = self.bound < math.inf
        self.bound = math.inf
        return bounded

    def _judge(
        self,
        total: int,
        estimate: float,
        acknowledged: float | None,
        queue: float,
        round_trip: float,
        elapsed: float,
        now: float,
    ) -> None:
        loss, inherent = self.loss, self.inherent
        full = len(self._observed) == OBSERVATIONS
        noise = SIGMAS * math.sqrt(max(inherent, 0.01) / total)
        idle = acknowledged is not None and acknowledged < LIMITED * self.bound
        excess = QUEUED_EXCESS if queue >= MIN_QUEUE else UNQUEUED_EXCESS
        congested = full and loss > inherent + excess + noise
        if full and queue < MIN_QUEUE and self._is_own(congested or self.bound < math.inf):
            self.inherent = min(loss, MAX_INHERENT)
            self.bound = math.inf
            return
        if congested and now - self._set_at > round_trip + RESPONSE:
            before = min(self.bound, estimate)
            came = acknowledged if acknowledged is not None else before * (1 - loss)
            limited = came < LIMITED * before and loss < UNQUEUED_EXCESS
            least = LIMITED_DECREASE if limited else 0.5
            self.bound = min(max(came, least * before), before)
            self._set_at = now
            self._observed.clear()  # what follows is judged by itself
        elif not congested and full:
            if loss < inherent:
                self.inherent += 2 * LEARNING * (loss - inherent)
            elif queue < MIN_QUEUE and (self.bound == math.inf or idle):
                self.inherent += LEARNING * (loss - inherent)
            if self.bound < math.inf:
                self.bound *= 1 + RECOVERY * min(elapsed, 1.0)
                if self.bound > estimate:
                    self.bound = math.inf

    def _is_own(self, asked: bool) -> bool:
        """Note what was lost at which rate; whether as much was lost at another one."""
        rates = [rate for _, _, rate in self._observed]
        loss = self.loss
        if max(rates) > STEADY * min(rates):
            return False
        rate = sum(rates) / len(rates) / max(1 - loss, 0.1)  # of sending
        found = asked and any(
            min(loss, before) > JUDGED * max(loss, before)
            and min(rate, sent) <= min(1 - SLOWER * max(loss, before), APART) * max(rate, sent)
            for sent, before in self._seen
        )
        self._seen.append((rate, loss))
        return found


def _outages(bursts: Iterable[AckedBurst]) -> int:
    """Packets lost while nothing at all came for longer than `OUTAGE`."""
    packets = run = 0
    began = ended = 0.0
    for burst in bursts:
        if burst.packets:
            if run and ended - began >= OUTAGE:
                packets += run
            run = 0
        elif burst.lost:
            if not run:
                began = burst.send_time
            ended = burst.send_time
            run += burst.lost
    return packets + (run if ended - began >= OUTAGE else 0)
