"""What is sent and how it is received, in runs as the kernel hands them over, without a network."""

import random
import time
from collections.abc import Iterable, Sequence

import pytest

from benchmarks.load.datagrams import Receiver, Run
from benchmarks.load.description import Agreed
from benchmarks.load.media import Clip
from benchmarks.load.received_stream import ReceivedStream
from benchmarks.load.sent_stream import HISTORY, SentStream, read_stamp
from sfu.transport.srtp import PROFILES, SrtpSession
from sfu.wire.parameters import Extension
from sfu.wire.rtp import parse_rtp

PAYLOAD_TYPES = {"vp8": 96, "h264": 102, "opus": 111}
EDGES = (0, 1, 127, 32767, 32768, 65534, 65535)


def agreed(codec: str, **values) -> Agreed:
    return Agreed(
        mid="0",
        kind="audio" if codec == "opus" else "video",
        direction="recvonly",
        payload_types={codec: PAYLOAD_TYPES[codec]},
        rtx=values.pop("rtx", {}),
        extensions=values.pop("extensions", {}),
        rids=(),
    )


def sent_stream(codec: str = "vp8", *, packets: int = 4, first: int | None = None) -> SentStream:
    clip = Clip.synthetic([codec], packets_per_frame=packets, packet_size=200)
    stream = SentStream(
        clip.tracks[codec][0], agreed(codec, rtx={96: 97}), ssrc=1111, rtx_ssrc=2222
    )
    if first is not None:
        stream._sequence_number = first
    return stream


class Path:
    """Protects packets and lays them where a receiver has them."""

    def __init__(self) -> None:
        profile = PROFILES[0]
        keys = [random.randbytes(profile.key_length + profile.salt_length) for _ in range(2)]
        self.sender = SrtpSession(profile, local_key=keys[0], remote_key=keys[1])
        self.srtp = SrtpSession(profile, local_key=keys[1], remote_key=keys[0])
        self.receiver = Receiver()
        self.end = 0
        self.now = time.monotonic_ns()

    def stream(self, codec: str = "vp8", **options) -> ReceivedStream:
        values = {"stamp_every": 1, "nacks": True, "excuse_pauses": False, **options}
        rate = 48000 if codec == "opus" else 90000
        return ReceivedStream(1111, codec, rate, receiver=self.receiver, srtp=self.srtp, **values)

    def lay(self, packets: Sequence[bytes]) -> Run:
        """One run of packets of equal size, but for the last."""
        start = 0
        position = start
        for packet in packets:
            self.receiver.view[position : position + len(packet)] = packet
            assert self.sender.protect_run(self.receiver.base, position, [len(packet)])
            position += len(packet) + self.sender.overhead
        self.now = max(self.now + 1_000_000, time.monotonic_ns())
        size = len(packets[0]) + self.sender.overhead
        return Run(start, position - start, size, self.now)


def feed(path: Path, stream: ReceivedStream, packets: Sequence[bytes]) -> None:
    stream.receive(path.lay(packets), len(packets))


def frames(stream: SentStream, count: int) -> Iterable[list[bytes]]:
    for number in range(count):
        yield stream.frame(number / 30, now=number / 30)


@pytest.mark.parametrize("first", EDGES)
def test_runs_in_order_are_counted_across_wraps(first: int) -> None:
    path, sent = Path(), sent_stream(first=first)
    stream = path.stream()
    for packets in frames(sent, 40):
        feed(path, stream, packets)
    assert stream.received == stream.expected == 160
    assert stream.duplicates == 0
    assert stream.chain.times.count == 40
    assert stream.delays.total > 35
    assert not stream.missing(now=path.now / 1e9)


@pytest.mark.parametrize("first", EDGES)
def test_a_lost_packet_is_asked_for_and_its_repair_counts(first: int) -> None:
    path, sent = Path(), sent_stream(first=first)
    stream = path.stream()
    one, two, three = frames(sent, 3)
    feed(path, stream, one)
    feed(path, stream, two[:1])
    feed(path, stream, two[2:])
    feed(path, stream, three)
    assert (stream.expected, stream.received) == (12, 11)
    assert stream.chain.times.count == 1  # the two others wait
    lost = (first + 5) & 0xFFFF
    later = path.now / 1e9 + 0.02
    assert stream.trouble
    assert stream.missing(now=later) == [lost]
    assert stream.nacks == 1
    stream.repair(parse_rtp(two[1], arrival=0.0), lost, now=later)
    assert (stream.expected, stream.received) == (12, 12)
    assert stream.chain.times.count == 3
    assert stream.missing(now=later + 1) == []
    assert not stream.trouble


def test_a_late_packet_of_the_stream_itself_is_no_loss_and_its_copy_a_duplicate() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream()
    one, two = frames(sent, 2)
    feed(path, stream, one)
    late = path.lay(two[:1])
    memory = bytes(path.receiver.view[late.start : late.start + late.length])
    feed(path, stream, two[1:])
    assert stream.received == 7
    for _ in range(2):
        path.receiver.view[: len(memory)] = memory
        stream.receive(Run(0, len(memory), len(memory), path.now), 1)
    assert stream.received == stream.expected == 8
    assert stream.duplicates == 1
    assert stream.chain.times.count == 2


def test_without_nacks_a_loss_asks_for_a_key_frame_which_ends_the_trouble() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream(nacks=False)
    one, two, three, four = frames(sent, 4)
    feed(path, stream, one)
    feed(path, stream, two[:3])
    feed(path, stream, three)
    now = path.now / 1e9
    assert stream.missing(now=now) == []
    assert not stream.wants_key_frame(now=now)  # it may be reordering
    stream.missing(now=now + 0.05)
    assert stream.wants_key_frame(now=now + 0.05)
    assert not stream.wants_key_frame(now=now + 0.1)  # not at once again
    feed(path, stream, four)
    assert stream.chain.times.count == 1
    sent.key_frame_wanted = True
    feed(path, stream, sent.frame(4 / 30, now=5.0))
    assert stream.chain.times.count == 2
    assert not stream.wants_key_frame(now=now + 5)
    assert stream.received == stream.expected - 1


def test_a_viewer_that_comes_late_asks_for_a_key_frame() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream()
    _, two, three = frames(sent, 3)
    feed(path, stream, two)
    assert stream.trouble
    now = path.now / 1e9
    assert not stream.wants_key_frame(now=now)
    assert stream.wants_key_frame(now=now + 1)
    feed(path, stream, three)
    assert stream.chain.times.count == 0
    assert stream.plis == 1


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_key_frame_that_begins_within_a_run_is_found(codec: str) -> None:
    path, sent = Path(), sent_stream(codec)
    stream = path.stream(codec)
    list(frames(sent, 1))
    delta = sent.frame(1 / 30, now=1.0)
    sent.key_frame_wanted = True
    key = sent.frame(2 / 30, now=2.0)
    feed(path, stream, delta + key)
    assert stream.chain.times.count == 1
    assert stream.received == 8


def test_loss_before_a_run_of_several_frames_is_counted_once() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream(nacks=False)
    one, _, three, four = frames(sent, 4)
    feed(path, stream, one)
    feed(path, stream, three + four)
    assert (stream.expected, stream.received) == (16, 12)


@pytest.mark.parametrize("codec", ["vp8", "opus"])
def test_frames_that_come_in_one_run_have_their_own_delays_and_jitter(codec: str) -> None:
    moments = random.Random(3)
    sent, paths = sent_stream(codec, packets=2), (Path(), Path())
    together, apart = (path.stream(codec) for path in paths)
    count = 0
    now = paths[0].now
    for _ in range(30):
        batch = [
            sent.frame((count + n) / 30, now=(count + n) / 30) for n in range(moments.randint(1, 5))
        ]
        count += len(batch)
        now += 33_000_000 * len(batch) + moments.randint(0, 20_000_000)
        packets = [packet for frame in batch for packet in frame]
        for path in paths:
            path.now = now
        feed(paths[0], together, packets)
        for n, single in enumerate(packets):
            paths[1].now = now + n  # ns
            feed(paths[1], apart, [single])
    for stream in (together, apart):
        assert stream.received == stream.expected == count * (1 if codec == "opus" else 2)
        assert stream.delays.total == count
    jitter = apart.statistics.jitter_seconds
    assert together.statistics.jitter_seconds == pytest.approx(jitter, rel=1e-3)
    assert together.statistics.jitter_seconds > 0.001


def test_sound_has_neither_frames_nor_key_frames_but_delays() -> None:
    path, sent = Path(), sent_stream("opus")
    stream = path.stream("opus")
    for packets in frames(sent, 10):
        assert len(packets) == 1
        assert not parse_rtp(packets[0], arrival=0.0).marker
        feed(path, stream, packets)
    assert stream.received == 10
    assert stream.delays.total == 10
    assert not stream.trouble
    assert not stream.wants_key_frame(now=path.now / 1e9 + 5)


def test_only_so_many_packets_are_decrypted() -> None:
    path, sent = Path(), sent_stream(packets=10)
    stream = path.stream(stamp_every=100)
    for packets in frames(sent, 100):
        feed(path, stream, packets)
    assert stream.delays.total == 10


def test_delay_is_the_time_from_the_sending_of_the_frame() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream()
    (packets,) = frames(sent, 1)
    path.now = time.monotonic_ns() + 49_000_000
    feed(path, stream, packets)
    assert stream.delays.percentile(50) == pytest.approx(0.05, rel=0.05)


def test_more_is_lost_than_can_be_remembered() -> None:
    path, sent = Path(), sent_stream(first=0)
    stream = path.stream()
    for number, packets in enumerate(frames(sent, 6000)):
        if number < 10 or number > 5990:
            feed(path, stream, packets)
    assert stream.expected == 24_000
    assert stream.received == 4 * (10 + 9)
    assert stream.chain.broken
    assert len(stream.missing(now=path.now / 1e9 + 1)) == 0


def test_pauses_are_excused_only_where_publishers_make_them() -> None:
    for excuse, expected in ((False, 1), (True, 0)):
        path, sent = Path(), sent_stream()
        stream = path.stream(excuse_pauses=excuse)
        feed(path, stream, sent.frame(0.0, now=0.0))
        path.now += 1_000_000_000
        feed(path, stream, sent.frame(1.0, now=1.0))
        assert stream.freezes(path.now / 1e9)[0] == expected
        path.now += 1_000_000_000  # and this is not over
        assert stream.freezes(path.now / 1e9)[0] == 2 * expected


def test_a_packet_that_is_late_behind_a_pause_makes_no_freeze_of_it() -> None:
    path, sent = Path(), sent_stream(first=100)
    stream = path.stream(excuse_pauses=True)
    feed(path, stream, sent.frame(0.0, now=0.0))
    path.now += 1_000_000_000
    late = sent.frame(1.0, now=1.0)
    feed(path, stream, late[1:])
    feed(path, stream, late[:1])
    assert stream.chain.times.count == 2
    assert stream.freezes(path.now / 1e9)[0] == 0


def test_a_stall_is_a_freeze_even_where_publishers_pause() -> None:
    path, sent = Path(), sent_stream()
    stream = path.stream(excuse_pauses=True)
    feed(path, stream, sent.frame(0.0, now=0.0))
    path.now += 1_000_000_000
    feed(path, stream, sent.frame(1 / 30, now=1.0))
    assert stream.freezes(path.now / 1e9)[:2] == (1, 1)


# -- what is sent


def test_requested_key_frames_come_next_but_not_too_often() -> None:
    sent = sent_stream()

    def key(now: float) -> bool:
        return parse_rtp(sent.frame(now, now=now)[0], arrival=0.0).payload[4] & 1 == 0

    assert key(0.0)
    assert not key(1.0)
    sent.key_frame_wanted = True
    assert key(1.1)
    sent.key_frame_wanted = True
    assert not key(1.2)
    assert key(1.5)
    assert not key(2.0)


@pytest.mark.parametrize("first", EDGES)
def test_packets_of_the_past_can_be_sent_again_as_rtx(first: int) -> None:
    sent = sent_stream(first=first)
    (packets,) = frames(sent, 1)
    for i, packet in enumerate(packets):
        number = (first + i) & 0xFFFF
        original = parse_rtp(packet, arrival=0.0)
        again = parse_rtp(sent.sent(number), arrival=0.0)
        assert (again.ssrc, again.payload_type) == (2222, 97)
        assert (again.timestamp, again.marker) == (original.timestamp, original.marker)
        assert again.payload == number.to_bytes(2) + original.payload
    assert sent.sent((first + 4) & 0xFFFF) is None
    for _ in frames(sent, HISTORY // 4):
        pass
    assert sent.sent(first) is None


def test_simulcast_packets_say_which_encoding_they_are_of() -> None:
    encoding = Clip.synthetic(["vp8"]).tracks["vp8"][0]
    line = agreed("vp8", extensions={Extension.MID: 4, Extension.RID: 10})
    half = SentStream(type(encoding)("vp8", encoding.frames, "h"), line, ssrc=5, layer=1)
    (packet,) = half.frame(0.0, now=0.0)
    parsed = parse_rtp(packet, arrival=0.0)
    assert parsed.extensions == {4: b"0", 10: b"h"}
    assert parsed.marker
    stamp = read_stamp(packet, now=time.monotonic_ns())
    assert stamp is not None
    assert 0 <= stamp[0] < 1e9
    assert stamp[1] == 1


def test_bytes_that_are_no_stamp_are_not_taken_for_one() -> None:
    source = random.Random(7)
    now = 12_345_678_901_234  # not the real clock: about one in a million does look like a stamp
    assert all(read_stamp(source.randbytes(20), now=now) is None for _ in range(100_000))
