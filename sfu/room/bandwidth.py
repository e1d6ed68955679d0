"""What the path to one subscriber takes: its feedback to the estimator, and the probes to it."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sfu.congestion.calm import CalmWatch
from sfu.congestion.estimator import BandwidthEstimator
from sfu.congestion.probe import ProbeCluster
from sfu.forward.forwarder import Forwarder
from sfu.forward.lane import Lane
from sfu.room.trace import Trace
from sfu.timers import Timer, Timers
from sfu.wire.rtcp import ReceiverEstimatedMaximumBitrate, ReportBlock, RtcpPacket
from sfu.wire.twcc import TransportFeedback

START = 300_000.0  # bit/s; the first feedback comes after 0.1 s, and probes show the rest at once
MINIMUM = 30_000.0  # bit/s; below audio nothing is of use
MAXIMUM = 200e6  # bit/s
NOTICE = 0.03  # share by which an estimate must change to be looked at
CHECK_INTERVAL = 0.05  # s between two looks
HELD = 6  # feedbacks that are looked at after all when something changes: half a second
FRESH_TIME = 2.0  # s; two seconds of feedback tell what a path takes
PAD_INTERVAL = 0.02  # s between two packets or more of padding, where REMB answers
PAD_LEASE = 0.5  # s; who wants more asks again before that
MAX_PAD = 6_000  # bytes at once; what could not be sent earlier need not be
SENDING_INTERVAL = 0.25  # s over which the rate of sending is measured, at least


class Bandwidth:
    """The estimate for one transport.

    Who sends no feedback but receiver reports gets everything until they tell of loss.

    Attributes:
        estimator: The estimate and what it comes from.
        fed: Whether its client gives feedback that is more than receiver reports.
        trace: Records what the estimator sees; None for nothing.
    """

    def __init__(self, *, lane: Lane, timers: Timers) -> None:
        """Nothing is known yet."""
        self.estimator = _estimator(MAXIMUM)
        self.fed = False
        self.trace: Trace | None = None
        self.on_change: Callable[[float], None] = ignore
        self._lane = lane
        self._timers = timers
        self._timer: Timer | None = None
        self._probe_timers: list[Timer] = []
        self._pad_timer: Timer | None = None
        self._pad_until = float("-inf")
        self._padded = (0.0, 0)  # when, and what was sent until then
        self._calm = CalmWatch()
        self._ample = False
        self._held: deque[tuple[TransportFeedback, float]] = deque(maxlen=HELD)
        self._told = 0.0
        self._told_at = float("-inf")
        self._begun = False
        self._started_at: float | None = None
        self._octets = 0
        self._measured_at = float("-inf")
        self._sending = 0.0

    def begin(self, *, transport_cc: bool, remb: bool, now: float) -> None:
        """The client has agreed to give this feedback."""
        if (transport_cc or remb) and not self.fed:
            # Whatever was agreed on before: from now on there is something to begin low for.
            self.fed = True
            self.estimator = _estimator(START)
            self._lane.on_sent = self._sent
            self._lane.estimated(self.estimator.estimate)
        elif self._begun:
            return
        self._begun = True
        if self.trace is not None:
            start = self.estimator.estimate
            self.trace.path(start=start, minimum=MINIMUM, maximum=MAXIMUM, now=now)

    def close(self) -> None:
        """The transport has ended."""
        self._lane.close()
        for timer in (self._timer, self._pad_timer, *self._probe_timers):
            if timer is not None:
                timer.cancel()

    @property
    def congested(self) -> bool:
        """Whether more is sent now than the path takes."""
        return self.estimator.state == "overusing"

    def fresh(self, *, now: float) -> bool:
        """Whether too little time has passed since the first packet to know the path."""
        return self.fed and (self._started_at is None or now - self._started_at < FRESH_TIME)

    def sending(self, *, now: float) -> float:
        """Bit/s that were sent since the last look, or over the last moment."""
        elapsed = now - self._measured_at
        if elapsed >= SENDING_INTERVAL:
            octets = self._lane.octets
            if elapsed < 10 * SENDING_INTERVAL:
                self._sending = 8 * (octets - self._octets) / elapsed
            self._octets = octets
            self._measured_at = now
        return self._sending

    def _sent(self, first: int, sizes: Sequence[int], now: float, cluster: int) -> None:
        if self._started_at is None:
            self._started_at = now
        self.estimator.sent(first, sizes, now=now, cluster=cluster)
        self._calm.sent(first, now)
        if self.trace is not None:
            self.trace.sent(first, sizes, cluster, now=now)
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        when = self.estimator.get_timer()
        self._timer = None if when is None else self._timers.call_at(when, self._check)

    def _check(self, now: float) -> None:
        if self.trace is not None:
            self.trace.check(now=now)
        self.estimator.handle_timer(now=now)
        self._arm()
        self._notice(now)

    def receive(self, packet: RtcpPacket, *, now: float) -> None:
        """Take feedback that is not about one stream."""
        trace = self.trace
        if isinstance(packet, TransportFeedback):
            if trace is not None:
                trace.feedback(packet, now=now)
            if self._rests(packet, now):
                return
            self.estimator.receive_feedback(packet, now=now)
        elif isinstance(packet, ReceiverEstimatedMaximumBitrate):
            if trace is not None:
                trace.remb(packet.bitrate, now=now)
            self.estimator.receive_remb(packet.bitrate, now=now)
        else:
            return
        self._notice(now)

    def relax(self, ample: bool) -> None:
        """Whether the path has far more room than is wanted: then a glance at feedback is enough.

        Most subscribers are so most of the time, and the estimator's work for each of them would
        be a good part of what forwarding costs.
        """
        self._ample = ample

    def _rests(self, feedback: TransportFeedback, now: float) -> bool:
        """Whether this feedback shows the path as it was; else it is looked at, with the last few.

        Not while a trace is written: it is there to tell all.
        """
        calm = self._calm.is_calm(feedback)  # also to learn what is usual
        rests = self._ample and calm and not self._lane.cluster and self.trace is None
        if rests and self.estimator.state == "normal":
            self._held.append((feedback, now))
            self.estimator.rest(now=now)
            return True
        if self._held:
            self.estimator.resume()
            for held, then in self._held:
                self.estimator.receive_feedback(held, now=then)
            self._held.clear()
        return False

    def receive_reports(
        self, blocks: Sequence[ReportBlock], round_trip: float, *, now: float
    ) -> None:
        """Take the blocks of one receiver report."""
        if not blocks:
            return
        lost = sum(block.fraction_lost for block in blocks) / 256 / len(blocks)
        # What has no number, as with REMB, the estimator does not hear of.
        sending = self.sending(now=now)
        if self.trace is not None:
            self.trace.report(lost, round_trip, sending, now=now)
        if self._started_at is None:
            self._started_at = now
        self.estimator.receive_report(lost, round_trip, sending=sending, now=now)
        self._notice(now)

    def _notice(self, now: float) -> None:
        estimate = self.estimator.estimate
        if self.trace is not None:
            self.trace.sample(self.estimator, now=now)
        if self.fed:
            self._lane.estimated(estimate)
        if abs(estimate - self._told) <= NOTICE * self._told or (
            now - self._told_at < CHECK_INTERVAL and estimate > self._told
        ):
            return
        self._told, self._told_at = estimate, now
        self.on_change(now)

    # -- probing

    def probe(self, goal: float, forwarders: Iterable[Forwarder], *, now: float) -> None:
        """Find out whether `goal` bit/s go through, if it is time to."""
        if not self.fed:
            return
        sending = self.sending(now=now)
        self._pad(self.estimator.ramp(goal=goal, now=now), forwarders, now)
        cluster = self.estimator.probe(goal=goal, sending=sending, now=now)
        if self.trace is not None:
            self.trace.probe(goal, sending, cluster, now=now)
        if cluster is None:
            return
        carrier = _carrier(forwarders)
        if carrier is None:
            return
        self._probe_timers = [
            self._timers.call_at(
                now + step * cluster.interval,
                partial(self._send_probe, cluster, step == cluster.bursts - 1, carrier),
            )
            for step in range(cluster.bursts)
        ]

    def _send_probe(
        self, cluster: ProbeCluster, last: bool, carrier: Forwarder, now: float
    ) -> None:
        self._lane.cluster = 0 if last else cluster.id
        carrier.probe(cluster.size // cluster.bursts, cluster.id, now=now)

    def _pad(self, rate: float, forwarders: Iterable[Forwarder], now: float) -> None:
        """Fill up to so many bit/s for a moment, 0 for none."""
        self._pad_until = now + PAD_LEASE if rate else now
        if self._pad_timer is not None:
            self._pad_timer.cancel()
            self._pad_timer = None
        carrier = _carrier(forwarders) if rate else None
        if carrier is not None:
            if now - self._padded[0] > PAD_LEASE:
                self._padded = now, self._lane.octets
            self._send_padding(rate, carrier, now)

    def _send_padding(self, rate: float, carrier: Forwarder, now: float) -> None:
        since, octets = self._padded
        missing = int(rate / 8 * (now - since)) - (self._lane.octets - octets)
        if missing > 0 and not self._lane.holding:
            carrier.probe(min(missing, MAX_PAD), 0, now=now)
            self._padded = now, self._lane.octets
        self._pad_timer = None
        if now < self._pad_until:
            self._pad_timer = self._timers.call_at(
                now + PAD_INTERVAL, partial(self._send_padding, rate, carrier)
            )


def _carrier(forwarders: Iterable[Forwarder]) -> Forwarder | None:
    """The forwarder to probe with: of what flows, packets can be sent again; else it is padding."""
    carriers = [forwarder for forwarder in forwarders if forwarder.rtx_ssrc is not None]
    return max(carriers, key=lambda forwarder: forwarder.current is not None, default=None)


def _estimator(start: float) -> BandwidthEstimator:
    return BandwidthEstimator(start=start, minimum=MINIMUM, maximum=MAXIMUM, unlimited=True)


def ignore(now: float) -> None:
    """Nobody shares the estimate."""
