"""What congestion control costs: noting what is sent, and reading what comes back."""

from collections.abc import Iterator
from functools import partial

from benchmarks.micro.case import Action, Case
from sfu.congestion.estimator import BandwidthEstimator
from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.congestion.pacer import BurstPacer
from sfu.wire.rtcp import TransportFeedback, parse_compound

FRAME = (1100,) * 8  # bytes of each packet
AUDIO = (120,)
# 0.1 s, as a subscriber of one camera and one voice gets it: 29 packets.
BURSTS = (
    (0.0, FRAME),
    (0.005, AUDIO),
    (0.025, AUDIO),
    (0.033, FRAME),
    (0.045, AUDIO),
    (0.066, FRAME),
    (0.072, AUDIO),
    (0.09, AUDIO),
)
FEEDBACKS = 10  # of one call: the history holds no more than 2 s
LOST = 20  # of so many packets one, in the lossy case


def cases() -> Iterator[Case]:
    """The history, the estimator and the pacer of one subscriber."""
    bursts = FEEDBACKS * len(BURSTS)
    yield Case("estimator: note a burst", bursts, lambda: Action(_filled))
    for name, lossy in (("well received", False), ("5 % lost", True)):
        yield Case(
            f"estimator: parse and take feedback of 29 packets, {name}",
            FEEDBACKS,
            partial(_taking, lossy=lossy),
        )
    yield Case("pacer: a frame", bursts, lambda: Action(_pace))


def _times(index: int) -> Iterator[tuple[float, tuple[int, ...]]]:
    for offset, sizes in BURSTS:
        yield 100 + index * 0.1 + offset, sizes


def _filled() -> BandwidthEstimator:
    estimator = BandwidthEstimator()
    number = 0
    for index in range(FEEDBACKS):
        for now, sizes in _times(index):
            estimator.sent(number, sizes, now=now)
            number += len(sizes)
    return estimator


def _taking(*, lossy: bool) -> Action:
    """Time goes on from call to call; what is sent is noted outside of the measurement."""
    estimator = BandwidthEstimator()
    generator = TransportFeedbackGenerator(sender_ssrc=1)
    index = number = 0
    data: list[tuple[float, bytes]] = []

    def prepare() -> None:
        nonlocal index, number
        data.clear()
        for _ in range(FEEDBACKS):
            for now, sizes in _times(index):
                estimator.sent(number, sizes, now=now)
                for i in range(len(sizes)):
                    if not lossy or number % LOST:
                        generator.received(number & 0xFFFF, now + 0.03 + i * 0.001)
                    number += 1
            index += 1
            now = 100 + index * 0.1 + 0.04
            data.extend((now, bytes(feedback)) for feedback in generator.build(now=now))

    def measured() -> float:
        for now, feedback in data:
            for packet in parse_compound(feedback):
                assert isinstance(packet, TransportFeedback)
                estimator.receive_feedback(packet, now=now)
        return estimator.estimate

    return Action(measured, prepare)


def _pace() -> None:
    pacer = BurstPacer()
    for index in range(FEEDBACKS):
        for now, sizes in _times(index):
            if pacer.budget(now=now, estimate=3e6):
                pacer.spent(sum(sizes))
