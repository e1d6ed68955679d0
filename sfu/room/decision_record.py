"""What was decided on one subscribed track, and how that is told."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sfu.forward.forwarder import HIGHEST
from sfu.room.media_status import Change, LayerStatus, TrackStatus

if TYPE_CHECKING:
    from sfu.forward.allocation import Decision, Layer
    from sfu.room.media_settings import TrackSettings
    from sfu.room.subscription import Subscription

HISTORY_TIME = 60.0  # s of decisions that are told
HISTORY_SIZE = 64  # decisions of one track that are kept
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

    __slots__ = ("_history", "decision", "layers", "wanted")

    def __init__(self) -> None:
        self.layers: tuple[LayerStatus, ...] = ()
        self.wanted: LayerStatus | None = None
        self.decision: Decision | None = None
        self._history: deque[Change] = deque(maxlen=HISTORY_SIZE)

    def note(self, decision: Decision, estimate: int | None, *, at: float) -> None:
        """Take the next decision.

        Args:
            decision: On `layers`.
            estimate: Bit/s that were available, None where nobody knew.
            at: Unix seconds.
        """
        before, layer = self.decision, decision.layer
        self.decision = decision
        if before is None or (before.cause, before.layer and _point(before.layer)) != (
            decision.cause,
            layer and _point(layer),
        ):
            self._history.append(
                Change(at, self._chosen(decision), decision.cause, decision.reason, estimate)
            )

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
        cause, reason = told_cause(decision), decision.reason
        if track.gated:
            cause, reason = "last_n", "paused: others are louder"
        return TrackStatus(
            track=track,
            settings=settings,
            layers=self.layers,
            wanted=self.wanted,
            chosen=self._chosen(decision),
            current=self._current(subscription),
            cause=cause,
            reason=reason,
            history=tuple(change for change in self._history if change.at >= at - HISTORY_TIME),
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


def told_cause(decision: Decision) -> str:
    """Why, as clients are told."""
    return "paused" if decision.cause == "paused_by_client" else decision.cause


def _point(layer: Layer) -> tuple[int, int]:
    return layer.spatial, layer.temporal
