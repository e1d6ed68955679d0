from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from sfu.config import Config
from sfu.errors import RemoteError
from signaling.cors import (
    PROXY_HEADERS,
    add_cors_headers,
    check_caller,
    cors_middleware,
    origin_allowed,
)
from signaling.keys import CONFIG
from signaling.problems import problem_middleware
from signaling.setting_checks import is_loopback, origin_of

Client = TestClient[web.Request, web.Application]

ANY = Config()
SOME = Config(cors_origins=("https://app.example",))
DEV = Config(dev=True)


@pytest.mark.parametrize(
    ("config", "origin", "allowed"),
    [
        (ANY, "https://anywhere.example", True),
        (ANY, "null", True),
        (SOME, "https://app.example", True),
        (SOME, "https://APP.example:443", True),
        (SOME, "https://sfu.example:8080", True),
        (SOME, "http://app.example", False),
        (SOME, "https://other.example", False),
        (SOME, "https://app.example.evil.example", False),
        (SOME, "null", False),
        (DEV, "http://localhost:3000", True),
        (DEV, "http://127.0.0.1", True),
        (DEV, "http://[::1]:5173", True),
        (DEV, "https://app.example", False),
        (DEV, "http://localhost.evil.example", False),
        (DEV, "null", False),
        (DEV, "", False),
    ],
)
def test_origins(config: Config, origin: str, allowed: bool) -> None:
    assert origin_allowed(origin, host="sfu.example:8080", config=config) is allowed


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("http://example.org:8080", "http://example.org:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("ftp://example.org", None),
        ("https://example.org/path", None),
        ("https://user@example.org", None),
        ("https://", None),
        ("https://a:b", None),
        ("null", None),
    ],
)
def test_normal_form_of_origins(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_loopback_hosts(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def application(config: Config) -> web.Application:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application(middlewares=[problem_middleware, cors_middleware])
    app[CONFIG] = config
    app.on_response_prepare.append(add_cors_headers)
    app.router.add_get("/hello", hello)
    return app


async def serve(config: Config) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(config))) as client:
        yield client


@pytest.fixture
async def any_client() -> AsyncIterator[Client]:
    async for client in serve(ANY):
        yield client


@pytest.fixture
async def some_client() -> AsyncIterator[Client]:
    async for client in serve(SOME):
        yield client


@pytest.fixture
async def dev_client() -> AsyncIterator[Client]:
    async for client in serve(DEV):
        yield client


PREFLIGHT = {
    "Origin": "https://app.example",
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,if-match",
}


async def test_any_origin(any_client: Client) -> None:
    async with any_client.get("/hello", headers={"Origin": "https://x.example"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Location" in response.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers


async def test_preflight_is_answered_for_every_path(any_client: Client) -> None:
    for path in ("/hello", "/missing"):
        async with any_client.options(path, headers=PREFLIGHT) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
            assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_errors_can_be_read_by_pages(any_client: Client) -> None:
    async with any_client.get("/missing", headers={"Origin": "https://x.example"}) as response:
        assert response.status == 404
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_some_origins(some_client: Client) -> None:
    async with some_client.get("/hello", headers={"Origin": "https://app.example"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert response.headers["Vary"] == "Origin"
    async with some_client.get("/hello", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"
    async with some_client.get("/hello") as response:
        assert response.status == 200


async def test_page_that_we_served_may_always_ask(some_client: Client) -> None:
    url = some_client.make_url("/hello")
    async with some_client.get("/hello", headers={"Origin": str(url.origin())}) as response:
        assert response.status == 200


async def test_dev_answers_pages_of_this_machine_alone(dev_client: Client) -> None:
    async with dev_client.get("/hello", headers={"Origin": "http://localhost:1"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:1"
    async with dev_client.get("/hello", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
    async with dev_client.options("/hello", headers=PREFLIGHT) as response:
        assert response.status == 403


async def test_dev_answers_names_of_this_machine_alone(dev_client: Client) -> None:
    for host, status in (("localhost:8080", 200), ("[::1]", 200), ("rebound.example:8080", 403)):
        async with dev_client.get("/hello", headers={"Host": host}) as response:
            assert response.status == status


@pytest.mark.parametrize("name", PROXY_HEADERS)
async def test_dev_answers_to_no_proxy(dev_client: Client, any_client: Client, name: str) -> None:
    headers = {"Host": "127.0.0.1", name: "127.0.0.1"}
    async with dev_client.get("/hello", headers=headers) as response:
        assert response.status == 403
        assert (await response.json(content_type=None))["error"] == "not_allowed"
    async with any_client.get("/hello", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("sockname", "peername", "local"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 50000), True),
        (("127.0.0.1", 80), ("127.8.8.8", 50000), True),
        (("::1", 80, 0, 0), ("::1", 50000, 0, 0), True),
        (("::ffff:127.0.0.1", 80, 0, 0), ("::ffff:127.0.0.1", 50000, 0, 0), True),
        (("127.0.0.1", 80), ("192.0.2.1", 50000), False),
        (("192.0.2.1", 80), ("127.0.0.1", 50000), False),
        (("192.0.2.1", 80), ("192.0.2.1", 50000), False),
        (("::ffff:192.0.2.1", 80, 0, 0), ("::ffff:192.0.2.2", 50000, 0, 0), False),
        (("fe80::1%eth0", 80, 0, 2), ("fe80::2%eth0", 50000, 0, 2), False),
        ("/run/aiosfu.sock", "", False),
        (None, None, False),
    ],
)
def test_dev_answers_over_connections_of_this_machine_alone(
    sockname: object, peername: object, local: bool
) -> None:
    # No test can have connections from elsewhere: what the transport says of them stands in.
    ends = {"sockname": sockname, "peername": peername}
    transport = Mock(**{"get_extra_info.side_effect": lambda name, _=None: ends.get(name)})
    request = make_mocked_request(
        "GET", "/hello", headers={"Host": "localhost"}, transport=transport
    )
    check_caller(request, ANY)
    if local:
        check_caller(request, DEV)
    else:
        with pytest.raises(RemoteError) as raised:
            check_caller(request, DEV)
        assert raised.value.name == "not_allowed"


def test_dev_does_not_believe_what_an_application_around_says() -> None:
    elsewhere = Mock(**{"get_extra_info.return_value": ("192.0.2.1", 1)})
    request = make_mocked_request(
        "GET", "/hello", headers={"Host": "localhost"}, transport=elsewhere
    )
    with pytest.raises(RemoteError):
        check_caller(request.clone(remote="127.0.0.1"), DEV)


async def test_dev_refuses_sockets_that_only_proxies_use(tmp_path: Path) -> None:
    app = application(DEV)
    runner = web.AppRunner(app)
    await runner.setup()
    path = str(tmp_path / "http.sock")
    await web.UnixSite(runner, path).start()
    connector = aiohttp.UnixConnector(path)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://localhost/hello") as response,
    ):
        assert response.status == 403
    await runner.cleanup()


@pytest.mark.parametrize("host", ["[x]", "[::1", "::1]", "[v1.x", "localhost:port", "a:99999"])
async def test_malformed_host(any_client: Client, dev_client: Client, host: str) -> None:
    for client in (any_client, dev_client):
        for headers in ({"Host": host}, {"Host": host, "Origin": "http://localhost"}):
            async with client.get("/hello", headers=headers) as response:
                assert response.status == 400
                assert (await response.json(content_type=None))["error"] == "bad_request"
