"""Ranges as clients ask for them, over real HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from signaling.file_response import PartialFileResponse

DATA = b"0123456789"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A server of one file with ten bytes, and of an empty one."""

    async def send(request: web.Request) -> web.StreamResponse:
        return PartialFileResponse(tmp_path / request.match_info["name"])

    (tmp_path / "ten").write_bytes(DATA)
    (tmp_path / "none").touch()
    app = web.Application()
    app.router.add_get("/{name}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def get(url: str, name: str, **headers: str) -> tuple[int, str | None, bytes]:
    async with ClientSession() as http, http.get(f"{url}/{name}", headers=headers) as answer:
        return answer.status, answer.headers.get("Content-Range"), await answer.read()


@pytest.mark.parametrize(
    ("asked", "range", "data"),
    [
        ("bytes=0-3", "bytes 0-3/10", DATA[:4]),
        ("bytes=4-", "bytes 4-9/10", DATA[4:]),
        ("bytes=-4", "bytes 6-9/10", DATA[-4:]),
        ("bytes=-99", "bytes 0-9/10", DATA),
        ("bytes=8-99", "bytes 8-9/10", DATA[8:]),
        ("bytes=5-5", "bytes 5-5/10", DATA[5:6]),
    ],
)
async def test_one_range_is_a_part(url: str, asked: str, range: str, data: bytes) -> None:
    assert await get(url, "ten", Range=asked) == (206, range, data)


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=abc", "bytes=-", "bytes=", "bytes"),
        *("", "bytes=--1", "bytes=0-1x", "bytes=+1-2", "bytes=0-" + "9" * 5000, "0-1"),
    ],
)
async def test_what_is_no_range_is_ignored(url: str, asked: str) -> None:
    assert await get(url, "ten", Range=asked) == (200, None, DATA)


@pytest.mark.parametrize(
    ("name", "asked", "range"),
    [
        ("ten", "bytes=10-", "bytes */10"),
        ("ten", "bytes=-0", "bytes */10"),
        ("none", "bytes=0-", "bytes */0"),
    ],
)
async def test_what_no_byte_is_in_cannot_be_sent(
    url: str, name: str, asked: str, range: str
) -> None:
    assert await get(url, name, Range=asked) == (416, range, b"")


async def test_a_part_of_what_has_changed_is_the_whole(url: str) -> None:
    old = "Thu, 01 Jan 1970 00:00:00 GMT"
    status, _, data = await get(url, "ten", **{"Range": "bytes=0-3", "If-Range": old})
    assert (status, data) == (200, DATA)
