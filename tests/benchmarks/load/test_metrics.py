import pytest

from benchmarks.load.metrics import METRICS, parse_threshold


@pytest.mark.parametrize(
    ("text", "value", "failed"),
    [
        ("loss>0.1%", 0.001, False),
        ("loss>0.1%", 0.0011, True),
        ("loss >= 0.1%", 0.001, True),
        ("p99_delay>50ms", 0.049, False),
        ("p99_delay>50ms", 0.051, True),
        ("packets_received<1000", 999.0, True),
        ("packets_received<=1000", 1001.0, False),
        ("server_cpu_per_packet>6.5us", 7e-6, True),
    ],
)
def test_threshold_judges(text: str, value: float, failed: bool) -> None:
    threshold = parse_threshold(text)
    verdict = threshold.judge({threshold.metric: value})
    assert (verdict.condition, verdict.value, verdict.failed) == (text, value, failed)


def test_what_was_not_measured_has_failed() -> None:
    assert parse_threshold("server_cpu>50%").judge({"server_cpu": None}).failed
    assert parse_threshold("server_cpu>50%").judge({}).failed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not like"),
        ("loss", "is not like"),
        ("loss=1", "is not like"),
        ("los>1%", 'no figure "los"'),
        ("loss>much", "is no number"),
        ("p99_delay>1%", "with one of s, ms"),
    ],
)
def test_bad_threshold_is_told(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_threshold(text)


def test_every_figure_says_what_it_is() -> None:
    assert all(metric.meaning for metric in METRICS.values())
