from collections.abc import Callable
from random import Random

import pytest

from recorder.media.frame import Unit
from recorder.media.timeline import Timeline
from recorder.values import Reference
from sfu.stream.sender_report import RtpClock, SenderClock
from sfu.wire.parameters import OPUS, VP8

UNIX = 1_800_000_000.0  # the wall clock less the monotonic one
HOURS = 3600.0


def unit(ssrc: int, timestamp: int, arrival: float, duration: float = 0.0) -> Unit:
    codec = OPUS if duration else VP8
    return Unit(b"", ssrc, timestamp, arrival, codec, True, duration, 0, 0, b"", 0, False)


class Track:
    """A track whose frames are placed as they come."""

    def __init__(self, rate: int = 90000, *, first: int = 0xFFFFFF00) -> None:
        self.timeline = Timeline(rate)
        self.rate = rate
        self.first = first
        self.ssrc = 1

    def stamp(self, media: float) -> int:
        return (self.first + round(media * self.rate)) & 0xFFFFFFFF

    def refer(self, media: float, captured: float, *, reported: bool = True) -> None:
        reference = Reference(self.ssrc, UNIX + captured, self.stamp(media), reported)
        self.timeline.refer(reference)

    def place(self, media: float, arrival: float) -> float:
        """When it was captured, seconds; a frame that is held is asked for again."""
        frame = unit(self.ssrc, self.stamp(media), arrival)
        time = self.timeline.place(frame, frame, now=arrival)
        if time is None:
            time = self.timeline.place(frame, frame, now=arrival + 0.51)
        assert time is not None
        return time - UNIX


class Publisher:
    """Samples with a clock of its own, and reports to the server as browsers do.

    Args:
        rate: RTP clock in Hz.
        skew: Of the sampling clock, parts of one.
        interval: Of sender reports, s.
    """

    def __init__(
        self, clock: SenderClock, rate: int, skew: float, interval: float, rng: Random
    ) -> None:
        self.rtp = RtpClock(sender_clock=clock, clock_rate=rate)
        self.timeline = Timeline(rate)
        self._rate = rate * (1 + skew)
        self._interval = interval
        self._first = rng.getrandbits(32)
        self._reported = -interval / 2
        self._referred = -1.0
        self._rng = rng

    def send(self, now: float, ntp: Callable[[float], float]) -> float | None:
        """Capture something at `now`; returns when it is said to have been captured."""
        timestamp = (self._first + round(now * self._rate)) & 0xFFFFFFFF
        arrival = now + 0.02 + self._rng.expovariate(100)
        if not self.rtp.reported:
            self.rtp.observe(timestamp, arrival)
        if now - self._reported >= self._interval:
            self._reported = now
            # Browsers are a millisecond or so off in what they report.
            wrong = self._rng.uniform(-0.001, 0.001)
            self.rtp.receive(ntp(now + wrong), timestamp, now=arrival)
        if now - self._referred >= 1:
            self._referred = now
            known = self.rtp.reference(now=arrival)
            if known is not None:
                self.timeline.refer(Reference(1, *known, self.rtp.reported))
        frame = unit(1, timestamp, arrival)
        return self.timeline.place(frame, frame, now=arrival)


@pytest.mark.parametrize("skew", [1e-4, -1e-4])
def test_sound_and_picture_stay_in_step_for_two_hours_of_drift(skew):
    rng = Random(7)
    clock = SenderClock(wall_offset=UNIX)
    sound = Publisher(clock, 48000, skew, 5.0, rng)
    picture = Publisher(clock, 90000, 0.0, 1.0, rng)
    worst = drift = 0.0
    before = sound_before = 0.0

    for step in range(round(2 * HOURS * 4)):
        now = 100 + step / 4

        def ntp(at: float) -> float:
            return 5e8 + at * (1 - skew)  # its own notion of time drifts from ours too

        heard, seen = sound.send(now, ntp), picture.send(now, ntp)
        assert heard is not None
        assert seen is not None
        assert seen > before
        assert heard > sound_before
        if step > 40:  # reports of both have come
            worst = max(worst, abs(heard - seen))
            assert heard - sound_before == pytest.approx(0.25, rel=0.002)
        before, sound_before = seen, heard
        drift = max(drift, abs(seen - UNIX - now)) if step > 40 else 0.0

    assert worst < 0.005
    assert drift < 0.1  # to the server's clock: the delay of the path is in it


def test_the_first_report_corrects_what_was_given_out_before():
    track = Track()
    track.refer(0, 0.15, reported=False)  # by arrival
    times = [track.place(n / 30, n / 30 + 0.15) for n in range(30)]
    assert track.timeline.offset_correction is None

    track.refer(1, 1.0)
    later = [track.place(n / 30, n / 30 + 0.15) for n in range(30, 60)]

    correction = track.timeline.offset_correction
    assert correction == pytest.approx(-0.15, abs=2e-5)
    for number, time in enumerate([*(t + correction for t in times), *later]):
        assert time == pytest.approx(number / 30, abs=2e-5)


def test_what_is_reported_from_the_beginning_needs_no_correction():
    track = Track()
    track.refer(0, 0)
    assert track.timeline.offset_correction is None
    track.place(0, 0.15)
    assert track.timeline.offset_correction == 0


def test_nothing_is_placed_before_a_reference():
    timeline = Timeline(90000)
    frame = unit(1, 5, 0.0)
    assert timeline.place(frame, frame, now=10) is None
    timeline.refer(Reference(1, UNIX, 5, False))
    assert timeline.place(frame, frame, now=10) == UNIX


def test_an_absurd_first_report_is_not_believed():
    track = Track()
    track.refer(0, 0, reported=False)
    track.place(0, 0)
    track.refer(0, 7000)
    assert track.timeline.offset_correction is None
    assert track.place(1, 1) == pytest.approx(1)


def test_a_correction_is_stretched_over_time():
    track = Track()
    track.refer(0, 0)
    track.place(0, 0.1)
    track.refer(0, 0.014)
    steps = []
    before = 0.0
    for number in range(1, 3001):
        time = track.place(number / 30, number / 30 + 0.1)
        steps.append(time - before)
        before = time
    assert max(steps) <= 1.001 / 30 + 1e-6
    assert before == pytest.approx(100.014, abs=0.001)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 4.0, -4.0, 40000.0])
@pytest.mark.parametrize("after", [1, 10])
def test_timestamps_that_jump_do_not_take_time_with_them(jump, after):
    track = Track()
    track.refer(0, 0)
    times = [track.place(n / 30, n / 30 + 0.1) for n in range(after * 30)]
    times += [track.place(n / 30 + jump, n / 30 + 0.1) for n in range(after * 30, 900)]
    for number, time in enumerate(times):
        assert time == pytest.approx(number / 30, abs=1e-3)


def test_timestamps_that_stood_still_in_a_pause_are_placed_by_arrival():
    track = Track(48000)
    track.refer(0, 0)
    for n in range(500):
        track.place(n / 50, n / 50 + 0.1)
    # A minute of silence that the sender's clock has not seen; its old report is still known.
    times = [track.place(n / 50, 60 + n / 50 + 0.1) for n in range(500, 1000)]
    assert times[0] == pytest.approx(70, abs=1e-3)
    assert times[-1] - times[0] == pytest.approx(499 / 50, abs=1e-3)
    # The new report knows better than arrivals.
    track.refer(20, 80.01)
    for n in range(1000, 2000):
        time = track.place(n / 50, 60 + n / 50 + 0.1)
    assert time == pytest.approx(60.01 + 1999 / 50, abs=2e-3)


def test_what_was_held_up_on_the_way_keeps_its_time():
    track = Track()
    track.refer(0, 0)
    for n in range(300):
        track.place(n / 30, n / 30 + 0.1)
    held = [unit(1, track.stamp(n / 30), max(n / 30 + 0.1, 15.0)) for n in range(300, 600)]
    # All that was held up comes at once at 15 s.
    newest = held[150]
    for n, frame in enumerate(held, 300):
        time = track.timeline.place(frame, max(frame, newest, key=lambda f: f.arrival), now=15.0)
        assert time == pytest.approx(UNIX + n / 30, abs=2e-5)


def test_a_pause_that_timestamps_know_of_needs_no_anchor():
    track = Track()
    track.refer(0, 0)
    track.place(0, 0.1)
    track.place(5, 5.1)
    assert track.place(5 * HOURS, 5 * HOURS + 0.1) == pytest.approx(5 * HOURS)
    # Longer than half a turn of the timestamps: by arrival.
    assert track.place(12 * HOURS, 12 * HOURS + 0.1) == pytest.approx(12 * HOURS, abs=2)


def test_the_first_frames_may_come_from_a_cache():
    track = Track()
    track.refer(0, 0)
    for n in range(600):
        arrival = max(2.0, n / 30 + 0.05)  # two seconds at once, then live
        assert track.place(n / 30, arrival) == pytest.approx(n / 30, abs=2e-5)


def test_another_stream_goes_on_at_its_own_report():
    track = Track()
    track.refer(0, 0)
    for n in range(300):
        track.place(n / 30, n / 30 + 0.1)
    track.ssrc, track.first = 2, 12345
    track.refer(10, 10.0)
    assert track.place(10, 10.13) == pytest.approx(10)


def test_another_stream_without_a_report_goes_on_by_arrival():
    track = Track()
    track.refer(0, 0)
    for n in range(300):
        track.place(n / 30, n / 30 + 0.1)
    track.ssrc, track.first = 2, 12345
    track.refer(10, 10.1, reported=False)
    assert track.place(10, 10.1) == pytest.approx(10, abs=1e-3)
    assert track.place(10.04, 10.15) == pytest.approx(10.04, abs=1e-3)


def test_the_stream_before_any_report_may_change():
    track = Track()
    track.refer(0, 0.1, reported=False)
    first = track.place(0, 0.1)
    track.ssrc, track.first = 2, 12345
    track.refer(1, 1.0)
    second = track.place(1, 1.1)
    assert second - first == pytest.approx(1)
    assert track.timeline.offset_correction is None
    track.refer(1.5, 1.5)
    assert track.timeline.offset_correction == pytest.approx(-0.1)
    assert track.place(2, 2.1) == pytest.approx(2)


def test_times_increase_though_timestamps_do_not():
    track = Track()
    track.refer(0, 0)
    times = [track.place(media, 1 + n / 30) for n, media in enumerate((0.9, 1.0, 0.95, 1.0, 1.1))]
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(1.1)


def test_random_timestamps_never_go_backwards():
    rng = Random(5)
    track = Track()
    track.refer(0, 0)
    now, before = 0.0, float("-inf")
    for _ in range(20_000):
        now += rng.expovariate(30)
        if rng.random() < 0.05:
            track.refer(rng.uniform(-5, 5) + now, now, reported=rng.random() < 0.5)
        if rng.random() < 0.01:
            track.first = rng.getrandbits(32)
        if rng.random() < 0.01:
            track.ssrc = rng.randrange(20)
        time = track.place(now + rng.uniform(-0.3, 0.3), now)
        assert time > before
        assert abs(time - now) < 15
        before = time


@pytest.mark.parametrize("duration", [0.0, 0.02])
def test_a_pause_that_was_none_is_taken_back(duration):
    track = Track()
    track.refer(0, 0)
    for n in range(500):
        track.place(n / 50, n / 50 + 0.1)
    # One comes late and alone, as after a pause; but then, all that was held up with it.
    assert track.place(10, 10.9) == pytest.approx(10.8)
    waiting: list[Unit] = []
    last = UNIX + 10.8
    for n in range(501, 5000):
        waiting.append(unit(1, track.stamp(n / 50), max(n / 50 + 0.1, 11.5), duration))
        if n < 570:  # up to here they come at once
            continue
        while waiting:
            time = track.timeline.place(waiting[0], waiting[-1], now=waiting[-1].arrival)
            if time is None:
                break
            waiting.pop(0)
            assert time > last
            last = time
        if n % 50 == 0:
            track.refer(n / 50, n / 50)
    assert last == pytest.approx(UNIX + 4999 / 50, abs=2e-3)


@pytest.mark.parametrize("skew", [0.05, -0.05])
@pytest.mark.parametrize("duration", [0.0, 0.02])
def test_a_clock_that_is_all_wrong_does_not_run_away(skew, duration):
    track = Track()
    track.refer(0, 0)
    waiting: list[Unit] = []
    last = float("-inf")
    for n in range(5000):
        now = n / 50 + 0.1
        waiting.append(unit(1, track.stamp(n / 50 * (1 + skew)), now, duration))
        while waiting:
            time = track.timeline.place(waiting[0], waiting[-1], now=now)
            if time is None:
                break
            assert time > last
            last = time
            captured = waiting.pop(0).arrival - 0.1
            assert time - UNIX == pytest.approx(captured, abs=4.5)
    assert len(waiting) < 30


def test_a_cache_may_hold_few_frames():
    track = Track()
    track.refer(0, 0)
    assert track.place(0, 2.0) == pytest.approx(0)
    assert track.place(1.9, 2.0) == pytest.approx(1.9, abs=2e-5)


def test_reports_that_are_a_little_off_are_smoothed():
    track = Track()
    track.refer(0, 0)
    for number in range(3000):
        if number and number % 30 == 0:
            track.refer(number / 30, number / 30 + (0.0005 if number % 60 else -0.0005))
        time = track.place(number / 30, number / 30 + 0.1)
        assert time == pytest.approx(number / 30, abs=0.00025)
