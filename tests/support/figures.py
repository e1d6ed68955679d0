"""What came of a story: layers, freezes, queues and estimates over its time."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from tests.support.bottleneck import Bottleneck
from tests.support.media_receiver import AudioReceiver
from tests.support.simulcast_sender import LayerSpec
from tests.support.video_receiver import Shown, VideoReceiver

Span = tuple[float, float]

FREEZE = 0.2  # s without a new frame that people see
HEADERS = 1.1  # bits on the wire for a bit of video: 1,150-byte payloads with 100 bytes of headers
AUDIO_RATE = 68_000.0  # bit/s on the wire of an `AudioSender`


def overlap(span: Span, others: Sequence[Span]) -> float:
    """Seconds of `span` that the others cover; they do not overlap each other."""
    return sum(max(0.0, min(span[1], end) - max(span[0], start)) for start, end in others)


class VideoFigures:
    """One video track as its subscriber saw it. Times are seconds of the story.

    Attributes:
        receiver: The model that received it.
        paused: When the server said that the track is paused, and why.
    """

    def __init__(
        self, receiver: VideoReceiver, layers: Sequence[LayerSpec], epoch: float, end: float
    ) -> None:
        self.receiver = receiver
        self.paused: list[tuple[float, float, str]] = []
        self._layers = layers
        self._epoch = epoch
        self._end = end

    def _shown(self, since: float, until: float) -> list[Shown]:
        return self.receiver.shown_between(since + self._epoch, until + self._epoch)

    def spans(self, since: float = 0.0, until: float = 1e9) -> list[tuple[float, float, str]]:
        """(start, end, RID) of what was on the screen; pauses that were told are left out."""
        until = min(until, self._end)
        pauses = [(start, end) for start, end, _ in self.paused]
        spans: list[tuple[float, float, str]] = []
        times = [(one.time - self._epoch, one.layer) for one in self.receiver.shown]
        for (start, layer), (end, _) in pairwise([*times, (self._end, -1)]):
            start, end = max(start, since), min(end, until)
            cut = next((p for p, q in pauses if p < end and q > start), None)
            if cut is not None:
                end = max(start, cut)
            if end <= start:
                continue
            rid = self._layers[layer].rid
            if spans and spans[-1][2] == rid and spans[-1][1] == start:
                spans[-1] = spans[-1][0], end, rid
            else:
                spans.append((start, end, rid))
        return spans

    def share(self, rid: str, since: float = 0.0, until: float = 1e9) -> float:
        """Part of the time in which this layer was on the screen, 0 to 1."""
        spent = sum(end - start for start, end, one in self.spans(since, until) if one == rid)
        return spent / (min(until, self._end) - since)

    def changes(self, since: float = 0.0, until: float = 1e9) -> int:
        """How often the layer changed, pauses and returns from them included."""
        before = [rid for _, _, rid in self.spans(0.0, since)][-1:]
        rids = before + [rid for _, _, rid in self.spans(since, until)]
        pauses = sum(since <= start < until for start, _, _ in self.paused)
        return sum(a != b for a, b in pairwise(rids)) + pauses

    def reached(self, rid: str, since: float = 0.0) -> float:
        """Seconds from `since` until this layer was on the screen; infinity for never."""
        return next((max(s, since) - since for s, _, r in self.spans(since) if r == rid), inf)

    def first_frame(self) -> float:
        """Seconds from the story's begin to the first picture; infinity for none."""
        shown = self.receiver.shown
        return shown[0].time - self._epoch if shown else inf

    def freezes(
        self, longer_than: float = FREEZE, since: float = 0.0, until: float = 1e9
    ) -> list[tuple[float, float]]:
        """(when, seconds) of the gaps between frames, without the pauses that were told of.

        The time behind the last frame counts, that before the first does not.
        """
        until = min(until, self._end)
        times = [one.time - self._epoch for one in self.receiver.shown]
        pauses = [(start, end) for start, end, _ in self.paused]
        freezes = []
        first = max(bisect_left(times, since) - 1, 0)
        for start, end in pairwise([*times[first : bisect_left(times, until)], until]):
            gap = end - start - overlap((start, end), pauses)
            if gap > longer_than:
                freezes.append((start, gap))
        return freezes

    def freeze_ratio(self, since: float = 0.0, until: float = 1e9) -> float:
        """Part of the time that was spent in gaps of more than 200 ms, 0 to 1."""
        gaps = sum(seconds for _, seconds in self.freezes(FREEZE, since, until))
        return gaps / (min(until, self._end) - since)

    def paused_share(self, since: float = 0.0, until: float = 1e9) -> float:
        """Part of the time in which the track was said to be paused, which is no freeze; 0 to 1."""
        until = min(until, self._end)
        pauses = [(start, end) for start, end, _ in self.paused]
        return overlap((since, until), pauses) / (until - since)

    def decodable(self) -> float:
        """Part of the frames sent to the subscriber that were shown, 0 to 1."""
        return len(self.receiver.shown) / max(self.receiver.offered, 1)

    def fps(self, since: float = 0.0, until: float = 1e9) -> float:
        """Frames a second."""
        return len(self._shown(since, until)) / (min(until, self._end) - since)

    def latency(self, percentile: float, since: float = 0.0, until: float = 1e9) -> float:
        """Seconds from capture to the screen that so many percent of frames took at most."""
        values = sorted(one.latency for one in self._shown(since, until))
        return values[min(int(len(values) * percentile / 100), len(values) - 1)] if values else 0.0

    def use(self, bottleneck: Bottleneck, since: float, until: float, *, audio: bool) -> float:
        """Bits of the layers shown to those of the best layer that the capacity had room for."""
        assert bottleneck.capacity is not None
        rates = {spec.rid: spec.bitrate for spec in self._layers}
        got = sum((end - start) * rates[rid] for start, end, rid in self.spans(since, until))
        possible = 0.0
        step = 0.1  # s
        for i in range(round((until - since) / step)):
            room = bottleneck.capacity.at(since + i * step) - (AUDIO_RATE if audio else 0.0)
            possible += step * max((r for r in rates.values() if r * HEADERS <= room), default=0.0)
        return got / possible if possible else 1.0


@dataclass
class Figures:
    """All that a story came to.

    Attributes:
        seconds: How long it was.
        videos: One for each publisher, in their order.
        audios: The same for audio.
        bottleneck: Of the subscriber: queue delays, utilisation, drops.
        estimates: (time, bit/s) of the server's estimate, where it has one.
    """

    seconds: float
    videos: list[VideoFigures]
    audios: list[AudioReceiver]
    bottleneck: Bottleneck
    estimates: list[tuple[float, float]] = field(default_factory=list)

    @property
    def video(self) -> VideoFigures:
        """Of the first publisher."""
        return self.videos[0]

    def estimate(self, percentile: float, since: float = 0.0, until: float = 1e9) -> float:
        """Bit/s that the estimate was at most in so many percent of this time; 0 without one."""
        values = sorted(rate for time, rate in self.estimates if since <= time < until)
        return values[min(int(len(values) * percentile / 100), len(values) - 1)] if values else 0.0

    def audio_loss(self) -> float:
        """The worst part of an audio stream that was lost, 0 to 1."""
        return max((audio.lost for audio in self.audios), default=0.0)

    def summary(self, step: float = 10.0) -> str:
        """For people: a line for each 10 s, and what holds for all of the time."""
        lines = ["   s  layers (share of time)      fps  queue p95  use    estimate"]
        time = 0.0
        while time < self.seconds:
            end = min(time + step, self.seconds)
            shares: dict[str, float] = {}
            for video in self.videos:
                for start, stop, rid in video.spans(time, end):
                    part = (stop - start) / (end - time) / len(self.videos)
                    shares[rid] = shares.get(rid, 0.0) + part
            text = " ".join(f"{rid} {100 * part:.0f}%" for rid, part in sorted(shares.items()))
            fps = sum(video.fps(time, end) for video in self.videos) / max(len(self.videos), 1)
            queue = 1000 * self.bottleneck.queue_delay(95, time, end)
            limited = self.bottleneck.capacity is not None
            use = f"{100 * self.bottleneck.utilisation(time, end):3.0f} %" if limited else "    -"
            estimate = self.estimate(50, time, end) / 1000
            lines.append(
                f"{end:4.0f}  {text:26}  {fps:5.1f}  {queue:6.0f} ms  {use}  {estimate:7.0f} k"
            )
            time = end
        for number, video in enumerate(self.videos):
            receiver = video.receiver
            short, long = len(video.freezes(0.2)), len(video.freezes(0.5))
            lines.append(
                f"video {number}: first frame {video.first_frame():.2f} s, "
                f"{video.changes()} changes, {short}/{long} freezes > 200/500 ms "
                f"({100 * video.freeze_ratio():.1f} %), {100 * video.decodable():.2f} % decodable, "
                f"{receiver.corrupt} corrupt, {len(receiver.requests)} key frames asked for, "
                f"{receiver.repaired} packets repaired, "
                f"latency p95 {1000 * video.latency(95):.0f} ms"
            )
            lines += [f"   paused {p:.1f}-{q:.1f} s: {why}" for p, q, why in video.paused]
        lines.append(f"audio lost {100 * self.audio_loss():.2f} %, {dict(self.bottleneck.drops)}")
        return "\n".join(lines)
