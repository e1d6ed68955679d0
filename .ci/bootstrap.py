"""Make a virtual environment with pip in it, also on a Debian without python3-venv.

Usage: python3 .ci/bootstrap.py DIRECTORY

Debian keeps `ensurepip` in a package of its own. Where it is missing we fetch the one pip wheel
named below and let it install itself.
"""

import hashlib
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.request

PIP = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def main(directory: str) -> None:
    """Make the environment, or say what to install."""
    if sys.version_info < (3, 11):  # noqa: UP036  # this file has to run to say so
        sys.exit("aiosfu needs Python 3.11 or newer. Name one: make PYTHON=python3.12")
    python = os.path.join(directory, "bin", "python")
    try:
        import venv
    except ImportError:
        sys.exit("This Python has no venv module. On Debian: apt-get install python3-venv")
    try:
        import ensurepip  # noqa: F401  # only to see whether it is there

        venv.create(directory, with_pip=True, clear=True)
    except (ImportError, subprocess.CalledProcessError):
        venv.create(directory, with_pip=False, clear=True)
        install_pip(python)


def install_pip(python: str) -> None:
    """Put pip into an environment that has none."""
    # A new machine may have no certificate authorities yet; the hash vouches for the file.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(PIP, context=context, timeout=60) as response:
            wheel = response.read()
    except OSError as error:
        sys.exit(f"Cannot fetch pip ({error}). On Debian: apt-get install python3-venv")
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        sys.exit(f"What came from {PIP} is not the pip that we know.")
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, PIP.rsplit("/", 1)[1])
        with open(path, "wb") as file:
            file.write(wheel)
        # A wheel is a zip file, and Python runs what lies in one.
        command = [python, f"{path}/pip", "install", "--quiet", "--no-index", path]
        subprocess.run(command, check=True)  # noqa: S603  # nothing in it is from outside


if __name__ == "__main__":
    main(sys.argv[1])
