"""Keeps a manifest while its recording goes on: who comes, is heard, goes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from recorder.files.manifest import (
    Composite,
    Manifest,
    Message,
    Participant,
    Segment,
    Span,
    Speakers,
    Track,
)
from recorder.values import ParticipantInfo, RecordingRequest, TrackInfo

# What somebody could fill, per recording, and spans per track.
MAX_PARTICIPANTS = 5_000
MAX_TRACKS = 5_000
MAX_SPANS = 1_000
MAX_SPEAKERS = 20_000
MAX_MESSAGES = 5_000
MAX_ERRORS = 100
MAX_NAMED = 8  # speakers at one time
MAX_TEXT = 4_096  # characters
# Of all lists but participants, tracks and errors, which nobody may fill up with other things. With
# these at their longest, it makes a manifest that `ManifestFile` still reads.
MAX_BYTES = 24 * 2**20
ENTRY_BYTES = 128  # at most, but for its texts
CHARACTER_BYTES = 6  # at most, in JSON


class Chronicle:
    """Writes down in a manifest what happens. All times that it is given are Unix seconds.

    What was open when a recorder died goes on: whoever is told of again is the same.

    Args:
        manifest: Of a recording that has not ended.

    Attributes:
        manifest: The same, up to date.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._participants = {one.sid: one for one in manifest.participants}
        self._tracks = {one.sid: one for one in manifest.tracks}
        self._left = MAX_BYTES

    @classmethod
    def begin(
        cls, recording: str, room: str, request: RecordingRequest, *, by: str, time: float
    ) -> "Chronicle":
        """Of a new recording.

        Args:
            recording: Its id, "RC_…".
            room: Its name.
            request: What is wanted.
            by: Whose identity wants it; empty for the server itself.
            time: Its start.
        """
        composite = None
        if request.mode == "composite":
            composite = Composite(request.layout, request.width, request.height, request.fps)
        return cls(
            Manifest(
                id=recording,
                room=room,
                mode=request.mode,
                started_at=time,
                started=_iso(time),
                started_by=by,
                state="active",
                composite=composite,
            )
        )

    def add_participant(self, participant: ParticipantInfo, *, time: float) -> None:
        """Somebody is there, or is called otherwise."""
        known = self._participants.get(participant.sid)
        if known is not None:
            known.present.end = None
            known.name = participant.name
        elif self._fits(self.manifest.participants, MAX_PARTICIPANTS):
            present = Span(self._offset(time))
            entry = Participant(participant.sid, participant.identity, participant.name, present)
            self._participants[participant.sid] = entry
            self.manifest.participants.append(entry)

    def remove_participant(self, sid: str, *, time: float) -> None:
        """Somebody goes."""
        if sid in self._participants:
            self._participants[sid].present.end = self._offset(time)

    def add_track(self, info: TrackInfo, *, time: float) -> Track | None:
        """A track that is recorded is there.

        Returns:
            Its entry, to whose segments its writer adds; None where it is one too many.
        """
        track = self._tracks.get(info.sid)
        if track is not None:
            track.published.end = None
        elif self._fits(self.manifest.tracks, MAX_TRACKS):
            track = Track(
                sid=info.sid,
                participant=info.participant,
                identity=info.identity,
                kind=info.kind,
                source=info.source,
                name=info.name,
                published=Span(self._offset(time)),
            )
            self._tracks[info.sid] = track
            self.manifest.tracks.append(track)
        self.set_muted(info.sid, info.muted, time=time)
        return track

    def adopt(self, info: TrackInfo | None, segment: Segment) -> None:
        """A file is there that nobody has told of: of a track, or of the composite."""
        segments = self.manifest.composite.segments if self.manifest.composite else []
        if info is not None:
            track = self._tracks.get(info.sid)
            if track is None:
                track = self.add_track(info, time=self.manifest.started_at + segment.start)
            segments = track.segments if track is not None else []
        segments.append(segment)
        segments.sort(key=lambda one: one.start)

    def remove_track(self, sid: str, *, time: float) -> None:
        """A track ends."""
        if sid in self._tracks:
            self.set_muted(sid, False, time=time)
            self._tracks[sid].published.end = self._offset(time)

    def set_muted(self, sid: str, muted: bool, *, time: float) -> None:
        """A track is muted, or goes on."""
        if sid not in self._tracks:
            return
        mutes = self._tracks[sid].mutes
        is_muted = bool(mutes) and mutes[-1].end is None
        if muted and not is_muted and self._room_in(mutes, MAX_SPANS):
            mutes.append(Span(self._offset(time)))
        elif is_muted and not muted:
            mutes[-1].end = self._offset(time)

    def note_gap(self, sid: str, start: float, end: float) -> None:
        """Something of the track is missing."""
        if sid in self._tracks and self._room_in(self._tracks[sid].gaps, MAX_SPANS):
            self._tracks[sid].gaps.append(Span(self._offset(start), self._offset(end)))

    def set_speakers(self, identities: Sequence[str], *, time: float) -> None:
        """Who speaks now, the dominant speaker first."""
        named = list(identities[:MAX_NAMED])
        if self._room_in(self.manifest.speakers, MAX_SPEAKERS, *named):
            self.manifest.speakers.append(Speakers(self._offset(time), named))

    def add_message(self, identity: str, topic: str, text: str, *, time: float) -> None:
        """A chat or data message with text."""
        texts = (identity, topic[:MAX_TEXT], text[:MAX_TEXT])
        if self._room_in(self.manifest.messages, MAX_MESSAGES, *texts):
            self.manifest.messages.append(Message(self._offset(time), *texts))

    def add_error(self, error: str) -> None:
        """Something went wrong; it is written down once if it goes on."""
        errors, error = self.manifest.errors, error[:MAX_TEXT]
        if error not in errors and self._fits(errors, MAX_ERRORS):
            errors.append(error)

    def finish(self, reason: str, *, time: float) -> None:
        """The recording ends; its files are still being closed."""
        manifest = self.manifest
        manifest.state = "finishing"
        manifest.ended_at = time
        manifest.ended = _iso(time)
        manifest.duration = self._offset(time)
        manifest.end_reason = reason
        for participant in manifest.participants:
            _end(participant.present, manifest.duration)
        for track in manifest.tracks:
            for span in (track.published, *track.mutes):
                _end(span, manifest.duration)

    def end(self, state: Literal["complete", "failed"]) -> None:
        """All files are closed, as far as they can be."""
        self.manifest.state = state

    def _offset(self, time: float) -> float:
        """Seconds from the start; what was before it is told as it was at the start."""
        return round(max(0.0, time - self.manifest.started_at), 6)

    def _room_in(self, entries: Sequence[object], most: int, *texts: str) -> bool:
        """Whether there is room for another entry with these texts, which is taken then."""
        size = ENTRY_BYTES + CHARACTER_BYTES * sum(map(len, texts))
        if not self._fits(entries, most if size <= self._left else 0):
            return False
        self._left -= size
        return True

    def _fits(self, entries: Sequence[object], most: int) -> bool:
        if len(entries) >= most:
            self.manifest.left_out += 1
            return False
        return True


def _end(span: Span, time: float) -> None:
    if span.end is None:
        span.end = time


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
