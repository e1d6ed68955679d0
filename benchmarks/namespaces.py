"""Two network namespaces joined by a veth pair: a server in one, the load in the other.

Nothing else can be reached from either of them, and nothing outside can reach them. Each side has
one core, so that what the load costs is never taken for what the server costs.

    with joined_namespaces() as network:
        server = network.server.start(["aiosfu", "serve", "--host", network.server.address, ...])
        load = network.client.start(["aiosfu", "load", ...])
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

MTU = 1500  # bytes; what the paths of real viewers have, and more than any media packet
PREFIX = 30  # of the two addresses
SERVER_ADDRESS = "198.18.0.1"  # RFC 2544: set aside for benchmarks, so no real network has it
CLIENT_ADDRESS = "198.18.0.2"


class NamespaceError(Exception):
    """The namespaces cannot be made; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """One end.

    Attributes:
        name: As `ip netns` lists it; empty for that of this process.
        address: Where the other end reaches it.
        core: The core that its processes run on.
    """

    name: str
    address: str
    core: int

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command that runs `arguments` in here; it keeps its process id."""
        pinned = ["taskset", "--cpu-list", str(self.core), *arguments]
        return ["ip", "netns", "exec", self.name, *pinned] if self.name else pinned

    def start(
        self,
        arguments: Sequence[str],
        *,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process in here.

        Args:
            arguments: The command.
            stdout: As `subprocess.Popen` takes it.
            stderr: As `subprocess.Popen` takes it.
            environment: Added to ours.
        """
        return subprocess.Popen(
            self.command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **(environment or {})},
        )


@dataclass(frozen=True, slots=True)
class Network:
    """Both ends."""

    server: Namespace
    client: Namespace


def loopback() -> Network:
    """Both ends in this process's own namespace: figures are rough, but everybody may do it."""
    cores = sorted(os.sched_getaffinity(0))
    return Network(Namespace("", "127.0.0.1", cores[0]), Namespace("", "127.0.0.1", cores[-1]))


def missing() -> str:
    """What this machine lacks for namespaces, as a sentence; empty for nothing."""
    for tool, package in (("ip", "iproute2"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            return (
                f"Network namespaces need the command {tool}. On Debian: apt-get install {package}"
            )
    if os.geteuid() != 0:
        return "Network namespaces can only be made by root."
    return ""


@contextmanager
def joined_namespaces(*, offload: bool = True) -> Iterator[Network]:
    """Make the two namespaces; they are removed at the end, whatever happens in between.

    Args:
        offload: Whether what the server sends with UDP segmentation crosses the pair in one piece,
            as with a network card that segments. Without, the kernel cuts it before, on the
            server's account.

    Raises:
        NamespaceError: Not root, a tool is missing, or the kernel does not allow it.
    """
    lack = missing()
    if lack:
        raise NamespaceError(lack)
    cores = sorted(os.sched_getaffinity(0))
    number = os.getpid()
    server = Namespace(f"aiosfu-server-{number}", SERVER_ADDRESS, cores[0])
    client = Namespace(f"aiosfu-load-{number}", CLIENT_ADDRESS, cores[-1])
    made: list[str] = []
    try:
        for end in (server, client):
            _ip("netns", "add", end.name)
            made.append(end.name)
            _ip("-n", end.name, "link", "set", "lo", "up")
        veth = ("link", "add", "media", "mtu", str(MTU), "type", "veth")
        _ip("-n", server.name, *veth, "peer", "media", "mtu", str(MTU), "netns", client.name)
        for end in (server, client):
            _ip("-n", end.name, "address", "add", f"{end.address}/{PREFIX}", "dev", "media")
            _ip("-n", end.name, "link", "set", "media", "up")
        if not offload:
            _ip("-n", server.name, "link", "set", "media", "gso_max_segs", "1")
        yield Network(server, client)
    finally:
        for name in made:
            _remove(name)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        raise NamespaceError(f"ip {' '.join(arguments)} failed: {reason}")


def _remove(name: str) -> None:
    """End what still runs in a namespace, and remove it, and its half of the veth pair with it."""
    listed = subprocess.run(
        ["ip", "netns", "pids", name], capture_output=True, text=True, check=False
    )
    for text in listed.stdout.split():
        try:
            os.kill(int(text), 9)
        except ProcessLookupError:
            continue  # it has just ended by itself
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
