"""What choosing layers costs: looking at packets, projecting them, allocating, and tracing it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.micro.case import Action, Case
from sfu.congestion.estimator import BandwidthEstimator
from sfu.forward.allocation import Demand, Layer
from sfu.forward.allocator import Allocator
from sfu.forward.projection import projection_for
from sfu.forward.projection.base import Projection
from sfu.room.media_status import LayerStatus
from sfu.room.trace import Trace
from sfu.wire.parameters import VP8, VP9, Codec
from sfu.wire.payload import key_frame_detector
from sfu.wire.payload.frame_reader import FrameReader
from sfu.wire.rtp import RtpPacket
from sfu.wire.twcc import TransportFeedback

PICTURES = 64  # of one call
PACKETS = 4  # of each frame
BODY = bytes(1100)
PATTERN = (0, 2, 1, 2)  # temporal layers of pictures that follow each other
SPATIAL = 3
TRACKS = 20
CALLS = 50  # allocations, bursts or feedbacks of one call
RATES = (150_000, 500_000, 1_700_000)  # bit/s of each spatial layer; each has three temporal ones
SHARES = (0.5, 0.7, 1.0)  # of those rates, up to each temporal layer
MANY = 5  # cases of the allocator have so many tracks, too


def cases() -> Iterator[Case]:
    """Frame readers, projections, the allocator and the trace of one subscriber."""
    for name, packets in (("VP8, 3 temporal layers", _vp8()), ("VP9, 3 × 3 layers", _vp9())):
        yield Case(
            f"layers: read a packet's frame, {name}",
            len(packets),
            lambda packets=packets: Action(partial(_read, packets)),  # type: ignore[misc]
        )
        for what, spatial, temporal in (("all", 2, 2), ("the lowest", 0, 0)):
            yield Case(
                f"layers: project a packet, {name}, {what}",
                len(packets),
                partial(_projecting, packets, spatial, temporal),
            )
    for count in (MANY, TRACKS):
        for what, estimate in (("enough", 1e9), ("half of it", 0.5e6 * count)):
            yield Case(
                f"allocator: {count} tracks, {what}",
                CALLS,
                partial(_allocating, count, estimate),
            )
    for name, record in (
        ("a burst of 8", _trace_bursts),
        ("a feedback of 29 packets", _trace_feedback),
        ("a sample", _trace_samples),
        (f"an allocation of {TRACKS} tracks", _trace_allocations),
    ):
        yield Case(f"trace: {name}", CALLS, lambda record=record: Action(record()))  # type: ignore[misc]


def _packets(codec: Codec, frames: Sequence[tuple[int, bytes, bytes, bytes]]) -> list[RtpPacket]:
    """Packets of frames: picture, descriptor of the first, of those between, of the last."""
    made: list[RtpPacket] = []
    is_key_frame = key_frame_detector(codec)
    for position, (picture, first, middle, last) in enumerate(frames):
        following = frames[position + 1][0] if position + 1 < len(frames) else -1
        for number in range(PACKETS):
            head = first if number == 0 else last if number == PACKETS - 1 else middle
            marker = number == PACKETS - 1 and following != picture
            packet = RtpPacket(96, len(made), 3000 * picture, 1, head + BODY, marker)
            packet.index = len(made)
            packet.codec = codec
            packet.key_frame = is_key_frame(packet.payload)
            made.append(packet)
    return made


def _vp8() -> list[RtpPacket]:
    """RFC 7741 4.2: picture id, TL0PICIDX, layer and whether it needs the base layer alone."""
    frames = []
    for picture in range(PICTURES):
        temporal = PATTERN[picture % 4]
        numbers = (0x8000 | picture).to_bytes(2, "big")
        numbers += bytes((picture // 4 & 0xFF, temporal << 6 | (temporal > 0) << 5))
        rest = b"\x80\xe0" + numbers + b"\x01"
        body = b"\x01" if picture else b"\x10\x02\x00\x9d\x01\x2a\x80\x02\xe0\x01"
        frames.append((picture, b"\x90\xe0" + numbers + body, rest, rest))
    return _packets(VP8, frames)


def _vp9() -> list[RtpPacket]:
    """RFC 9628 4.2, not flexible: flags, picture id, layers, TL0PICIDX."""
    frames = []
    for picture in range(PICTURES):
        temporal = PATTERN[picture % 4]
        for spatial in range(SPATIAL):
            flags = 0xA0 | (0x40 if picture else 0)
            rest = (0x8000 | picture).to_bytes(2, "big")
            rest += bytes(
                (temporal << 5 | 0x10 | spatial << 1 | (spatial > 0), picture // 4 & 0xFF)
            )
            heads = [bytes((flags | edge,)) + rest for edge in (0x08, 0, 0x04)]
            if not picture and not spatial:  # the scalability structure: the number of layers
                heads[0] = bytes((heads[0][0] | 0x02,)) + rest + bytes(((SPATIAL - 1) << 5,))
            frames.append((picture, heads[0], heads[1], heads[2]))
    return _packets(VP9, frames)


def _read(packets: Sequence[RtpPacket]) -> None:
    reader = FrameReader()
    for packet in packets:
        reader.read(packet)


def _projecting(packets: Sequence[RtpPacket], spatial: int, temporal: int) -> Action:
    """All packets, by a projection that is new."""
    _read(packets)

    def measured() -> Projection:
        projection = projection_for(packets[0].frame)
        projection.start(packets[0])
        accept = projection.accept
        for packet in packets:
            accept(packet, spatial=spatial, temporal=temporal)
        return projection

    return Action(measured)


def _demands(count: int, moment: int) -> list[Demand]:
    """Cameras whose bit rates are never quite the same."""
    layers = [
        Layer(spatial, temporal, rate * share * (1 + moment % 7 / 1000))
        for spatial, rate in enumerate(RATES)
        for temporal, share in enumerate(SHARES)
    ]
    return [
        Demand(f"TR_{track}", "video", "camera", 100, layers, len(layers) - 1, pixels=230_400)
        for track in range(count)
    ]


def _allocating(count: int, estimate: float) -> Action:
    """Estimates that change a little, four times a second."""
    allocator = Allocator()
    moments = [_demands(count, moment) for moment in range(CALLS)]
    calls = 0

    def measured() -> None:
        nonlocal calls
        for demands in moments:
            calls += 1
            allocator.allocate(
                demands, estimate=estimate * (1 + calls % 5 / 100), now=100 + calls / 4
            )

    return Action(measured)


def _trace() -> Trace:
    return Trace(lambda _data: True, {}, now=0.0)


def _trace_bursts() -> Callable[[], object]:
    def measured() -> None:
        trace = _trace()
        for number in range(CALLS):
            trace.sent(8 * number, (1116,) * 8, 0, now=number / 30)

    return measured


def _trace_feedback() -> Callable[[], object]:
    feedback = TransportFeedback(1, 2, 3, 4, 5, (40,) * 29)

    def measured() -> None:
        trace = _trace()
        for number in range(CALLS):
            trace.feedback(feedback, now=number / 10)

    return measured


def _trace_samples() -> Callable[[], object]:
    estimator = BandwidthEstimator()

    def measured() -> None:
        trace = _trace()
        for number in range(CALLS):
            trace.sample(estimator, now=number / 5)

    return measured


def _trace_allocations() -> Callable[[], object]:
    allocator = Allocator()
    moments = []
    for moment in range(CALLS):
        demands = _demands(TRACKS, moment)
        points = [
            [LayerStatus(p.spatial, p.temporal, "", 0, 0, round(p.bitrate)) for p in d.layers]
            for d in demands
        ]
        moments.append((demands, points, allocator.allocate(demands, estimate=1e7, now=moment / 4)))

    def measured() -> None:
        trace = _trace()
        for number, (demands, points, allocation) in enumerate(moments):
            trace.allocation(
                demands,
                points,
                allocation,
                estimate=1e7,
                estimated=1e7,
                congested=False,
                now=number / 4,
            )

    return measured
