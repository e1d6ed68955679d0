"""Markdown tables, and figures as people write them."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def microseconds(seconds: float) -> str:
    """For example "4.6 µs"."""
    return f"{seconds * 1e6:.1f} µs"


def milliseconds(seconds: float) -> str:
    """For example "0.31 ms"."""
    return f"{seconds * 1e3:.2f} ms"


def share(value: float) -> str:
    """For example "0.02 %"; what is not quite nothing never reads as nothing."""
    if value <= 0:
        return "0"
    return f"{value:.2%}".replace("%", " %") if value >= 0.0001 else "< 0.01 %"


def kilobytes(octets: float) -> str:
    """For example "43 KB"."""
    return f"{octets / 1000:.0f} KB"


def rate(per_second: float) -> str:
    """For example "60,000/s"."""
    return f"{per_second:,.0f}/s"


def megabytes(octets: float) -> str:
    """For example "87 MB"."""
    return f"{octets / 1e6:.0f} MB"
