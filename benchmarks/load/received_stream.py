"""One stream as it is received: loss, repair, jitter, delay and what a viewer would see.

Hot path: a run of packets in order costs a few operations, however many packets it has. The numbers
are read from the RTP headers, which SRTP leaves in the clear; decrypted are only the packets that
must be, for time stamps and to find key frames.
"""

from collections.abc import Callable
from struct import Struct

from benchmarks.load.datagrams import Receiver, Run
from benchmarks.load.frames import SHORT_FREEZE, FrameChain
from benchmarks.load.histogram import Histogram
from benchmarks.load.opener import Opener
from sfu.stream.nack_generator import NackGenerator
from sfu.stream.receiver_report import ReceptionStatistics
from sfu.transport.srtp import SrtpSession
from sfu.wire.payload import h264, vp8
from sfu.wire.rtp import RtpPacket
from sfu.wire.sequence import timestamp_distance

MAX_MISSING = 10_000  # packets that are remembered as missing; older ones are lost for good
PLI_INTERVAL = 1.0  # s between requests for one key frame
PLI_DELAY = 0.5  # s after the first packet; until then the server should have asked for one
REORDERING = 0.02  # s; what is later than this is lost, for who does not ask for it again

_header = Struct("!BBHI").unpack_from
_key_frame: dict[str, Callable[[bytes], bool]] = {
    "vp8": vp8.is_key_frame,
    "h264": h264.is_key_frame,
}


class ReceivedStream:
    """Measures one SSRC.

    Args:
        ssrc: Of the stream.
        codec: "vp8", "h264" or "opus".
        clock_rate: Of its timestamps, Hz.
        receiver: Where runs lie.
        srtp: Of the connection.
        stamp_every: One packet in about so many is looked at for its time stamp.
        nacks: Whether lost packets are asked for again.
        excuse_pauses: Whether gaps in the RTP time are the publisher's doing, and not freezes.

    Attributes:
        received: Different packets that came.
        octets: Bytes of all that came.
        duplicates: Packets that came again.
        nacks: Packets asked for again.
        plis: Key frames asked for.
        statistics: For receiver reports.
        delays: Since someone took them.
        layer: Number of the encoding, by the last time stamp; -1 before.
        first_packet: When it came, monotonic seconds.
        chain: What can be decoded of it, for video.
        trouble: Whether `missing` and `wants_key_frame` are to be called, again and again.
    """

    def __init__(
        self,
        ssrc: int,
        codec: str,
        clock_rate: int,
        *,
        receiver: Receiver,
        srtp: SrtpSession,
        stamp_every: int,
        nacks: bool,
        excuse_pauses: bool,
    ) -> None:
        self.ssrc = ssrc
        self.codec = codec
        self.received = 0
        self.octets = 0
        self.duplicates = 0
        self.nacks = 0
        self.plis = 0
        self.statistics = ReceptionStatistics(clock_rate=clock_rate)
        self.delays = Histogram()
        self.layer = -1
        self.first_packet = 0.0
        self.chain = FrameChain()
        self.trouble = codec in _key_frame  # a first key frame is missing
        self._clock_rate = clock_rate
        self._receiver = receiver
        self._opener = Opener(receiver, srtp)
        self._stamp_every = stamp_every
        self._stamp_at = 0  # count of packets from which on the next frame's stamp is read
        self._is_key_frame = _key_frame.get(codec)
        self._next = -1  # sequence number expected next
        self._index = 0  # and its index, which never wraps
        self._timestamp = -1
        self._missing: dict[int, None] = {}  # indexes, ascending
        self._lost_at = 0.0
        self._generator = NackGenerator() if nacks else None
        self._excuse_pauses = excuse_pauses
        self._pli_at = 0.0

    def receive(self, run: Run, count: int) -> None:
        """Take `count` packets of this stream with consecutive numbers."""
        start, length, size, moment = run
        view = self._receiver.view
        _, second, number, timestamp = _header(view, start)
        marked = second > 0x7F
        if count > 1:
            marks = view[start + 1 : start + length : size].tobytes()
            end = marks.find(second | 0x80)
            if self._is_key_frame is None or 0 <= end < count - 1:
                for part in self._frames(run, marks, second | 0x80):
                    self.receive(part, -(-part.length // size))
                return
            marked = end >= 0
        now = moment / 1e9
        if number != self._next and not self._jump(number, now, run):
            return
        first = self._index
        self._index = first + count
        self._next = (number + count) & 0xFFFF
        self.received += count
        self.octets += length
        statistics = self.statistics
        statistics.add(first, timestamp, now)
        if count > 1:
            statistics.received += count - 1
            statistics.highest = first + count - 1
        if self._is_key_frame is not None:
            self._follow(int(marked), timestamp, now, run)
        else:
            marked = True  # each packet is a frame
        self._timestamp = timestamp
        if marked and self.received >= self._stamp_at:
            self._read_stamp(run)

    def receive_simple(self, number: int, timestamp: int, size: int, moment: int) -> bool:
        """Take a packet the short way; False where it needs the long one, by `receive`.

        Args:
            number: Its sequence number.
            timestamp: Its RTP timestamp.
            size: Bytes that came.
            moment: When they came, monotonic nanoseconds.
        """
        if number != self._next or self.received >= self._stamp_at or self._is_key_frame:
            return False
        self._next = (number + 1) & 0xFFFF
        self.statistics.add(self._index, timestamp, moment / 1e9)
        self._index += 1
        self.received += 1
        self.octets += size
        self._timestamp = timestamp
        return True

    def repair(self, packet: RtpPacket, number: int, *, now: float) -> None:
        """Take a packet that came as a retransmission (RFC 4588).

        Args:
            packet: Decrypted, its payload the original's.
            number: The original's sequence number.
            now: Monotonic seconds.
        """
        if self._next >= 0:
            self.octets += packet.size
            index = self._index - ((self._next - number) & 0xFFFF)
            missed, is_key_frame = self._arrived_late(index, now), self._is_key_frame
            if missed and is_key_frame and self.chain.broken and is_key_frame(packet.payload):
                self._restart_at(index, now)

    def missing(self, *, now: float) -> list[int]:
        """Sequence numbers to ask for again now."""
        generator, chain = self._generator, self.chain
        indexes: list[int] = []
        if generator is None:
            if chain.blocked and now - self._lost_at > REORDERING:
                chain.give_up()
        else:
            given_up = generator.given_up
            indexes = generator.missing(now=now)
            if generator.given_up > given_up or (chain.blocked and not generator):
                chain.give_up()
            self.nacks += len(indexes)
        self.trouble = bool(generator) or (self._is_key_frame is not None and chain.blocked)
        shift = self._next - self._index
        return [index + shift & 0xFFFF for index in indexes]

    def wants_key_frame(self, *, now: float) -> bool:
        """Whether to ask for a key frame now; asking is counted."""
        if not self.chain.broken or self._is_key_frame is None:
            return False
        begun = self.chain.times.count or now - self.first_packet > PLI_DELAY
        if not begun or now - self._pli_at < PLI_INTERVAL:
            return False
        self._pli_at = now
        self.plis += 1
        return True

    @property
    def expected(self) -> int:
        """Packets from the first to the newest."""
        return self.statistics.expected

    def freezes(self, now: float) -> tuple[int, int, float]:
        """Freezes of over 200 ms, of over 500 ms, and seconds of all of them."""
        times = self.chain.times
        return times.totals(times.last if self._excuse_pauses else now)

    def end(self) -> None:
        """The sender said that no more comes."""
        self.chain.times.end()

    @staticmethod
    def split(run: Run) -> list[Run]:
        """The packets of a run, each as a run of its own."""
        start, length, size, moment = run
        end = start + length
        return [
            Run(position, min(size, end - position), size, moment)
            for position in range(start, end, size)
        ]

    def _frames(self, run: Run, marks: bytes, mark: int) -> list[Run]:
        """The frames of a run, each as a run of its own: each has its own time.

        Args:
            run: Of several packets.
            marks: The second byte of each.
            mark: What that is in a frame's last packet.
        """
        if self._is_key_frame is None:
            return self.split(run)
        start, length, size, moment = run
        parts, begin = [], 0
        while begin < len(marks):
            end = marks.find(mark, begin) + 1 or len(marks)
            position = start + begin * size
            parts.append(
                Run(position, min(start + end * size, start + length) - position, size, moment)
            )
            begin = end
        return parts

    # -- order

    def _jump(self, number: int, now: float, run: Run) -> bool:
        """Handle a run that is not the next; False when it came late and is done with."""
        if self._next < 0:
            self.first_packet = now
            self._index = 0x10000 + number  # so that older ones have an index too
            self.statistics.start(self._index, number)
            return True
        ahead = (number - self._next) & 0xFFFF
        if ahead < 0x8000:
            self._lose(ahead, now)
            return True
        self.octets += run.length
        for single in self.split(run):
            _, second, number, _ = _header(self._receiver.view, single.start)
            index = self._index - ((self._next - number) & 0xFFFF)
            if self._arrived_late(index, now):
                self.statistics.add_late(index)
                if self.received >= self._stamp_at and (second > 0x7F or not self._is_key_frame):
                    self._read_stamp(single)
                if self._begins_key_frame(single):
                    self._restart_at(index, now)
        return False

    def _lose(self, count: int, now: float) -> None:
        first, end = self._index, self._index + count
        self._index = end
        self._lost_at = now
        self.trouble = True
        missing = self._missing
        missing.update(dict.fromkeys(range(max(first, end - MAX_MISSING), end)))
        while len(missing) > MAX_MISSING:
            del missing[next(iter(missing))]
        self.chain.lose(first, end)
        if self._generator is not None and not self._generator.add(first, end, now=now):
            self.chain.give_up()

    def _arrived_late(self, index: int, now: float) -> bool:
        """Whether a packet that is not new was missing until now."""
        if index not in self._missing:
            self.duplicates += 1
            return False
        del self._missing[index]
        self.received += 1
        if self._generator is not None:
            self._generator.repaired(index, now=now)
        self.chain.repair(index, now)
        return True

    # -- what can be decoded

    def _follow(self, frames: int, timestamp: int, now: float, run: Run) -> None:
        chain = self.chain
        if timestamp != self._timestamp:
            if chain.blocked and self._begins_key_frame(run):
                chain.start_key_frame()
            if self._excuse_pauses and self._timestamp >= 0:
                pause = timestamp_distance(timestamp, self._timestamp) / self._clock_rate
                if pause > SHORT_FREEZE:
                    chain.times.excuse(pause, now)
        if frames:
            chain.end_frames(frames, now)

    def _restart_at(self, index: int, now: float) -> None:
        """A key frame's first packet came late."""
        self.chain.start_key_frame(each for each in self._missing if each > index)
        self.chain.end_frames(1, now)

    def _begins_key_frame(self, run: Run) -> bool:
        is_key_frame = self._is_key_frame
        return (
            is_key_frame is not None
            and self.chain.blocked
            and is_key_frame(self._opener.first_payload(run))
        )

    def _read_stamp(self, run: Run) -> None:
        self._stamp_at = self.received + self._stamp_every
        stamp = self._opener.stamp(run)
        if stamp is not None:
            delay, self.layer = stamp
            self.delays.add(delay / 1e9)
