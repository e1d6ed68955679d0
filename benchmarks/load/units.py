"""Quantities as people write them, and back: 50ms, 0.1%, 2.5M, 10s."""

import re
from typing import Literal

Unit = Literal["", "share", "seconds", "bytes", "bits", "cores", "rate"]

# What each suffix multiplies by.
SUFFIXES: dict[Unit, dict[str, float]] = {
    "": {"": 1, "k": 1e3, "M": 1e6},
    "share": {"": 1, "%": 1e-2},
    "seconds": {"": 1, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "m": 60, "h": 3600},
    "bytes": {"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9},
    "bits": {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9},
    "cores": {"": 1, "%": 1e-2},
    "rate": {"": 1, "/s": 1, "k": 1e3, "k/s": 1e3, "M": 1e6},
}

NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(\S*)")


def parse_quantity(text: str, unit: Unit) -> float:
    """The number that `text` says: seconds for "50ms", a share of 1 for "0.1%".

    Raises:
        ValueError: It says none; a sentence with the suffixes that there are.
    """
    match = NUMBER.fullmatch(text.strip())
    suffixes = SUFFIXES[unit]
    if match is None or match[2] not in suffixes:
        names = ", ".join(suffix for suffix in suffixes if suffix)
        raise ValueError(f'"{text}" is no number' + (f" with one of {names}." if names else "."))
    return float(match[1]) * suffixes[match[2]]


def format_quantity(value: float | None, unit: Unit) -> str:
    """Short text for people; a dash for None."""
    if value is None:
        return "–"
    if unit in ("share", "cores"):
        percent = value * 100
        return f"{percent:.0f} %" if percent >= 100 else f"{percent:.3g} %"
    if unit == "seconds":
        return _seconds(value)
    if unit == "bytes":
        return _scaled(value, "B")
    if unit == "bits":
        return _scaled(value, "bit/s")
    text = f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"
    return f"{text}/s" if unit == "rate" else text


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    if abs(value) < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if abs(value) < 1:
        return f"{value * 1e3:.3g} ms"
    if abs(value) < 120:
        return f"{value:.3g} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _scaled(value: float, name: str) -> str:
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{name}"
    return f"{value:.3g} {name}"
