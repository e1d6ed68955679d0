"""The bandwidth to one subscriber, from whatever its client tells.

Google congestion control (draft-ietf-rmcat-gcc-02) as it has become in libwebrtc, on bursts in the
place of packets: transport-wide feedback gives delays and losses, REMB and receiver reports are
used where there is none.
"""

import math
from collections.abc import Sequence

from sfu.congestion.acknowledged_bitrate import AcknowledgedBitrate
from sfu.congestion.arrival_groups import ArrivalGroups
from sfu.congestion.history import AckedBurst, FeedbackResult, SentHistory
from sfu.congestion.loss import LossBound
from sfu.congestion.overuse import OveruseDetector, State
from sfu.congestion.probe import ProbeCluster, ProbeController
from sfu.congestion.queue_delay import QueueDelay
from sfu.congestion.ramp import Ramp
from sfu.congestion.rate_control import SHALLOW_QUEUE, RateControl
from sfu.congestion.remb import ReportControl
from sfu.congestion.round_trip import RoundTrip
from sfu.congestion.sample import EstimatorSample, Mode
from sfu.congestion.trendline import Trendline
from sfu.wire.twcc import TransportFeedback

SILENCE = 1.0  # s, and a round trip, without any feedback: the path may be gone
REPORT_SILENCE = 6.0  # s; reports come once a second, or every few seconds on a thin path
BACK_OFF = 0.8  # each `CHECK` while it is silent
CHECK = 0.5  # s
JITTER_QUEUE = 2.0  # of the jitter: so much of a queue may be none
SHORT_QUEUE = 0.15  # s; a key frame makes as much, and it is gone in less than a second
SHADOW_TIME = 2.0  # s after a probe in which the queue that it made is no overuse …
SHADOW_REST = 0.5  # s; … and after a decrease, only for so long
SHADOW_SIZE = 1.3  # of its size: bursts are filled up with whole packets
PROBED_QUEUE = 0.25  # s of another flow's queue: a probe would overflow it
FILLED = 0.8  # of the estimate is sent: beside another flow it rises as that one's rate does
FALL_BACK = 5.0  # s without transport-wide feedback, while other reports come


class BandwidthEstimator:
    """Estimates what the path to one subscriber carries.

    Call `sent` for each burst with a transport-wide number, before it leaves, and `receive_…` for
    what comes back. A bad estimate of a lying client is bounded by `minimum` and `maximum`, and its
    rise by what it acknowledges.

    Args:
        start: Bit/s before anything is known.
        minimum: Bit/s; the estimate is never lower.
        maximum: Bit/s; the estimate is never higher.
        unlimited: Whether it is `maximum` where receiver reports come and nothing else, until they
            tell of loss.

    Attributes:
        estimate: Bit/s.
        state: What the delay tells.
        mode: What the estimate rests on.
        acknowledged_bitrate: What arrives, bit/s; None while it is not known.
        carried: What arrives now while all of it does, with a short queue (of ours) at most, bit/s;
            else 0.
            The estimate may be less, until that queue has gone.
        queue_delay: Seconds that packets wait in queues of the path.
    """

    def __init__(
        self,
        *,
        start: float = 600_000,
        minimum: float = 30_000,
        maximum: float = 100e6,
        unlimited: bool = False,
    ) -> None:
        self.estimate = float(start)
        self.state: State = "normal"
        self.mode: Mode = "loss"
        self.acknowledged_bitrate: float | None = None
        self.queue_delay = 0.0
        self.carried = 0.0
        self._maximum = maximum
        self._history = SentHistory()
        self._received = AcknowledgedBitrate()
        self._rates = RateControl(start=start, minimum=minimum, maximum=maximum)
        self._losses = LossBound()
        self._fallback = ReportControl(
            start=start, minimum=minimum, maximum=maximum, unlimited=unlimited
        )
        self._probes = ProbeController()
        self._ramp = Ramp()
        # Of the last probe: until when, its bytes, and the queue before it.
        self._shadow: tuple[float, int, float] = (-math.inf, 0, 0.0)
        self._heard: float | None = None  # anything
        self._heard_feedback: float | None = None
        self._idle = float("-inf")  # when there was nothing to tell of
        self._next_check: float | None = None
        self._round_trip = RoundTrip()
        self._reported: float | None = None
        self._reported_total = 0
        self._report_loss = 0.0
        self._restart()

    def _restart(self) -> None:
        """Arrival times before this cannot be compared with those behind it."""
        self._groups = ArrivalGroups()
        self._trendline = Trendline()
        self._detector = OveruseDetector()
        self._queue = QueueDelay()
        self._received.reset()
        self._last_send: float | None = None  # of the last group
        self.state = "normal"
        self.queue_delay = 0.0

    @property
    def round_trip(self) -> float:
        """Seconds."""
        return self._round_trip.value

    @property
    def loss(self) -> float:
        """Share of packets lost lately, 0..1."""
        return self._losses.loss if self.mode == "transport_cc" else self._report_loss

    @property
    def refused(self) -> int:
        """Feedbacks that told of what cannot be."""
        return self._history.refused

    @property
    def in_flight(self) -> int:
        """Bytes that were sent and not told of yet."""
        return self._history.in_flight

    def sent(self, first: int, sizes: Sequence[int], *, now: float, cluster: int = 0) -> None:
        """Note a burst; see `SentHistory.sent`."""
        if self._next_check is None:
            self._heard = now
            self._next_check = now + CHECK
        self._history.sent(first, sizes, now=now, cluster=cluster)

    def rest(self, *, now: float) -> None:
        """Feedback came that shows the path as it was; nobody looked at it more closely."""
        self._heard = self._heard_feedback = now

    def resume(self) -> None:
        """What comes now does not go on from what was looked at last."""
        self._restart()

    def receive_feedback(self, feedback: TransportFeedback, *, now: float) -> None:
        """Take a transport-wide feedback."""
        result = self._history.take(feedback, now=now)
        if result.restarted:
            self._restart()
        if not result.bursts:
            return
        if self.mode != "transport_cc":
            self.mode = "transport_cc"
            self._rates.follow(self.estimate)
        self._heard = self._heard_feedback = now
        if result.received:
            self._round_trip.feedback(self._take_bursts(result.bursts), now=now)
        self._update(result, now)

    def _take_bursts(self, bursts: list[AckedBurst]) -> float:
        """Run the delay-based boxes; returns when the newest of the bursts was sent."""
        groups, queue, trendline = self._groups, self._queue, self._trendline
        add = self._received.add
        newest = 0.0
        for burst in bursts:
            add(burst)
            if not burst.packets:
                continue
            newest = burst.send_time
            group = groups.add(burst)
            if group is None:
                continue
            send_time, arrival, size = group
            delay = arrival - send_time
            self.queue_delay = queue.update(send_time, delay, size)
            last = self._last_send
            self._last_send = send_time
            trend = trendline.update(arrival, delay)
            self.state = self._detector.update(
                trend,
                0.0 if last is None else send_time - last,
                self.queue_delay - JITTER_QUEUE * queue.jitter,
                at=send_time,
            )
        return newest

    def _update(self, result: FeedbackResult, now: float) -> None:
        acknowledged = self.acknowledged_bitrate = self._received.update()
        round_trip, queue = self.round_trip, self.queue_delay
        overusing = self.state == "overusing"
        shadow = self._shadow_queue(now)
        latest = self._queue.latest
        recent = self._received.recent()
        came = acknowledged
        self.carried = 0.0
        whole = self._losses.bound == math.inf and (
            queue <= max(SHORT_QUEUE, shadow) or self._rates.contended
        )
        if came is not None and whole:
            self.carried = came if recent is None else max(came, recent[0])
        if not (overusing or max(queue, latest) >= SHALLOW_QUEUE):
            recent = None
        # What the path loses anyway has passed the bottleneck, or would have.
        passed = 1 - self._losses.inherent
        if came is not None:
            came /= passed
        if recent is not None:
            recent = recent[0] / passed, recent[1]
        gentle = max(queue, latest) <= shadow
        rates = self._rates
        before = rates.estimate
        rates.update(
            self.state,
            came,
            recent,
            round_trip=round_trip,
            queue=queue,
            latest=latest,
            gentle=gentle,
            now=now,
        )
        if rates.contended and overusing:
            overusing = False
            self.state = "normal"  # nothing that sending less would change
        if overusing or rates.estimate < before:
            self._probes.overused(now=now)
            if self._shadow[0] > now + SHADOW_REST:
                self._shadow = (now + SHADOW_REST, *self._shadow[1:])
        proven = self._probes.receive(result.bursts, now=now)
        if proven is not None and not overusing:
            rates.prove(proven.bitrate, acknowledged=came, full=proven.full)
            self._losses.prove(proven.bitrate, now=now)
        bound = self._losses.update(
            result,
            estimate=rates.estimate,
            acknowledged=acknowledged,
            queue=queue,
            round_trip=round_trip,
            now=now,
        )
        if rates.contended and self._losses.lift():
            # Who shares a queue with a TCP shares its losses.
            rates.yield_to_others(now=now)
            bound = math.inf
        self.estimate = max(min(rates.estimate, bound), rates.minimum)

    def _shadow_queue(self, now: float) -> float:
        """Seconds that packets may wait behind our own probe."""
        end, size, before = self._shadow
        if now > end:
            return 0.0
        added = SHADOW_SIZE * 8 * size / (self.acknowledged_bitrate or self.estimate)
        return before + SHALLOW_QUEUE + added

    def receive_remb(self, bitrate: float, *, now: float) -> None:
        """Take a REMB, bit/s; counts only while no transport-wide feedback comes."""
        self._heard = now
        self._fallback.receive_remb(bitrate, now=now)
        self._fall_back(now)

    def receive_report(
        self, fraction_lost: float, round_trip: float, *, sending: float | None = None, now: float
    ) -> None:
        """Take the receiver reports of one RTCP packet.

        Args:
            fraction_lost: 0..1, of the packets of all streams since the reports before.
            round_trip: Seconds; 0 where it is not known.
            sending: Bit/s, where `sent` is not told of all.
            now: Monotonic seconds.
        """
        self._heard = now
        self._round_trip.report(round_trip, now=now)
        self._report_loss = fraction_lost = min(max(fraction_lost, 0.0), 1.0)
        total = self._history.total
        elapsed = None if self._reported is None else now - self._reported
        if elapsed == 0:
            return
        if sending is None:
            sending = 8 * (total - self._reported_total) / elapsed if elapsed else 0.0
        self._reported = now
        self._reported_total = total
        if self._uses_feedback(now):
            return
        self._fallback.receive_report(fraction_lost, self.round_trip, sending, now=now)
        self._fall_back(now)

    def _uses_feedback(self, now: float) -> bool:
        heard = self._heard_feedback
        return heard is not None and now - heard < FALL_BACK

    def _fall_back(self, now: float) -> None:
        if self._uses_feedback(now):
            return
        if self.mode == "transport_cc":
            self._fallback.follow(self.estimate)
        self.mode = "remb" if self._fallback.heard_remb(now=now) else "loss"
        self.state = "normal"
        self.estimate = self._fallback.estimate

    def probe(self, *, goal: float, sending: float, now: float) -> ProbeCluster | None:
        """The probe to send now, if any; see `ProbeController.wanted`.

        Args:
            goal: Bit/s from which on something could be improved.
            sending: Bit/s of media now.
            now: Monotonic seconds.
        """
        if self.mode != "transport_cc" or self.state != "normal":
            return None
        if self._rates.contended and (
            self.queue_delay > PROBED_QUEUE or sending > FILLED * self.estimate
        ):
            return None
        cluster = self._probes.wanted(
            now=now,
            estimate=self.estimate,
            goal=goal,
            sending=sending,
            maximum=self._maximum,
            jitter=self._queue.jitter,
        )
        if cluster is not None:
            self._shadow = (now + SHADOW_TIME, cluster.size, self.queue_delay)
        return cluster

    def ramp(self, *, goal: float, now: float) -> float:
        """The rate to fill up to with padding, bit/s, where only REMB answers; see `Ramp`."""
        if self.mode != "remb":
            self._ramp.stop()
            return 0.0
        return self._ramp.update(
            goal=goal,
            estimate=self.estimate,
            bound=self._fallback.remb,
            loss=self._report_loss,
            now=now,
        )

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None while nothing was sent."""
        return self._next_check

    def handle_timer(self, *, now: float) -> None:
        """Send less while the subscriber is silent: nobody knows what still goes through."""
        assert self._heard is not None
        self._next_check = now + CHECK
        if not self._history.in_flight:
            self._idle = now
            return
        if self.mode == "transport_cc":
            heard = max(self._heard_feedback or self._heard, self._idle)
            silent = now - heard > SILENCE + self.round_trip
        else:
            silent = now - self._heard > REPORT_SILENCE
        if silent:
            self._rates.follow(self._rates.estimate * BACK_OFF)
            self._fallback.follow(self._fallback.estimate * BACK_OFF)
            source = self._rates if self.mode == "transport_cc" else self._fallback
            self.estimate = min(self.estimate, source.estimate)

    def sample(self) -> EstimatorSample:
        """Everything in numbers."""
        rates, losses, probe = self._rates, self._losses, self._probes.cluster
        return EstimatorSample(
            estimate=self.estimate,
            delay_based=rates.estimate,
            loss_based=losses.bound,
            report_based=self._fallback.estimate,
            remb=self._fallback.remb,
            acknowledged=self.acknowledged_bitrate or 0.0,
            capacity=rates.capacity.mean or 0.0,
            loss=self.loss,
            inherent_loss=losses.inherent,
            queue_delay=self.queue_delay,
            jitter=self._queue.jitter,
            round_trip=self.round_trip,
            in_flight=self._history.in_flight,
            trend=self._trendline.trend,
            threshold=self._detector.threshold,
            state=self.state,
            mode=self.mode,
            probe=probe.id if probe else 0,
            refused=self._history.refused,
        )
