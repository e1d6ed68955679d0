from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sfu.config import Config
from signaling.cors import add_cors_headers, cors_middleware, origin_allowed
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


async def serve(config: Config) -> AsyncIterator[Client]:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application(middlewares=[problem_middleware, cors_middleware])
    app[CONFIG] = config
    app.on_response_prepare.append(add_cors_headers)
    app.router.add_get("/hello", hello)
    async with TestClient(TestServer(app)) as client:
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
