"""Who has the floor in a room: who is told to speak, whose cameras and microphones are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfu.room.events import Speaker, SpeakersChanged
from sfu.room.speakers import NOTICE_INTERVAL, TICK, LoudestSpeakers, SpeakerObserver, last_n
from sfu.timers import Timer
from sfu.wire.extensions import parse_audio_level
from sfu.wire.rtp import RtpPacket

if TYPE_CHECKING:
    from sfu.room.participant import Participant
    from sfu.room.room import Room
    from sfu.room.track import Track

LINGER = 1.5  # s without levels after which nobody needs to look: all who spoke have stopped
TOLD_PER_SECOND = 500  # participants; in larger rooms each is told less often
MAX_SPEAKERS = 16  # that are told of; the rest of a choir is not looked for by anybody


class Floor:
    """Makes of the audio levels of a room's packets what depends on them.

    Looks at them by one timer, which runs only while levels arrive. A packet costs the same however
    many hear it.

    A voice is a track, for a participant may have several microphones. Muted tracks and the sound
    of a shared screen are none; hidden participants publish nothing.

    - `SpeakersChanged` goes to everyone who may receive media.
    - With `last_n`, of all cameras a participant gets that many at most: first those that it pinned
      (a priority or a layer of its own in `TrackSettings`), then those of who spoke last. What it
      does not show takes no place; shared screens are always sent.
    - With `audio_top_k`, that many voices are sent to anyone, the loudest ones. A track that tells
      no levels cannot be judged: it is always sent.
    """

    def __init__(self, room: Room) -> None:
        """Nobody speaks."""
        self.speakers: tuple[Speaker, ...] = ()
        self._room = room
        self._last_n = room.config.last_n
        count = room.config.audio_top_k
        self._loudest: LoudestSpeakers[Track] | None = LoudestSpeakers(count) if count else None
        # Who begins to speak unheard loses words, so there we look more often.
        self._interval = TICK if count else NOTICE_INTERVAL
        self._observer: SpeakerObserver[Track] = SpeakerObserver()
        self._timer: Timer | None = None
        self._heard_at = float("-inf")
        self._looked_at = self._tell_at = float("-inf")
        self._order: list[Track] = []
        self._cameras: list[Track] | None = None  # None where they are to be looked at anew
        self._all: frozenset[str] = frozenset()

    # -- hearing

    def hear(
        self, track: Track, packets: Sequence[RtpPacket], identifier: int, *, now: float
    ) -> None:
        """Take the levels (RFC 6464) of packets, under this id of their header extensions."""
        for packet in packets:
            value = packet.extensions.get(identifier)
            level = parse_audio_level(value) if value is not None else None
            if level is not None:
                self._observer.add(track, level.level, level.voice, now=now)
                self._heard_at = now
        if self._timer is None and self._heard_at == now:
            self._arm(now + self._interval)

    def leave(self, track: Track, *, now: float) -> None:
        """A track was muted, or has ended: it is no voice, and no camera."""
        if track.kind == "video":
            self.cameras_changed(now)
            return
        if track in self._observer.meters:
            self._observer.leave(track)
            track.gated = False
            self._arm(max(now, self._looked_at + TICK))

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.when <= when:
                return
            self._timer.cancel()
        if not self._room.closed:
            self._timer = self._room.endpoint.timers.call_at(when, self._look)

    def close(self) -> None:
        """The room has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, now: float) -> None:
        self._timer = None
        self._looked_at = now
        self._observer.update(now=now)
        if self._loudest is not None:
            self._gate(self._loudest, now)
        if self._last_n:
            self._choose(now)
        if now >= self._tell_at:
            self._tell(now)
        if now - self._heard_at < LINGER:
            self._arm(now + self._interval)

    # -- telling

    def _tell(self, now: float) -> None:
        changed = self._observer.changed(now=now)
        if changed is None:
            return
        levels: dict[Participant, float] = {}
        for voice in changed:
            if voice.active:
                who = voice.key.participant
                levels[who] = max(levels.get(who, 0.0), voice.level)
        speakers = tuple(Speaker(who, level) for who, level in levels.items())[:MAX_SPEAKERS]
        if not speakers and not self.speakers:
            return
        self.speakers = speakers
        event = SpeakersChanged(speakers)
        self._room.tell_observers(event)
        participants = list(self._room.participants.values())
        self._tell_at = now + max(NOTICE_INTERVAL, len(participants) / TOLD_PER_SECOND)
        for participant in participants:
            if participant.permissions.can_subscribe:
                participant.notify(event)

    def introduce(self, participant: Participant) -> None:
        """Tell somebody who comes, or is back, who speaks; also that nobody does."""
        told = self._tell_at > float("-inf")  # else there is nothing that it could have missed
        if told and participant.permissions.can_subscribe:
            participant.notify(SpeakersChanged(self.speakers))

    # -- microphones

    def _gate(self, loudest: LoudestSpeakers[Track], now: float) -> None:
        observer = self._observer
        chosen = loudest.choose(observer.order, observer.meters, now=now)
        for track in observer.order:
            if track.gated == (track in chosen):
                track.set_gated(track not in chosen)

    # -- cameras

    def cameras_changed(self, now: float) -> None:
        """There are others than before."""
        if self._last_n:
            self._cameras = None
            self._arm(max(now, self._looked_at + TICK))

    def wishes_changed(self, participant: Participant, *, now: float) -> None:
        """This participant has come, or pins or shows others than before."""
        if self._last_n and self._cameras is not None:
            self._limit(participant, now)

    def _choose(self, now: float) -> None:
        order = list(self._observer.order)
        if self._cameras is not None and order == self._order:
            return
        self._order = order
        publishers = dict.fromkeys([voice.participant for voice in order])
        publishers.update(dict.fromkeys(self._room.participants.values()))
        cameras = [
            track
            for publisher in publishers
            for track in publisher.tracks.values()
            if track.kind == "video" and track.source != "screen_share" and not track.muted
        ]
        if cameras == self._cameras:
            return
        self._cameras = cameras
        self._all = frozenset([camera.sid for camera in cameras])
        usual = self._all.difference([camera.sid for camera in cameras[: self._last_n]])
        owners = {camera.participant for camera in cameras[: self._last_n]}
        for participant in list(self._room.participants.values()):
            if participant in owners or participant.pinned or participant.unseen:
                self._limit(participant, now)
            else:
                participant.reception.exclude(usual, now=now)

    def _limit(self, participant: Participant, now: float) -> None:
        """Choose for somebody with wishes, or with a camera among those that others get."""
        assert self._cameras is not None
        apart = participant.tracks.keys() | participant.unseen
        pinned = [sid for sid in participant.pinned if sid in self._all and sid not in apart]
        chosen = pinned[: self._last_n]
        chosen += last_n(
            [camera.sid for camera in self._cameras],
            self._last_n - len(chosen),
            exclude=apart.union(chosen),
        )
        participant.reception.exclude(self._all.difference(chosen), now=now)
