"""Debian's nginx with its RTMP module, on a free port of the loopback interface."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.polling import until

MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 64; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        ping 1s;
        application live {{
            live on;
            record all;
            record_path {records};
            record_unique on;
        }}
    }}
}}
"""


class RtmpServer:
    """Takes streams at `url(key)` and writes each to a file in `records`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.records.mkdir()
        self.port = free_port(socket.SOCK_STREAM)
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, key: str) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{key}"

    async def start(self) -> None:
        self._starts += 1  # nginx names files by the second
        records = self.records / str(self._starts)
        records.mkdir()
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        config = self.folder / "nginx.conf"
        config.write_text(
            CONFIG.format(module=MODULE, folder=self.folder, port=self.port, records=records)
        )
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [program, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await until(self._listens, "nginx listens")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def files(self) -> list[Path]:
        return sorted(self.records.glob("*/*.flv"), key=lambda path: path.stat().st_mtime_ns)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "error.log").read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


@asynccontextmanager
async def running_rtmp_server(folder: Path) -> AsyncIterator[RtmpServer]:
    """A server that has begun to listen."""
    server = RtmpServer(folder)
    await server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port(kind: socket.SocketKind) -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
