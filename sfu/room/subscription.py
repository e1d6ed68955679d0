"""A track that is wanted, and the m-line that carries it."""

from __future__ import annotations

from dataclasses import dataclass

from sfu.forward.forwarder import Forwarder
from sfu.room.events import SubscriptionChanged, SubscriptionState
from sfu.room.subscriber import SendIdentity
from sfu.room.track import Track
from sfu.wire.parameters import Kind, SendParameters


@dataclass(slots=True, eq=False)
class Subscription:
    """One wanted track.

    Attributes:
        track: The track.
        state: "active", "paused" or "failed".
        reason: Why not active; see `sfu.room.events.SubscriptionChanged`.
        detail: The same for people.
        slot: The m-line that carries it, None while there is none.
    """

    track: Track
    state: SubscriptionState = "paused"
    reason: str = ""
    detail: str = ""
    slot: Slot | None = None

    def told(self) -> SubscriptionChanged:
        """What its subscriber is told of it."""
        return SubscriptionChanged(self.track, self.state, self.reason, self.detail)


@dataclass(slots=True, eq=False)
class Slot:
    """One m-line that we send on, whatever it carries at the moment.

    Attributes:
        mid: Of the m-line.
        kind: "audio" or "video".
        identity: SSRCs and canonical name; new ones for each track where we write the offers, the
            same for ever where the peer does.
        stream_id: First part of the msid that was told.
        track_id: Second part of it.
        subscription: What it carries, None for nothing.
        parameters: What the peer has agreed to, None before.
        forwarder: Once the peer has agreed to the m-line.
        stopped: Whether the peer rejected it: it keeps its place until it is used under a new MID.
    """

    mid: str
    kind: Kind
    identity: SendIdentity
    stream_id: str
    track_id: str
    subscription: Subscription | None = None
    parameters: SendParameters | None = None
    forwarder: Forwarder | None = None
    stopped: bool = False
