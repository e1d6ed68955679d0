"""A disk that is soon full."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with 4 MiB. As for network namespaces, only a developer's machine may lack it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False, text=True)
    if done.returncode:
        lack = f"a small disk cannot be mounted: {done.stderr.strip()}"
        if os.environ.get("CI") or os.geteuid() == 0:
            pytest.fail(lack)
        pytest.skip(lack)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
