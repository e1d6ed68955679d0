"""Who is there, and what is to be seen of them, at the moment that is composed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from recorder.values import ParticipantInfo, TrackInfo

SCREEN_SOURCES = ("screen_share", "screen_share_audio")


@dataclass(frozen=True, slots=True)
class Seat:
    """Something that gets a tile: a person, one more camera of theirs, or a shared screen.

    Attributes:
        key: The same as long as it is there, whether its camera is on or off.
        identity: Whose it is.
        name: To be shown.
        track: The sid of its video, if it is on.
        share: Whether it is a shared screen.
        silent: Whether the person cannot be heard: no microphone, or muted.
        speaking: Whether the person speaks.
    """

    key: str
    identity: str
    name: str
    track: str | None
    share: bool = False
    silent: bool = False
    speaking: bool = False


class Scene:
    """The state of a room at one moment, moved on by what happened.

    Participants without a track of their own (viewers) have no seat.
    """

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._people: dict[str, ParticipantInfo] = {}
        self._tracks: dict[str, TrackInfo] = {}
        self._muted: set[str] = set()
        self._speakers: tuple[str, ...] = ()
        self._dominant = ""

    def at(self, time: float, change: Callable[[], None]) -> None:
        """Note what happens at a time (Unix seconds)."""
        heappush(self._events, (time, next(self._numbers), change))

    def advance(self, time: float) -> bool:
        """Do what has happened until this time; whether there was anything."""
        changed = False
        while self._events and self._events[0][0] <= time:
            heappop(self._events)[2]()
            changed = True
        return changed

    def add_participant(self, participant: ParticipantInfo) -> None:
        """Someone comes, or is called otherwise."""
        self._people[participant.sid] = participant

    def remove_participant(self, sid: str) -> None:
        """Someone leaves, with all tracks."""
        self._people.pop(sid, None)
        for track in [track for track in self._tracks.values() if track.participant == sid]:
            self.remove_track(track.sid)

    def add_track(self, track: TrackInfo) -> None:
        """A track comes."""
        self._tracks[track.sid] = track
        self.set_muted(track.sid, track.muted)

    def remove_track(self, sid: str) -> None:
        """A track ends."""
        self._tracks.pop(sid, None)
        self._muted.discard(sid)

    def set_muted(self, sid: str, muted: bool) -> None:
        """A track is muted, or goes on."""
        if muted:
            self._muted.add(sid)
        else:
            self._muted.discard(sid)

    def set_speakers(self, identities: Sequence[str]) -> None:
        """Who speaks, the dominant speaker first; who was dominant stays it in silence."""
        self._speakers = tuple(identities)
        if identities:
            self._dominant = identities[0]

    def is_on(self, sid: str) -> bool:
        """Whether a track is there and not muted."""
        return sid in self._tracks and sid not in self._muted

    def seats(self) -> list[Seat]:
        """Shared screens, then people in the order in which their first track came."""
        shares, people = [], []
        mine: dict[str, list[TrackInfo]] = {}
        for track in self._tracks.values():
            if track.source not in SCREEN_SOURCES:
                mine.setdefault(track.participant, []).append(track)
            elif track.kind == "video" and self.is_on(track.sid):
                shares.append(self._share(track))
        for sid, tracks in mine.items():
            people += self._person(sid, tracks)
        return shares + people

    def focus(self, seats: Sequence[Seat]) -> str | None:
        """The key of the dominant speaker's seat."""
        for seat in seats:
            if seat.identity == self._dominant and not seat.share:
                return seat.key
        return None

    def _share(self, track: TrackInfo) -> Seat:
        name = f"{self._name(track)} · screen"
        return Seat(track.sid, track.identity, name, track.sid, share=True)

    def _person(self, sid: str, tracks: Sequence[TrackInfo]) -> list[Seat]:
        """One seat, and one for each further camera."""
        cameras = [t.sid for t in tracks if t.kind == "video" and self.is_on(t.sid)]
        shown: list[str | None] = [*cameras] or [None]
        silent = not any(t.kind == "audio" and self.is_on(t.sid) for t in tracks)
        identity, name = tracks[0].identity, self._name(tracks[0])
        speaking = identity in self._speakers and not silent
        return [
            Seat(key, identity, name, camera, silent=silent, speaking=speaking)
            for key, camera in zip([sid, *cameras[1:]], shown, strict=True)
        ]

    def _name(self, track: TrackInfo) -> str:
        person = self._people.get(track.participant)
        return (person.name if person else "") or track.identity
