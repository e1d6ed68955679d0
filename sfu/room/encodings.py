"""The streams of one track: one, or one for each simulcast layer (RFC 8853)."""

from collections.abc import Sequence

from sfu.room.media_settings import LayerInfo, TrackSettings, fills
from sfu.stream.inbound import InboundStream

# A stream that was replaced may come back (a sender that restarts its first encoder): we follow it
# when the present one has been silent for this long.
SILENCE_BEFORE_RETURN = 0.5  # s
# A layer has stalled (its encoder was stopped) when it is silent for so long while others go on. Of
# a still screen a frame a second comes, and then one layer's before the other's: a few frames must
# be missing, too.
STALL_TIME = 0.6  # s
STALL_FRAMES = 2.5
PAUSE = 2.0  # s without a frame; more is not the pace of a source
STALL_INTERVAL = 0.1  # s between two looks for that
# RIDs as libraries name them, the smallest first; whoever uses others announces sizes.
ORDER = {"q": 0, "l": 0, "low": 0, "h": 1, "m": 1, "medium": 1, "f": 2, "high": 2}


class Encoding:
    """One simulcast layer, or the only one.

    Attributes:
        rid: Its RTP stream id, empty without simulcast.
        info: As its publisher announced it.
        ssrc: Of the stream that carries it now; None before the first packet.
        last_packet: When a packet of that stream came last, monotonic seconds.
        interval: Seconds between its last two frames, 0 where there was a pause.
        spatial_layers: How many its newest key frame has, 0 where it does not tell.
        stalled: Whether it has fallen silent while other layers go on.
    """

    __slots__ = (
        "_frame",
        "_timestamp",
        "info",
        "interval",
        "last_packet",
        "rid",
        "spatial_layers",
        "ssrc",
        "stalled",
    )

    def __init__(self, rid: str, info: LayerInfo) -> None:
        self.rid = rid
        self.info = info
        self.ssrc: int | None = None
        self.last_packet = float("-inf")
        self.interval = 0.0
        self.spatial_layers = 0
        self.stalled = False
        self._frame = float("-inf")
        self._timestamp = -1

    def arrived(self, timestamp: int, now: float) -> None:
        """A packet came of the frame with this RTP timestamp."""
        self.last_packet = now
        if timestamp != self._timestamp:
            self._timestamp = timestamp
            interval = now - self._frame
            self.interval = interval if interval < PAUSE else 0.0
            self._frame = now


class Encodings:
    """Which stream carries which layer, the smallest layer first.

    Attributes:
        streams: By SSRC, those that packets came from.
        ordered: The layers that packets came of, the smallest first.
        spatial_layers: The most that a single stream has had. What nobody wants is not sent any
            more, and yet can be had again.
    """

    def __init__(self, layers: Sequence[LayerInfo]) -> None:
        self.streams: dict[int, InboundStream] = {}
        self.ordered: list[Encoding] = []
        self.spatial_layers = 1
        self._announced = {layer.rid: layer for layer in layers}
        self._by_rid: dict[str, Encoding] = {}
        self._next_look = float("-inf")

    def add(self, stream: InboundStream) -> None:
        """Packets will come from this stream."""
        self.streams[stream.ssrc] = stream
        if stream.rid not in self._by_rid:
            info = self._announced.get(stream.rid, LayerInfo(stream.rid))
            self._by_rid[stream.rid] = Encoding(stream.rid, info)
            self.sort()

    def remove(self, ssrc: int) -> bool:
        """A stream ended; returns whether it carried a layer."""
        stream = self.streams.pop(ssrc, None)
        encoding = self._by_rid.get(stream.rid) if stream else None
        if encoding is None or encoding.ssrc != ssrc:
            return False
        encoding.ssrc = None
        return True

    def clear(self) -> None:
        """Nothing comes any more, for now."""
        self.streams = {}
        self.ordered = []
        self._by_rid = {}

    def arrived(self, stream: InboundStream, timestamp: int, now: float) -> tuple[bool, bool]:
        """Packets came; returns (whether they are a layer's now, whether there is news of it).

        News is that they are so newly, or that there are other spatial layers in them than before.

        The newest stream of a layer wins: senders change their SSRC, and never go back at once.

        Args:
            stream: Of which they are.
            timestamp: RTP timestamp of the first.
            now: Monotonic seconds.
        """
        encoding = self._by_rid[stream.rid]
        ssrc = stream.ssrc
        new = ssrc != encoding.ssrc
        if new:
            known = encoding.ssrc in self.streams
            newest = ssrc == next(
                s for s in reversed(self.streams) if self.streams[s].rid == stream.rid
            )
            if known and not newest and now - encoding.last_packet <= SILENCE_BEFORE_RETURN:
                return False, False
            encoding.ssrc = ssrc
        encoding.arrived(timestamp, now)
        if encoding.stalled:
            self._next_look = now
        count = len(stream.layer_sizes)
        if count != encoding.spatial_layers:
            encoding.spatial_layers = count
            self.spatial_layers = max(self.spatial_layers, count)
            new = True
        return True, new

    def watch(self, now: float) -> bool:
        """With each batch of packets: whether layers have stalled, or come back."""
        if now < self._next_look:
            return False
        self._next_look = now + STALL_INTERVAL
        changed = False
        pace = max(encoding.interval for encoding in self.ordered)
        patience = max(STALL_TIME, STALL_FRAMES * pace)
        for encoding in self.ordered:
            stalled = now - encoding.last_packet > patience
            if stalled != encoding.stalled:
                encoding.stalled = stalled
                changed = True
        return changed

    def sort(self) -> bool:
        """Put the layers in order, by what is known of their sizes; returns whether it changed."""
        known = list(self._by_rid.values())
        sizes = [self._area(encoding) for encoding in known]
        if all(sizes) and len(set(sizes)) == len(sizes):
            order = sorted(known, key=self._area)
        elif all(sizes) and len({self._worth(encoding) for encoding in known}) == len(known):
            order = sorted(known, key=self._worth)
        elif all(encoding.rid in ORDER for encoding in known):
            order = sorted(known, key=lambda encoding: ORDER[encoding.rid])
        else:
            announced = list(self._announced)
            order = sorted(
                known,
                key=lambda e: announced.index(e.rid) if e.rid in announced else len(announced),
            )
        changed = order != self.ordered
        self.ordered = order
        return changed

    def size_of(self, encoding: Encoding) -> tuple[int, int]:
        """Width and height in pixels, of its last key frame or as announced; 0 while unknown."""
        stream = self.streams.get(encoding.ssrc or -1)
        if stream is not None and stream.width:
            return stream.width, stream.height
        return encoding.info.width, encoding.info.height

    def _area(self, encoding: Encoding) -> int:
        width, height = self.size_of(encoding)
        return width * height

    def _worth(self, encoding: Encoding) -> tuple[int, int]:
        """Screens come in one size at several frame rates: more bits are more frames."""
        return self._area(encoding), encoding.info.bitrate

    # -- looking up

    @property
    def rids(self) -> tuple[str, ...]:
        """RTP stream ids of the layers that came, the smallest first."""
        return tuple(encoding.rid for encoding in self.ordered)

    def ssrc_of(self, spatial: int) -> int | None:
        """The stream of this layer, of the next lower one in its place, or of any higher one."""
        ordered = self.ordered
        for encoding in reversed(ordered[: spatial + 1]):
            if encoding.ssrc is not None:
                return encoding.ssrc
        for encoding in ordered[spatial + 1 :]:
            if encoding.ssrc is not None:
                return encoding.ssrc
        return None

    def spatial_of(self, ssrc: int) -> int:
        """The layer that this stream carries; 0 where it is the only one, or carries none."""
        for spatial, encoding in enumerate(self.ordered):
            if encoding.ssrc == ssrc:
                return spatial
        return 0

    def spatial_for(self, settings: TrackSettings, fallback: int) -> int:
        """The smallest layer that fills the size in which it is shown, be it live or not.

        Of those of one size, the one with the most frames.
        """
        ordered = self.ordered
        if len(ordered) == 1:
            sizes = self._spatial_sizes(ordered[0])
        else:
            sizes = [self.size_of(encoding) for encoding in ordered]
        if len(sizes) < 2 or not all(width for width, _ in sizes):
            return fallback if len(sizes) < 2 else len(sizes) - 1
        for width, height in sizes:
            if fills(width, height, settings):
                return len(sizes) - 1 - sizes[::-1].index((width, height))
        return len(sizes) - 1

    def _spatial_sizes(self, encoding: Encoding) -> list[tuple[int, int]]:
        """Width and height of each spatial layer of a single stream, be it sent or not.

        Each has twice the width of the one below (W3C webrtc-svc), also where it is not sent.
        """
        stream = self.streams.get(encoding.ssrc or -1)
        sizes = list(stream.layer_sizes) if stream is not None else []
        if not sizes:
            sizes = [self.size_of(encoding)]
        while len(sizes) < self.spatial_layers:
            width, height = sizes[-1]
            sizes.append((2 * width, 2 * height))
        return sizes
