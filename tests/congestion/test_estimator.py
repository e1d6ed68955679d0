import random

import pytest

from sfu.congestion.estimator import BandwidthEstimator
from sfu.wire.twcc import REFERENCE_PERIOD, TransportFeedback


class Client:
    """Sends three frames of eight packets each 0.1 s, and tells of them as it is asked to."""

    def __init__(self, estimator: BandwidthEstimator) -> None:
        self.estimator = estimator
        self.now = 1000.0
        self.number = 0

    def send(self, *, frames: int = 3) -> int:
        first = self.number
        for i in range(frames):
            self.estimator.sent(self.number, [1200] * 8, now=self.now + i / 30)
            self.number += 8
        self.now += 0.1
        return first

    def tell(self, first: int, deltas: tuple[int | None, ...], *, offset: float = 0.0) -> None:
        reference = round((self.now + offset - 0.1) / 0.064) % REFERENCE_PERIOD
        self.estimator.receive_feedback(
            TransportFeedback(1, 2, first & 0xFFFF, reference, 0, deltas), now=self.now
        )

    def well(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.tell(self.send(), WELL)

    def report(self, seconds: int, loss: float = 0.0) -> None:
        for _ in range(seconds):
            for _ in range(10):
                self.send()
                self.timer()
            self.estimator.receive_report(loss, 0.05, now=self.now)

    def timer(self) -> None:
        when = self.estimator.get_timer()
        if when is not None and when <= self.now:
            self.estimator.handle_timer(now=self.now)


WELL = (0, *(4,) * 7, 105, *(4,) * 7, 105, *(4,) * 7)  # deltas: frames as they were sent
RATE = 8 * 1200 * 8 * 30  # bit/s that a client sends


def client(start: float = 600e3) -> Client:
    return Client(BandwidthEstimator(start=start, maximum=10e6))


def test_what_is_acknowledged_bounds_the_rise():
    subject = client()
    subject.well(60)
    estimator = subject.estimator
    assert estimator.mode == "transport_cc"
    assert estimator.acknowledged_bitrate == pytest.approx(RATE, rel=0.1)
    assert RATE < estimator.estimate < 1.7 * RATE
    assert estimator.loss == 0


def test_the_round_trip_is_that_of_the_report_and_else_that_of_the_feedback():
    subject = client()
    assert subject.estimator.round_trip == 0.2
    subject.well(1)
    assert subject.estimator.round_trip == pytest.approx(0.033, abs=0.002)
    subject.estimator.receive_report(0.0, 0.08, now=subject.now)
    subject.well(1)
    assert subject.estimator.round_trip == 0.08
    subject.well(6)
    assert subject.estimator.round_trip == pytest.approx(0.033, abs=0.002)


def test_without_feedback_reports_move_it():
    subject = client()
    subject.report(10)
    assert subject.estimator.mode == "loss"
    assert subject.estimator.estimate > 900e3
    high = subject.estimator.estimate
    subject.report(3, loss=0.3)
    assert subject.estimator.estimate < 0.75 * high
    assert subject.estimator.loss == 0.3


def test_without_feedback_a_remb_bounds_it():
    subject = client()
    subject.estimator.receive_remb(400e3, now=subject.now)
    assert (subject.estimator.mode, subject.estimator.estimate) == ("remb", 400e3)
    subject.report(5)
    assert subject.estimator.estimate == 400e3


def test_with_feedback_remb_and_reported_loss_are_not_asked():
    subject = client()
    subject.well(5)
    before = subject.estimator.estimate
    subject.estimator.receive_remb(50e3, now=subject.now)
    subject.estimator.receive_report(0.5, 0.05, now=subject.now)
    assert subject.estimator.mode == "transport_cc"
    assert subject.estimator.estimate == before


def test_a_client_that_stops_its_feedback_is_judged_by_its_reports():
    subject = client()
    subject.well(20)
    subject.report(8)
    assert subject.estimator.mode == "loss"
    low = subject.estimator.estimate
    subject.well(0.2)
    assert subject.estimator.mode == "transport_cc"
    assert subject.estimator.estimate == pytest.approx(low, rel=0.05)


def test_silence_lowers_it_and_a_pause_of_ours_does_not():
    subject = client()
    subject.well(20)
    before = subject.estimator.estimate
    for _ in range(300):
        subject.now += 0.1
        subject.timer()
    assert subject.estimator.estimate == before
    subject.send()
    subject.timer()
    assert subject.estimator.estimate == before
    for _ in range(30):
        subject.send()
        subject.timer()
    assert 0.4 * before < subject.estimator.estimate < 0.7 * before
    for _ in range(600):
        subject.send()
        subject.timer()
    assert subject.estimator.estimate == 30e3


def test_nothing_is_to_do_before_something_was_sent():
    assert client().estimator.get_timer() is None


def test_there_is_no_probe_without_feedback_or_need():
    subject = client()
    estimator = subject.estimator
    assert estimator.probe(goal=5e6, sending=300e3, now=subject.now) is None
    subject.well(1)
    assert estimator.probe(goal=100e3, sending=300e3, now=subject.now) is None
    cluster = estimator.probe(goal=5e6, sending=300e3, now=subject.now)
    assert cluster is not None
    assert estimator.sample().probe == cluster.id


def test_a_time_line_that_begins_anew_is_survived():
    subject = client()
    subject.well(10)
    before = subject.estimator.estimate
    for _ in range(50):
        subject.tell(
            subject.send(), (0,) + (4,) * 7 + (105,) + (4,) * 7 + (105,) + (4,) * 7, offset=7e5
        )
    assert subject.estimator.estimate > 0.9 * before
    assert subject.estimator.refused == 1


@pytest.mark.parametrize("seed", range(30))
def test_forged_feedback_has_a_bounded_effect(seed: int):
    rng = random.Random(seed)
    subject = client()
    estimator = subject.estimator
    for _ in range(400):
        subject.send(frames=rng.randint(0, 3))
        kind = rng.random()
        deltas = tuple(
            rng.choice([None, 0, 255, rng.randint(-32768, 32767)] if kind < 0.5 else [0, 0, 4])
            for _ in range(rng.choice([0, 1, 24, 24, 500, 8192]))
        )
        base = rng.choice([subject.number - 24, subject.number - 3, rng.randrange(65536)])
        subject.tell(base, deltas, offset=rng.choice([0, 0, 0, 1e6, rng.uniform(-5, 5)]))
        estimator.receive_remb(rng.choice([0.0, 1e18]), now=subject.now)
        estimator.receive_report(rng.uniform(-1, 2), rng.uniform(-5, 5000), now=subject.now)
        subject.timer()
        estimator.probe(goal=1e9, sending=0.0, now=subject.now)
        assert 30e3 <= estimator.estimate <= 10e6
        assert 0 <= estimator.loss <= 1
        assert estimator.queue_delay >= 0
        assert 0 < estimator.round_trip <= 3
        assert all(value == value for value in estimator.sample())
    assert estimator.refused > 0
