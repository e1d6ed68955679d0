"""Packets that the kernel threw away, from what /proc tells: by sockets, and before any socket."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

SOFTNET = Path("/proc/net/softnet_stat")

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_INODE, _DROPS = 9, 12  # columns of /proc/net/udp; see proc_net_udp in the kernel's documentation


class SocketDrops:
    """Counts what the UDP sockets of some processes have dropped, closed ones included."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}  # by inode

    def read(self, pids: Iterable[int]) -> int | None:
        """Datagrams dropped so far; None where these processes may not be looked at.

        Args:
            pids: The processes, all in one network namespace.
        """
        inodes: set[str] = set()
        tables = ""
        for pid in pids:
            try:
                inodes |= _sockets(pid)
                tables = tables or _tables(Path(f"/proc/{pid}/net"))
            except FileNotFoundError:
                continue  # it ended just now
            except OSError:
                return None
        self._known |= {inode: drops for inode, drops in _drops(tables) if inode in inodes}
        return sum(self._known.values())


def softnet_drops(path: Path = SOFTNET) -> int | None:
    """Packets that this machine's kernel dropped because a processor's queue of them was full.

    What goes to sockets of this machine, or comes from the network without NAPI, waits in queues
    of `net.core.netdev_max_backlog` packets, one for each processor. The count is the machine's,
    of all network namespaces.
    """
    try:
        lines = path.read_text().splitlines()
        return sum(int(line.split()[1], 16) for line in lines)
    except (OSError, ValueError, IndexError):
        return None


def _sockets(pid: int) -> set[str]:
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found = _SOCKET.fullmatch(os.readlink(entry.path))
        except FileNotFoundError:
            continue  # closed just now
        if found:
            inodes.add(found[1])
    return inodes


def _tables(folder: Path) -> str:
    # Without IPv6 there is no udp6.
    return "\n".join(
        path.read_text() for path in (folder / "udp", folder / "udp6") if path.exists()
    )


def _drops(table: str) -> Iterable[tuple[str, int]]:
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > _DROPS and fields[_DROPS].isdecimal():
            yield fields[_INODE], int(fields[_DROPS])
