"""The HTTP API as one caller sees it."""

from typing import Any

from tests.support.clients import Clients
from tests.support.polling import until

Body = dict[str, Any]


class Api:
    """A caller with a token, or without one.

    Attributes:
        clients: Of the server.
        headers: Of each request.
    """

    def __init__(self, clients: Clients, token: str = "") -> None:
        self.clients = clients
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def request(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]:
        """Status and decoded body."""
        async with self.clients.http.request(
            method, self.clients.url + path, headers=self.headers, **arguments
        ) as response:
            body = await response.json(content_type=None) if await response.read() else None
            return response.status, body

    async def get(self, path: str) -> Any:
        """The body of a request that must succeed."""
        status, body = await self.request("GET", path)
        assert status == 200, body
        return body

    async def refused(self, method: str, path: str, **arguments: Any) -> tuple[int, str]:
        """Status and error of a request that must not succeed."""
        status, body = await self.request(method, path, **arguments)
        assert status >= 400, body
        assert body["detail"]
        return status, body["error"]

    # -- recordings

    async def record(self, room: str = "a", **wanted: Any) -> Body:
        """Begin a recording."""
        status, body = await self.request("POST", f"/api/v1/rooms/{room}/recordings", json=wanted)
        assert status == 201, body
        return dict(body)

    async def recording(self, recording: str) -> Body:
        """How it goes."""
        return dict(await self.get(f"/api/v1/recordings/{recording}"))

    async def stop(self, recording: str) -> Body:
        """End it."""
        status, body = await self.request("POST", f"/api/v1/recordings/{recording}/stop")
        assert status == 200, body
        return dict(body)

    async def delete(self, recording: str) -> None:
        """Delete it."""
        status, body = await self.request("DELETE", f"/api/v1/recordings/{recording}")
        assert (status, body) == (204, None)

    async def files(self, recording: str) -> dict[str, Body]:
        """Its files by name."""
        files = (await self.get(f"/api/v1/recordings/{recording}/files"))["files"]
        return {file["name"]: file for file in files}

    async def recorded(self, recording: str, *, seconds: float = 1.0) -> Body:
        """The recording, as soon as there are files and so much time has passed."""

        async def look() -> Body | None:
            found = await self.recording(recording)
            return found if found["bytes"] and found["duration"] > seconds else None

        return dict(await until(look, f"{seconds} s are recorded", deadline=30.0))

    async def reaches(self, recording: str, state: str) -> Body:
        """The recording, as soon as it is in this state."""

        async def look() -> Body | None:
            found = await self.recording(recording)
            return found if found["state"] == state else None

        return dict(await until(look, f"{recording} is {state}", deadline=30.0))
