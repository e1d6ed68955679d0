"""What is known of a video stream's frames, and from where one can begin to watch."""

from sfu.stream.frame_tracker import RECENT_PACKETS, RECENT_TIME, FrameTracker
from sfu.stream.packet_cache import PacketCache
from sfu.wire.parameters import VP8
from sfu.wire.rtp import RtpPacket

KEY = b"\x10\x00\x00\x00\x9d\x01\x2a\x80\x02\x68\x01"  # VP8, 640×360
DELTA = b"\x10\x01" + bytes(20)


class Stream:
    def __init__(self) -> None:
        self.tracker = FrameTracker(None)
        self.cache = PacketCache(1024)
        self.index = 0

    def receive(self, payload: bytes = DELTA, *, now: float = 1.0, timestamp: int = 0) -> None:
        packet = RtpPacket(96, self.index & 0xFFFF, timestamp, 1, payload)
        packet.index, packet.codec = self.index, VP8
        if payload is KEY:
            packet.key_frame = True
            self.tracker.begin(packet, now)
        self.tracker.read(packet, now)
        self.cache.add(packet)
        self.index += 1

    def recent(self, *, now: float = 1.0) -> list[int]:
        packets = self.tracker.recent(self.cache, self.index - 1, now=now)
        return [packet.index for packet in packets]


def test_who_begins_gets_what_came_since_the_newest_key_frame() -> None:
    stream = Stream()
    stream.receive()
    assert stream.recent() == []
    for _ in range(2):
        stream.receive(KEY)
        stream.receive()
    assert stream.recent() == [3, 4]
    assert stream.recent(now=0.99 + RECENT_TIME) == [3, 4]
    assert stream.recent(now=1.01 + RECENT_TIME) == []


def test_nothing_is_begun_where_a_packet_is_missing_or_there_are_too_many() -> None:
    stream = Stream()
    stream.receive(KEY)
    stream.receive()
    stream.index += 1
    stream.receive()
    assert stream.recent() == []
    stream.receive(KEY)
    for _ in range(RECENT_PACKETS - 1):
        stream.receive()
    assert len(stream.recent()) == RECENT_PACKETS
    stream.receive()
    assert stream.recent() == []


def test_key_frames_are_counted_once_and_tell_their_size() -> None:
    stream = Stream()
    assert stream.tracker.size_of(0) == (0, 0)
    for _ in range(2):  # both partitions of one frame look like a beginning
        stream.receive(KEY, timestamp=3000)
    assert stream.tracker.key_frames == 1
    assert stream.tracker.size_of(0) == stream.tracker.size_of(2) == (640, 360)
    stream.receive(KEY, timestamp=6000)
    assert stream.tracker.key_frames == 2
