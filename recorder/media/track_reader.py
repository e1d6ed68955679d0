"""One track's packets to frames with their times: the whole of this package behind one class."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from recorder.media.audio_stream import AudioStream
from recorder.media.frame import Unit
from recorder.media.timeline import Timeline
from recorder.media.video_stream import VideoStream
from recorder.values import EncodedFrame, Gap, RecordedPacket, Reference
from sfu.wire.parameters import Kind

KEY_FRAME_INTERVAL = 1.0  # s between two wishes
HANDOVER = 0.1  # s of silence of one stream of sound before another goes on
HOLD_TIME = 0.1  # s until frames that have no time yet are looked at again
MAX_STREAMS = 8  # that one track is read from; the least used is forgotten
MAX_COMING = 256  # frames of another stream that wait for the present one to be complete
MAX_HELD = 512  # frames that wait for their time; without any reference they are dropped
MAX_GAPS = 10_000

_CLOCK_RATES: dict[Kind, int] = {"audio": 48000, "video": 90000}  # Hz, of all codecs that we know


@dataclass(slots=True)
class TrackStats:
    """What has come of a track.

    Attributes:
        packets: Received.
        bytes: Of their payloads.
        lost: Packets that did not come, or came too late.
        gaps: Times without media, Unix seconds; the first 10,000.
        frames: Given out.
        key_frames: Given out.
    """

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    gaps: list[Gap] = field(default_factory=list)
    frames: int = 0
    key_frames: int = 0


class TrackReader:
    """Reads a track: whole frames in decoding order, each with the time of its capture.

    It needs a `Reference` for the first stream before it can give out anything. Packets with an
    empty payload (only padding) should be handed in too: without them their numbers are missing,
    and what is missing is waited for and counts as lost.

    Args:
        kind: "audio" or "video".

    Attributes:
        stats: Figures so far.
    """

    __slots__ = (
        "_clock_rate",
        "_current",
        "_end",
        "_forgotten",
        "_look_again",
        "_newest",
        "_ready",
        "_streams",
        "_timeline",
        "_video",
        "_wished",
        "_wishes",
        "stats",
    )

    def __init__(self, kind: Kind) -> None:
        self.stats = TrackStats()
        self._video = kind == "video"
        self._timeline = Timeline(_CLOCK_RATES[kind])
        self._streams: dict[int, VideoStream | AudioStream] = {}
        self._current: VideoStream | AudioStream | None = None
        self._newest: VideoStream | AudioStream | None = None  # of which a packet came last
        self._forgotten = 0  # packets that streams had lost which are forgotten now
        self._ready: deque[Unit] = deque()
        self._look_again: float | None = None  # when frames may have a time that have none yet
        self._end: float | None = None  # of the last frame given out
        self._wished = float("-inf")
        self._wishes = True  # whether something came since a key frame was wished for

    @property
    def offset_correction(self) -> float | None:
        """See `Timeline.offset_correction`."""
        return self._timeline.offset_correction

    def receive(self, packets: Sequence[RecordedPacket], *, now: float) -> None:
        """Take packets as they came, in any order."""
        stats = self.stats
        stream = self._newest
        for packet in packets:
            if stream is None or packet.ssrc != stream.ssrc:
                stream = self._stream(packet.ssrc)
            stats.packets += 1
            stats.bytes += len(packet.payload)
            stream.heard = now
            stream.buffer.add(packet, now=now)
        self._newest = stream
        self._wishes = True

    def refer(self, reference: Reference) -> None:
        """Learn when the packets of a stream were captured."""
        known = self._timeline.offset_correction
        self._timeline.refer(reference)
        correction = self._timeline.offset_correction
        if known is None and correction:
            gaps = self.stats.gaps
            gaps[:] = [Gap(gap.start + correction, gap.end + correction) for gap in gaps]
            if self._end is not None:
                self._end += correction

    def read(self, *, now: float) -> list[EncodedFrame]:
        """Frames that are whole, and before which nothing is missing that may still come."""
        self._advance(now)
        return self._place(now)

    def flush(self, *, now: float) -> list[EncodedFrame]:
        """All that is complete, without waiting for more: at the end, or where a pause begins.

        What comes after it begins anew, and what is missing between is not lost.
        """
        self._advance(now)
        for stream in self._streams.values():
            stream.finish()
        self._collect()
        for stream in list(self._streams.values()):
            if stream.units:
                self._switch(stream)
        frames = self._place(float("inf"))
        self._ready.clear()
        self._look_again = None
        return frames

    def get_timer(self) -> float | None:
        """When to call `read` at the latest, monotonic seconds; None for not before a packet."""
        times = [self._look_again, *(s.buffer.deadline for s in self._streams.values())]
        current = self._current
        if current is not None and not current.buffer.waits and self._coming():
            times.append(current.heard + HANDOVER)
        return min((time for time in times if time is not None), default=None)

    def take_key_frame_wish(self, *, now: float) -> bool:
        """Whether to ask for a key frame now; it is asked for at most once a second.

        Asking again makes sense only while something comes, so it is not done before.
        """
        stream = self._newest
        if stream is not None and not (stream.buffer.begun or stream.buffer.waits):
            stream = self._current  # what came is of use to nobody
        if not self._video or (stream is not None and not stream.awaits_key_frame):
            return False
        if not self._wishes or now - self._wished < KEY_FRAME_INTERVAL:
            return False
        self._wished = now
        self._wishes = False
        return True

    # -- streams

    def _stream(self, ssrc: int) -> VideoStream | AudioStream:
        stream = self._streams.pop(ssrc, None)
        if stream is None:
            stream = VideoStream(ssrc) if self._video else AudioStream(ssrc)
            if len(self._streams) == MAX_STREAMS:
                oldest = next(s for s in self._streams.values() if s is not self._current)
                self._forgotten += oldest.buffer.lost
                del self._streams[oldest.ssrc]
        self._streams[ssrc] = stream
        return stream

    def _advance(self, now: float) -> None:
        for stream in self._streams.values():
            stream.advance(now=now)
        self._collect()
        coming = self._coming()
        if not coming:
            return
        current = self._current
        if (
            current is None
            or current.awaits_key_frame
            or (not current.buffer.waits and (self._video or now >= current.heard + HANDOVER))
            or len(coming[-1].units) > MAX_COMING
        ):
            self._switch(coming[-1])

    def _coming(self) -> list[VideoStream | AudioStream]:
        """Streams that could go on in the place of the present one, the newest last."""
        return [s for s in self._streams.values() if s is not self._current and s.units]

    def _switch(self, stream: VideoStream | AudioStream) -> None:
        """Go on with another stream: what is left of the others is of no use."""
        if self._current is not None:
            if self._current.lost:
                stream.units[0] = replace(stream.units[0], discontinuity=True)
            self._current.finish()
            self._collect()
        self._current = stream
        self._collect()
        for other in self._streams.values():
            if other is not stream:
                other.finish()
                other.units.clear()

    def _collect(self) -> None:
        current = self._current
        if current is not None and current.units:
            self._ready += current.units
            current.units.clear()
        lost = sum(stream.buffer.lost for stream in self._streams.values())
        self.stats.lost = self._forgotten + lost

    # -- times

    def _place(self, now: float) -> list[EncodedFrame]:
        ready = self._ready
        frames: list[EncodedFrame] = []
        self._look_again = None
        while ready:
            unit = ready[0]
            time = self._timeline.place(unit, ready[-1], now=now)
            if time is None:
                self._look_again = now + HOLD_TIME
                break
            ready.popleft()
            frames.append(self._give(unit, time))
        if len(ready) > MAX_HELD:
            ready.popleft()
            while ready and not ready[0].key_frame:
                ready.popleft()
        return frames

    def _give(self, unit: Unit, time: float) -> EncodedFrame:
        stats = self.stats
        stats.frames += 1
        stats.key_frames += unit.key_frame
        if unit.discontinuity and self._end is not None and len(stats.gaps) < MAX_GAPS:
            stats.gaps.append(Gap(self._end, time))
        self._end = time + unit.duration
        return EncodedFrame(
            unit.data,
            time,
            unit.codec,
            unit.key_frame,
            unit.duration,
            unit.width,
            unit.height,
            unit.extradata,
            unit.rotation,
            unit.discontinuity,
        )
