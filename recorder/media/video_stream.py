"""The packets of one stream of video to whole pictures that can be decoded."""

from recorder.media.depacketizer import depacketizer
from recorder.media.frame import Depacketizer, Unit
from recorder.media.jitter_buffer import JitterBuffer
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.parameters import Codec
from sfu.wire.payload import frame_size_reader

PATIENCE = 0.6  # s; a lost packet has been asked for several times by then
MAX_PACKETS = 4096  # of one picture
MAX_BYTES = 16 << 20  # of one picture


class VideoStream:
    """Gives out pictures from a key frame on; after loss, from the next key frame on.

    What is between might be decodable where a sender uses layers, but who is sure only of key
    frames never shows a garbled picture.

    Attributes:
        ssrc: 32 bits.
        buffer: Of its packets.
        units: Pictures, in decoding order; the owner takes them out.
        awaits_key_frame: Whether nothing can be given out before a key frame.
        lost: Whether something was lost since the last unit.
        heard: When the newest packet came, monotonic seconds; set by the owner.
    """

    __slots__ = (
        "_arrival",
        "_bytes",
        "_codec",
        "_depacketizer",
        "_packets",
        "_rotation",
        "_torn",
        "awaits_key_frame",
        "buffer",
        "heard",
        "lost",
        "ssrc",
        "units",
    )

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.buffer = JitterBuffer(PATIENCE, from_key_frame=True)
        self.units: list[Unit] = []
        self.awaits_key_frame = True
        self.lost = False
        self.heard = 0.0
        self._codec: Codec | None = None
        self._depacketizer: Depacketizer | None = None
        self._packets: list[RecordedPacket] = []  # of the picture that is not whole yet
        self._bytes = 0
        self._arrival = 0.0
        self._rotation = 0
        self._torn = True  # whether the next packet may be from the midst of a picture

    def advance(self, *, now: float) -> None:
        """Make units of what is in order now."""
        buffer = self.buffer
        if buffer.waits:
            buffer.give_up(now=now)
            if self.awaits_key_frame and not any(p.key_frame for p in self._packets):
                buffer.skip_to_key_frame()
        if buffer.ordered:
            self._take()

    def finish(self) -> None:
        """Make units of all that is complete; what comes then begins with a key frame."""
        self.buffer.finish()
        self._take()
        self._packets.clear()
        self.awaits_key_frame = self._torn = True
        self.lost = False

    def _take(self) -> None:
        ordered = self.buffer.ordered
        packets = self._packets
        for entry in ordered:
            if entry is None:
                self._lose()
                self._torn = True
                continue
            arrival, packet = entry
            if not packet.payload:  # only padding: of use for its number alone
                continue
            if packets:
                first = packets[0]
                if packet.timestamp != first.timestamp or packet.codec != first.codec:
                    self._complete()
            if not packets:
                self._arrival, self._bytes = arrival, 0
            packets.append(packet)
            self._bytes += len(packet.payload)
            if packet.marker:
                self._complete()
            elif len(packets) > MAX_PACKETS or self._bytes > MAX_BYTES:
                self._lose()
                self._torn = True
        ordered.clear()

    def _lose(self) -> None:
        self._packets.clear()
        if not self.awaits_key_frame:
            self.awaits_key_frame = self.lost = True

    def _complete(self) -> None:
        packets = self._packets
        first = packets[0]
        if first.codec != self._codec:
            self._codec = first.codec
            self._depacketizer = depacketizer(first.codec)
            self.awaits_key_frame = True
        torn, self._torn = self._torn, False
        if self._depacketizer is None or (torn and not first.key_frame):
            packets.clear()
            return
        try:
            picture = self._depacketizer.read(packets)
        except ParseError:
            self._lose()
            return
        width = height = 0
        for packet in packets:
            if packet.rotation is not None:
                self._rotation = packet.rotation
        if picture is not None and (picture.key_frame or not self.awaits_key_frame):
            if picture.key_frame:
                width, height = self._size()
            unit = Unit(
                picture.data,
                self.ssrc,
                first.timestamp,
                self._arrival,
                first.codec,
                picture.key_frame,
                0.0,
                width,
                height,
                picture.extradata,
                self._rotation,
                self.lost,
            )
            self.units.append(unit)
            self.awaits_key_frame = self.lost = False
        packets.clear()

    def _size(self) -> tuple[int, int]:
        """Of the key frame in these packets; zeros where it does not tell."""
        read = frame_size_reader(self._packets[0].codec)
        for packet in self._packets:
            size = read(packet.payload)
            if size is not None:
                return size
        return 0, 0
