"""One room: who is in it, and who hears of what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sfu.config import Config
from sfu.errors import LimitError, LocalError
from sfu.room.endpoint import Endpoint
from sfu.room.events import (
    ConnectionQualityChanged,
    DataReceived,
    Disconnected,
    ParticipantJoined,
    ParticipantLeft,
    RecordingChanged,
    RoomEvent,
    RoomRecording,
    RoomUpdated,
)
from sfu.room.floor import Floor
from sfu.room.participant import Participant
from sfu.room.permissions import Permissions
from sfu.room.profile import check_size
from sfu.room.signaling_link import Listener
from sfu.room.track import Track

if TYPE_CHECKING:
    from sfu.room.rooms import Rooms


class Room:
    """People who see and hear each other.

    Attributes:
        sid: "RM_…".
        name: Unique in the server.
        metadata: Free text of the application.
        created_at: Unix seconds.
        participants: By identity, hidden ones included.
        tracks: Of all of them, by sid.
        recordings: Of the room, those that have not ended, by id.
        floor: Who speaks, and what that means for who is seen and heard.
        observers: Told of what everyone is told, though they are nobody in the room: see `observe`.
    """

    def __init__(self, *, rooms: Rooms, name: str, now: float) -> None:
        self.endpoint: Endpoint = rooms.endpoint
        self.config: Config = rooms.config
        self.sid = self.endpoint.identifiers.sid("RM")
        self.name = name
        self.metadata = ""
        self.created_at = now + self.endpoint.wall_offset
        self.participants: dict[str, Participant] = {}
        self.tracks: dict[str, Track] = {}
        self.recordings: dict[str, RoomRecording] = {}
        self.closed = False
        self.floor = Floor(self)
        self.observers: tuple[Listener, ...] = ()
        self._rooms = rooms

    @property
    def visible(self) -> Sequence[Participant]:
        """All but the hidden."""
        return [p for p in self.participants.values() if not p.hidden]

    def others(self, participant: Participant) -> Iterator[Participant]:
        """Everyone but this one."""
        return (other for other in list(self.participants.values()) if other is not participant)

    # -- coming and going

    def join(
        self,
        *,
        identity: str,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        permissions: Permissions,
        auto_subscribe: bool = True,
        wants: Callable[[Track], bool] | None = None,
        listener: Listener,
        now: float,
    ) -> Participant:
        """Let someone in; whoever had the same identity is replaced and told so.

        Args:
            identity: Unique in the room.
            name: To show.
            metadata: Free text of the application.
            attributes: Free key-value pairs of the application.
            permissions: What it may do.
            auto_subscribe: Whether it gets all tracks without asking.
            wants: With `auto_subscribe`, which ones; None for all.
            listener: Hears what happens.
            now: Monotonic seconds.

        Raises:
            LimitError: "room_full" or "too_large".
        """
        if not identity:
            raise LocalError("an identity is needed")
        check_size(name, metadata, attributes or {}, self.config)
        replaced = self.participants.get(identity)
        if replaced is None and len(self.participants) >= self.config.max_participants:
            raise LimitError(
                f"the room is full: it takes {self.config.max_participants} participants",
                name="room_full",
            )
        if replaced is not None:
            self.remove(identity, reason="duplicate_identity", now=now)
        self._rooms.occupied(self)
        participant = Participant(
            room=self,
            sid=self.endpoint.identifiers.sid("PA"),
            identity=identity,
            name=name,
            metadata=metadata,
            attributes=attributes or {},
            permissions=permissions,
            wants=(wants or _everything) if auto_subscribe else _nothing,
            joined_at=now + self.endpoint.wall_offset,
            listener=listener,
        )
        participant.reception.trace = self._rooms.trace(participant, now=now)
        self.participants[identity] = participant
        self.tell_others(participant, ParticipantJoined(participant))
        if permissions.can_subscribe:
            for other in self.others(participant):
                for track in filter(participant.wants, other.tracks.values()):
                    participant.subscriptions.add(track, now=now)
        participant.settle()
        self.floor.wishes_changed(participant, now=now)
        if self.floor.speakers:
            self.floor.introduce(participant)
        self.tell_qualities(participant)
        self._count_changed(participant)
        return participant

    def remove(self, identity: str, *, reason: str, now: float) -> None:
        """Take someone out.

        Raises:
            LocalError: "participant_not_found".
        """
        participant = self.participant(identity)
        del self.participants[identity]
        for sid, track in participant.tracks.items():
            del self.tracks[sid]
            self.floor.leave(track, now=now)
            for other in self.participants.values():
                other.forget_track(sid, now=now)
        participant.close(reason=reason, now=now)
        self.tell_others(participant, ParticipantLeft(participant, reason))
        self._count_changed(participant)
        if not self.participants:
            self._rooms.emptied(self, now=now)

    def close(self, *, reason: str, now: float) -> None:
        """Everyone out; the room is gone."""
        self.closed = True
        self.tracks.clear()
        self.floor.close()
        for participant in list(self.participants.values()):
            del self.participants[participant.identity]
            participant.close(reason=reason, now=now)
        self.tell_observers(Disconnected(reason))

    # -- finding

    def participant(self, identity: str) -> Participant:
        """Who has this identity.

        Raises:
            LocalError: "participant_not_found".
        """
        participant = self.participants.get(identity)
        if participant is None:
            raise LocalError(
                f"there is no participant {identity!r} in this room", name="participant_not_found"
            )
        return participant

    def track(self, sid: str, *, viewer: Participant) -> Track:
        """The track of someone else with this sid.

        Raises:
            LocalError: "track_not_found".
        """
        track = self.tracks.get(sid)
        if track is None or track.participant is viewer:
            raise LocalError(f"there is no track {sid!r} to receive", name="track_not_found")
        return track

    # -- telling

    def tell(self, event: RoomEvent, *, about: Participant) -> None:
        """Tell the one it is about, and everyone else who may see that one."""
        about.notify(event)
        self.tell_others(about, event)

    def tell_others(self, about: Participant, event: RoomEvent) -> None:
        """Tell everyone else, unless the one it is about is hidden."""
        if not about.hidden:
            self.tell_observers(event)
            for other in self.others(about):
                other.notify(event)

    def observe(self, listener: Listener) -> None:
        """Tell `listener` of all that is told to everyone, from now on.

        It hears of participants, tracks, speakers and data, and `Disconnected` last, when the room
        is closed. What it raises is reported, and it hears no more.
        """
        self.observers = (*self.observers, listener)

    def unobserve(self, listener: Listener) -> None:
        """Tell it no more; nothing happens when we did not."""
        self.observers = tuple([other for other in self.observers if other != listener])

    def tell_observers(self, event: RoomEvent) -> None:
        """Tell those alone."""
        for observer in self.observers:
            try:
                observer(event)
            except Exception as error:
                self.unobserve(observer)
                self.endpoint.report(error)

    def tell_qualities(self, participant: Participant) -> None:
        """Tell somebody who comes, or is back, how good each connection is, as far as is known."""
        for other in [participant, *self.others(participant)]:
            told = other.quality.told
            if told is not None and (other is participant or not other.hidden):
                participant.notify(ConnectionQualityChanged(other, told.quality, told.score))

    def tell_recording(self, recording: RoomRecording) -> None:
        """Tell everyone how it goes with a recording of the room; who comes later is told too."""
        if recording.ended:
            self.recordings.pop(recording.id, None)
        else:
            self.recordings[recording.id] = recording
        for participant in list(self.participants.values()):
            participant.notify(RecordingChanged(recording))

    def _count_changed(self, by: Participant) -> None:
        if not by.hidden:
            for participant in self.others(by):
                participant.notify(RoomUpdated(self))

    def send_data(
        self,
        sender: Participant | None,
        payload: bytes,
        *,
        topic: str = "",
        destinations: Sequence[str] = (),
        reliable: bool = True,
    ) -> None:
        """Send a data message to everyone else, or to some.

        Args:
            sender: Who sends it, None for the server itself. A hidden one stays so.
            payload: At most `max_data_size` bytes.
            topic: What it is about, for the application.
            destinations: Identities; empty for all. Those that are not there are passed over.
            reliable: Whether it should be sent again when it is lost on the way.

        Raises:
            LocalError: "not_allowed".
            LimitError: "too_large".
        """
        if sender is not None and not sender.permissions.can_publish_data:
            raise LocalError("you may not send data", name="not_allowed")
        if len(payload) > self.config.max_data_size or len(topic) > self.config.max_name_size:
            raise LimitError(
                f"a data message can have {self.config.max_data_size} bytes at most",
                name="too_large",
            )
        shown = None if sender is not None and sender.hidden else sender
        event = DataReceived(shown, payload, topic, reliable)
        wanted = frozenset(destinations)
        if not wanted:
            self.tell_observers(event)
        for participant in list(self.participants.values()):
            if participant is not sender and (not wanted or participant.identity in wanted):
                participant.notify(event)


def _everything(_: Track) -> bool:
    return True


def _nothing(_: Track) -> bool:
    return False
