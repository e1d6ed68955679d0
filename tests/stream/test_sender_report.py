import random

import pytest

from sfu.stream.sender_report import SLEW, STEP, RtpClock, SenderClock

WALL = 1.7e9  # Unix seconds less monotonic seconds


class Publisher:
    """A sender whose clock shows `now + ahead` (and drifts), with a stream at one RTP rate."""

    def __init__(self, clock: SenderClock, rate: int, first: int) -> None:
        self.rtp = RtpClock(sender_clock=clock, clock_rate=rate)
        self.rate = rate
        self.first = first

    def timestamp(self, now: float) -> int:
        return (self.first + round(now * self.rate)) & 0xFFFFFFFF

    def report(self, now: float, *, ahead: float, delay: float = 0.0, drift: float = 0.0) -> None:
        ntp = WALL + now * (1 + drift) + ahead
        self.rtp.receive(ntp, self.timestamp(now), now=now + delay)


def instant(publisher: Publisher, now: float) -> float:
    """The true time of capture that a subscriber reads for the timestamp in our report."""
    reference = publisher.rtp.reference(now=now)
    assert reference is not None
    seconds, timestamp = reference
    ticks = (timestamp - publisher.first) & 0xFFFFFFFF
    ticks += ((round(now * publisher.rate) - ticks + (1 << 31)) >> 32) << 32
    return seconds - WALL - ticks / publisher.rate


def pair(first_audio: int = 0xFFFFFF00, first_video: int = 12345) -> tuple[Publisher, Publisher]:
    clock = SenderClock(wall_offset=WALL)
    return Publisher(clock, 48000, first_audio), Publisher(clock, 90000, first_video)


def test_there_is_no_reference_before_the_first_packet():
    audio, _ = pair()
    assert audio.rtp.reference(now=1.0) is None


def test_arrival_has_to_do_before_the_first_report():
    audio, _ = pair()
    for i in range(100):
        audio.rtp.observe(audio.timestamp(i * 0.02), i * 0.02 + 0.03)
    reference = audio.rtp.reference(now=3.0)
    assert reference is not None
    assert reference[0] == WALL + 3.0
    assert (reference[1] - audio.timestamp(2.97)) & 0xFFFFFFFF in (0, 1, 0xFFFFFFFF)
    assert not audio.rtp.reported


def test_before_the_first_report_the_least_delayed_frame_counts():
    rng = random.Random(3)
    _, video = pair()
    for i in range(300):
        arrival = i / 30 + 0.02 + (rng.expovariate(50) if i % 10 else 0.0)
        video.rtp.observe(video.timestamp(i / 30), arrival)
        video.rtp.observe(video.timestamp(i / 30), arrival + 0.01)  # the frame's next packet
    assert instant(video, 11.0) == pytest.approx(0.02, abs=0.003)


def test_before_the_first_report_a_jump_of_the_timestamps_is_followed():
    _, video = pair()
    video.rtp.observe(1000, 1.0)
    video.rtp.observe(500_000, 1.1)
    assert video.rtp.reference(now=1.1) == (WALL + 1.1, 500_000)


@pytest.mark.parametrize("ahead", [0.0, -3600.0, 250.5, -WALL])
def test_lip_sync_is_exact_whatever_the_publishers_clock_shows(ahead):
    audio, video = pair()
    audio.report(1.0, ahead=ahead, delay=0.2)
    video.report(1.3, ahead=ahead, delay=0.01)
    for now in (2.0, 10.0, 3600.0, 50_000.0):
        assert instant(audio, now) == pytest.approx(instant(video, now), abs=2e-5)


def test_the_frame_of_a_report_was_sampled_when_the_report_came():
    _, video = pair()
    video.report(5.0, ahead=77.0, delay=0.05)
    for now in (5.05, 5.5, 9.0):
        assert instant(video, now) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_lip_sync_holds_for_two_hours_of_jitter_and_drift(seed):
    rng = random.Random(seed)
    audio, video = pair()
    drift = rng.uniform(-1e-4, 1e-4)
    now = 10.0
    while now < 7200:
        audio.report(now, ahead=5.0, drift=drift, delay=0.03 + rng.expovariate(30))
        if rng.random() < 0.8:
            at = now + 0.5
            video.report(at, ahead=5.0, drift=drift, delay=0.03 + rng.expovariate(30))
        now += 1.0
        if now > 20:
            assert instant(audio, now) == pytest.approx(instant(video, now), abs=1e-3)
    # The drift of the publisher's clock is followed, so that its streams do not age.
    assert instant(audio, now) == pytest.approx(0.03, abs=0.02)


def test_the_offset_moves_slowly():
    clock = SenderClock(wall_offset=WALL)
    clock.receive(WALL + 0.0, now=0.3)
    before = clock.offset
    clock.receive(WALL + 1.0, now=1.0)
    assert before is not None
    assert clock.offset == pytest.approx(before - SLEW * 0.7)


@pytest.mark.parametrize("step", [-3600.0, 2 * STEP, 3600.0])
def test_lip_sync_survives_a_step_of_the_publishers_clock(step):
    audio, video = pair()
    audio.report(1.0, ahead=0.0)
    video.report(1.2, ahead=0.0)
    now = 2.0
    for _ in range(4):
        audio.report(now, ahead=step)
        video.report(now + 0.2, ahead=step)
        now += 1.0
    assert instant(audio, now) == pytest.approx(instant(video, now), abs=1e-3)
    assert instant(audio, now) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("step", [-3600.0, -2 * STEP, 2 * STEP, 3600.0])
def test_lip_sync_holds_while_only_some_streams_have_reported_a_step(step):
    audio, video = pair()
    audio.report(1.0, ahead=0.0)
    video.report(1.2, ahead=0.0)
    for i in range(5):
        audio.report(2.0 + i, ahead=step)
        now = 2.5 + i
        assert instant(audio, now) == pytest.approx(instant(video, now), abs=1e-4)


def test_a_first_report_that_is_held_up_for_long_leaves_the_stream_to_its_arrival():
    audio, video = pair()
    audio.report(1.0, ahead=0.0)
    video.rtp.observe(video.timestamp(1.0), 1.05)
    video.report(1.0, ahead=0.0, delay=0.8)
    assert not video.rtp.reported
    assert instant(video, 3.0) == pytest.approx(0.05, abs=1e-3)


def test_one_report_that_is_held_up_for_long_is_no_step():
    audio, video = pair()
    audio.report(1.0, ahead=0.0, delay=0.02)
    video.report(1.2, ahead=0.0, delay=0.02)
    video.report(2.0, ahead=0.0, delay=0.9)
    assert instant(audio, 3.0) == pytest.approx(instant(video, 3.0), abs=1e-4)
    audio.report(3.0, ahead=0.0, delay=0.02)
    assert instant(audio, 3.1) == pytest.approx(0.02, abs=0.003)


def test_a_restarted_stream_waits_for_its_next_report():
    _, video = pair()
    video.report(1.0, ahead=9.0)
    video.rtp.restart()
    assert video.rtp.reference(now=2.0) is None
    video.rtp.observe(7, 2.0)
    assert video.rtp.reference(now=2.0) == (WALL + 2.0, 7)
