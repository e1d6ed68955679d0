import pytest

from benchmarks.load.units import Unit, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("50ms", "seconds", 0.05),
        ("1us", "seconds", 1e-6),
        ("2.5 s", "seconds", 2.5),
        ("5m", "seconds", 300),
        ("3", "seconds", 3),
        ("0.1%", "share", 0.001),
        ("0.5", "share", 0.5),
        ("2.5M", "bits", 2.5e6),
        ("100MB", "bytes", 1e8),
        ("80%", "cores", 0.8),
        ("12k", "rate", 12000),
        ("7", "", 7),
    ],
)
def test_quantity_is_read(text: str, unit: Unit, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("", "seconds"), ("ms", "seconds"), ("5%", "seconds"), ("-1s", "seconds"), ("nan", "share")],
)
def test_what_is_no_quantity_is_told(text: str, unit: Unit) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_quantity(text, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "seconds", "–"),
        (0.0, "seconds", "0 s"),
        (5.2e-6, "seconds", "5.2 µs"),
        (0.0123, "seconds", "12.3 ms"),
        (59.5, "seconds", "59.5 s"),
        (150.0, "seconds", "2 min 30 s"),
        (7260.0, "seconds", "2 h 1 min"),
        (0.0, "share", "0 %"),
        (0.00123, "share", "0.123 %"),
        (0.25, "share", "25 %"),
        (15.0, "cores", "1500 %"),
        (95.3e6, "bytes", "95.3 MB"),
        (1.5e9, "bits", "1.5 Gbit/s"),
        (12000.4, "rate", "12,000/s"),
        (3, "", "3"),
        (1.25, "", "1.25"),
    ],
)
def test_quantity_is_written(value: float | None, unit: Unit, text: str) -> None:
    assert format_quantity(value, unit) == text
