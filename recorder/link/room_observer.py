"""The room's side of one recording: which tracks are recorded, and what a manifest tells."""

from collections.abc import Callable

from recorder.link.link_buffer import LinkBuffer
from recorder.link.messages import (
    ParticipantCame,
    ParticipantGone,
    RecordingOrder,
    SpeakersAre,
    StartRecording,
    TextSent,
    TrackCame,
    TrackGone,
    TrackMuted,
)
from recorder.link.tap import TrackTap
from recorder.values import ParticipantInfo, TrackInfo
from sfu.forward.forwarder import HIGHEST
from sfu.room.events import (
    DataReceived,
    Disconnected,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    RoomEvent,
    SpeakersChanged,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
)
from sfu.room.participant import Participant
from sfu.room.room import Room
from sfu.room.track import Track

MAX_TEXT = 4096  # characters of a message that are kept


class RoomObserver:
    """Hears of what happens in a room and tells a recorder; keeps a tap on each wanted track.

    Nobody sees it: it is no participant. Hidden participants publish nothing and are not told of.
    """

    def __init__(
        self,
        room: Room,
        order: RecordingOrder,
        link: LinkBuffer,
        *,
        clock: Callable[[], float],
        on_closed: Callable[[], None],
        resume: bool,
    ) -> None:
        """Record what is there, and what comes.

        Args:
            room: The room.
            order: What is wanted of it.
            link: To the recorder.
            clock: Monotonic seconds.
            on_closed: Called when the room is closed.
            resume: Whether an earlier recorder process has begun it.
        """
        self._room = room
        self._order = order
        self._link = link
        self._clock = clock
        self._on_closed = on_closed
        self._wall_offset = room.endpoint.wall_offset
        self._taps: dict[str, tuple[Track, TrackTap]] = {}
        self._muted: dict[str, bool] = {}
        self._names: dict[str, str] = {}  # sid of a participant → the name that was told
        link.tell(StartRecording(order, self._wall_offset, resume))
        for participant in room.visible:
            self._came(participant)
            for track in participant.tracks.values():
                self._record(track)
        room.observe(self._hear)

    def request_key_frame(self, track_sid: str) -> None:
        """The recorder needs one of this track, which may have ended."""
        if track_sid in self._taps:
            self._taps[track_sid][1].request_key_frame(now=self._clock())

    def close(self) -> None:
        """Hear no more, and take off all taps."""
        self._room.unobserve(self._hear)
        for sid in list(self._taps):
            self._forget(sid)

    # -- hearing

    def _time(self) -> float:
        return self._clock() + self._wall_offset

    def _hear(self, event: RoomEvent) -> None:
        recording = self._order.id
        match event:
            case ParticipantJoined(participant):
                self._came(participant)
            case ParticipantUpdated(participant):
                if self._names.get(participant.sid) != participant.name:
                    self._came(participant)
            case ParticipantLeft(participant):
                self._names.pop(participant.sid, None)
                for sid in participant.tracks:
                    self._forget(sid)
                self._link.tell(ParticipantGone(recording, participant.sid, self._time()))
            case TrackPublished(_, track):
                self._record(track)
            case TrackUnpublished(_, track):
                self._forget(track.sid)
            case TrackUpdated(_, track):
                self._updated(track)
            case SpeakersChanged(speakers):
                identities = tuple([speaker.participant.identity for speaker in speakers])
                self._link.tell(SpeakersAre(recording, identities, self._time()))
            case DataReceived():
                self._said(event)
            case Disconnected():
                self.close()
                self._on_closed()

    def _came(self, participant: Participant) -> None:
        self._names[participant.sid] = participant.name
        info = ParticipantInfo(participant.sid, participant.identity, participant.name)
        self._link.tell(ParticipantCame(self._order.id, info, self._time()))

    def _said(self, event: DataReceived) -> None:
        if self._link.is_full("video"):
            return  # messages must not fill what media may not
        try:
            text = event.payload.decode()
        except UnicodeDecodeError:
            return  # not for people
        identity = event.sender.identity if event.sender else ""
        said = TextSent(self._order.id, identity, event.topic, text[:MAX_TEXT], self._time())
        self._link.tell(said)

    # -- tracks

    def _wanted(self, track: Track) -> bool:
        request = self._order.request
        if request.mode == "composite" and request.layout == "audio" and track.kind == "video":
            return False  # its publisher need not send it for nobody to see it
        if request.identities is not None and track.participant.identity not in request.identities:
            return False
        return request.tracks is None or track.sid in request.tracks

    def _record(self, track: Track) -> None:
        if not self._wanted(track):
            return
        recording = self._order.id
        tap = TrackTap(track, self._link, recording, wall_offset=self._wall_offset)
        self._taps[track.sid] = track, tap
        self._muted[track.sid] = track.muted
        info = TrackInfo(
            track.sid,
            track.participant.sid,
            track.participant.identity,
            track.kind,
            track.source,
            track.name,
            track.muted,
        )
        self._link.tell(TrackCame(recording, tap.handle, info, self._time()))
        track.fanout.add_sink(tap)
        now = self._clock()
        track.participant.wish(track, tap, HIGHEST, now=now)
        if track.kind == "video":
            tap.request_key_frame(now=now)

    def _forget(self, sid: str) -> None:
        recorded = self._taps.pop(sid, None)
        if recorded is None:
            return
        del self._muted[sid]
        track, tap = recorded
        now = self._clock()
        track.fanout.remove_sink(tap)
        track.participant.wish(track, tap, None, now=now)
        tap.finish(now=now)
        self._link.tell(TrackGone(self._order.id, tap.handle, self._time()))

    def _updated(self, track: Track) -> None:
        if track.sid in self._taps and self._muted[track.sid] != track.muted:
            self._muted[track.sid] = track.muted
            self._link.tell(TrackMuted(self._order.id, track.sid, track.muted, self._time()))
            if not track.muted and track.kind == "video":
                self.request_key_frame(track.sid)
