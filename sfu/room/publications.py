"""What one participant publishes: its tracks, who is told of them, and which layers are wanted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from sfu.errors import LimitError, LocalError
from sfu.room.dynacast import Dynacast
from sfu.room.events import TrackPublished, TrackUnpublished, TrackUpdated
from sfu.room.media_settings import LayerInfo
from sfu.room.permissions import Source
from sfu.room.track import Track
from sfu.wire.parameters import Kind

if TYPE_CHECKING:
    from sfu.room.participant import Participant

_KINDS: Mapping[Source, Kind] = {
    "camera": "video",
    "microphone": "audio",
    "screen_share": "video",
    "screen_share_audio": "audio",
}


class Publications:
    """Adds and removes the tracks of one participant, and tells the room of them."""

    def __init__(self, participant: Participant) -> None:
        """Nothing is published."""
        self._participant = participant
        self._room = participant.room
        self._dynacasts: dict[str, Dynacast] = {}

    def add(
        self,
        *,
        kind: Kind,
        source: Source,
        name: str,
        width: int,
        height: int,
        muted: bool,
        layers: Sequence[LayerInfo],
        now: float,
    ) -> Track:
        """Announce a track: everyone is told, and whoever wants it is subscribed to it.

        Raises:
            LocalError: "not_allowed", or "bad_request" where the kind is not the source's.
            LimitError: "too_many_tracks".
        """
        self._check(kind, source)
        room, participant = self._room, self._participant
        track = Track(
            sid=room.endpoint.identifiers.sid("TR"),
            kind=kind,
            source=source,
            name=name,
            width=width,
            height=height,
            muted=muted,
            participant=participant,
            layers=layers,
            on_codec=self._changed,
            on_layers=self._layers_changed,
        )
        participant.tracks[track.sid] = room.tracks[track.sid] = track
        if kind == "video" and room.config.dynacast:
            self._dynacasts[track.sid] = Dynacast(
                track, timers=room.endpoint.timers, tell=participant.notify
            )
        room.tell_others(participant, TrackPublished(participant, track))
        for other in room.others(participant):
            if other.permissions.can_subscribe and other.wants(track):
                other.subscriptions.add(track, now=now)
        if kind == "video":
            room.floor.cameras_changed(now)
        return track

    def _check(self, kind: Kind, source: Source) -> None:
        if _KINDS.get(source, kind) != kind:
            raise LocalError(f"{source} is {_KINDS[source]}, not {kind}")
        if not self._participant.permissions.may_publish(source):
            raise LocalError(f"you may not publish {source}", name="not_allowed")
        most = self._room.config.max_tracks
        if len(self._participant.tracks) >= most:
            raise LimitError(
                f"a participant can publish {most} tracks at most", name="too_many_tracks"
            )

    def remove(self, sid: str, *, now: float) -> None:
        """End a track.

        Raises:
            LocalError: "track_not_found".
        """
        track = self._own(sid)
        room, participant = self._room, self._participant
        del participant.tracks[sid], room.tracks[sid]
        if dynacast := self._dynacasts.pop(sid, None):
            dynacast.close()
        if participant.publisher:
            participant.publisher.publisher.remove_track(track)
        for other in room.others(participant):
            other.forget_track(sid, now=now)
        room.floor.leave(track, now=now)
        room.tell_others(participant, TrackUnpublished(participant, track))

    def set_muted(self, sid: str, *, muted: bool, now: float) -> Track:
        """Mute or unmute a track: muted media is not forwarded.

        Raises:
            LocalError: "track_not_found".
        """
        track = self._own(sid)
        if track.muted != muted:
            track.set_muted(muted=muted, now=now)
            for other in self._room.others(self._participant):
                other.subscriptions.muted(track)
                other.reception.changed(now)
            self._changed(track)
        return track

    def wish(self, track: Track, subscriber: Hashable, spatial: int | None, *, now: float) -> None:
        """Someone who gets one of the tracks could use this spatial layer; None for none."""
        if dynacast := self._dynacasts.get(track.sid):
            dynacast.wish(subscriber, spatial, now=now)

    def repeat_wishes(self) -> None:
        """Tell the participant again which layers are wanted: it may have missed it."""
        for dynacast in self._dynacasts.values():
            dynacast.repeat()

    def close(self) -> None:
        """The participant has left: nobody wants anything of it."""
        for dynacast in self._dynacasts.values():
            dynacast.close()

    def _own(self, sid: str) -> Track:
        track = self._participant.tracks.get(sid)
        if track is None:
            raise LocalError(
                f"{self._participant.identity} has no track {sid}", name="track_not_found"
            )
        return track

    def _changed(self, track: Track) -> None:
        self._room.tell(TrackUpdated(self._participant, track), about=self._participant)

    def _layers_changed(self, track: Track, now: float) -> None:
        """Layers of a track appeared, or are known better."""
        if dynacast := self._dynacasts.get(track.sid):
            dynacast.update(now)
        for other in self._room.others(self._participant):
            if other.subscriptions.get(track.sid) is not None:
                other.reception.changed(now)
