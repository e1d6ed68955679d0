"""The estimate for subscribers without transport-wide feedback: REMB and receiver reports.

draft-alvestrand-rmcat-remb-03, and section 6 of draft-ietf-rmcat-gcc-02 for the reports.
"""

import math

LOW_LOSS, HIGH_LOSS = 0.02, 0.1  # gcc-02 6: between them the rate is held
INCREASE = 0.08  # per s (gcc-02 6: 1.05 for each report, of about 0.6 s)
RESPONSE = 0.3  # s; on top of the round trip, between two decreases
VALID = 10.0  # s; receivers repeat their REMB at least once a second
MAX_STEP = 2.0  # s; what a pause between reports counts at most
HEADROOM, HEADROOM_BITRATE = 1.5, 10_000.0  # of what is sent: more than that nobody has tried


class ReportControl:
    """A rate that falls with the loss of receiver reports and never passes the last REMB.

    A REMB is an upper bound and no promise: one that claims too much lets the rate rise to 1.5 × of
    what is really sent, and no further.

    Args:
        start: Bit/s before anything is known.
        minimum: Bit/s.
        maximum: Bit/s.
        unlimited: Whether there is no limit while nobody tells of one: no REMB, no loss.

    Attributes:
        estimate: Bit/s.
        remb: Bit/s, the last that was told.
    """

    __slots__ = (
        "_decreased",
        "_maximum",
        "_minimum",
        "_remb_at",
        "_reported",
        "_unlimited",
        "estimate",
        "remb",
    )

    def __init__(
        self, *, start: float, minimum: float, maximum: float, unlimited: bool = False
    ) -> None:
        self.estimate = start
        self.remb = math.inf
        self._minimum = minimum
        self._maximum = maximum
        self._remb_at = -math.inf
        self._reported: float | None = None
        self._decreased = -math.inf
        self._unlimited = unlimited

    def receive_remb(self, bitrate: float, *, now: float) -> None:
        """Note what the receiver believes the path can carry, bit/s."""
        self.remb = max(bitrate, self._minimum)
        self._remb_at = now
        self._set(self.estimate)

    def receive_report(
        self, fraction_lost: float, round_trip: float, sending: float, *, now: float
    ) -> None:
        """Move the rate after a receiver report.

        Args:
            fraction_lost: 0..1, since the report before.
            round_trip: Seconds.
            sending: What has been sent meanwhile, bit/s.
            now: Monotonic seconds.
        """
        elapsed = 0.0 if self._reported is None else min(now - self._reported, MAX_STEP)
        self._reported = now
        if now - self._remb_at > VALID:
            self.remb = math.inf
        estimate = self.estimate
        if self._unlimited and self.remb == math.inf:
            # Nobody tells of a limit: it is found where loss begins.
            estimate = self._maximum
            if fraction_lost > HIGH_LOSS and sending > 0:
                self._unlimited = False
                estimate = sending
        if fraction_lost > HIGH_LOSS:
            if now - self._decreased > round_trip + RESPONSE:
                self._decreased = now
                estimate *= 1 - fraction_lost / 2
        elif fraction_lost < LOW_LOSS:
            limit = max(HEADROOM * sending + HEADROOM_BITRATE, estimate)
            if self.heard_remb(now=now):
                estimate = limit  # the REMB says how much of it
            else:
                estimate = min(estimate * (1 + INCREASE * elapsed), limit)
        self._set(estimate)

    def follow(self, estimate: float) -> None:
        """Begin where another estimator ended."""
        self._unlimited = False
        self._set(estimate)

    def heard_remb(self, *, now: float) -> bool:
        """Whether a REMB is in force."""
        return now - self._remb_at <= VALID

    def _set(self, bitrate: float) -> None:
        self.estimate = min(max(min(bitrate, self.remb), self._minimum), self._maximum)
