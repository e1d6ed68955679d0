"""Processes of our own, which are to find the packages that we have found."""

import os
from pathlib import Path

PACKAGES = Path(__file__).parents[1]


def environment() -> dict[str, str]:
    """Of a process `python -m recorder…`: ours, with our packages before all others."""
    ours = str(PACKAGES)
    given = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{ours}{os.pathsep}{given}" if given else ours}
