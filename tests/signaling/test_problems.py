import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sfu.errors import LimitError, LocalError, RemoteError, SfuError
from signaling.bodies import read_text
from signaling.messages import ERROR_NAMES
from signaling.problems import MEDIA_TYPE, STATUS, problem_middleware

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def fail(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "bug":
            raise ZeroDivisionError("secret detail")
        if name == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if name == "precondition":
            raise web.HTTPPreconditionFailed(text="Too old.")
        if name == "plain":
            raise web.HTTPConflict
        raise SfuError("A sentence.", name=name)

    async def body(request: web.Request) -> web.Response:
        patience = float(request.query.get("patience", 10))
        return web.Response(
            text=await read_text(request, media_type="text/plain", limit=1000, patience=patience)
        )

    async def broken_stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        raise ZeroDivisionError("in the middle")

    app = web.Application(middlewares=[problem_middleware])
    app.router.add_get("/fail/{name}", fail)
    app.router.add_post("/body", body)
    app.router.add_get("/stream", broken_stream)
    async with TestClient(TestServer(app)) as client:
        yield client


def test_every_error_name_has_a_status() -> None:
    assert set(STATUS) == set(ERROR_NAMES)


@pytest.mark.parametrize("name", sorted(STATUS))
async def test_errors_of_ours(client: Client, name: str) -> None:
    async with client.get(f"/fail/{name}") as response:
        assert response.status == STATUS[name]
        assert response.content_type == MEDIA_TYPE
        problem = await response.json(content_type=MEDIA_TYPE)
    assert problem["error"] == name
    assert problem["detail"] == "A sentence."
    assert problem["status"] == STATUS[name]
    assert problem["type"] == "about:blank"
    assert problem["title"]


async def test_unauthorized_says_how_to_authorize(client: Client) -> None:
    async with client.get("/fail/unauthorized") as response:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_overload_says_when_to_come_back(client: Client) -> None:
    async with client.get("/fail/server_full") as response:
        assert int(response.headers["Retry-After"]) > 0


async def test_unknown_path_and_method(client: Client) -> None:
    async with client.get("/nowhere") as response:
        assert response.status == 404
        assert (await response.json(content_type=MEDIA_TYPE))["detail"] == (
            "There is nothing at /nowhere."
        )
    async with client.put("/body") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert (await response.json(content_type=MEDIA_TYPE))["error"] == "bad_request"


async def test_http_errors_keep_their_sentence(client: Client) -> None:
    async with client.get("/fail/precondition") as response:
        assert response.status == 412
        assert (await response.json(content_type=MEDIA_TYPE))["detail"] == "Too old."
    async with client.get("/fail/plain") as response:
        assert (await response.json(content_type=MEDIA_TYPE))["detail"] == "Conflict."


async def test_redirects_pass(client: Client) -> None:
    async with client.get("/fail/redirect", allow_redirects=False) as response:
        assert response.status == 307


async def test_bug_is_logged_and_not_told(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with client.get("/fail/bug") as response:
        assert response.status == 500
        text = await response.text()
    assert "internal_error" in text
    assert "secret" not in text
    assert "Traceback" not in text
    (record,) = [record for record in caplog.records if record.name == "signaling.problems"]
    assert record.exc_info is not None
    assert "path='/fail/bug'" in record.message


async def test_bug_in_a_begun_response_closes_the_connection(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Exception, match=r"[Pp]ayload|[Cc]onnection"):
        async with client.get("/stream") as response:
            await response.read()
    assert "in the middle" in caplog.text


async def test_body_in_bounds(client: Client) -> None:
    async with client.post("/body", data="ä" * 500) as response:
        assert await response.text() == "ä" * 500


@pytest.mark.parametrize("size", [1001, 100_000])
async def test_body_out_of_bounds(client: Client, size: int) -> None:
    async with client.post("/body", data="a" * size) as response:
        assert response.status == 413
        assert (await response.json(content_type=MEDIA_TYPE))["error"] == "too_large"


async def test_compressed_body_is_bounded_by_what_it_becomes(client: Client) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    bomb = gzip.compress(b"a" * 10_000_000)
    async with client.post("/body", data=bomb, headers=headers) as response:
        assert response.status == 413


async def test_body_that_is_not_text(client: Client) -> None:
    headers = {"Content-Type": "text/plain"}
    async with client.post("/body", data=b"\xff", headers=headers) as response:
        assert (await response.json(content_type=MEDIA_TYPE))["error"] == "malformed"
    async with client.post("/body", data=b"{}", headers={"Content-Type": "a/b"}) as response:
        assert response.status == 415
        assert response.headers["Accept-Post"] == "text/plain"


async def test_client_that_leaves_in_the_middle_is_no_failure(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = client.server.host, client.server.port
    for head in (b"Content-Length: 500", b"Transfer-Encoding: chunked"):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n")
        writer.write(head + b"\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    async with client.post("/body", data="after") as response:
        assert response.status == 200
    assert not [r for r in caplog.records if r.levelname in ("ERROR", "CRITICAL")]


async def test_body_that_does_not_come(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(b"POST /body?patience=0.05 HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n")
    writer.write(b"Content-Length: 5\r\n\r\nabc")
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()
    assert line.split()[1] == b"408"


@pytest.mark.parametrize(
    "tail",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
async def test_broken_body_is_the_clients_fault(
    client: Client, caplog: pytest.LogCaptureFixture, tail: bytes
) -> None:
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n" + tail)
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()
    assert line.split()[1] == b"400"
    assert not [r for r in caplog.records if r.name == "signaling.problems"]


def test_errors_know_whose_fault_they_are() -> None:
    assert STATUS[LocalError("x").name] == 400
    assert STATUS[RemoteError("x").name] == 400
    assert STATUS[LimitError("x").name] == 503
