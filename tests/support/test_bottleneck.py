from functools import partial
from math import inf, isclose
from typing import Any

import pytest

from sfu.transport.address import Address
from tests.support.bottleneck import Bottleneck, Outage
from tests.support.capacity import Capacity
from tests.support.link import VirtualTime
from tests.support.reno import RenoFlow

ADDRESS = Address("192.0.2.1", 1)
SIZE = 972  # bytes; with headers 1000


class Path:
    """Packets at regular times through a bottleneck."""

    def __init__(self, **conditions: Any) -> None:
        self.time = VirtualTime(50.0)
        self.arrived: list[tuple[float, int]] = []
        self.bottleneck = Bottleneck(self.time, self._arrive, **{"seed": 1} | conditions)

    def _arrive(self, data: bytes, source: Address) -> None:
        assert source == ADDRESS
        self.arrived.append((self.time.now - self.bottleneck.epoch, int.from_bytes(data[:4])))

    def send(self, count: int, interval: float) -> list[tuple[float, int]]:
        for i in range(count):
            data = i.to_bytes(4) + bytes(SIZE - 4)
            self.time.call_later(i * interval, partial(self.bottleneck.send, data, ADDRESS))
        self.time.run(count * interval + 20)
        return self.arrived


def test_a_schedule_integrates_its_steps() -> None:
    capacity = Capacity(((0, 1000), (2, 0), (3, 500)))
    assert capacity.at(-1) == capacity.at(1.9) == 1000
    assert capacity.at(2) == 0
    assert capacity.bits(1, 4) == 1000 + 500
    assert capacity.finish(1, 500) == 1.5
    assert capacity.finish(1, 1500) == 4  # it waits through the second without capacity
    assert capacity.finish(2.5, 500) == 4
    assert Capacity(((0, 1000), (1, 0))).finish(0.5, 501) == inf


def test_a_trace_begins_again_at_its_end() -> None:
    capacity = Capacity.trace([1000, 3000], interval=0.5)
    assert [capacity.at(t) for t in (0, 0.5, 1.0, 7.6)] == [1000, 3000, 1000, 3000]
    assert capacity.bits(0, 10) == 20_000
    assert isclose(capacity.finish(0.25, 20_000), 10.25)
    assert isclose(capacity.finish(10.5, 1500), 11.0)


def test_a_function_is_looked_at_once_an_interval() -> None:
    capacity = Capacity.function(lambda t: 100 * (1 + t), seconds=2, interval=1)
    assert [capacity.at(t) for t in (0, 0.9, 1, 1.9, 2)] == [100, 100, 200, 200, 100]


def test_packets_leave_at_the_rate_of_the_moment() -> None:
    path = Path(capacity=Capacity(((0, 80_000), (1, 8_000))), delay=0.5, queue=60.0)
    arrived = path.send(12, 0.0)
    # 8,000 bits each: ten in the first second, then one a second.
    expected = [0.1 * (i + 1) + 0.5 for i in range(10)] + [2.5, 3.5]
    assert [n for _, n in arrived] == list(range(12))
    assert all(isclose(time, at) for (time, _), at in zip(arrived, expected, strict=True))


def test_a_full_queue_drops_the_newest() -> None:
    path = Path(capacity=80_000, queue_bytes=5000)
    assert [n for _, n in path.send(20, 0.0)] == [0, 1, 2, 3, 4]
    assert path.bottleneck.drops == {"queue": 15}
    assert path.bottleneck.lost == 15
    path = Path(capacity=80_000, queue=0.25)
    assert [n for _, n in path.send(20, 0.0)] == [0, 1, 2]


def test_random_loss_and_its_bursts_are_near_their_figures() -> None:
    for burst in (1.0, 4.0):
        path = Path(loss=0.1, loss_burst=burst)
        got = {n for _, n in path.send(20_000, 0.001)}
        lost = [n for n in range(20_000) if n not in got]
        runs = sum(n - 1 in got or n == 0 for n in lost)
        assert len(lost) / 20_000 == pytest.approx(0.1, abs=0.015)
        assert len(lost) / runs == pytest.approx(1 / 0.9 if burst == 1 else burst, rel=0.15)


def test_an_outage_loses_everything_while_it_lasts() -> None:
    path = Path(outage=Outage(10, 0.5), delay=0)
    got = {n for _, n in path.send(250, 0.1)}
    assert set(range(250)) - got == {*range(100, 105), *range(200, 205)}


def test_jitter_keeps_the_order_and_reordering_does_not() -> None:
    order = [n for _, n in Path(jitter=0.06).send(500, 0.01)]
    assert order == sorted(order)
    order = [n for _, n in Path(reorder=0.03).send(500, 0.01)]
    assert order != sorted(order)
    assert sorted(order) == list(range(500))


def test_what_arrives_in_one_moment_is_delivered_at_once() -> None:
    batches: list[int] = []
    path = Path(deliver_all=lambda datagrams: batches.append(len(datagrams)))
    path.bottleneck.send(bytes(10), ADDRESS)
    path.bottleneck.send(bytes(10), ADDRESS)
    path.time.run(1)
    path.bottleneck.send(bytes(10), ADDRESS)
    path.time.run(1)
    assert batches == [2, 1]


def test_statistics_tell_waiting_and_use() -> None:
    path = Path(capacity=80_000)
    path.send(50, 0.2)  # 40,000 bit/s
    assert path.bottleneck.utilisation(0, 10) == pytest.approx(0.5, abs=0.02)
    assert path.bottleneck.queue_delay(95) == 0
    path = Path(capacity=80_000, queue=9.0)
    path.send(50, 0.05)
    # Each waits for 50 ms more than the one before.
    assert path.bottleneck.queue_delay(50) == pytest.approx(1.25, abs=0.06)
    assert path.bottleneck.queue_delay(95, 0, 1) == pytest.approx(0.95, abs=0.06)
    path.bottleneck.begin()
    assert path.bottleneck.waits() == []


def test_same_seed_same_path() -> None:
    conditions: dict[str, Any] = {"loss": 0.1, "jitter": 0.02, "reorder": 0.05, "capacity": 1e6}
    assert Path(**conditions).send(300, 0.01) == Path(**conditions).send(300, 0.01)
    other = Path(**conditions, seed=2).send(300, 0.01)
    assert other != Path(**conditions).send(300, 0.01)


def test_a_reno_flow_fills_the_path_and_backs_off_at_drops() -> None:
    path = Path(capacity=2e6, queue=0.2)
    flow = RenoFlow(path.time, path.bottleneck)
    flow.start()
    path.time.run(60)
    assert path.bottleneck.share(10, 60, flow="tcp") > 0.9
    assert 0 < flow.lost < flow.acknowledged / 20
    flow.stop()
    path.time.run(5)
    assert path.bottleneck.carried(62, 65, flow="tcp") == 0


def test_two_reno_flows_share() -> None:
    path = Path(capacity=4e6, queue=0.2)
    flows = [RenoFlow(path.time, path.bottleneck, name=name) for name in ("a", "b")]
    for flow in flows:
        flow.start()
    path.time.run(120)
    assert path.bottleneck.share(20, 120, flow="a") > 0.25
    assert path.bottleneck.share(20, 120, flow="b") > 0.25


def test_a_reno_flow_survives_an_outage() -> None:
    path = Path(capacity=2e6, queue=0.2, outage=Outage(10, 2))
    RenoFlow(path.time, path.bottleneck).start()
    path.time.run(20)
    assert path.bottleneck.share(15, 20, flow="tcp") > 0.5
