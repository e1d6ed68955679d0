"""A glance at feedback shows whether the path is as it was."""

import pytest

from sfu.congestion.calm import MARKS, MAX_DELAY, CalmWatch
from sfu.congestion.feedback import TransportFeedbackGenerator
from sfu.wire.twcc import TransportFeedback


class Path:
    """Bursts of four packets, 30 times a second, and the feedback to them."""

    def __init__(self, first: int = 0, clock: float = 5000.0) -> None:
        self.watch = CalmWatch()
        self.generator = TransportFeedbackGenerator(sender_ssrc=1)
        self.number = first
        self.now = 100.0
        self.clock = clock

    def send(self, *, delay: float = 0.02, lost: int = -1) -> None:
        self.watch.sent(self.number, self.now)
        for i in range(4):
            if i != lost:
                arrival = self.now + delay + self.clock + i / 10000
                self.generator.received(self.number + i & 0xFFFF, arrival)
        self.number += 4
        self.now += 1 / 30

    def feedback(self, *, delay: float = 0.02, lost: int = -1) -> TransportFeedback:
        for _ in range(3):
            self.send(delay=delay, lost=lost)
        (feedback,) = self.generator.build(now=self.now + self.clock + 0.1)
        return feedback


@pytest.mark.parametrize("first", [0, 32760, 65530, 10_000_000])
def test_it_takes_one_look_to_know_what_is_usual(first: int) -> None:
    path = Path(first)
    assert not path.watch.is_calm(path.feedback())
    for _ in range(50):
        assert path.watch.is_calm(path.feedback())


def test_a_queue_shows() -> None:
    path = Path()
    for _ in range(10):
        path.watch.is_calm(path.feedback())
    assert path.watch.is_calm(path.feedback(delay=0.02 + MAX_DELAY / 2))
    assert not path.watch.is_calm(path.feedback(delay=0.02 + 2 * MAX_DELAY))
    assert path.watch.is_calm(path.feedback())


def test_a_loss_shows() -> None:
    path = Path()
    for _ in range(10):
        path.watch.is_calm(path.feedback())
    assert not path.watch.is_calm(path.feedback(lost=1))


def test_a_path_that_got_longer_is_usual_after_a_while() -> None:
    path = Path()
    for _ in range(10):
        path.watch.is_calm(path.feedback())
    calm = [path.watch.is_calm(path.feedback(delay=0.08)) for _ in range(120)]
    assert not calm[0]
    assert calm[-1]


def test_feedback_on_what_was_never_sent_is_not_calm() -> None:
    assert not CalmWatch().is_calm(TransportFeedback(1, 2, 7, 0, 0, (1, 2, 3)))
    path = Path()
    for _ in range(MARKS):
        path.send()
    path.generator.build(now=path.now + path.clock + 0.1)
    path.watch.is_calm(path.feedback())
    assert not path.watch.is_calm(TransportFeedback(1, 2, 0, 0, 0, (1, 2, 3)))
    assert not path.watch.is_calm(TransportFeedback(1, 2, 0, 0, 0, ()))
