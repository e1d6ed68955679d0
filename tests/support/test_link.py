from sfu.timers import Timers
from sfu.transport.address import Address
from tests.support.link import Link, VirtualTime

ADDRESS = Address("192.0.2.1", 1)


def run(seed: int, **conditions: float) -> list[tuple[float, int]]:
    time = VirtualTime(0.0)
    arrived: list[tuple[float, int]] = []
    link = Link(time, lambda data, _: arrived.append((time.now, data[0])), seed=seed, **conditions)
    for i in range(200):
        time.call_at(i * 0.01, lambda i=i: link.send(bytes([i]) * 100, ADDRESS))
    time.run(10)
    return arrived


def test_same_seed_same_network() -> None:
    conditions = {"loss": 0.2, "jitter": 0.02, "reorder": 0.1, "duplicate": 0.1}
    assert run(1, **conditions) == run(1, **conditions)
    assert run(1, **conditions) != run(2, **conditions)


def test_good_link_delivers_all_in_order_after_the_delay() -> None:
    assert run(1, delay=0.5) == [(i * 0.01 + 0.5, i) for i in range(200)]


def test_jitter_keeps_the_order_and_reordering_does_not() -> None:
    order = [number for _, number in run(1, jitter=0.1)]
    assert order == sorted(order)
    order = [number for _, number in run(1, reorder=0.2)]
    assert order != sorted(order)
    assert sorted(order) == list(range(200))


def test_loss_and_duplication_are_near_their_probability() -> None:
    assert 100 < len(run(1, loss=0.4)) < 140
    assert 225 < len(run(1, duplicate=0.2)) < 255


def test_bottleneck_limits_the_rate_and_drops_behind_a_full_queue() -> None:
    # 128 bytes every 10 ms are 102,400 bit/s.
    assert len(run(1, rate=110_000)) == 200
    arrived = run(1, rate=51_200)
    assert 100 < len(arrived) < 125
    assert max(time - 0.01 * number for time, number in arrived) < 0.3 + 0.02 + 0.03


def test_time_drives_timers_in_order_with_the_link() -> None:
    time = VirtualTime(0.0)
    timers = Timers()
    time.drive(timers)
    happened: list[tuple[str, float]] = []
    timers.call_at(1.0, lambda now: happened.append(("timer", now)))
    time.call_at(0.5, lambda: happened.append(("call", time.now)))
    time.call_later(1.5, lambda: happened.append(("call", time.now)))
    assert not time.run(0.9, until=lambda: len(happened) == 2)
    assert time.run(5, until=lambda: len(happened) == 2)
    assert time.now == 1.0
    time.run(5)
    assert happened == [("call", 0.5), ("timer", 1.0), ("call", 1.5)]
    assert time.now == 6.0
