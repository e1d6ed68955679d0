import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from signaling.app import create_app
from signaling.keys import SERVER
from signaling.server import reachable_addresses
from signaling.setting_checks import is_loopback
from signaling.setting_table import SettingError
from signaling.static import StaticFiles
from tests.support.clients import Clients, clients_of
from tests.support.server import running_server, websocket_url

MODULES = [path.name for path in (Path(__file__).parents[2] / "web" / "client").glob("*.js")]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with running_server() as server, clients_of(server.url) as clients:
        yield clients


# -- the page


@pytest.mark.parametrize("path", ["/", "/r/lobby", "/r/a%20b%2Fc"])
async def test_page_may_use_camera_and_nobody_elses_code(clients: Clients, path: str) -> None:
    async with clients.http.get(clients.url + path) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        permissions = response.headers["Permissions-Policy"]
        for feature in ("camera", "microphone", "display-capture"):
            assert f"{feature}=(self)" in permissions
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"


async def test_everything_that_the_page_refers_to_is_served(clients: Clients) -> None:
    async with clients.http.get(clients.url + "/") as response:
        page = await response.text()
        base = response.url
    references = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assert references
    for reference in references:
        async with clients.http.get(base.join(URL(reference))) as response:
            assert response.status == 200, reference
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_client_library_is_modules_that_other_pages_may_import(clients: Clients) -> None:
    assert MODULES
    for name in MODULES:
        headers = {"Origin": "http://localhost:5173"}
        url = f"{clients.url}/client/{name}"
        async with clients.http.get(url, headers=headers) as response:
            assert response.content_type == "text/javascript"
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"


async def test_assets_are_not_sent_again(clients: Clients) -> None:
    url = clients.url + "/assets/index.html"
    async with clients.http.get(url) as response:
        etag = response.headers["ETag"]
    async with clients.http.get(url, headers={"If-None-Match": etag}) as response:
        assert response.status == 304
        assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/assets/__init__.py",
        "/assets/missing.js",
        "/assets/",
        "/assets/client",
        "/assets/../pyproject.toml",
        "/assets/..%2Fpyproject.toml",
        "/assets/%2e%2e/README.md",
        "/assets//etc/passwd",
        "/assets/%00.js",
        "/client/../index.html",
    ],
)
async def test_nothing_else_is_served(clients: Clients, path: str) -> None:
    url = URL(clients.url + path, encoded=True)
    async with clients.http.get(url) as response:
        assert response.status == 404


def test_only_known_kinds_of_files_leave_a_directory(tmp_path: Path) -> None:
    for name in ("a.js", "b.py", ".hidden.js", "c.js~", "sub/d.css", ".git/e.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    files = StaticFiles(tmp_path)
    for name in ("a.js", "sub/d.css"):
        assert files.response(name).status == 200
    for name in ("b.py", ".hidden.js", "c.js~", ".git/e.js", "", ".", "sub", "/a.js", "../a.js"):
        with pytest.raises(web.HTTPNotFound):
            files.response(name)


# -- the whole


async def test_api_responses_run_no_code(clients: Clients) -> None:
    for path in ("/healthz", "/missing"):
        async with clients.http.get(clients.url + path) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert response.headers["Cache-Control"] == "no-store"


async def test_strange_web_page_cannot_open_a_websocket_in_dev(clients: Clients) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await clients.http.ws_connect(
            websocket_url(clients.url), headers={"Origin": "https://evil.example"}
        )
    assert caught.value.status == 403
    async with clients.http.ws_connect(
        websocket_url(clients.url), headers={"Origin": "http://localhost:3000"}
    ):
        pass


async def test_mounted_in_another_application() -> None:
    sub = create_app(dev=True, udp_port=0, tcp_port=0)
    app = web.Application()
    app.add_subapp("/sfu", sub)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/sfu"
        async with clients_of(url) as clients:
            alice = await clients.join("a", "alice")
            whip = clients.whip("a")
            whip.connection.addTransceiver("audio", direction="sendonly")
            await whip.publish()
            assert whip.resource.startswith(f"{url}/whip/a/")
            await alice.wait_for("track_published")
            assert await whip.delete() == 200
            for path, status in (("/healthz", 200), ("/r/a", 200), ("/missing", 404)):
                async with clients.http.get(url + path) as response:
                    assert response.status == status
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert sub[SERVER].rooms.get("a") is not None
            async with clients.http.get(url.removesuffix("/sfu") + "/") as response:
                assert response.status == 404
                assert "X-Content-Type-Options" not in response.headers
    finally:
        await runner.cleanup()


async def test_dev_mounted_where_others_can_connect() -> None:
    outside = next(iter(reachable_addresses(["0.0.0.0"])))
    if is_loopback(outside):
        pytest.skip("this machine has no address but loopback ones")
    app = web.Application()
    app.add_subapp("/sfu", create_app(dev=True, udp_port=0, tcp_port=0))
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession(headers={"Host": "127.0.0.1"}) as http:
            for address, status in (("127.0.0.1", 200), (outside, 403)):
                url = f"http://{address}:{port}/sfu"
                for path in ("/", "/healthz", "/api/v1/rooms", "/whip/a", "/whep/a"):
                    async with http.get(url + path) as response:
                        assert response.status == status, path
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(f"http://{outside}:{port}/sfu/ws")
            assert caught.value.status == 403
    finally:
        await runner.cleanup()


async def test_two_servers_in_one_process() -> None:
    async with running_server() as one, running_server() as other, clients_of(one.url) as clients:
        await clients.join("a", "alice")
        assert len(one.media.rooms) == 1
        assert len(other.media.rooms) == 0


async def test_shutdown_tells_everyone_and_frees_the_ports() -> None:
    async with running_server() as server:
        port = server.media.worker.udp.port
        session = aiohttp.ClientSession()
        clients = Clients(server.url, session)
        alice = await clients.join("a", "alice")
    assert alice.event("disconnected", reason="server_shutdown")
    await clients.close()
    await session.close()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", port)
    )
    transport.close()


def test_bad_settings_are_refused_at_once() -> None:
    with pytest.raises(SettingError, match="api_key and api_secret are not set"):
        create_app()
    with pytest.raises(SettingError, match="http_prt"):
        create_app(http_prt=1)
