"""Recordings as a program asks a server for them, by HTTP."""

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from recorder.values import RecordingRequest
from sfu.errors import LocalError
from signaling.messages import RecordingFileInfo, RecordingInfo
from signaling.problems import Problem
from signaling.recordings_api import API, JSON, RecordingFiles

TIMEOUT = 10.0  # s for an answer

Answer = TypeVar("Answer")


class ServerGoneError(LocalError):
    """The server does not answer, or answers what no server of ours would."""


class RecordingClient:
    """Asks for recordings; to be used with `async with`.

    Args:
        url: Of the server, with the path that the application is mounted at.
        token: Makes the access token of each request; empty for none.
        by: Who is told to start recordings where no token says who it is.
    """

    def __init__(self, url: str, token: Callable[[], str], *, by: str = "") -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._by = by
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "RecordingClient":
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def start(self, room: str, request: RecordingRequest) -> RecordingInfo:
        """Have a room recorded.

        Raises:
            LocalError: The server refuses.
            ServerGoneError: It does not answer.
        """
        query = f"?by={quote(self._by, safe='')}" if self._by else ""
        path = f"/rooms/{quote(room, safe='')}/recordings{query}"
        return await self._ask("POST", path, RecordingInfo, msgspec.json.encode(request))

    async def get(self, recording: str) -> RecordingInfo:
        """How it goes; raises as `start`."""
        return await self._ask("GET", f"/recordings/{recording}", RecordingInfo)

    async def stop(self, recording: str) -> RecordingInfo:
        """End it; raises as `start`."""
        return await self._ask("POST", f"/recordings/{recording}/stop", RecordingInfo)

    async def files(self, recording: str) -> list[RecordingFileInfo]:
        """Its files; raises as `start`."""
        return (await self._ask("GET", f"/recordings/{recording}/files", RecordingFiles)).files

    def hls_url(self, recording: str) -> str:
        """Where players find a composite with HLS."""
        return f"{self._url}{API}/recordings/{recording}/hls/index.m3u8"

    async def _ask(self, method: str, path: str, answer: type[Answer], body: bytes = b"") -> Answer:
        assert self._http is not None
        token = self._token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body:
            headers["Content-Type"] = JSON
        try:
            async with self._http.request(
                method, self._url + API + path, headers=headers, data=body or None
            ) as response:
                status, text = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = str(error) or "it does not answer in time"
            raise ServerGoneError(f"{self._url}: {reason}.") from error
        try:
            if status < 300:
                return msgspec.json.decode(text, type=answer)
            problem = msgspec.json.decode(text, type=Problem)
        except msgspec.MsgspecError as error:
            raise ServerGoneError(
                f"{self._url} answers with status {status} what aiosfu does not: is it there?"
            ) from error
        raise LocalError(problem.detail, name=problem.error)
