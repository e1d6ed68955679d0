"""One track's packets on their way to a recorder: the best layer, at little cost."""

from collections.abc import Sequence

from recorder.link.framing import (
    HEADER,
    KEY_FRAME,
    MARKER,
    PACKET,
    PACKETS,
    PACKETS_HEAD,
    REFERENCE_SIZE,
    ROTATED,
    ROTATION_SHIFT,
    reference_message,
)
from recorder.link.link_buffer import LinkBuffer
from recorder.link.messages import MediaMissed
from recorder.values import Reference
from sfu.forward.fanout import TrackSource
from sfu.forward.forwarder import HIGHEST
from sfu.wire.parameters import Codec, Extension
from sfu.wire.rtp import RtpPacket

LOOK_INTERVAL = 0.25  # s between two looks at which layers there are
REFERENCE_INTERVAL = 1.0  # s, as sender reports come
GUESS_INTERVAL = 0.1  # s, while no report has come: it is waited for
LATE = 1.0  # s for which packets of a layer that was left may still be repaired
MAX_CATCH_UP = 256  # packets that may have come before the first of their key frame
MAX_HOLE = 16  # of them that may be missing in a row

_pack = PACKET.pack


class TrackTap:
    """Writes the packets of a track, of one recording, into a link.

    Of simulcast layers it follows the highest that is live, and goes from one to another at a key
    frame, which it asks for. Layers within a stream (SVC) are recorded whole. Where the link is
    full, packets are dropped until there is room again, for video until a key frame after that.

    Args:
        source: The track.
        link: Where to write.
        recording: Id of the recording.
        wall_offset: Unix seconds less monotonic seconds.

    Attributes:
        handle: The track's name on the link.
    """

    __slots__ = (
        "_codec",
        "_left",
        "_left_until",
        "_link",
        "_look_at",
        "_missing_since",
        "_number",
        "_recording",
        "_refer_at",
        "_rotation_id",
        "_source",
        "_ssrc",
        "_video",
        "_wall_offset",
        "handle",
    )

    def __init__(
        self, source: TrackSource, link: LinkBuffer, recording: str, *, wall_offset: float
    ) -> None:
        self.handle = link.handle()
        self._source = source
        self._link = link
        self._recording = recording
        self._wall_offset = wall_offset
        self._video = source.kind == "video"
        self._ssrc: int | None = None  # of the stream that is followed
        self._left: int | None = None  # of the one that was followed before
        self._left_until = float("-inf")
        self._codec: Codec | None = None
        self._number = 0  # of the codec
        self._rotation_id = 0
        self._look_at = float("-inf")
        self._refer_at = float("-inf")
        self._missing_since: float | None = None

    def receive_packets(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Take what arrived on one of the track's streams."""
        if now >= self._look_at:
            self._look(now)
        if packets[0].ssrc != self._ssrc:
            packets = self._admit(packets, now)
        link = self._link
        if self._missing_since is not None or link.is_full(self._source.kind):
            packets = self._drop(packets, now)
        if not packets:
            return
        if now >= self._refer_at:
            self._refer(packets, now)
        rotation_id = self._rotation_id
        parts = [b""]
        count = size = 0
        for packet in packets:
            codec = packet.codec
            if codec is not self._codec:
                if codec is None:
                    continue  # of a payload type that means nothing
                self._codec, self._number = codec, link.codec(codec)
            flags = MARKER if packet.marker else 0
            if packet.key_frame:
                flags |= KEY_FRAME
            if rotation_id and (value := packet.extensions.get(rotation_id)):
                flags |= ROTATED | (value[0] & 3) << ROTATION_SHIFT
            payload = packet.payload
            length = len(payload)
            header = _pack(packet.index, packet.ssrc, packet.timestamp, self._number, flags, length)
            parts += (header, payload)
            count += 1
            size += length
        if count:
            size += count * PACKET.size + PACKETS_HEAD.size
            parts[0] = PACKETS_HEAD.pack(size - HEADER.size, PACKETS, self.handle, count, now)
            link.append(parts, size)

    def request_key_frame(self, *, now: float) -> None:
        """The recorder needs one."""
        spatial = HIGHEST if self._ssrc is None else self._source.spatial_of(self._ssrc)
        self._source.request_key_frame(spatial, now=now)

    def finish(self, *, now: float) -> None:
        """Nothing comes any more: tell of what was dropped last."""
        if self._missing_since is not None:
            self._tell_missed(now)

    # -- which stream

    def _look(self, now: float) -> None:
        """See which layers there are, and ask for a key frame of a better one."""
        self._look_at = now + LOOK_INTERVAL
        source = self._source
        if not self._video:
            return
        self._rotation_id = next(
            (i for i, uri in source.sent_extensions() if uri == Extension.VIDEO_ORIENTATION), 0
        )
        best = self._best(now)
        if best is not None and best != self._ssrc and self._ssrc is not None:
            source.request_key_frame(source.spatial_of(best), now=now)

    def _best(self, now: float) -> int | None:
        """The stream of the highest layer that is live; of the highest where none is."""
        source = self._source
        highest = source.ssrc_of(HIGHEST)
        if highest is not None and not source.is_live(highest, now=now):
            for spatial in range(source.spatial_of(highest) - 1, -1, -1):
                lower = source.ssrc_of(spatial)
                if lower is not None and source.is_live(lower, now=now):
                    return lower
        return highest

    def _admit(self, packets: Sequence[RtpPacket], now: float) -> Sequence[RtpPacket]:
        """What is to be recorded of packets that are not of the stream that is followed."""
        ssrc = packets[0].ssrc
        if self._best(now) != ssrc:
            late = ssrc == self._left and now < self._left_until
            return packets if late else ()
        # At the beginning the reader waits for the key frame: what comes before its first packet
        # may be of it. Later on, the present layer goes on until then.
        if self._video and self._ssrc is not None:
            start = next((i for i, packet in enumerate(packets) if packet.key_frame), None)
            if start is None:
                return ()
            first = packets[start].index
            packets = [
                *[packet for packet in packets[start:] if packet.index >= first],
                *self._caught_up(ssrc, first, {packet.index for packet in packets}),
            ]
            self._left, self._left_until = self._ssrc, now + LATE
        self._ssrc = ssrc
        self._refer_at = now
        return packets

    def _caught_up(self, ssrc: int, index: int, known: set[int]) -> list[RtpPacket]:
        """What came of a key frame before its first packet, which had been lost."""
        found: list[RtpPacket] = []
        missing = 0
        for following in range(index + 1, index + MAX_CATCH_UP):
            packet = self._source.cached_packet(ssrc, following)
            missing = missing + 1 if packet is None else 0
            if missing > MAX_HOLE:
                break
            if packet is not None and following not in known:
                found.append(packet)
        return found

    # -- what does not fit

    def _drop(self, packets: Sequence[RtpPacket], now: float) -> Sequence[RtpPacket]:
        """Drop packets while there is no room; returns what may be sent after all."""
        if self._missing_since is None:
            self._missing_since = now
        if self._link.has_room(self._source.kind):
            start: int | None = 0
            if self._video:
                start = next((i for i, packet in enumerate(packets) if packet.key_frame), None)
                if start is None:
                    self.request_key_frame(now=now)
            if start is not None:
                self._tell_missed(now)
                return packets[start:]
        return ()

    def _tell_missed(self, now: float) -> None:
        assert self._missing_since is not None
        start, end = self._missing_since + self._wall_offset, now + self._wall_offset
        self._missing_since = None
        self._link.tell(MediaMissed(self._recording, self.handle, start, end))

    # -- times

    def _refer(self, packets: Sequence[RtpPacket], now: float) -> None:
        """Tell when the newest of these packets was captured."""
        packet = packets[-1]
        if packet.codec is None:
            return
        source, ssrc, timestamp = self._source, packet.ssrc, packet.timestamp
        time = source.captured(ssrc, timestamp, packet.codec, now=now)
        reported = time is not None
        if time is None:
            guess = source.reference(ssrc, now=now)
            if guess is None:
                return
            time, timestamp = guess
        self._refer_at = now + (REFERENCE_INTERVAL if reported else GUESS_INTERVAL)
        reference = Reference(ssrc, time, timestamp, reported)
        self._link.append((reference_message(self.handle, reference),), REFERENCE_SIZE)
