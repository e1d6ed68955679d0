import pytest

from sfu.congestion.history import AckedBurst
from sfu.congestion.probe import (
    CALM,
    MAX_INTERVAL,
    MIN_PACKET,
    PATIENCE,
    ProbeCluster,
    ProbeController,
    ProbeResult,
)


def ask(
    probes: ProbeController,
    now: float,
    *,
    estimate: float = 600e3,
    goal: float = 3e6,
    **more: float,
) -> ProbeCluster | None:
    return probes.wanted(
        now=now, estimate=estimate, goal=goal, **{"sending": 300e3, "maximum": 100e6, **more}
    )


def wanted(probes: ProbeController, now: float, **more: float) -> ProbeCluster:
    cluster = ask(probes, now, **more)
    assert cluster is not None
    return cluster


def answer(
    probes: ProbeController, cluster: ProbeCluster, now: float, *, capacity: float, lost: int = 0
) -> ProbeResult | None:
    """What a link of this capacity makes of the cluster."""
    size = cluster.size // cluster.bursts
    packets = max(size // 1200, 1)
    free_at = 0.0
    bursts = []
    for i in range(cluster.bursts):
        send = now + i * cluster.interval
        start = max(send, free_at)
        free_at = start + 8 * size / capacity
        first = start + 8 * size / packets / capacity
        bursts.append(AckedBurst(send, size, packets, 0, first + 7, free_at + 7, cluster.id))
    return probes.receive(bursts[lost:], now=now + cluster.duration + 0.1)


def test_nothing_is_probed_that_nobody_needs():
    assert ask(ProbeController(), 1.0, goal=500e3) is None
    assert ask(ProbeController(), 1.0, goal=600e3) is None


def test_the_first_probe_is_at_three_times_the_estimate_or_what_is_wanted():
    cluster = wanted(ProbeController(), 1.0)
    assert cluster.bitrate == 3 * 600e3
    assert 0.015 <= cluster.duration <= 0.025
    assert cluster.bursts == 5
    assert cluster.size * 8 / (cluster.bursts * cluster.interval) == pytest.approx(
        cluster.bitrate, rel=0.01
    )
    assert wanted(ProbeController(), 1.0, goal=1e6).bitrate == 1.2e6


def test_a_probe_is_always_above_what_is_sent_and_never_above_the_maximum():
    assert wanted(ProbeController(), 1.0, goal=601e3, sending=700e3).bitrate == 1.3 * 700e3
    assert wanted(ProbeController(), 1.0, maximum=1e6).bitrate == 1e6
    assert ask(ProbeController(), 1.0, maximum=600e3) is None


def test_slow_probes_have_five_small_packets():
    cluster = wanted(ProbeController(), 1.0, estimate=30e3, goal=100e3, sending=0.0)
    assert cluster.size == 5 * MIN_PACKET
    assert cluster.size * 8 / (5 * cluster.interval) == pytest.approx(cluster.bitrate)


def test_jitter_makes_probes_longer():
    assert wanted(ProbeController(), 1.0, jitter=0.02).duration == pytest.approx(0.08)
    assert wanted(ProbeController(), 1.0, jitter=1.0).duration <= 0.1


@pytest.mark.parametrize("capacity", [1e6, 1.5e6, 5e6, 100e6])
def test_a_probe_shows_the_lesser_of_capacity_and_what_was_sent(capacity: float):
    probes = ProbeController()
    cluster = wanted(probes, 1.0)
    result = answer(probes, cluster, 1.0, capacity=capacity)
    assert result is not None
    assert 0.85 * min(capacity, cluster.bitrate) <= result.bitrate
    assert result.bitrate <= min(capacity, cluster.bitrate)
    assert result.full == (capacity < cluster.bitrate)
    assert probes.cluster is None


def test_after_success_the_next_follows_at_once_and_after_failure_it_waits():
    probes = ProbeController()
    answer(probes, wanted(probes, 1.0), 1.0, capacity=100e6)
    cluster = wanted(probes, 1.2, estimate=1.7e6)
    assert cluster.bitrate == 2 * 1.7e6
    answer(probes, cluster, 1.2, capacity=1.8e6)
    assert ask(probes, 3.2, estimate=1.7e6) is None
    assert wanted(probes, 5.0, estimate=1.7e6)


def test_the_wait_grows_to_a_bound():
    probes = ProbeController()
    now, waits = 1.0, []
    for _ in range(8):
        answer(probes, wanted(probes, now), now, capacity=600e3)
        begin = now
        while ask(probes, now) is None:
            now += 0.1
        assert probes.cluster is not None
        waits.append(now - begin)
        answer(probes, probes.cluster, now, capacity=600e3)
        now += MAX_INTERVAL + 1
    assert waits[0] < 5
    assert waits[-1] == pytest.approx(MAX_INTERVAL, abs=0.4)


def test_one_probe_at_a_time_and_none_after_overuse():
    probes = ProbeController()
    wanted(probes, 1.0)
    assert ask(probes, 1.1) is None
    assert ask(probes, 1.1 + PATIENCE) is None, "it failed just now"
    assert probes.failures == 1
    calm = ProbeController()
    calm.overused(now=1.0)
    assert ask(calm, 1.0 + CALM / 2) is None
    assert ask(calm, 1.01 + CALM)


def test_a_probe_of_which_too_much_is_lost_shows_nothing():
    probes = ProbeController()
    cluster = wanted(probes, 1.0)
    assert answer(probes, cluster, 1.0, capacity=100e6, lost=2) is None
    assert probes.cluster is cluster


def test_packets_that_were_held_up_together_show_nothing():
    probes = ProbeController()
    cluster = wanted(probes, 1.0)
    bursts = [
        AckedBurst(1 + i * 0.005, cluster.size // 5, 1, 0, 7 + i * 1e-4, 7 + i * 1e-4, cluster.id)
        for i in range(5)
    ]
    assert probes.receive(bursts, now=1.2) is None
    assert probes.failures == 1
