"""Which tracks a participant receives, and on which m-lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from sfu.forward.forwarder import Forwarder, ForwarderState
from sfu.room.events import SubscriptionState
from sfu.room.identifiers import Identifiers
from sfu.room.subscriber import SendIdentity, Subscriber
from sfu.room.subscription import Slot, Subscription
from sfu.room.track import Track
from sfu.wire.parameters import Codec, Kind, SendParameters


class Subscriptions:
    """A participant's subscriptions and the m-lines that carry them.

    With `offers` we write the offers: there is a slot for each subscription, and slots that became
    free are used again. Without, the slots are those that the peer offered, and tracks wait for a
    free one.
    """

    def __init__(
        self,
        *,
        identifiers: Identifiers,
        max_slots: int,
        on_change: Callable[[Subscription], None],
        on_negotiation_needed: Callable[[float], None],
        on_carried: Callable[[float], None],
    ) -> None:
        self.slots: list[Slot] = []
        self.offers = True
        self._identifiers = identifiers
        self._max_slots = max_slots
        self._on_change = on_change
        self._on_negotiation_needed = on_negotiation_needed
        self._on_carried = on_carried
        self._subscriptions: dict[str, Subscription] = {}
        self._subscriber: Subscriber | None = None
        self._mids = 0

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._subscriptions.values())

    def __len__(self) -> int:
        return len(self._subscriptions)

    def get(self, track_sid: str) -> Subscription | None:
        """The subscription to this track."""
        return self._subscriptions.get(track_sid)

    # -- what is wanted

    def add(self, track: Track, *, now: float) -> None:
        """Receive `track`; nothing happens when that is so already."""
        if track.sid in self._subscriptions:
            return
        subscription = Subscription(track, reason="muted" if track.muted else "")
        self._subscriptions[track.sid] = subscription
        if self.offers:
            self._on_negotiation_needed(now)
        else:
            self._fill(now=now)

    def remove(self, track_sid: str, *, now: float) -> Subscription | None:
        """Receive this track no more."""
        subscription = self._subscriptions.pop(track_sid, None)
        if subscription is None:
            return None
        slot = subscription.slot
        if slot is not None:
            self._detach(slot)
            slot.subscription = None
            if self.offers:
                self._on_negotiation_needed(now)
            else:
                self._fill(now=now)
        return subscription

    def clear(self) -> None:
        """Receive nothing, on no m-line."""
        for slot in self.slots:
            self._release(slot)
        self.slots = []
        self._subscriber = None
        for subscription in self._subscriptions.values():
            subscription.slot = None

    def _detach(self, slot: Slot) -> None:
        """The track that it carries is not sent any more."""
        if slot.subscription and slot.forwarder:
            slot.subscription.track.fanout.remove(slot.forwarder)
            slot.forwarder.detach()

    def _stop(self, slot: Slot) -> None:
        """Nothing is sent on this m-line, nor ever again under its SSRCs."""
        self._detach(slot)
        if slot.forwarder and self._subscriber:
            self._subscriber.remove(slot.forwarder)
        slot.forwarder = slot.parameters = None

    def _release(self, slot: Slot) -> None:
        """Something else may be sent on this m-line."""
        self._stop(slot)
        slot.subscription = None

    # -- the m-lines

    def begin(self, subscriber: Subscriber) -> None:
        """Send over this peer from now on; slots of an earlier one are gone."""
        self.clear()
        self._subscriber = subscriber

    def plan(self) -> Sequence[Slot]:
        """All m-lines of the next offer, in their order; every subscription has one."""
        # What becomes free now is offered as inactive first: a receiver that never saw the pause
        # would take the next track for the old one.
        free = [slot for slot in self.slots if slot.subscription is None and not slot.forwarder]
        for slot in self.slots:
            if slot.subscription is None:
                self._release(slot)
        for subscription in self._subscriptions.values():
            if subscription.slot is None:
                self._place(subscription, free)
        return self.slots

    def _place(self, subscription: Subscription, free: list[Slot]) -> None:
        track = subscription.track
        # A new SSRC even on an m-line that is used again: what still arrives late for the old
        # track must not be taken for the new one's.
        identity = SendIdentity(
            self._identifiers.ssrc(), self._identifiers.ssrc(), track.participant.sid
        )
        slot = next((slot for slot in free if slot.kind == track.kind), None)
        if slot is None and len(self.slots) >= self._max_slots:
            self.change(subscription, "paused", "limit_reached")
            return
        if slot is not None:
            free.remove(slot)
            slot.identity = identity
            slot.stream_id, slot.track_id = track.participant.sid, track.sid
            if slot.stopped:
                slot.stopped = False
                slot.mid = self._new_mid()
        else:
            slot = Slot(self._new_mid(), track.kind, identity, track.participant.sid, track.sid)
            self.slots.append(slot)
        slot.subscription = subscription
        subscription.slot = slot

    def _new_mid(self) -> str:
        self._mids += 1
        return str(self._mids - 1)

    def offered(self, mid: str, kind: Kind, *, stream_id: str) -> Slot:
        """The peer offers to receive on this m-line: the slot that belongs to it."""
        self.offers = False
        for slot in self.slots:
            if slot.mid == mid:
                return slot
        identifiers = self._identifiers
        identity = SendIdentity(identifiers.ssrc(), identifiers.ssrc(), stream_id)
        slot = Slot(mid, kind, identity, stream_id, identifiers.sid("TR"))
        self.slots.append(slot)
        return slot

    def retain(self, mids: Collection[str]) -> None:
        """The peer receives on these m-lines alone: what others carried waits."""
        for slot in self.slots:
            if slot.mid not in mids:
                if slot.subscription:
                    slot.subscription.slot = None
                self._release(slot)
        self.slots = [slot for slot in self.slots if slot.mid in mids]

    def agreed(
        self,
        parameters: Mapping[str, SendParameters | None],
        rejected: Collection[str] = (),
        *,
        now: float,
    ) -> None:
        """The peer agreed to these m-lines (MID → parameters), or takes nothing on them (None).

        A MID that is not named keeps what it has. Those `rejected` cannot be used again.
        """
        assert self._subscriber is not None
        for slot in self.slots:
            slot.stopped = slot.stopped or slot.mid in rejected
            if slot.mid not in parameters:
                continue
            agreed = parameters[slot.mid]
            if agreed is None:
                self._refused(slot)
                continue
            changed = agreed != slot.parameters
            slot.parameters = agreed
            if slot.forwarder is not None and changed:
                self._renegotiate(slot, slot.forwarder, agreed, now=now)
            elif slot.forwarder is None:
                slot.forwarder = self._subscriber.add(
                    agreed, slot.identity, self._state_listener(slot), now=now
                )
                if slot.subscription:
                    self._carry(slot, slot.subscription, now=now)
        if not self.offers:
            self._fill(now=now)

    def _refused(self, slot: Slot) -> None:
        """The peer takes nothing on this m-line."""
        # What it took before, it could decode: then it is a wish.
        reason = "codec_unsupported" if slot.forwarder is None else "unsubscribed"
        self._stop(slot)
        if slot.subscription:
            self.change(slot.subscription, "failed", reason)

    def _renegotiate(
        self, slot: Slot, forwarder: Forwarder, parameters: SendParameters, *, now: float
    ) -> None:
        assert self._subscriber is not None
        track = slot.subscription.track if slot.subscription else None
        if track:
            track.fanout.remove(forwarder)  # it may come into another group there
        self._subscriber.renegotiate(forwarder, parameters, now=now)
        if track:
            track.fanout.add(forwarder)
            forwarder.request_key_frame(now=now)

    def _fill(self, *, now: float) -> None:
        """Put waiting tracks on free slots, the newest publisher's first."""
        waiting = [s for s in reversed(self._subscriptions.values()) if s.slot is None]
        for slot in self.slots:
            if slot.subscription is not None or slot.forwarder is None:
                continue
            for subscription in waiting:
                if subscription.track.kind == slot.kind:
                    waiting.remove(subscription)
                    subscription.slot = slot
                    slot.subscription = subscription
                    self._carry(slot, subscription, now=now)
                    break

    def _carry(self, slot: Slot, subscription: Subscription, *, now: float) -> None:
        track, forwarder = subscription.track, slot.forwarder
        assert forwarder is not None
        if track.codec is not None and not forwarder.layout.supports(track.codec):
            self.change(subscription, "failed", "codec_unsupported")
        else:
            self._tell_flow(subscription)
        forwarder.attach(track)
        track.fanout.add(forwarder)
        self._on_carried(now)

    # -- what is told

    def muted(self, track: Track) -> None:
        """The track was muted or unmuted."""
        subscription = self._subscriptions.get(track.sid)
        if subscription is not None and subscription.state != "failed":
            self._tell_flow(subscription)

    def _tell_flow(self, subscription: Subscription) -> None:
        if subscription.track.muted:
            self.change(subscription, "paused", "muted")
        else:
            self.change(subscription, "active", "")

    def _state_listener(self, slot: Slot) -> Callable[[ForwarderState, Codec | None], None]:
        def changed(state: ForwarderState, _: Codec | None) -> None:
            if slot.subscription is None:
                return
            if state == "unsupported":
                self.change(slot.subscription, "failed", "codec_unsupported")
            elif state == "active":
                self.change(slot.subscription, "active", "")

        return changed

    def change(
        self,
        subscription: Subscription,
        state: SubscriptionState,
        reason: str,
        detail: str = "",
    ) -> None:
        """Tell what has become of a subscription, if it is news."""
        if (subscription.state, subscription.reason) != (state, reason):
            subscription.state, subscription.reason = state, reason
            subscription.detail = detail
            self._on_change(subscription)
