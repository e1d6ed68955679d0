"""One participant: what it publishes, what it receives and how it hears of the room."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from sfu.errors import LocalError
from sfu.room.connection_quality import QualityScore
from sfu.room.events import (
    ConnectionQualityChanged,
    Disconnected,
    MediaStateChanged,
    MediaTarget,
    ParticipantUpdated,
    RoomEvent,
    SubscriptionChanged,
)
from sfu.room.media_settings import LayerInfo, TrackSettings
from sfu.room.media_status import MediaStatus
from sfu.room.media_watch import MediaWatch
from sfu.room.peer import Peer, PeerState
from sfu.room.permissions import Permissions, Source
from sfu.room.profile import check_size, merge_attributes
from sfu.room.publications import Publications
from sfu.room.quality_watch import QualityWatch
from sfu.room.reception import Reception
from sfu.room.signaling_link import Listener, SignalingLink
from sfu.room.subscription import Subscription
from sfu.room.subscriptions import Subscriptions
from sfu.room.track import Track
from sfu.wire.parameters import Kind

if TYPE_CHECKING:
    from sfu.room.room import Room


class MessageChannels(Protocol):
    """The participant's data channels, where it opened some."""

    def send(self, text: str, *, reliable: bool) -> bool:
        """Send text; False when that channel is not open or cannot take more."""

    def close(self) -> None:
        """End them; nothing happens when they have ended."""


class Participant:
    """Someone in a room, for as long as one full join lasts.

    Attributes:
        room: The room.
        sid: "PA_…", new for each full join.
        identity: Unique in the room.
        name: To show.
        metadata: Free text of the application.
        attributes: Free key-value pairs of the application.
        permissions: What it may do.
        joined_at: Unix seconds.
        tracks: What it publishes, by sid.
        subscriptions: What it receives.
        reception: Which layers of it, and why.
        quality: How good its connection is.
        publisher: The peer that it sends on, None before it has offered to.
        subscriber: The peer that it receives on, None before.
        channels: Its data channels, None before.
        wants: Which tracks of the room it gets without asking.
        pinned: Sids of tracks that it gave a priority or a layer.
        unseen: Sids of tracks that it does not show, or has paused.
    """

    def __init__(
        self,
        *,
        room: Room,
        sid: str,
        identity: str,
        name: str,
        metadata: str,
        attributes: Mapping[str, str],
        permissions: Permissions,
        wants: Callable[[Track], bool],
        joined_at: float,
        listener: Listener,
    ) -> None:
        self.room = room
        self.sid = sid
        self.identity = identity
        self.name = name
        self.metadata = metadata
        self.attributes = dict(attributes)
        self.permissions = permissions
        self.wants = wants
        self.joined_at = joined_at
        self.tracks: dict[str, Track] = {}
        self.publisher: Peer | None = None
        self.subscriber: Peer | None = None
        self.channels: MessageChannels | None = None
        self.pinned: dict[str, None] = {}
        self.unseen: set[str] = set()
        self.present = True
        timers = room.endpoint.timers
        self._signaling = SignalingLink(
            listener,
            timers=timers,
            grace_period=room.config.grace_period,
            on_timeout=lambda now: room.remove(identity, reason="signaling_timeout", now=now),
        )
        self._publications = Publications(self)
        self.subscriptions = Subscriptions(
            identifiers=room.endpoint.identifiers,
            max_slots=room.config.max_media_sections,
            on_change=self._subscription_changed,
            on_negotiation_needed=self._signaling.negotiation_needed,
            on_carried=self._carried,
        )
        self.reception = Reception(
            self.subscriptions,
            timers=timers,
            config=room.config,
            wall_offset=room.endpoint.wall_offset,
            on_wish=lambda track, spatial, now: track.participant.wish(
                track, self, spatial, now=now
            ),
        )
        self.quality = QualityWatch(self, timers=timers, tell=self._quality_changed)
        self._media_watch = MediaWatch(
            lambda now: self.media(now=now), timers=timers, tell=self.notify
        )

    @property
    def hidden(self) -> bool:
        """Whether others do not see this participant."""
        return self.permissions.hidden

    def settle(self) -> None:
        """All that was there when it joined is subscribed to: later changes are coalesced."""
        self._signaling.settle()

    # -- hearing

    def notify(self, event: RoomEvent) -> None:
        """Tell the listener; nobody hears while signaling is lost."""
        self._signaling.notify(event)

    def detach(self, *, now: float) -> None:
        """Signaling was lost: media goes on, and the grace time begins."""
        if self.present:
            self._signaling.detach(now=now)

    def attach(self, listener: Listener, *, now: float) -> None:
        """Signaling is back (resume), or another connection takes over.

        Raises:
            LocalError: "resume_failed" when the participant is gone.
        """
        if not self.present:
            raise LocalError("that participant has left: join again", name="resume_failed")
        self._signaling.attach(listener)
        self.room.floor.introduce(self)
        self.room.tell_qualities(self)
        self._publications.repeat_wishes()
        # An offer that was under way when the old connection broke may never have arrived.
        if len(self.subscriptions) or self.subscriptions.slots:
            self._signaling.negotiation_needed(now)

    # -- publishing

    def add_track(
        self,
        *,
        kind: Kind,
        source: Source = "unknown",
        name: str = "",
        width: int = 0,
        height: int = 0,
        muted: bool = False,
        layers: Sequence[LayerInfo] = (),
        now: float,
    ) -> Track:
        """Announce a track; its media is negotiated afterwards.

        `layers` are the simulcast layers that there will be, as far as they are known.

        Raises:
            LocalError: "not_allowed", or "bad_request" where the kind is not the source's.
            LimitError: "too_many_tracks".
        """
        return self._publications.add(
            kind=kind,
            source=source,
            name=name,
            width=width,
            height=height,
            muted=muted,
            layers=layers,
            now=now,
        )

    def remove_track(self, sid: str, *, now: float) -> None:
        """End a track.

        Raises:
            LocalError: "track_not_found".
        """
        self._publications.remove(sid, now=now)

    def set_muted(self, sid: str, *, muted: bool, now: float) -> Track:
        """Mute or unmute one of its tracks: muted media is not forwarded.

        Raises:
            LocalError: "track_not_found".
        """
        return self._publications.set_muted(sid, muted=muted, now=now)

    def wish(self, track: Track, subscriber: Hashable, spatial: int | None, *, now: float) -> None:
        """Someone who gets one of its tracks could use this spatial layer; None for none."""
        self._publications.wish(track, subscriber, spatial, now=now)

    # -- receiving

    def subscribe(self, track_sids: Iterable[str], *, now: float) -> None:
        """Receive these tracks; all of them are checked before any is added.

        Raises:
            LocalError: "not_allowed" or "track_not_found".
        """
        if not self.permissions.can_subscribe:
            raise LocalError("you may not receive media", name="not_allowed")
        for track in [self.room.track(sid, viewer=self) for sid in track_sids]:
            self.subscriptions.add(track, now=now)

    def unsubscribe(self, track_sids: Iterable[str], *, now: float) -> None:
        """Receive these tracks no more.

        Raises:
            LocalError: "track_not_found".
        """
        for track in [self.room.track(sid, viewer=self) for sid in track_sids]:
            subscription = self.subscriptions.remove(track.sid, now=now)
            if subscription:
                self.notify(SubscriptionChanged(track, "paused", "unsubscribed"))

    def set_track_settings(self, track_sid: str, settings: TrackSettings, *, now: float) -> None:
        """Say how a subscribed track is shown.

        Raises:
            LocalError: "track_not_found" when it is not subscribed to.
        """
        if self.subscriptions.get(track_sid) is None:
            raise LocalError(f"you do not receive a track {track_sid}", name="track_not_found")
        self.reception.set_settings(track_sid, settings, now=now)
        self.unseen.discard(track_sid)
        if not settings.visible or settings.paused:
            self.unseen.add(track_sid)
        if settings.priority or settings.layer is not None:
            self.pinned.setdefault(track_sid)
        else:
            self.pinned.pop(track_sid, None)
        self.room.floor.wishes_changed(self, now=now)

    def forget_track(self, track_sid: str, *, now: float) -> None:
        """A track of someone else has ended."""
        self.subscriptions.remove(track_sid, now=now)
        self.unseen.discard(track_sid)
        self.pinned.pop(track_sid, None)

    def media(self, *, now: float) -> MediaStatus:
        """What it receives, and why."""
        return self.reception.status(quality=self.quality.quality, now=now)

    def watch_media(self, enabled: bool, *, now: float) -> None:
        """Tell the listener once a second what it receives and why, or no longer."""
        if enabled:
            self._media_watch.begin(now)
        else:
            self._media_watch.close()

    def _carried(self, now: float) -> None:
        self.reception.renew(now)
        self.reception.update(now)

    def _subscription_changed(self, subscription: Subscription) -> None:
        self.notify(subscription.told())

    # -- itself

    def update(
        self,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Change what others see; None leaves as it is.

        Args:
            name: New display name.
            metadata: New metadata.
            attributes: Merged into the present ones; an empty value deletes its key.

        Raises:
            LimitError: "too_large".
        """
        config = self.room.config
        merged = merge_attributes(self.attributes, attributes or {}, config)
        check_size(name or "", metadata or "", merged, config)
        self.name = self.name if name is None else name
        self.metadata = self.metadata if metadata is None else metadata
        self.attributes = merged
        self.room.tell(ParticipantUpdated(self), about=self)

    def _quality_changed(self, score: QualityScore) -> None:
        self.room.tell(ConnectionQualityChanged(self, score.quality, score.score), about=self)

    def set_peer(self, target: MediaTarget, peer: Peer, *, now: float) -> None:
        """Use this peer from now on; an earlier one is closed."""
        previous = self.publisher if target == "publisher" else self.subscriber
        self.quality.begin(now=now)
        if target == "publisher":
            self.publisher = peer
            self._close_channels()
        else:
            self.subscriber = peer
            self.subscriptions.begin(peer.subscriber)
            self.reception.use(peer.subscriber.bandwidth)
        if previous is not None and previous not in (self.publisher, self.subscriber):
            previous.listeners.clear()
            self.room.endpoint.close_peer(previous, now=now)

        def changed(state: PeerState, reason: str) -> None:
            self.notify(MediaStateChanged(target, state, reason))

        peer.listeners.append(changed)

    def _close_channels(self) -> None:
        if self.channels is not None:
            self.channels.close()
            self.channels = None

    def leave(self, *, reason: str = "left", now: float) -> None:
        """Go."""
        self.room.remove(self.identity, reason=reason, now=now)

    def close(self, *, reason: str, now: float) -> None:
        """The room has let go of this participant: free all that it holds."""
        self.present = False
        self.reception.close(now=now)
        self.quality.close()
        self._media_watch.close()
        self._publications.close()
        self.subscriptions.clear()
        self._close_channels()
        for peer in {self.publisher, self.subscriber}:
            if peer is not None:
                peer.listeners.clear()
                self.room.endpoint.close_peer(peer, now=now)
        self.notify(Disconnected(reason))
        self._signaling.close()
