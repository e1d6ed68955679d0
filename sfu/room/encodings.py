"""The streams of one track: one, or one for each simulcast layer (RFC 8853)."""

from collections.abc import Sequence

from sfu.room.media_settings import LayerInfo, TrackSettings, fills
from sfu.stream.inbound import InboundStream

# A stream that was replaced may come back (a sender that restarts its first encoder): we follow it
# when the present one has been silent for this long.
SILENCE_BEFORE_RETURN = 0.5  # s
STALL_TIME = 0.6  # s without a packet of one layer while others go on: its encoder was stopped
STALL_INTERVAL = 0.2  # s between two looks for that
# RIDs as libraries name them, the smallest first; whoever uses others announces sizes.
ORDER = {"q": 0, "l": 0, "low": 0, "h": 1, "m": 1, "medium": 1, "f": 2, "high": 2}


class Encoding:
    """One simulcast layer, or the only one.

    Attributes:
        rid: Its RTP stream id, empty without simulcast.
        info: As its publisher announced it.
        ssrc: Of the stream that carries it now; None before the first packet.
        last_packet: When a packet of that stream came last, monotonic seconds.
        stalled: Whether it has fallen silent while other layers go on.
    """

    __slots__ = ("info", "last_packet", "rid", "ssrc", "stalled")

    def __init__(self, rid: str, info: LayerInfo) -> None:
        self.rid = rid
        self.info = info
        self.ssrc: int | None = None
        self.last_packet = float("-inf")
        self.stalled = False


class Encodings:
    """Which stream carries which layer, the smallest layer first.

    Attributes:
        streams: By SSRC, those that packets came from.
        ordered: The layers that packets came of, the smallest first.
    """

    def __init__(self, layers: Sequence[LayerInfo]) -> None:
        self.streams: dict[int, InboundStream] = {}
        self.ordered: list[Encoding] = []
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

    def arrived(self, stream: InboundStream, now: float) -> tuple[bool, bool]:
        """Packets came; returns (whether they are a layer's now, whether they are so newly).

        The newest stream of a layer wins: senders change their SSRC, and never go back at once.
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
        encoding.last_packet = now
        return True, new

    def watch(self, now: float) -> bool:
        """With each batch of packets: whether layers have stalled, or come back."""
        if now < self._next_look:
            return False
        self._next_look = now + STALL_INTERVAL
        changed = False
        for encoding in self.ordered:
            stalled = now - encoding.last_packet > STALL_TIME
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
        sizes = [self.size_of(encoding) for encoding in self.ordered]
        if len(sizes) < 2 or not all(width for width, _ in sizes):
            return fallback if len(sizes) < 2 else len(sizes) - 1
        for width, height in sizes:
            if fills(width, height, settings):
                return len(sizes) - 1 - sizes[::-1].index((width, height))
        return len(sizes) - 1
