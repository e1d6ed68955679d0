"""One video stream as a browser receives it: repair, decodability, play-out, and what was seen."""

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

from sfu.stream.nack_generator import NackGenerator
from sfu.stream.receiver_report import ReceptionStatistics
from sfu.stream.sequence_tracker import SequenceTracker
from sfu.wire.payload.vp8 import is_key_frame, parse_descriptor
from sfu.wire.rtcp import Nack, PictureLossIndication, ReportBlock, RtcpPacket
from sfu.wire.rtp import RtpPacket
from sfu.wire.sequence import timestamp_distance
from tests.support.link import VirtualTime
from tests.support.vp8_encoder import Stamp, read_size, read_stamp
from tests.support.vp8_references import Frame, Vp8References

CLOCK = 90_000
PATIENCE = 0.2  # s without a frame while packets come, before a key frame is asked for
REQUEST_INTERVAL = 0.3  # s between requests, as browsers keep it
WINDOW = 90  # frames whose lateness decides the play-out delay
COVERED = 0.95  # of them are to be in time
MAX_DELAY = 0.5  # s that play-out waits at most
MIN_DELAY = 0.01  # s
SILENCE = 1.0  # s; a stream that is silent for so long was paused, and nothing is asked for
LOSS_MEMORY = 10.0  # s in which three requests make a path one with loss
REPAIR_MARGIN = 0.04  # s beyond the round trip: noticing the gap, and the queue
REMEMBERED = 4096  # packets


class Shown(NamedTuple):
    """One frame that was decoded and shown.

    Attributes:
        time: Monotonic seconds.
        layer: Number of its simulcast layer.
        temporal: Its temporal layer.
        size: Width and height, as the decoder knows them.
        latency: Seconds since it was captured.
        key: Whether it is a key frame.
    """

    time: float
    layer: int
    temporal: int
    size: tuple[int, int]
    latency: float
    key: bool


class VideoReceiver:
    """A jitter buffer and a decoder that look at VP8 descriptors and sequence numbers alone.

    Args:
        time: The clock.
        ssrc: Of the stream.
        rtx_ssrc: Of its retransmissions.
        nack: Whether lost packets are asked for.
        patience: Seconds without a frame, while packets come, before a key frame is asked for.

    Attributes:
        shown: Frames in the order of play-out.
        corrupt: Frames shown whose references were not what the decoder had: the descriptors lied.
        repaired: Packets that retransmissions brought.
        requests: When key frames were asked for.
        nacked: Packets asked for, repetitions included.
        timestamp_error: Seconds by which play-out times were farthest from those of capture.
    """

    def __init__(
        self,
        time: VirtualTime,
        *,
        ssrc: int,
        rtx_ssrc: int | None,
        nack: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.shown: list[Shown] = []
        self.corrupt = self.repaired = self.nacked = 0
        self.requests: list[float] = []
        self.timestamp_error = 0.0
        self._time = time
        self._patience = patience
        self._sequence = SequenceTracker()
        self._nack = NackGenerator() if nack else None
        self._statistics = ReceptionStatistics(clock_rate=CLOCK)
        self._references = Vp8References()
        self._frames: dict[int, Frame] = {}  # by RTP timestamp
        self._seen: dict[int, None] = {}  # indexes
        self._ready: list[Frame] = []  # references known, by id
        self._decoded: dict[int, Stamp] = {}  # by id
        self._real: dict[tuple[int, int], None] = {}  # layer and number of decoded frames
        self._first_id = self._last_id = -1
        self._complete: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._size = (0, 0)
        self._first_timestamp: int | None = None
        self._timestamp = (0, 0.0)  # the last one, and the seconds it stands for
        self._skew: float | None = None
        self._lateness: deque[float] = deque(maxlen=WINDOW)
        self._delay = MIN_DELAY
        self._losses: deque[float] = deque(maxlen=3)  # when packets were asked for
        self._wake_at = float("inf")
        self._stuck_since: float | None = None
        self._last_packet = float("-inf")

    @property
    def offered(self) -> int:
        """Frames from the first that was shown on; without those that may still be shown."""
        if self._first_id < 0:
            return 0
        settled = self._time.now - MAX_DELAY
        newest = max((id_ for when, id_ in self._complete if when < settled), default=-1)
        return max(newest, self._last_id) - self._first_id + 1

    @property
    def round_trip(self) -> float:
        """Seconds, as retransmissions show it."""
        return self._nack.rtt if self._nack is not None else 0.0

    # -- packets

    def receive(self, packet: RtpPacket) -> None:
        """Take a packet of the stream."""
        before = self._sequence.highest
        index = self._sequence.place(packet.sequence_number)
        if index < 0:
            return
        if index <= before:
            self._statistics.add_late(index)
            if self._nack is not None:
                self._nack.forget(index)
        else:
            if before < 0:
                self._statistics.start(index, packet.sequence_number)
            self._statistics.add(index, packet.timestamp, packet.arrival)
            if self._nack is not None and 0 <= before < index - 1:
                self._nack.add(before + 1, index, now=packet.arrival)
        self._take(packet, index)

    def receive_rtx(self, packet: RtpPacket) -> None:
        """Take a packet of the retransmission stream; those without payload are for probing."""
        if len(packet.payload) < 2:
            return
        index = self._sequence.find(int.from_bytes(packet.payload[:2]))
        if index < 0:
            return
        if self._nack is not None and self._nack.repaired(index, now=packet.arrival):
            self.repaired += 1
        packet.payload = packet.payload[2:]
        self._take(packet, index, repair=True)

    def _take(self, packet: RtpPacket, index: int, *, repair: bool = False) -> None:
        self._last_packet = packet.arrival
        if index in self._seen:
            return
        self._seen[index] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        payload = packet.payload
        if not payload:
            self._found(self._references.padding(index))
            self._show()
            return
        frame = self._frames.get(packet.timestamp)
        if frame is None:
            frame = self._frames[packet.timestamp] = Frame(self._seconds(packet.timestamp))
            if len(self._frames) > WINDOW * 4:
                del self._frames[next(iter(self._frames))]
        frame.packets += 1
        frame.repaired |= repair
        if payload[0] & 0x17 == 0x10:
            frame.first = index
            frame.descriptor = parse_descriptor(payload)
            frame.payload = payload
            frame.key = is_key_frame(payload)
            if frame.key and self._nack is not None:
                self._nack.key_frame = index
        if packet.marker:
            frame.last = index
        if frame.complete:
            self._completed(frame)

    def _seconds(self, timestamp: int) -> float:
        last, seconds = self._timestamp
        if self._first_timestamp is None:
            self._first_timestamp = last = timestamp
        seconds += timestamp_distance(timestamp, last) / CLOCK
        self._timestamp = timestamp, seconds
        return seconds

    # -- frames

    def _completed(self, frame: Frame) -> None:
        now = frame.completed = self._time.now
        if not frame.repaired or not self._lateness:
            # As in browsers, what a repair delayed tells nothing of the path's jitter.
            self._lateness.append(now - frame.timestamp)
        late = sorted(self._lateness)
        wanted = late[int(COVERED * (len(late) - 1))] - late[0]
        if len(self._losses) == 3 and now - self._losses[0] < LOSS_MEMORY:
            # As browsers do on a path with loss: wait for as long as a repair takes.
            wanted = max(wanted, self.round_trip + REPAIR_MARGIN)
        # It rises at once, and falls slowly.
        self._delay = min(max(wanted, self._delay - 0.002, MIN_DELAY), MAX_DELAY)
        self._found(self._references.add(frame))
        self._complete.append((now, frame.id))
        self._show()

    def _found(self, frames: list[Frame]) -> None:
        # What is older than the last one shown comes too late.
        self._ready += [one for one in frames if one.id > self._last_id]
        self._ready.sort(key=lambda one: one.id)

    def _play_at(self, frame: Frame) -> float:
        return frame.timestamp + min(self._lateness) + self._delay

    def _show(self) -> None:
        """Decode and show what is due, and come back for the rest."""
        now = self._time.now
        while True:
            frame = next((f for f in self._ready if self._is_decodable(f)), None)
            if frame is None:
                return
            when = self._play_at(frame)
            if when > now + 1e-6:
                if not now < self._wake_at <= when:
                    self._wake_at = when
                    self._time.call_at(when, self._show)
                return
            self._decode(frame)

    def _is_decodable(self, frame: Frame) -> bool:
        assert frame.needs is not None
        return all(one in self._decoded for one in frame.needs)

    def _decode(self, frame: Frame) -> None:
        descriptor = frame.descriptor
        assert descriptor is not None
        stamp = read_stamp(frame.payload, descriptor.size)
        if any((stamp.layer, one) not in self._real for one in stamp.needs):
            self.corrupt += 1
        self._real[stamp.layer, stamp.number] = None
        if len(self._real) > WINDOW * 4:
            del self._real[next(iter(self._real))]
        self._decoded[frame.id] = stamp
        if len(self._decoded) > WINDOW * 4:
            del self._decoded[next(iter(self._decoded))]
        self._last_id = frame.id
        self._ready = [one for one in self._ready if one.id > frame.id]
        if self._first_id < 0:
            self._first_id = frame.id
        self._size = read_size(frame.payload, descriptor.size) or self._size
        skew = stamp.captured - frame.timestamp
        if self._skew is None:
            self._skew = skew
        self.timestamp_error = max(self.timestamp_error, abs(skew - self._skew))
        now = self._time.now
        self._stuck_since = None
        self.shown.append(
            Shown(
                now,
                stamp.layer,
                descriptor.temporal_layer or 0,
                self._size,
                now - stamp.captured,
                frame.key,
            )
        )

    # -- what the sender is asked for

    def feedback(self) -> list[RtcpPacket]:
        """NACKs that are due, and a request for a key frame when one is needed."""
        now = self._time.now
        packets: list[RtcpPacket] = []
        given_up = False
        if self._nack is not None:
            lost = self._nack.missing(now=now)
            self.nacked += len(lost)
            if lost:
                self._losses.append(now)
            for start in range(0, len(lost), 100):
                chunk = tuple(map(self._sequence.sequence_number, lost[start : start + 100]))
                packets.append(Nack(1, self.ssrc, chunk))
            given_up = self._nack.newest_given_up > self._nack.key_frame
        if self._is_stuck(now) or (given_up and self._stuck_since is not None):
            last = self.requests[-1] if self.requests else float("-inf")
            if now - last >= REQUEST_INTERVAL:
                self.requests.append(now)
                packets.append(PictureLossIndication(1, self.ssrc))
        return packets

    def _is_stuck(self, now: float) -> bool:
        """Whether packets have come for so long, and no frame of them can be decoded."""
        newest = next(reversed(self._frames.values()), None)
        if newest is None or now - self._last_packet > SILENCE:
            self._stuck_since = None
            return False
        ahead = not self.shown or newest.id < 0 or newest.id > self._last_id
        waits_for_play_out = any(self._is_decodable(frame) for frame in self._ready)
        if not ahead or waits_for_play_out:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        return self._stuck_since is not None and now - self._stuck_since > self._patience

    def report_block(self, now: float) -> ReportBlock:
        """For a receiver report."""
        return self._statistics.report_block(ssrc=self.ssrc, now=now)

    def receive_sender_report(self, middle: int, now: float) -> None:
        """Note a sender report, of which `middle` are the middle 32 bits of the NTP time."""
        self._statistics.receive_sender_report(middle, now=now)

    def shown_between(self, since: float, until: float) -> list[Shown]:
        """Frames shown in this time, monotonic seconds."""
        first = bisect_left(self.shown, since, key=lambda one: one.time)
        return self.shown[first : bisect_left(self.shown, until, key=lambda one: one.time)]
