"""Records a room as one picture and one mix, while it lasts: into a file, and to live outputs."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from random import SystemRandom

from recorder.compose.encoded import EncodedPacket
from recorder.files.disk import describe_error
from recorder.link.messages import RecordingOrder
from recorder.live.addresses import Address, parse_address
from recorder.live.composer import Composer
from recorder.live.file_connection import FileConnection
from recorder.live.hls import HLS_FOLDER, HlsConnection
from recorder.live.output import MAX_BEHIND, Connection, Output
from recorder.live.rtmp import RtmpConnection
from recorder.live.srt import SrtConnection
from recorder.media.track_reader import TrackReader
from recorder.recording_folder import RecordingFolder
from recorder.values import (
    EncodedFrame,
    ParticipantInfo,
    RecordedPacket,
    RecordingStatus,
    Reference,
    TrackInfo,
)

FILE_PATIENCE = 20.0  # s of the composite that wait for a slow disk
END_PATIENCE = 30.0  # s for the file to be finished
KEY_FRAME_INTERVAL = 1.0  # s between two wishes for a track


class _Shown:
    """One track that is shown or heard."""

    def __init__(self, info: TrackInfo) -> None:
        self.reader = TrackReader(info.kind)
        self.muted = info.muted
        self.wished_at = float("-inf")


class CompositeRecording:
    """A `RecordingWorker` for mode "composite".

    Args:
        order: What is recorded.
        wall_offset: Unix seconds less monotonic seconds.
        resume: Whether an earlier process has begun it: it goes on in a new file.
        clock: Monotonic seconds.

    Raises:
        OSError: The folder cannot be made or written, or less is free than must be.
        ValueError: There can be no such composite, or an output's address is wrong.
    """

    def __init__(
        self,
        order: RecordingOrder,
        *,
        wall_offset: float,
        resume: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._order = order
        self._wall_offset = wall_offset
        addresses = [parse_address(url) for url in order.request.outputs]
        start = clock() + wall_offset if resume else order.started_at
        self._start = start
        self._composer = Composer(order.request, start=start, clock=clock)
        try:
            self._folder = RecordingFolder(order, resume=resume)
        except OSError:
            self._composer.compositor.close()
            raise
        self._tracks: dict[str, _Shown] = {}
        self._now = start - wall_offset
        self._gaps = sum(len(track.gaps) for track in self._folder.manifest.tracks)
        self._bytes_before = sum(one.bytes for one in self._folder.manifest.segments())
        self._error = ""
        self._written: FileConnection | None = None
        self._file = self._open_file() if order.request.file else None
        self._outputs = self._open_outputs(addresses)

    # -- who and what

    def add_participant(self, participant: ParticipantInfo, *, time: float) -> None:
        """Someone is there, comes, or is called otherwise."""
        self._composer.compositor.add_participant(participant, time=time)
        self._folder.chronicle.add_participant(participant, time=time)

    def remove_participant(self, sid: str, *, time: float) -> None:
        """Someone leaves."""
        self._composer.compositor.remove_participant(sid, time=time)
        self._folder.chronicle.remove_participant(sid, time=time)

    def add_track(self, track: TrackInfo, *, time: float) -> None:
        """A track comes."""
        self._tracks[track.sid] = _Shown(track)
        self._composer.compositor.add_track(track, time=time)
        self._folder.chronicle.add_track(track, time=time)

    def remove_track(self, sid: str, *, time: float) -> None:
        """A track ends."""
        shown = self._tracks.pop(sid, None)
        if shown is not None:
            self._show(sid, shown.reader.flush(now=self._now))
        self._composer.compositor.remove_track(sid, time=time)
        self._folder.chronicle.remove_track(sid, time=time)

    def set_muted(self, sid: str, muted: bool, *, time: float) -> None:
        """A track is muted, or goes on."""
        shown = self._tracks.get(sid)
        if shown is not None:
            shown.muted = muted
            if muted:
                self._show(sid, shown.reader.flush(now=self._now))
        self._composer.compositor.set_muted(sid, muted, time=time)
        self._folder.chronicle.set_muted(sid, muted, time=time)

    def set_speakers(self, identities: Sequence[str], *, time: float) -> None:
        """Who speaks, the dominant speaker first."""
        self._composer.compositor.set_speakers(identities, time=time)
        self._folder.chronicle.set_speakers(identities, time=time)

    def add_message(self, identity: str, topic: str, text: str, *, time: float) -> None:
        """A message with text."""
        self._folder.chronicle.add_message(identity, topic, text, time=time)

    # -- media

    def receive(self, sid: str, packets: Sequence[RecordedPacket], *, now: float) -> None:
        """Packets of a track."""
        self._now = max(self._now, now)
        shown = self._tracks.get(sid)
        if shown is not None:
            shown.reader.receive(packets, now=now)

    def refer(self, sid: str, reference: Reference) -> None:
        """When a track's packets were captured."""
        shown = self._tracks.get(sid)
        if shown is not None:
            shown.reader.refer(reference)

    def note_gap(self, sid: str, start: float, end: float) -> None:
        """Something of the track did not reach us."""
        self._gaps += 1
        self._folder.chronicle.note_gap(sid, start, end)

    def tick(self, *, now: float) -> None:
        """Show what is due.

        Raises:
            OSError: The disk failed.
        """
        self._now = max(self._now, now)
        for sid, shown in self._tracks.items():
            self._show(sid, shown.reader.read(now=now))
        self._put(self._composer.advance(self._now + self._wall_offset))
        if self._written is not None and self._written.error is not None:
            raise self._written.error
        self._folder.tick(now=now)

    def take_key_frame_wishes(self) -> Sequence[str]:
        """The sids of tracks of which a key frame is needed."""
        needed = set(self._composer.compositor.take_key_frame_wishes())
        wishes = []
        for sid, shown in self._tracks.items():
            wanted = shown.reader.take_key_frame_wish(now=self._now) or sid in needed
            if wanted and not shown.muted and self._now - shown.wished_at >= KEY_FRAME_INTERVAL:
                shown.wished_at = self._now
                wishes.append(sid)
        return wishes

    def _show(self, sid: str, frames: Sequence[EncodedFrame]) -> None:
        if frames:
            self._composer.compositor.receive(sid, frames)

    def _put(self, packets: Sequence[EncodedPacket]) -> None:
        if packets:
            for output in self._everywhere():
                output.put(packets)

    def _everywhere(self) -> list[Output]:
        return [*self._outputs, self._file] if self._file is not None else self._outputs

    # -- how it goes, and the end

    def status(self) -> RecordingStatus:
        """How it goes."""
        manifest = self._folder.manifest
        duration = manifest.duration
        if duration is None:
            duration = max(0.0, self._now + self._wall_offset - self._order.started_at)
        dropped = self._composer.dropped
        if self._file is not None:
            dropped += self._file.status().dropped
        return RecordingStatus(
            self._order.id,
            manifest.state,
            bytes=self._bytes_before + (self._written.segment.bytes if self._written else 0),
            duration=round(duration, 3),
            gaps=self._gaps,
            dropped=dropped,
            tracks=len(manifest.tracks),
            warning=self._folder.warning,
            error=self._error,
            outputs=tuple(output.status() for output in self._outputs),
        )

    def stop(self, reason: str, *, now: float) -> None:
        """Show what is left, close the file, hang up."""
        self._now = max(self._now, now)
        for sid, shown in self._tracks.items():
            self._show(sid, shown.reader.flush(now=self._now))
        self._tracks = {}
        ends = self._now + self._wall_offset
        self._put(self._composer.finish(ends))
        for output in self._everywhere():
            output.close()
        if self._file is not None:
            self._file.join(END_PATIENCE)
        for output in self._outputs:
            output.join()
        if self._written is not None and self._written.error is not None:
            self._folder.chronicle.add_error(describe_error(self._written.error))
        self._folder.finish(reason, time=ends)
        if self._folder.state == "failed":
            self._error = f"{reason}; kept: {self._folder.manifest.kept()}"

    # -- where it goes

    def _open_file(self) -> Output:
        request = self._order.request
        connection = self._written = FileConnection(
            self._folder.path,
            request.format or "mp4",
            self._composer.encoder.streams,
            start=self._start - self._order.started_at,
            size=(request.width, request.height),
        )
        composite = self._folder.manifest.composite
        assert composite is not None
        composite.segments.append(connection.segment)
        return self._output("file", lambda: connection, max_behind=FILE_PATIENCE)

    def _open_outputs(self, addresses: Sequence[Address]) -> list[Output]:
        streams = self._composer.encoder.streams
        outputs = []
        if self._order.request.hls:
            folder = self._folder.path / HLS_FOLDER
            outputs.append(
                self._output("hls", lambda: HlsConnection(folder, streams, start=self._start))
            )
        for address in addresses:
            make = SrtConnection if address.scheme == "srt" else RtmpConnection
            outputs.append(self._output(address.public, partial(make, address, streams)))
        return outputs

    def _output(
        self, url: str, connect: Callable[[], Connection], *, max_behind: float = MAX_BEHIND
    ) -> Output:
        video = self._order.request.layout != "audio"
        return Output(url, connect, video=video, random=SystemRandom(), max_behind=max_behind)
