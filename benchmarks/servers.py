"""Servers to measure, started where the load can reach them: ours, Janus, aiortc's MediaRelay."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.namespaces import Namespace

START_TIMEOUT = 20.0  # s
STOP_TIMEOUT = 10.0  # s
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

JANUS_PORT, JANUS_WEBSOCKET_PORT = 8088, 8188
JANUS_PARTS = ("libjanus_videoroom.so", "libjanus_http.so", "libjanus_websockets.so")
JANUS_FILES = {
    "janus.jcfg": """
general: {{
    plugins_folder = "/usr/lib/{triplet}/janus/plugins"
    transports_folder = "/usr/lib/{triplet}/janus/transports"
    debug_level = 4
    interface = "{host}"
    server_name = "benchmark"
    session_timeout = 0
    {threads}
}}
nat: {{
    ice_enforce_list = "{host}"
}}
media: {{
    ipv6 = false
}}
plugins: {{
    disable = "{unwanted_plugins}"
}}
transports: {{
    disable = "{unwanted_transports}"
}}
loggers: {{
    disable = "libjanus_jsonlog.so"
}}
""",
    "janus.transport.http.jcfg": """
general: {{
    json = "compact"
    base_path = "/janus"
    http = true
    port = {port}
    ip = "{host}"
    https = false
}}
""",
    "janus.transport.websockets.jcfg": """
general: {{
    json = "compact"
    ws = true
    ws_port = {websocket_port}
    ws_ip = "{host}"
    wss = false
}}
""",
    "janus.plugin.videoroom.jcfg": "general: {{}}\n",
}


class ServerError(Exception):
    """A server did not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        name: For tables, with its version.
        url: Where clients are to go.
        protocol: What they are to speak, as `aiosfu load --protocol` has it.
        pid: Its process.
        environment: Credentials for clients, as `aiosfu` reads them.
    """

    name: str
    url: str
    protocol: str
    pid: int
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def cpu_time(self) -> float:
        """Seconds of user and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE


@contextmanager
def _running(
    place: Namespace,
    command: Sequence[str],
    ready: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, re.Match[str]]]:
    """Run a server while the block lasts; `ready` is what it writes when it can be used."""
    with tempfile.TemporaryFile() as output:
        process = place.start(
            command, stdout=output, stderr=subprocess.STDOUT, environment=environment
        )
        try:
            yield process.pid, _wait(process, output.fileno(), command[0], ready)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], output: int, command: str, ready: str) -> re.Match[str]:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        written = os.pread(output, 1 << 20, 0).decode(errors="replace")
        found = re.search(ready, written)
        if found:
            return found
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"{command} did not start:\n{written[-2000:]}")
        time.sleep(0.05)


@contextmanager
def aiosfu_server(place: Namespace, *options: str) -> Iterator[Server]:
    """`aiosfu serve` with these options, on ports of its own.

    Raises:
        ServerError: It did not start.
    """
    keys = {"AIOSFU_API_KEY": "benchmark", "AIOSFU_API_SECRET": secrets.token_hex(32)}
    ports = ("--http-port", "0", "--udp-port", "0", "--tcp-port", "0")
    command = [str(Path(sys.executable).with_name("aiosfu")), "serve", "--host", place.address]
    command += [
        *ports,
        "--max-participants",
        "5000",
        "--max-pending-sessions",
        "5000",
        "--log-level",
        "error",
        *options,
    ]
    with _running(place, command, r"http://[\d.]+:\d+", keys) as (pid, found):
        yield Server("aiosfu", found[0], "whip", pid, keys)


@contextmanager
def media_relay_server(place: Namespace, *, port: int = 8080) -> Iterator[Server]:
    """The naive server (`benchmarks.media_relay_server`).

    Raises:
        ServerError: It did not start.
    """
    command = [sys.executable, "-u", "-m", "benchmarks.media_relay_server"]
    command += ["--host", place.address, "--port", str(port)]
    with _running(place, command, r"http://[\d.]+:\d+") as (pid, found):
        yield Server("aiortc MediaRelay", found[0], "whip", pid)


def janus_version() -> str:
    """For example "1.1.2".

    Raises:
        ServerError: Janus is not installed.
    """
    if shutil.which("janus") is None:
        raise ServerError("There is no Janus here. On Debian: apt-get install janus")
    told = subprocess.run(["janus", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
    return found[0] if found else "?"


@contextmanager
def janus_server(place: Namespace, *, event_loops: int = 0) -> Iterator[Server]:
    """Debian's Janus with the VideoRoom plugin, its HTTP and its WebSocket interface.

    Args:
        place: Where to run it.
        event_loops: Threads that share all peer connections; 0, its default, for one thread each.

    Raises:
        ServerError: It is not installed, or did not start.
    """
    version = janus_version()
    folder = next(Path("/usr/lib").glob("*/janus"))
    names = {
        kind: ",".join(
            path.name for path in folder.glob(f"{kind}/*.so") if path.name not in JANUS_PARTS
        )
        for kind in ("plugins", "transports")
    }
    with tempfile.TemporaryDirectory() as configuration:
        for name, text in JANUS_FILES.items():
            filled = text.format(
                triplet=folder.parent.name,
                host=place.address,
                port=JANUS_PORT,
                websocket_port=JANUS_WEBSOCKET_PORT,
                threads=f"event_loops = {event_loops}" if event_loops else "",
                unwanted_plugins=names["plugins"],
                unwanted_transports=names["transports"],
            )
            (Path(configuration) / name).write_text(filled)
        command = ["janus", "--configs-folder", configuration, "--disable-colors"]
        with _running(place, command, "HTTP webserver started") as (pid, _):
            url = f"http://{place.address}:{JANUS_PORT}/janus"
            yield Server(f"Janus {version}", url, "janus", pid)
