"""The packets of one stream of sound to Opus packets, with those that redundancy brings back."""

from recorder.media import opus
from recorder.media.frame import Unit
from recorder.media.jitter_buffer import JitterBuffer
from recorder.values import RecordedPacket
from sfu.errors import ParseError
from sfu.wire.parameters import OPUS
from sfu.wire.sequence import timestamp_distance

PATIENCE = 0.3  # s; less than for video: redundancy stands in for what does not come


class AudioStream:
    """Gives out every packet of Opus once.

    Attributes:
        ssrc: 32 bits.
        buffer: Of its packets.
        units: Opus packets in their order; the owner takes them out.
        awaits_key_frame: False: every packet can be decoded on its own.
        lost: Whether something was lost since the last unit.
        heard: When the newest packet came, monotonic seconds; set by the owner.
    """

    __slots__ = ("_end", "awaits_key_frame", "buffer", "heard", "lost", "ssrc", "units")

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.buffer = JitterBuffer(PATIENCE)
        self.units: list[Unit] = []
        self.awaits_key_frame = False
        self.lost = False
        self.heard = 0.0
        self._end: int | None = None  # the timestamp behind what was given out

    def advance(self, *, now: float) -> None:
        """Make units of what is in order now."""
        self.buffer.give_up(now=now)
        if self.buffer.ordered:
            self._take()

    def finish(self) -> None:
        """Make units of everything; what comes then begins anew."""
        self.buffer.finish()
        self._take()
        self.lost = False
        self._end = None

    def _take(self) -> None:
        ordered = self.buffer.ordered
        for entry in ordered:
            if entry is None:
                self.lost = self._end is not None
                continue
            arrival, packet = entry
            if not packet.payload:  # only padding: of use for its number alone
                continue
            if packet.codec.name == "opus":
                self._give(packet.payload, packet.timestamp, arrival)
            elif packet.codec.name == "red":
                self._take_apart(packet, arrival)
        ordered.clear()

    def _take_apart(self, packet: RecordedPacket, arrival: float) -> None:
        try:
            blocks = opus.blocks(packet.payload)
        except ParseError:
            return
        for offset, data in blocks if self.lost else blocks[-1:]:
            if data:  # a redundant packet for silence has none
                self._give(data, (packet.timestamp - offset) & 0xFFFFFFFF, arrival)

    def _give(self, data: bytes, timestamp: int, arrival: float) -> None:
        try:
            samples = opus.duration(data)
        except ParseError:
            return
        gap = 0 if self._end is None else timestamp_distance(timestamp, self._end)
        if -opus.CLOCK_RATE < gap < 0:  # it was given out; what is older yet, is another clock
            return
        unit = Unit(
            data,
            self.ssrc,
            timestamp,
            arrival,
            OPUS,
            True,
            samples / opus.CLOCK_RATE,
            0,
            0,
            opus.head(OPUS.channels),
            0,
            self.lost and gap != 0,
        )
        self.units.append(unit)
        self._end = (timestamp + samples) & 0xFFFFFFFF
        self.lost = False
