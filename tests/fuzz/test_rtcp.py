"""Invariant: bytes are refused with ParseError, or read as packets that are written and read alike.

What is read is bounded by the bytes: one packet for four of them, and one status of transport-wide
feedback for `MAX_STATUSES` at the most.
"""

from random import Random

from sfu.errors import ParseError
from sfu.wire.rtcp import (
    FullIntraRequest,
    Goodbye,
    Nack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    parse_compound,
    serialize_compound,
)
from sfu.wire.twcc import DELTA_MAX, DELTA_MIN, MAX_STATUSES, parse_transport_feedback
from tests.fuzz.mutate import corpus, mutations

COUNT = 220_000
SEED = 2


def generated(rng: Random) -> list[bytes]:
    """One of each packet, with random fields."""

    def word() -> int:
        return rng.randrange(1 << 32)

    def block() -> ReportBlock:
        lost = rng.randrange(-(1 << 23), 1 << 23)
        return ReportBlock(word(), rng.randrange(256), lost, word(), word(), word(), word())

    choices = (None, 0, 1, 255, 256, -1)
    deltas = tuple(rng.choices(choices, k=rng.randrange(1, 60)))
    return [
        bytes(packet)
        for packet in (
            SenderReport(word(), word() << 32, word(), word(), word(), (block(), block())),
            ReceiverReport(word(), (block(),)),
            SourceDescription(((word(), "a" * rng.randrange(9)), (word(), "é"))),
            Goodbye((word(), word())),
            Nack(word(), word(), tuple(rng.randrange(1 << 16) for _ in range(5))),
            PictureLossIndication(word(), word()),
            FullIntraRequest(word(), ((word(), rng.randrange(256)),)),
            ReceiverEstimatedMaximumBitrate(word(), word(), (word(), word())),
            TransportFeedback(word(), word(), rng.randrange(1 << 16), 5, 6, deltas),
            TransportFeedback(word(), word(), 0, 5, 6, (4,) * 100),
        )
    ]


def test_compound_packets():
    rng = Random(SEED)
    seeds = corpus("rtcp") + [data for _ in range(10) for data in generated(rng)]
    for seed in seeds:
        assert parse_compound(seed)
    refused = read = 0
    for data in mutations(seeds, COUNT, rng):
        try:
            packets = parse_compound(data)
        except ParseError:
            refused += 1
            continue
        read += 1
        assert len(packets) <= len(data) / 4
        if read % 4 == 0:
            assert parse_compound(serialize_compound(packets)) == packets, data.hex()
    assert min(refused, read) > COUNT // 10


def test_transport_feedback():
    rng = Random(SEED)
    deltas = (1, None, 300, -5, 255, 0, 7)
    seeds = [
        bytes(TransportFeedback(1, 2, base, 3, 4, deltas * times))[4:]
        for base, times in ((0, 1), (65533, 4), (100, 40))
    ]
    refused = read = 0
    for data in mutations(seeds, COUNT, rng):
        try:
            feedback = parse_transport_feedback(data)
        except ParseError:
            refused += 1
            continue
        read += 1
        assert len(feedback.deltas) <= MAX_STATUSES
        received = [delta for delta in feedback.deltas if delta is not None]
        assert len(received) <= len(data)
        assert not received or DELTA_MIN <= min(received) <= max(received) <= DELTA_MAX
        if read % 16 == 0:
            assert parse_compound(bytes(feedback)) == [feedback], data.hex()
            assert len(feedback.arrivals()) == len(received)
    assert min(refused, read) > COUNT // 10
