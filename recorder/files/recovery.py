"""What a recorder left behind when it was killed: found, repaired, finished.

Until then its files can be played, but say neither how long they are nor where to seek, and may end
in the middle of a frame.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import av
import msgspec
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from recorder.files.chronicle import Chronicle
from recorder.files.disk import DiskFullError, sync_folder
from recorder.files.hashing import hash_segments
from recorder.files.manifest import Manifest, Segment
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.files.muxer import Muxer
from recorder.files.origin import origin_of
from recorder.files.torn_file import TornFile
from recorder.values import ENDED, Format

REASON = "interrupted"
SUFFIX = ".recovering"  # of the whole file, until it takes the place of the torn one
FORMATS = get_args(Format)
MAX_HEADER = 2**16  # bytes
EBML, CLUSTER = b"\x1a\x45\xdf\xa3", b"\x1f\x43\xb6\x75"  # RFC 9559
MARGIN = 2**20  # bytes by which a whole file may be larger: its index


class _State(msgspec.Struct):
    state: str


def find_unfinished(root: Path) -> Iterator[Path]:
    """The folders of recordings that have not ended. Those that run are among them.

    Args:
        root: Of all recordings; it need not exist.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if FILE_NAME not in files:
            continue
        folders.clear()
        try:
            found = msgspec.json.decode((Path(folder) / FILE_NAME).read_bytes(), type=_State)
        except (OSError, msgspec.MsgspecError):
            continue  # somebody else's file of that name
        if found.state not in ENDED:
            yield Path(folder)


def recover(folder: Path, *, failure: str = "") -> Manifest:
    """Finish a recording that nobody writes any more; one that has ended is left as it is.

    It may be interrupted at any time, and be called again.

    Args:
        folder: Of the recording.
        failure: Why it has failed, in words, where somebody knows that.

    Returns:
        The manifest as it is now: "complete", or "failed" where nothing could be kept, or where
        there is a `failure`; `errors` say what could not be kept, and that.

    Raises:
        OSError: The disk failed; nothing is lost, it may be tried again.
        ManifestError: The folder's manifest cannot be read.
    """
    file = ManifestFile(folder / FILE_NAME)
    manifest = file.load()
    if manifest.has_ended:
        return manifest
    for leftover in [*folder.rglob(f"*{SUFFIX}")]:
        leftover.unlink()
    chronicle = Chronicle(manifest)
    adopt_files(folder, chronicle)
    lost = False
    for segments in manifest.segment_lists():
        for segment in list(segments):
            if segment.sha256:
                continue  # it was finished before
            try:
                _repair(folder, segment)
            except DiskFullError:
                chronicle.add_error(f"{segment.file} was not repaired: no space left")
            except (FFmpegError, ValueError, FileNotFoundError) as error:
                segments.remove(segment)
                if _discard(folder / segment.file):
                    lost = True
                    reason = getattr(error, "strerror", "") or str(
                        error
                    )  # FFmpeg's name the path too
                    chronicle.add_error(f"{segment.file} cannot be read: {reason}")
    hash_segments(folder, manifest.segments())
    if manifest.ended_at is None:
        chronicle.finish(REASON, time=manifest.started_at + _last_moment(manifest))
    manifest.recovered = True
    if failure:
        chronicle.add_error(failure)
    chronicle.end("failed" if failure or (lost and not manifest.segments()) else "complete")
    file.save(manifest)
    return manifest


def adopt_files(folder: Path, chronicle: Chronicle) -> None:
    """Tell of the files of a recording that were opened after its manifest was saved last."""
    known = {segment.file for segment in chronicle.manifest.segments()}
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix[1:] not in FORMATS or name in known or name.startswith("."):
            continue
        origin = origin_of(path)
        if origin is not None and (origin.recording, origin.segment.file) == (
            chronicle.manifest.id,
            name,
        ):
            chronicle.adopt(origin.track, origin.segment)


def _repair(folder: Path, segment: Segment) -> None:
    """Write the file anew, as far as it can be read.

    Raises:
        FFmpegError, ValueError: Nothing of it can be read.
        DiskFullError: There is no space for a second file; the first is measured nevertheless.
        OSError: The disk failed.
    """
    torn = folder / segment.file
    whole = torn.with_name(torn.name + SUFFIX)
    fits = shutil.disk_usage(folder).free > torn.stat().st_size + MARGIN
    with TornFile(torn) as file, av.open(file, "r") as source:
        if not fits:
            segment.duration = _length(_packets(source))
            raise DiskFullError(torn)
        try:
            segment.duration = _copy(source, whole, segment.format)
            file.check()
            whole.replace(torn)
        finally:
            whole.unlink(missing_ok=True)
    sync_folder(torn.parent)


def _copy(source: InputContainer, path: Path, format: Format) -> float:
    """Copy what is whole; return its seconds."""
    muxer = Muxer(path, format)
    try:
        streams = {
            template.index: muxer.container.add_stream_from_template(template, opaque=True)
            for template in source.streams
        }

        def copied() -> Iterator["Packet[Any]"]:
            for packet in _packets(source):
                yield packet
                packet.stream = streams[packet.stream_index]
                muxer.mux(packet)

        return _length(copied())
    finally:
        muxer.close()


def _packets(source: InputContainer) -> Iterator["Packet[Any]"]:
    """What can be read before the damage."""
    with contextlib.suppress(FFmpegError):
        for packet in source.demux():
            if packet.is_corrupt:
                return
            if packet.pts is not None:  # else it is the end of a stream
                yield packet


def _length(packets: Iterable["Packet[Any]"]) -> float:
    """Seconds from time 0 to the end of the last one.

    Raises:
        ValueError: There is none.
    """
    end = None
    for packet in packets:
        assert packet.pts is not None
        end = max(end or 0.0, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if end is None:
        raise ValueError("there is nothing in it")
    return round(end, 6)


def _discard(path: Path) -> bool:
    """Remove a file in which nothing was; whether there is one in which something was."""
    if not path.exists():
        return False
    if path.stat().st_size > MAX_HEADER or not _is_header(path.read_bytes()):
        return True
    path.unlink()
    return False


def _is_header(data: bytes) -> bool:
    """Whether a file is no more than the beginning of one, without media."""
    if data.startswith(EBML):
        return CLUSTER not in data
    return not data or (data[4:8] == b"ftyp" and b"moof" not in data)


def _last_moment(manifest: Manifest) -> float:
    """Seconds until which the recording is known to have run."""
    times = [segment.start + segment.duration for segment in manifest.segments()]
    times += [entry.time for entry in manifest.speakers[-1:]]
    times += [entry.time for entry in manifest.messages[-1:]]
    spans = [participant.present for participant in manifest.participants]
    spans += [track.published for track in manifest.tracks]
    times += [span.end or span.start for span in spans]
    return max(times, default=0.0)
