"""Sockets in network namespaces, for what loopback has not got: other MTUs, hosts that are silent.

Needs root, iproute2 and util-linux. On a machine of a developer who has not got them these tests
are skipped with that reason; where `CI` is set, or root runs them, they fail instead.
"""

import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest
from cffi import FFI

from benchmarks import namespaces
from benchmarks.namespaces import Namespace

_CLONE_NEWNET = 0x40000000  # linux/sched.h

_ffi = FFI()
_ffi.cdef("int setns(int fd, int type);")


def require_namespaces() -> None:
    """Skip the test, or let it fail, where namespaces cannot be made."""
    lack = namespaces.missing()
    if not lack:
        return
    if os.environ.get("CI") or os.geteuid() == 0:
        pytest.fail(lack)
    pytest.skip(lack)


def ip(namespace: Namespace, *arguments: str) -> None:
    """The command `ip` in a namespace."""
    subprocess.run(["ip", "-n", namespace.name, *arguments], check=True, capture_output=True)


def inside(namespace: Namespace, work: Callable[[], Any]) -> Any:
    """What `work` returns in there; sockets that it opens stay there, also for other threads."""
    results: list[Any] = []

    def enter() -> None:
        descriptor = os.open(f"/run/netns/{namespace.name}", os.O_RDONLY)
        entered: int = _ffi.dlopen(None).setns(descriptor, _CLONE_NEWNET)
        os.close(descriptor)
        assert entered == 0, os.strerror(_ffi.errno)
        results.append(work())

    thread = threading.Thread(target=enter)  # the namespace is the thread's, and ends with it
    thread.start()
    thread.join()
    assert results, "it failed in there"
    return results[0]
