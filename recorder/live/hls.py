"""A composite as HLS (RFC 8216): a playlist and segments of fragmented MP4 in a folder.

index.m3u8            the one variant there is, with its codecs
live.m3u8             the segments of the last half minute
init-N.mp4            what all segments after a beginning share
segment-NNNNNNNN.m4s  one fragment, which begins with a key frame
"""

import contextlib
import os
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.live.codec_names import codec_names
from recorder.live.muxing import MemoryMuxer
from recorder.live.output import OutputError

HLS_FOLDER = "hls"
MASTER, PLAYLIST = "index.m3u8", "live.m3u8"
WINDOW = 15  # segments of 2 s in the playlist
KEPT = 5  # segments more, for those who have an older playlist (RFC 8216 6.2.2)
TARGET = 4  # s; it may not change (6.2.1), and segments have 2 s unless pictures are late
AUDIO_SEGMENT = 2.0  # s, where there are no key frames to cut at
BANDWIDTH = 6_000_000  # bit/s (4.3.4.2); there is nothing to choose by it


@dataclass(frozen=True, slots=True)
class _Segment:
    """One entry of the playlist."""

    number: int
    duration: float
    begin: int  # number of the init file
    time: float  # Unix seconds at its start
    discontinuity: bool


class HlsConnection:
    """A `Connection` to a folder; another one in the same folder goes on after a discontinuity."""

    established = True

    def __init__(self, folder: Path, streams: EncodedStreams, *, start: float) -> None:
        """Go on in the folder.

        Args:
            folder: Is made where it is missing.
            streams: What is muxed: H.264 or VP9, AAC or Opus.
            start: Unix seconds that are time 0 of the packets.

        Raises:
            OutputError: The folder cannot be written, or fragments cannot hold the codecs.
        """
        self._folder = folder
        self._streams = streams
        self._start = start
        self._video = streams.video is not None
        with _disk():
            folder.mkdir(parents=True, exist_ok=True)
            self._number = 1 + max(_numbers(folder, "segment-*.m4s"), default=-1)
            self._begin = 1 + max(_numbers(folder, "init-*.mp4"), default=-1)
        options = {"movflags": "empty_moov+default_base_moof+frag_keyframe"}
        if not self._video:
            options["frag_duration"] = str(round(AUDIO_SEGMENT * 1e6))  # µs
        self._muxer = MemoryMuxer(streams, "mp4", self._take, options)
        self._boxes = bytearray()
        self._fragment = bytearray()  # moof without its mdat
        self._header = bytearray()
        self._starts: deque[float] = deque()  # of the segments that have begun, packets' seconds
        self._end = 0.0
        self._segments: deque[_Segment] = deque()
        self._gone = 0  # discontinuities that have left the playlist

    def write(self, packet: EncodedPacket) -> None:
        """Mux one packet."""
        if (packet.kind == "video" and packet.key_frame) or not (self._video or self._starts):
            self._starts.append(packet.time)
        if not self._starts:
            return
        self._end = max(self._end, packet.time + float(packet.duration * packet.time_base))
        self._muxer.mux(packet)

    def poll(self) -> None:
        """There is nobody who could say something."""

    def close(self, *, finish: bool) -> None:
        """Write the last segment, and where it is the end, say so."""
        if not finish:
            self._muxer.abandon()
            return
        self._muxer.close()
        if self._segments:
            self._write_playlist(ended=True)

    def _take(self, data: bytes) -> None:
        """Cut the muxer's bytes into boxes (ISO 14496-12 4.2)."""
        self._boxes += data
        while len(self._boxes) >= 8:
            size, kind = struct.unpack_from(">I4s", self._boxes)
            if len(self._boxes) < size:
                return
            box = bytes(self._boxes[:size])
            del self._boxes[:size]
            if kind in (b"ftyp", b"moov"):
                self._header += box
                if kind == b"moov":
                    self._write_header()
            elif kind == b"moof":
                self._fragment = bytearray(box)
            elif kind == b"mdat":
                self._write_segment(bytes(self._fragment) + box)

    def _write_header(self) -> None:
        _write(self._folder / f"init-{self._begin}.mp4", self._header)
        codecs = codec_names(self._streams)
        resolution = ""
        if self._streams.video is not None:
            video = self._streams.video
            resolution = f",RESOLUTION={video.width}x{video.height}"
        master = (
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            f'#EXT-X-STREAM-INF:BANDWIDTH={BANDWIDTH},CODECS="{codecs}"{resolution}\n{PLAYLIST}\n'
        )
        _write(self._folder / MASTER, master.encode())

    def _write_segment(self, data: bytes) -> None:
        start = self._starts.popleft()
        if not self._video:  # the next one begins with the packet that made this one whole
            self._starts.append(self._end)
        end = self._starts[0] if self._starts else self._end
        number, self._number = self._number, self._number + 1
        _write(self._folder / _name(number), data)
        first = not self._segments
        duration = min(end - start, TARGET)  # players find a pause by the times in the fragments
        self._segments.append(
            _Segment(number, duration, self._begin, self._start + start, first and number > 0)
        )
        if len(self._segments) > WINDOW:
            self._gone += self._segments.popleft().discontinuity
        self._write_playlist(ended=False)
        self._remove_old(number - WINDOW - KEPT)

    def _write_playlist(self, *, ended: bool) -> None:
        first = self._segments[0]
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{TARGET}",
            f"#EXT-X-MEDIA-SEQUENCE:{first.number}",
            # A beginning for each init file before this one, and ours where it has gone.
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{max(0, self._begin - 1) + self._gone}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for segment in self._segments:
            if segment.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment is first:
                lines.append(f'#EXT-X-MAP:URI="init-{segment.begin}.mp4"')
                moment = datetime.fromtimestamp(segment.time, UTC)
                iso = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso}")
            lines += [f"#EXTINF:{segment.duration:.3f},", _name(segment.number)]
        if ended:
            lines.append("#EXT-X-ENDLIST")
        _write(self._folder / PLAYLIST, ("\n".join(lines) + "\n").encode())

    def _remove_old(self, newest: int) -> None:
        with _disk():
            for number in list(_numbers(self._folder, "segment-*.m4s")):
                if number <= newest:
                    (self._folder / _name(number)).unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"segment-{number:08}.m4s"


def _numbers(folder: Path, pattern: str) -> Iterator[int]:
    for path in folder.glob(pattern):
        number = path.stem.partition("-")[2]
        if number.isdigit():
            yield int(number)


def _write(path: Path, data: bytes | bytearray) -> None:
    """Replace a file at once: nobody ever reads half of it."""
    with _disk():
        temporary = path.with_name(f".{path.name}")
        temporary.write_bytes(data)
        os.replace(temporary, path)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"HLS cannot be written: {error.strerror or error}.") from None
