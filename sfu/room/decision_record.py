"""What was decided on one subscribed track, and how that is told."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sfu.forward.forwarder import HIGHEST
from sfu.room.media_status import Change, LayerStatus, Sample, TrackStatus

if TYPE_CHECKING:
    from sfu.forward.allocation import Decision, Layer
    from sfu.room.media_settings import TrackSettings
    from sfu.room.subscription import Subscription

HISTORY_TIME = 60.0  # s of decisions that are told
HISTORY_STEP = 1.0  # s of which the first and the last decision are kept: 120 in a minute
SAMPLE_INTERVAL = 0.99  # s between two estimates that are kept; a look each second is not exact
UNCARRIED = {
    "negotiating": "paused: it is being negotiated",
    "muted": "paused: its publisher has muted it",
    "codec_unsupported": "failed: the client cannot decode its codec",
    "unsubscribed": "failed: the client has stopped its m-line",
    "limit_reached": "paused: there are as many m-lines as there may be",
}


class DecisionRecord:
    """What there was to choose from, what was chosen, and what was before.

    Attributes:
        layers: All of the track when it was last looked at, the smallest first.
        wanted: What would be sent if everything went, None for nothing.
        decision: The last one, None before the first.
    """

    __slots__ = ("_history", "_noted", "decision", "layers", "wanted")

    def __init__(self) -> None:
        self.layers: tuple[LayerStatus, ...] = ()
        self.wanted: LayerStatus | None = None
        self.decision: Decision | None = None
        self._noted: tuple[object, ...] = ()
        self._history: deque[Change] = deque()

    def note(
        self, decision: Decision, estimate: int | None, *, at: float, gated: bool = False
    ) -> None:
        """Take the next decision.

        Args:
            decision: On `layers`.
            estimate: Bit/s that were available, None where nobody knew.
            at: Unix seconds.
            gated: Whether it is not sent because others are louder.
        """
        self.decision = decision
        cause, reason = _told(decision, gated=gated)
        layer, wanted = decision.layer, self.wanted
        noted = cause, layer and _point(layer), wanted and _point(wanted)
        if noted == self._noted:
            return
        self._noted = noted
        history = self._history
        if len(history) > 1 and at - history[-2].at < HISTORY_STEP:
            history.pop()
        history.append(Change(at, wanted, self._chosen(decision), cause, reason, estimate))
        _expire(history, at)

    def target(self, decision: Decision, *, ample: bool) -> tuple[int, int] | None:
        """Spatial and highest temporal layer at which a forwarder is to be aimed, None for nothing.

        Args:
            decision: On `layers`.
            ample: Whether a track whose layers are not known yet may begin with the highest.
        """
        layer = decision.layer
        if layer is not None:
            # The best there is stays the best there is, whatever comes.
            best = self.layers[-1]
            if (layer.spatial, layer.temporal) == (best.spatial, best.temporal) or (
                layer.temporal == max([point.temporal for point in self.layers])
            ):
                return layer.spatial, HIGHEST
            return layer.spatial, layer.temporal
        if decision.cause == "not_live":
            # From its first packet on; which layers there are is known a moment later.
            return HIGHEST if ample else 0, HIGHEST
        return None

    def status(
        self, subscription: Subscription, settings: TrackSettings, *, at: float
    ) -> TrackStatus:
        """All that is told of the subscription.

        Args:
            subscription: Whose record it is.
            settings: How the client shows it.
            at: Unix seconds; decisions of the last minute before are told.
        """
        track, decision = subscription.track, self.decision
        if subscription.state == "failed" or decision is None:
            # Nothing was decided: there is no m-line for it, or not one that can carry it.
            cause = subscription.reason or "negotiating"
            return TrackStatus(
                track, settings, self.layers, None, None, None, cause, UNCARRIED[cause], ()
            )
        cause, reason = _told(decision, gated=track.gated)
        _expire(self._history, at)
        return TrackStatus(
            track=track,
            settings=settings,
            layers=self.layers,
            wanted=self.wanted,
            chosen=self._chosen(decision),
            current=self._current(subscription),
            cause=cause,
            reason=reason,
            history=tuple(self._history),
        )

    def _chosen(self, decision: Decision) -> LayerStatus | None:
        if decision.layer is None:
            return None
        chosen = _point(decision.layer)
        return next((p for p in self.layers if (p.spatial, p.temporal) == chosen), None)

    def _current(self, subscription: Subscription) -> LayerStatus | None:
        """The layer that is being sent, of those that there are."""
        slot = subscription.slot
        current = slot.forwarder.current if slot and slot.forwarder else None
        if current is None:
            return None
        spatial, temporal = current
        return next(
            (p for p in reversed(self.layers) if p.spatial == spatial and p.temporal <= temporal),
            None,
        )


class EstimateRecord:
    """What a path took over the last minute, looked at once a second."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def note(self, estimate: int | None, *, at: float) -> None:
        """Take what is known now: bit/s, None where nobody knows; `at` is in Unix seconds."""
        samples = self._samples
        if samples and at - samples[-1].at < SAMPLE_INTERVAL:
            return
        samples.append(Sample(at, estimate))
        _expire(samples, at)

    def samples(self, *, at: float) -> tuple[Sample, ...]:
        """Those of the minute before `at`, Unix seconds."""
        _expire(self._samples, at)
        return tuple(self._samples)


def told_cause(decision: Decision) -> str:
    """Why, as clients are told."""
    return "paused" if decision.cause == "paused_by_client" else decision.cause


def _told(decision: Decision, *, gated: bool) -> tuple[str, str]:
    """(cause, reason) as clients are told."""
    if gated:
        return "last_n", "paused: others are louder"
    return told_cause(decision), decision.reason


def _point(layer: Layer | LayerStatus) -> tuple[int, int]:
    return layer.spatial, layer.temporal


def _expire(kept: deque[Change] | deque[Sample], at: float) -> None:
    """Forget what was over a minute ago; what was so when the minute began counts."""
    while len(kept) > 1 and kept[1].at <= at - HISTORY_TIME:
        kept.popleft()
