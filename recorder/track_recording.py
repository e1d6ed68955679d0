"""Records tracks as they are sent: each in files of its own, without decoding anything."""

import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from recorder.files.disk import describe_error
from recorder.files.track_writer import TrackWriter
from recorder.folders import file_of
from recorder.link.messages import RecordingOrder
from recorder.media.track_reader import TrackReader
from recorder.recording_folder import RecordingFolder
from recorder.values import (
    EncodedFrame,
    Format,
    ParticipantInfo,
    RecordedPacket,
    RecordingStatus,
    Reference,
    TrackInfo,
)

# s between two times that files are made to survive a power cut: with what packets are waited for
# (0.6), a tick (0.2) and what a muxer holds back (0.5), no more than 2 s are lost
SYNC_INTERVAL = 0.5
KEY_FRAME_INTERVAL = 1.0  # s between two wishes of a writer
LEAST_GAP = 0.001  # s


class _Recorded:
    """One track that is being recorded."""

    def __init__(self, info: TrackInfo, writer: TrackWriter | None) -> None:
        self.info = info
        self.reader = TrackReader(info.kind)
        self.writer = writer  # None where it is one track too many
        self.muted = info.muted
        self.corrected = False  # whether the times of the files are final
        self.gaps = 0  # of the reader's, that were told
        self.missing_until = float("-inf")  # Unix seconds, of the last gap that was told
        self.left_out: float | None = None  # Unix seconds, of the first frame that no file took
        self.key_frame_wanted = False
        self.wished_at = float("-inf")


class TrackRecording:
    """A `RecordingWorker` for mode "tracks".

    A fault with one track ends that track alone; a disk that fails ends all.

    Args:
        order: What is recorded.
        wall_offset: Unix seconds less monotonic seconds.
        resume: Whether an earlier process has begun it: it goes on in new files.

    Raises:
        OSError: The folder cannot be made or written, or less is free than must be.
        TemplateError: The template is wrong.
    """

    def __init__(self, order: RecordingOrder, *, wall_offset: float, resume: bool = False) -> None:
        self._order = order
        self._wall_offset = wall_offset
        self._format: Format = order.request.format or "mkv"
        self._folder = RecordingFolder(order, resume=resume)
        self._tracks: dict[str, _Recorded] = {}
        self._names: dict[str, str] = {}  # sid of a participant → its name
        self._gaps = sum(len(track.gaps) for track in self._folder.manifest.tracks)
        self._wishes: list[str] = []
        self._synced_at = float("-inf")
        self._now = order.started_at - wall_offset
        self._error = ""

    # -- who and what

    def add_participant(self, participant: ParticipantInfo, *, time: float) -> None:
        """Someone is there, comes, or is called otherwise."""
        self._names[participant.sid] = participant.name
        self._folder.chronicle.add_participant(participant, time=time)

    def remove_participant(self, sid: str, *, time: float) -> None:
        """Someone leaves."""
        self._names.pop(sid, None)
        self._folder.chronicle.remove_participant(sid, time=time)

    def add_track(self, track: TrackInfo, *, time: float) -> None:
        """A track comes; one that an earlier process has recorded goes on."""
        entry = self._folder.chronicle.add_track(track, time=time)
        writer = None
        if entry is not None:
            name = self._names.get(track.participant, "")
            writer = TrackWriter(
                self._folder.path,
                file_of(self._order, track, name=name),
                format=self._format,
                started_at=self._order.started_at,
                segments=entry.segments,
                recording=self._order.id,
                track=track,
            )
        recorded = self._tracks[track.sid] = _Recorded(track, writer)
        if entry is not None and entry.segments:
            last = entry.segments[-1]
            until = self._order.started_at + last.start + last.duration
            mute = entry.mutes[-1] if entry.mutes else None
            if mute is not None and mute.end is None:  # nothing was sent since then
                time = min(time, self._order.started_at + mute.start)
            self._note_gap(recorded, until, time)

    def remove_track(self, sid: str, *, time: float) -> None:
        """A track ends."""
        recorded = self._tracks.pop(sid, None)
        if recorded is not None:
            with self._contained(recorded):
                self._finish(recorded)
        self._folder.chronicle.remove_track(sid, time=time)

    def set_muted(self, sid: str, muted: bool, *, time: float) -> None:
        """A track is muted: what was sent before is whole, and nothing is lost until it goes on."""
        recorded = self._tracks.get(sid)
        if recorded is not None:
            recorded.muted = muted
            if muted:
                with self._contained(recorded):
                    self._write(recorded, recorded.reader.flush(now=self._now))
                    self._end_left_out(recorded, time)
        self._folder.chronicle.set_muted(sid, muted, time=time)

    def set_speakers(self, identities: Sequence[str], *, time: float) -> None:
        """Who speaks."""
        self._folder.chronicle.set_speakers(identities, time=time)

    def add_message(self, identity: str, topic: str, text: str, *, time: float) -> None:
        """A message with text."""
        self._folder.chronicle.add_message(identity, topic, text, time=time)

    # -- media

    def receive(self, sid: str, packets: Sequence[RecordedPacket], *, now: float) -> None:
        """Packets of a track."""
        self._now = max(self._now, now)
        recorded = self._tracks.get(sid)
        if recorded is not None:
            with self._contained(recorded):
                recorded.reader.receive(packets, now=now)
                if not recorded.corrected:
                    # A correction is for the frames before it: it must not come among many.
                    self._read(recorded, now)

    def refer(self, sid: str, reference: Reference) -> None:
        """When a track's packets were captured."""
        recorded = self._tracks.get(sid)
        if recorded is not None:
            with self._contained(recorded):
                recorded.reader.refer(reference)

    def note_gap(self, sid: str, start: float, end: float) -> None:
        """Something of the track did not reach us."""
        recorded = self._tracks.get(sid)
        if recorded is not None:
            self._note_gap(recorded, start, end)

    def take_key_frame_wishes(self) -> Sequence[str]:
        """The sids of tracks of which a key frame is needed."""
        wishes, self._wishes = self._wishes, []
        return wishes

    def tick(self, *, now: float) -> None:
        """Write what is due, and keep it safe."""
        self._now = max(self._now, now)
        sync = now - self._synced_at >= SYNC_INTERVAL
        if sync:
            self._synced_at = now
        for sid, recorded in list(self._tracks.items()):
            with self._contained(recorded):
                self._read(recorded, now)
                if not recorded.muted and self._wants_key_frame(recorded, now):
                    self._wishes.append(sid)
                if sync and recorded.writer is not None:
                    recorded.writer.sync()
        self._folder.tick(now=now)

    @contextmanager
    def _contained(self, recorded: _Recorded) -> Iterator[None]:
        """Go on without this track where something of it makes us fail."""
        try:
            yield
        except OSError:
            raise
        except Exception as fault:
            traceback.print_exc()  # a bug: the server's log has it
            info = recorded.info
            self._tracks.pop(info.sid, None)
            self._error = (
                f"the recorder has a fault: {type(fault).__name__}; "
                f"the {info.source} of {info.identity} is recorded no further"
            )
            self._folder.chronicle.add_error(self._error)
            if recorded.writer is not None:
                recorded.writer.close()

    def _read(self, recorded: _Recorded, now: float) -> None:
        frames = recorded.reader.read(now=now)
        if frames:
            self._write(recorded, frames)

    def _write(self, recorded: _Recorded, frames: Iterable[EncodedFrame]) -> None:
        reader, writer = recorded.reader, recorded.writer
        if not recorded.corrected and reader.offset_correction is not None:
            recorded.corrected = True
            if writer is not None:
                writer.correct(reader.offset_correction)
        for frame in frames:
            self._write_frame(recorded, frame)
        gaps = reader.stats.gaps
        for gap in gaps[recorded.gaps :]:
            self._note_gap(recorded, gap.start, gap.end)
        recorded.gaps = len(gaps)

    def _write_frame(self, recorded: _Recorded, frame: EncodedFrame) -> None:
        writer = recorded.writer
        if writer is None:
            return
        files = len(writer.segments)
        if not writer.write(frame):
            recorded.key_frame_wanted = recorded.info.kind == "video"
            if recorded.left_out is None:
                recorded.left_out = frame.time
            return
        self._end_left_out(recorded, frame.time)
        if len(writer.segments) > files:
            self._folder.due = True  # else whoever repairs it would not know of the file

    def _end_left_out(self, recorded: _Recorded, end: float) -> None:
        """Note as a gap what no file took, up to this time."""
        if recorded.left_out is not None:
            self._note_gap(recorded, recorded.left_out, end)
            recorded.left_out = None

    def _note_gap(self, recorded: _Recorded, start: float, end: float) -> None:
        """Note what is not known yet: a gap may be told by the link and found by the reader."""
        start = max(start, recorded.missing_until)
        if end - start >= LEAST_GAP:
            recorded.missing_until = end
            self._gaps += 1
            self._folder.chronicle.note_gap(recorded.info.sid, start, end)

    def _wants_key_frame(self, recorded: _Recorded, now: float) -> bool:
        wanted = recorded.reader.take_key_frame_wish(now=now)
        if recorded.key_frame_wanted and now - recorded.wished_at >= KEY_FRAME_INTERVAL:
            recorded.key_frame_wanted = False
            wanted = True
        if wanted:
            recorded.wished_at = now
        return wanted

    # -- how it goes, and the end

    def status(self) -> RecordingStatus:
        """How it goes."""
        manifest = self._folder.manifest
        duration = manifest.duration
        if duration is None:
            duration = max(0.0, self._now + self._wall_offset - self._order.started_at)
        return RecordingStatus(
            self._order.id,
            manifest.state,
            bytes=sum(segment.bytes for segment in manifest.segments()),
            duration=round(duration, 3),
            gaps=self._gaps,
            tracks=len(manifest.tracks),
            warning=self._folder.warning,
            error=self._error,
        )

    def stop(self, reason: str, *, now: float) -> None:
        """Write what is buffered, close the files, check them in."""
        self._now = max(self._now, now)
        for recorded in list(self._tracks.values()):
            try:
                with self._contained(recorded):
                    self._finish(recorded)
            except OSError as error:
                self._folder.chronicle.add_error(describe_error(error))
        self._tracks = {}
        self._folder.finish(reason, time=self._now + self._wall_offset)
        if self._folder.state == "failed":
            self._error = f"{reason}; kept: {self._folder.manifest.kept()}"

    def _finish(self, recorded: _Recorded) -> None:
        try:
            self._write(recorded, recorded.reader.flush(now=self._now))
            self._end_left_out(recorded, self._now + self._wall_offset)
        finally:
            if recorded.writer is not None:
                recorded.writer.close()
