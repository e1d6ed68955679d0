"""The account that is kept of samples; times are given, so that rates are exact."""

from dataclasses import replace

import pytest

from benchmarks.load.collector import Collector
from benchmarks.load.histogram import Histogram
from benchmarks.load.model import ClientSample, Sample
from benchmarks.load.server_stats import ServerReading
from benchmarks.load.window import nearest_rank

PUBLISHER = ClientSample("p0", "room", publishes=True, subscribes=False, state="connected")
SUBSCRIBER = ClientSample("s1", "room", publishes=False, subscribes=True, state="connected")
NOTHING = ServerReading()


def delays(*seconds: float) -> Histogram:
    histogram = Histogram()
    for delay in seconds:
        histogram.add(delay)
    return histogram


def viewer(expected: int, received: int, name: str = "s1", **more: object) -> ClientSample:
    counters = {"packets_expected": expected, "packets_received": received}
    return replace(SUBSCRIBER, name=name, **counters, **more)  # type: ignore[arg-type]


def test_rates_are_those_between_two_samples_however_late_they_come() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 10.0, [viewer(1000, 1000, bytes_received=10_000)]))
    collector.receive(Sample(0, 12.0, [viewer(3000, 2000, bytes_received=30_000)], cpu_time=1.0))
    point = collector.tick(NOTHING, now=12.3)
    assert point.time == 12.3
    assert point.packets_received == 500
    assert point.bits_received == 80_000
    assert point.loss == pytest.approx(0.5)
    assert point.tester_cpu == pytest.approx(0.5)
    assert (point.publishers, point.subscribers) == (0, 1)


def test_processes_add_up() -> None:
    collector = Collector(now=0.0)
    for process, name in enumerate(("s1", "s2")):
        collector.receive(Sample(process, 1.0, [viewer(0, 0, name)]))
        collector.receive(Sample(process, 2.0, [viewer(100, 100, name)]))
    assert collector.tick(NOTHING, now=2.0).packets_received == 200


def test_repair_of_earlier_loss_is_no_negative_loss() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [viewer(100, 80)]))
    collector.receive(Sample(0, 2.0, [viewer(200, 200)]))
    assert collector.tick(NOTHING, now=2.0).loss == 0


def test_what_happened_is_told_once() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [replace(SUBSCRIBER, state="joining")]))
    collector.receive(Sample(0, 2.0, [replace(SUBSCRIBER, plis=1, delays=delays(0.1, 0.2))]))
    collector.receive(Sample(0, 3.0, [replace(SUBSCRIBER, plis=3, freezes_short=2)]))
    point = collector.tick(NOTHING, now=3.0)
    assert (point.joins, point.plis, point.freezes, point.leaves) == (1, 3, 2, 0)
    assert point.delay_p99 == pytest.approx(0.2, rel=0.05)
    collector.receive(Sample(0, 4.0, [replace(SUBSCRIBER, plis=3, freezes_short=2, state="left")]))
    point = collector.tick(NOTHING, now=4.0)
    assert (point.joins, point.plis, point.freezes, point.leaves) == (0, 0, 0, 1)
    assert point.delay_p99 is None
    assert point.subscribers == 0


def test_processor_of_the_server_is_that_between_readings() -> None:
    collector = Collector(now=0.0)
    assert collector.tick(ServerReading(5.0, 1000), now=1.0).server_cpu is None
    point = collector.tick(ServerReading(6.5, 2000), now=3.0)
    assert point.server_cpu == pytest.approx(0.75)
    assert point.server_memory == 2000
    assert collector.tick(NOTHING, now=4.0).server_cpu is None


def test_clients_of_a_process_that_has_ended_have_failed() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [SUBSCRIBER]))
    collector.receive(Sample(1, 1.0, [PUBLISHER]))
    window = collector.begin(NOTHING, now=1.0)
    collector.receive(Sample(0, 2.0, fault="It has ended."))
    assert collector.problems() == {"It has ended.": 1}
    assert collector.count("connected") == 1
    assert [state.sample.process for state in collector.running()] == [1]
    collector.end(window, NOTHING, now=2.0)
    assert [span.stayed for span in window.spans] == [False, True]


def test_problems_are_counted_the_most_frequent_first() -> None:
    collector = Collector(now=0.0)
    errors = ["refused", "late", "refused"]
    clients = [viewer(0, 0, f"s{n}", state="failed", error=e) for n, e in enumerate(errors)]
    collector.receive(Sample(0, 1.0, clients))
    assert list(collector.problems().items()) == [("refused", 2), ("late", 1)]


def test_window_is_the_difference_of_two_moments() -> None:
    collector = Collector(now=0.0)
    collector.receive(
        Sample(
            0,
            10.0,
            [replace(PUBLISHER, packets_sent=100), viewer(100, 90, delays=delays(5.0))],
            cpu_time=1.0,
            socket_drops=7,
        )
    )
    window = collector.begin(ServerReading(3.0), now=10.0)
    collector.receive(
        Sample(
            0,
            15.0,
            [replace(PUBLISHER, packets_sent=1100), viewer(1100, 1080, delays=delays(0.01))],
            cpu_time=2.0,
            socket_drops=9,
            behind=0.02,
        )
    )
    collector.end(window, ServerReading(3.1), now=15.0)
    metrics = window.metrics()
    assert metrics["packets_sent"] == 200
    assert metrics["packets_received"] == 198
    assert metrics["loss"] == pytest.approx(0.01)
    assert metrics["p99_delay"] == pytest.approx(0.01, rel=0.05)
    assert metrics["server_cpu"] == pytest.approx(0.02)
    assert metrics["server_cpu_per_packet"] == pytest.approx(0.1 / 990)
    assert metrics["tester_cpu"] == pytest.approx(0.2)
    assert (metrics["tester_drops"], metrics["tester_behind"]) == (2, 0.02)
    assert metrics["silent"] == 0


def test_frozen_time_is_a_share_of_all_streams_that_were_watched() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 0.0, [viewer(1, 1, frozen_time=1.0, video_streams=2)]))
    window = collector.begin(NOTHING, now=0.0)
    collector.receive(Sample(0, 10.0, [viewer(1, 1, frozen_time=6.0, video_streams=2)]))
    collector.end(window, NOTHING, now=10.0)
    assert window.metrics()["frozen"] == pytest.approx(0.25)


def test_what_kernel_and_server_dropped_and_publishers_left_out_are_differences() -> None:
    collector = Collector(now=0.0)
    publisher = replace(PUBLISHER, packets_dropped=5, packets_resent=4, plis_heard=1)
    collector.receive(Sample(0, 1.0, [publisher, viewer(100, 90)]))
    window = collector.begin(ServerReading(drops=3, kernel_drops=50), now=1.0)
    collector.tick(ServerReading(drops=3, kernel_drops=50), now=1.0)
    publisher = replace(PUBLISHER, packets_dropped=25, packets_resent=14, plis_heard=4)
    sample = Sample(0, 2.0, [publisher, viewer(200, 183)], backlog=0.04)
    collector.receive(sample)
    reading = ServerReading(drops=10, kernel_drops=52)
    point = collector.tick(reading, now=2.0)
    collector.end(window, reading, now=2.0)
    assert (point.server_drops, point.kernel_drops, point.tester_backlog) == (7, 2, 0.04)
    metrics = window.metrics()
    assert (metrics["server_drops"], metrics["kernel_drops"]) == (7, 2)
    assert (metrics["dropped_on_purpose"], metrics["resent"]) == (20, 10)
    assert (metrics["packets_lost"], metrics["server_plis"]) == (7, 3)
    assert metrics["tester_backlog"] == 0.04


def test_notes_are_counted_and_exhaustion_is_known() -> None:
    collector = Collector(now=0.0)
    clients = [viewer(0, 0, f"s{n}", note="No simulcast.") for n in range(3)]
    collector.receive(Sample(0, 1.0, clients))
    assert collector.notes() == {"No simulcast.": 3}
    assert not collector.out_of_files()
    collector.receive(Sample(0, 2.0, [viewer(0, 0, "s4", state="failed", out_of_files=True)]))
    assert collector.out_of_files()


def test_bystanders_are_those_who_were_there_all_the_time() -> None:
    collector = Collector(now=0.0)
    stays, goes = viewer(100, 100), viewer(100, 100, "s2")
    collector.receive(Sample(0, 1.0, [stays, goes]))
    window = collector.begin(NOTHING, now=1.0)
    collector.receive(
        Sample(
            0,
            5.0,
            [
                viewer(200, 190, freezes_short=1, delays=delays(*[0.01] * 199, 0.1)),
                viewer(200, 100, "s2", state="left"),
                viewer(100, 50, "s3", freezes_short=4, delays=delays(*[5.0] * 100)),
            ],
        )
    )
    collector.end(window, NOTHING, now=5.0)
    metrics = window.metrics()
    assert metrics["bystander_loss"] == pytest.approx(0.1)
    assert metrics["bystander_freezes"] == 1
    assert metrics["bystander_p99_delay"] == pytest.approx(0.01, rel=0.05)
    assert metrics["bystander_max_delay"] == pytest.approx(0.1, rel=0.05)
    assert metrics["loss"] == pytest.approx(1 - 140 / 300)
    assert metrics["worst_loss"] == pytest.approx(1.0)


def test_join_times_are_those_of_who_joined_meanwhile() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [viewer(1, 1, join_time=0.5)]))
    window = collector.begin(NOTHING, now=1.0)
    collector.receive(
        Sample(0, 2.0, [viewer(2, 2, join_time=0.5), viewer(1, 1, "s2", join_time=0.1)])
    )
    collector.end(window, NOTHING, now=2.0)
    assert window.metrics()["p99_join"] == 0.1


def test_who_was_gone_before_is_not_in_the_window() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [viewer(9, 9, state="left"), viewer(9, 9, "s2")]))
    window = collector.begin(NOTHING, now=1.0)
    collector.receive(Sample(0, 2.0, [viewer(9, 9, "s2")]))
    collector.end(window, NOTHING, now=2.0)
    assert [summary.name for summary in window.summaries()] == ["s2"]


def test_subscriber_without_a_packet_is_silent_unless_it_has_just_come() -> None:
    collector = Collector(now=0.0)
    collector.receive(Sample(0, 1.0, [SUBSCRIBER]))
    window = collector.begin(NOTHING, now=1.0)
    collector.receive(Sample(0, 9.0, [SUBSCRIBER, replace(SUBSCRIBER, name="s2")]))
    collector.end(window, NOTHING, now=9.5)
    assert window.metrics()["silent"] == 1


def test_window_in_which_nothing_happened_has_no_figures_to_pass() -> None:
    collector = Collector(now=0.0)
    window = collector.begin(NOTHING, now=1.0)
    collector.end(window, NOTHING, now=1.0)
    metrics = window.metrics()
    assert metrics["loss"] is None
    assert metrics["p99_delay"] is None
    assert metrics["p99_join"] is None
    assert metrics["server_cpu_per_packet"] is None


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (50, 5.0), (90, 9.0), (91, 10.0), (99, 10.0), (100, 10.0)]
)
def test_nearest_rank(percent: float, value: float) -> None:
    assert nearest_rank([float(n) for n in range(10, 0, -1)], percent) == value
