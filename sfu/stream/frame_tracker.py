"""What the packets of one video stream tell of its frames."""

from sfu.stream.layer_meter import LayerMeter
from sfu.stream.packet_cache import PacketCache
from sfu.wire.payload import frame_size_reader, layer_sizes
from sfu.wire.payload.frame_reader import FrameReader
from sfu.wire.rtp import RtpPacket

RECENT_TIME = 2.0  # s; whoever begins with a key frame that old sees two seconds run past
RECENT_PACKETS = 400  # that are sent at once to whoever begins


class FrameTracker:
    """Reads frames and layers, once for all subscribers, and knows where the newest can begin.

    Attributes:
        layers: What each spatial and temporal layer takes.
        width: Pixels of the newest key frame, 0 while unknown.
        height: Likewise.
        layer_sizes: Those of its spatial layers, from the lowest; empty where they are not told.
        key_frames: Key frames that began.
    """

    __slots__ = (
        "_key_index",
        "_key_time",
        "_key_timestamp",
        "_reader",
        "height",
        "key_frames",
        "layer_sizes",
        "layers",
        "width",
    )

    def __init__(self, dependency_descriptor: int | None) -> None:
        """`dependency_descriptor` is the id of that header extension, where it was negotiated."""
        self.layers = LayerMeter()
        self.width = self.height = 0
        self.layer_sizes: tuple[tuple[int, int], ...] = ()
        self.key_frames = 0
        self._reader = FrameReader(dependency_descriptor)
        self._key_index = -1
        self._key_time = float("-inf")
        self._key_timestamp = -1

    def read(self, packet: RtpPacket, now: float) -> None:
        """Note the frame and layer of a packet; where a key frame begins, `begin` it before."""
        self._reader.read(packet)
        frame = packet.frame
        if frame is not None:
            self.layers.add(packet.size, frame.spatial, frame.temporal, now, begins=frame.start)
            if packet.key_frame:
                self.layer_sizes = layer_sizes(frame, packet.payload)

    def begin(self, packet: RtpPacket, now: float) -> None:
        """A key frame begins with this packet, the newest."""
        assert packet.codec is not None
        size = frame_size_reader(packet.codec)(packet.payload)
        if size is not None:
            self.width, self.height = size
        self._key_index, self._key_time = packet.index, now
        if packet.timestamp != self._key_timestamp:
            self._key_timestamp = packet.timestamp
            self.key_frames += 1

    def size_of(self, spatial: int) -> tuple[int, int]:
        """Width and height of a spatial layer in pixels, 0 while unknown."""
        sizes = self.layer_sizes
        return sizes[spatial] if spatial < len(sizes) else (self.width, self.height)

    def recent(self, cache: PacketCache, newest: int, *, now: float) -> list[RtpPacket]:
        """The packets from the last key frame to the `newest`, for whoever begins now.

        None where that is too long ago to be shown, or where one of them is missing.
        """
        first = self._key_index
        count = newest - first + 1
        if first < 0 or now - self._key_time > RECENT_TIME or count > RECENT_PACKETS:
            return []
        packets = [cache.get(index) for index in range(first, first + count)]
        if None in packets:
            return []
        return [packet for packet in packets if packet is not None]
