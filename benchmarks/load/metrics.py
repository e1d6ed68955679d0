"""The figures of a run by name, and thresholds on them that decide its exit code."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.load.result import Verdict
from benchmarks.load.units import Unit, parse_quantity


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is about."""

    unit: Unit
    meaning: str


METRICS: dict[str, Metric] = {
    "packets_sent": Metric("rate", "RTP packets that all publishers sent, a second"),
    "packets_received": Metric("rate", "different RTP packets that all subscribers got, a second"),
    "bits_sent": Metric("bits", "bit rate of all publishers"),
    "bits_received": Metric("bits", "bit rate to all subscribers"),
    "loss": Metric("share", "share of the expected packets that did not come, repairs counted"),
    "packets_lost": Metric("", "expected packets that did not come, repairs counted"),
    "worst_loss": Metric("share", "loss of the subscriber who lost most"),
    "bystander_loss": Metric("share", "loss of those connected all the time, in churn and bursts"),
    "p50_delay": Metric("seconds", "one-way delay, median"),
    "p95_delay": Metric("seconds", "one-way delay, 95th percentile"),
    "p99_delay": Metric("seconds", "one-way delay, 99th percentile"),
    "bystander_p99_delay": Metric("seconds", "p99_delay of those connected all the time"),
    "bystander_max_delay": Metric("seconds", "the longest delay of those connected all the time"),
    "jitter": Metric("seconds", "RFC 3550 jitter, the worst of all subscribers"),
    "freezes": Metric("", "gaps of over 200 ms between decodable frames, all subscribers"),
    "long_freezes": Metric("", "gaps of over 500 ms between decodable frames"),
    "bystander_freezes": Metric("", "freezes of those connected all the time"),
    "frozen": Metric("share", "share of the watched time that was frozen"),
    "p50_join": Metric("seconds", "time from the first request to a connected transport, median"),
    "p99_join": Metric("seconds", "the same, 99th percentile"),
    "p99_first_packet": Metric("seconds", "time from the first request to the first media packet"),
    "p99_first_key_frame": Metric("seconds", "the same to the first whole key frame"),
    "failed": Metric("", "clients that failed to join or were cut off"),
    "silent": Metric("", "connected subscribers that got no packet"),
    "withheld": Metric(
        "share", "share of what publishers sent that the server left out: layers, pauses"
    ),
    "nacks": Metric("", "lost packets that subscribers asked for"),
    "plis": Metric("", "key frames that subscribers asked for"),
    "dropped_on_purpose": Metric("", "packets that publishers left out, by --loss"),
    "resent": Metric("", "packets that publishers sent again"),
    "server_plis": Metric("", "key frames that the server asked publishers for"),
    "server_cpu": Metric("cores", "processor that the server used, 100 % is one core"),
    "server_cpu_per_packet": Metric("seconds", "server CPU time for each packet received"),
    "server_memory": Metric("bytes", "most resident memory of the server"),
    "server_memory_growth": Metric("bytes", "growth of the server's memory in an hour"),
    "server_drops": Metric("", "datagrams that the server's own sockets lost"),
    "kernel_drops": Metric("", "packets that the kernel dropped between server and tester"),
    "tester_cpu": Metric("cores", "processor that the tester used"),
    "tester_drops": Metric("", "datagrams that the tester itself lost; must be 0"),
    "tester_behind": Metric("seconds", "the most that the tester sent something too late"),
    "tester_backlog": Metric(
        "seconds", "the most that a datagram waited for the tester to read it"
    ),
    "knee": Metric("rate", "most packets a second to all subscribers within a ramp's bounds"),
}

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
CONDITION = re.compile(r"\s*([a-z0-9_]+)\s*([<>]=?)\s*(.+?)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition under which the run has failed, "loss>0.1%" for example."""

    text: str
    metric: str
    comparison: str
    bound: float

    def judge(self, metrics: Mapping[str, float | None]) -> Verdict:
        """Hold it against a run; what was not measured has failed."""
        value = metrics.get(self.metric)
        failed = value is None or COMPARISONS[self.comparison](value, self.bound)
        return Verdict(self.text, self.metric, value, failed)


def parse_threshold(text: str) -> Threshold:
    """Read a threshold: a metric, one of > >= < <=, and a bound in the metric's unit.

    Raises:
        ValueError: A sentence on what is wrong with it.
    """
    match = CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not like "loss>0.1%".')
    name, comparison, bound = match.groups()
    if name not in METRICS:
        raise ValueError(f'There is no figure "{name}"; there are {", ".join(METRICS)}.')
    return Threshold(text, name, comparison, parse_quantity(bound, METRICS[name].unit))
