"""One track as a row of files: a new one whenever its frames do not fit into the last."""

from itertools import count
from pathlib import Path, PurePosixPath

from recorder.files.description import StreamInfo, compatible
from recorder.files.disk import disk_error
from recorder.files.manifest import Segment
from recorder.files.origin import Origin
from recorder.files.segment_writer import SegmentWriter, format_for
from recorder.values import EncodedFrame, Format, TrackInfo

MAX_SEGMENTS = 1_000  # of one track: somebody may change the codec's parameters all the time


class TrackWriter:
    """Writes a track's frames, and keeps the entries of its files in the manifest up to date.

    Files are `ann-camera.mkv`, `ann-camera-2.mkv` and so on: whichever name is free, so nothing is
    ever overwritten, neither by another track of that name nor after a restart.

    Args:
        folder: Of the recording.
        name: Of the files, relative to it, without suffix; see `names.file`.
        format: Of the files, where it takes the codec; else they are Matroska.
        started_at: Unix seconds of the recording's start.
        segments: Of the track in the manifest; it is added to.
        recording: Its id, which the files tell.
        track: What is written, which the files tell too.

    Attributes:
        segments: As given.
    """

    def __init__(
        self,
        folder: Path,
        name: PurePosixPath,
        *,
        format: Format,
        started_at: float,
        segments: list[Segment],
        recording: str,
        track: TrackInfo,
    ) -> None:
        self._folder = folder
        self._name = name
        self._format: Format = format
        self._started_at = started_at
        self.segments = segments
        self._recording = recording
        self._track = track
        self._own: list[Segment] = []  # without those of a recorder before us
        self._writer: SegmentWriter | None = None

    @property
    def bytes(self) -> int:
        """Written until now."""
        return sum(segment.bytes for segment in self._own)

    def write(self, frame: EncodedFrame) -> bool:
        """Write a frame, into a new file where it needs one.

        Returns:
            False where it is left out: a file can only begin with a key frame, the container cannot
            take the frame, or there are too many files.

        Raises:
            OSError: The disk failed; `close` keeps what there is.
        """
        if self._writer is not None and not compatible(self._writer.stream, frame):
            self.close()
        try:
            if self._writer is None:
                if not frame.key_frame or len(self._own) >= MAX_SEGMENTS:
                    return False
                self._writer = self._open(frame)
            else:
                self._writer.write(frame)
        except ValueError:
            return False
        segment = self._own[-1]
        segment.bytes = self._writer.bytes
        segment.duration = round(self._writer.duration, 6)
        return True

    def correct(self, seconds: float) -> None:
        """All frames until now were captured this much later than their times said.

        The times within the open file go on; the start of all files moves.
        """
        for segment in self._own:
            segment.start = round(segment.start + seconds, 6)
        if self._writer is not None:
            self._writer.start += seconds

    def sync(self) -> None:
        """Have what is written survive a power cut; cheap if nothing is new.

        Raises:
            OSError: The disk failed.
        """
        if self._writer is not None:
            self._writer.sync()

    def close(self) -> None:
        """Finish the last file. Frames that come after all begin another.

        Checksums are filled in later, by `hash_segments`.

        Raises:
            OSError: The disk failed; what is in the file is kept.
        """
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.close()
            finally:
                self._own[-1].bytes = writer.bytes

    def _open(self, frame: EncodedFrame) -> SegmentWriter:
        stream = StreamInfo.of(frame)
        format = format_for(frame.codec, self._format)
        for number in count(1):
            suffix = f"-{number}.{format}" if number > 1 else f".{format}"
            name = self._name.with_name(self._name.name + suffix)
            path = self._folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise disk_error(error, path) from error
            segment = Segment(
                file=str(name),
                format=format,
                codecs=[stream.codec.name],
                start=round(frame.time - self._started_at, 6),
                width=stream.width,
                height=stream.height,
                rotation=stream.rotation,
            )
            comment = Origin(self._recording, segment, self._track).comment()
            try:
                writer = SegmentWriter(
                    path, stream, format=format, start=frame.time, comment=comment
                )
            except FileExistsError:
                continue
            try:
                writer.write(frame)
            except (OSError, ValueError):
                writer.discard()
                raise
            self._own.append(segment)
            self.segments.append(segment)
            return writer
        raise AssertionError
