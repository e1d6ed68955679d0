"""The real server on ports of its own: in this process, or as the command that users run."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from signaling.app import create_app
from signaling.keys import SERVER
from signaling.server import MediaServer
from tests.support.polling import until

API_KEY = "testkey"
API_SECRET = "a secret of more than thirty-two characters"


@dataclass
class RunningServer:
    """Where a server is, and its inside where it runs in this process."""

    url: str
    media: MediaServer

    @property
    def websocket_url(self) -> str:
        return websocket_url(self.url)


def websocket_url(url: str) -> str:
    """Where the signaling protocol of the server at `url` is spoken."""
    return url.replace("http", "ws", 1) + "/ws"


async def blank(_request: web.Request) -> web.Response:
    """An empty page, for tests that bring their own script."""
    return web.Response(
        text="<!doctype html><title>blank</title><link rel=icon href=data:,>",
        content_type="text/html",
        headers={"Content-Security-Policy": "default-src 'self'; img-src data:"},
    )


@asynccontextmanager
async def running_server(host: str = "127.0.0.1", **settings: Any) -> AsyncIterator[RunningServer]:
    """A server in this process, with an empty page at `/blank`.

    It lets anyone in unless it has an `api_key`.
    """
    settings.setdefault("dev", "api_key" not in settings)
    settings.setdefault("shutdown_timeout", 1.0)
    app = create_app(host=(host,), http_port=0, udp_port=0, tcp_port=0, **settings)
    app.router.add_get("/blank", blank)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        port = runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        yield RunningServer(f"http://{name}:{port}", app[SERVER])
    finally:
        await runner.cleanup()


class ServerProcess:
    """`aiosfu serve` as its own process.

    Attributes:
        url: Where it says that it is.
        output: What it has written so far.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.output = ""
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.output += line.decode()

    async def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), 15)
        await self._reader
        return code


@asynccontextmanager
async def server_process(*arguments: str) -> AsyncIterator[ServerProcess]:
    """`aiosfu serve --dev` on free ports, ready for connections."""
    ports = ("--http-port", "0", "--udp-port", "0", "--tcp-port", "0")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIOSFU_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from signaling.cli import main; main()",
        *("serve", "--dev", *ports, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    server = ServerProcess(process)
    try:
        greeting = await until(
            lambda: re.search(r"https?://\S+:\d+", server.output), "the server says where it is"
        )
        server.url = greeting[0]
        yield server
    finally:
        await server.stop()
