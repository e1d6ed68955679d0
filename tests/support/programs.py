"""Programs of others that tests run: servers and players that we must get along with.

On a machine of a developer who has not got one, its tests are skipped with a word on how to get it;
where `CI` is set they fail instead, so that no missing package hides a test.
"""

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """The path of a program; skips the test, or lets it fail, where there is none.

    Args:
        name: Of the program.
        package: Debian's, which has it.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    lack = f"This test needs {name}. On Debian: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(lack)
    pytest.skip(lack)
