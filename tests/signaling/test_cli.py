import asyncio
import datetime
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signaling.setting_table import SETTINGS
from signaling.tokens import verify
from tests.support.polling import until
from tests.support.server import server_process

KEY, SECRET = "key", "0123456789abcdef0123456789abcdef"
KEYS = {"AIOSFU_API_KEY": KEY, "AIOSFU_API_SECRET": SECRET}
FREE = ("--http-port", "0", "--udp-port", "0", "--tcp-port", "0")
DEADLINE = 30  # s


def run(
    *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AIOSFU_")}
    return subprocess.run(
        [sys.executable, "-c", "from signaling.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**inherited, **(environ or {})},
        check=False,
    )


def assert_one_clear_line(
    result: subprocess.CompletedProcess[str], *expected: str, code: int = 2
) -> None:
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for text in expected:
        assert text in result.stderr
    assert result.stdout == ""


def test_commands_of_other_packages_are_found() -> None:
    listed = run("--help")
    assert re.search(r"^  load +Put load on ", listed.stdout, re.MULTILINE), listed.stdout
    helped = run("load", "--help")
    assert helped.returncode == 0
    assert "--scenario" in helped.stdout


def test_unknown_command_is_told() -> None:
    result = run("sing")
    assert result.returncode == 2
    assert "No such command 'sing'" in result.stderr


def test_version() -> None:
    result = run("--version")
    assert re.fullmatch(r"aiosfu \d+\.\d+\.\d+\n", result.stdout)
    assert result.returncode == 0


def test_serve_has_a_flag_for_every_setting() -> None:
    text = run("serve", "--help").stdout
    for setting in SETTINGS.values():
        assert setting.flag in text


# -- serve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    async with server_process() as server:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.url.replace("http", "ws") + "/ws") as websocket,
        ):
            await websocket.send_json({"type": "join", "id": 1, "room": "a"})
            assert (await websocket.receive_json())["type"] == "joined"
            server.process.send_signal(number)
            closing = [await websocket.receive(timeout=DEADLINE) for _ in range(2)]
            assert "server_shutdown" in str(closing)
        assert await asyncio.wait_for(server.process.wait(), DEADLINE) == 0
    assert "Traceback" not in server.output
    assert "rror" not in server.output


async def test_greeting_tells_the_ports_that_it_got() -> None:
    async with server_process("--host", "127.0.0.1,::1") as server:
        greeting = server.output.splitlines()[0]
        ports = re.findall(r"http://\S+?:(\d+)(?= |$)", greeting)
        assert len(ports) == 2
        assert len(set(ports)) == 1
        assert re.search(r"UDP [1-9]\d*, TCP [1-9]\d*", greeting)
        assert "dev is on" in greeting
        async with aiohttp.ClientSession() as session:
            for host in ("127.0.0.1", "[::1]"):
                async with session.get(f"http://{host}:{ports[0]}/healthz") as response:
                    assert (await response.json())["status"] == "ok"


def write_certificate(directory: Path, password: bytes = b"") -> tuple[str, ...]:
    """A certificate for localhost; returns the flags that name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain_file, key_file = directory / "chain.pem", directory / "key.pem"
    chain_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(pem, pkcs8, encryption))
    return ("--tls-certificate", str(chain_file), "--tls-key", str(key_file))


async def test_https(tmp_path: Path) -> None:
    async with server_process(*write_certificate(tmp_path)) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.url}/healthz", ssl=context) as response,
        ):
            assert response.status == 200


async def test_access_log_does_not_tell_ids_of_sessions() -> None:
    async with server_process("--log-level", "debug") as server:
        async with (
            aiohttp.ClientSession() as session,
            session.delete(f"{server.url}/whip/a%2Fb/Zk3v0aTq9xRb") as response,
        ):
            assert response.status == 404
        await until(lambda: "/whip/a%2Fb/***" in server.output, "the request is logged")
        assert "Zk3v0aTq9xRb" not in server.output


def test_bad_setting_is_one_line() -> None:
    result = run("serve", "--dev", "--http-port", "abc")
    assert_one_clear_line(
        result, 'http_port: "abc" (from --http-port) is not allowed', "0 to 65535"
    )


def test_bad_variable_is_one_line() -> None:
    result = run("serve", "--dev", environ={"AIOSFU_GRACE_PERIOD": "-1"})
    assert_one_clear_line(result, 'grace_period: "-1" (from AIOSFU_GRACE_PERIOD)')


def test_bad_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "aiosfu.toml"
    file.write_text("max_rooms = 0\n")
    assert_one_clear_line(run("serve", "--config", str(file)), f"max_rooms: 0 (from {file})")


def test_no_key_is_one_line() -> None:
    assert_one_clear_line(run("serve"), "api_key and api_secret are not set")


def test_dev_is_refused_where_others_could_reach_it() -> None:
    result = run("serve", "--dev", "--host", "0.0.0.0")
    assert_one_clear_line(result, 'host: "0.0.0.0" (from --host)', "loopback")


def test_http_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--dev", *FREE, "--http-port", str(port))
    assert_one_clear_line(result, f"http_port: cannot listen on 127.0.0.1:{port}: address already")


@pytest.mark.parametrize(
    ("name", "kind"), [("udp_port", socket.SOCK_DGRAM), ("tcp_port", socket.SOCK_STREAM)]
)
def test_media_port_in_use_is_one_line(name: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        result = run("serve", "--dev", *FREE, SETTINGS[name].flag, str(port))
    assert_one_clear_line(result, name, str(port), "address already in use")


def test_address_of_another_machine_is_one_line() -> None:
    result = run("serve", *FREE, "--host", "192.0.2.1", environ=KEYS)
    assert_one_clear_line(result, "192.0.2.1", "cannot assign requested address")


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_bad_certificate_is_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.pem"
    file.write_text(content)
    result = run("serve", "--dev", "--tls-certificate", str(file), "--tls-key", str(file), *FREE)
    assert_one_clear_line(result, "tls_certificate", str(file))


def test_encrypted_key_is_one_line(tmp_path: Path) -> None:
    result = run("serve", "--dev", *FREE, *write_certificate(tmp_path, b"secret"))
    assert_one_clear_line(result, "tls_key", "unencrypted key")


def test_missing_certificate_is_one_line() -> None:
    result = run("serve", "--dev", "--tls-certificate", "a.pem", "--tls-key", "b.pem", *FREE)
    assert_one_clear_line(result, "tls_certificate: a.pem cannot be read: No such file")


def test_unknown_variable_is_one_line() -> None:
    result = run("serve", "--dev", *FREE, environ={"AIOSFU_MAX_ROOM": "1"})
    assert_one_clear_line(result, "AIOSFU_MAX_ROOM", "Did you mean AIOSFU_MAX_ROOMS?")


def test_unknown_flag_is_refused() -> None:
    result = run("serve", "--htp-port", "1")
    assert result.returncode == 2
    assert "--http-port" in result.stderr


# -- token


def test_token_to_join() -> None:
    result = run("token", "--room", "a", "--identity", "me", "--name", "Me", environ=KEYS)
    assert result.returncode == 0
    assert result.stderr == ""
    token = verify(result.stdout.strip(), api_key=KEY, api_secret=SECRET)
    assert (token.identity, token.name) == ("me", "Me")
    assert token.video.room_join
    assert token.video.room == "a"
    assert token.video.can_publish


def test_token_shows_its_claims_beside_itself() -> None:
    result = run(
        *("token", "--room", "a", "--identity", "me", "--ttl", "90s", "--show"),
        *("--no-can-publish", "--can-publish-sources", "camera", "--attribute", "seat=1=2"),
        *("--room-admin", "--hidden", "--metadata", "{}"),
        environ=KEYS,
    )
    claims = json.loads(result.stderr)
    assert claims["iss"] == KEY
    assert claims["exp"] - claims["nbf"] == 90
    assert claims["attributes"] == {"seat": "1=2"}
    assert claims["video"] == {
        "room": "a",
        "roomJoin": True,
        "roomAdmin": True,
        "canPublish": False,
        "canPublishSources": ["camera"],
        "hidden": True,
    }
    assert verify(result.stdout.strip(), api_key=KEY, api_secret=SECRET).identity == "me"


def test_token_that_is_not_for_joining() -> None:
    result = run("token", "--room-list", environ=KEYS)
    token = verify(result.stdout.strip(), api_key=KEY, api_secret=SECRET)
    assert token.video.room_list
    assert not token.video.room_join


def test_token_with_the_key_from_flags_and_file(tmp_path: Path) -> None:
    file = tmp_path / "aiosfu.toml"
    file.write_text(f'api_key = "other"\napi_secret = "{SECRET}"\n')
    result = run("token", "--room-list", "--config", str(file), "--api-key", KEY)
    assert verify(result.stdout.strip(), api_key=KEY, api_secret=SECRET).video.room_list


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "would grant nothing"),
        (("--room", "a"), "would grant nothing"),
        (("--room-join", "--room", "a"), "--room and --identity"),
        (("--room-admin",), "needs --room"),
        (("--room-record",), "needs --room"),
        (("--room-list", "--ttl", "soon"), "is no time"),
        (("--room-list", "--ttl", "0"), "is no time"),
        (("--room-list", "--attribute", "x"), "KEY=VALUE"),
        (("--room-list", "--can-publish-sources", "tv"), "tv"),
    ],
)
def test_token_that_makes_no_sense_is_refused(arguments: tuple[str, ...], expected: str) -> None:
    result = run("token", *arguments, environ=KEYS)
    assert result.returncode == 2
    assert expected in result.stderr
    assert result.stdout == ""


def test_token_needs_a_key() -> None:
    assert_one_clear_line(run("token", "--room-list"), "api_key and api_secret")
    result = run("token", "--room-list", environ={"AIOSFU_DEV": "true"})
    assert_one_clear_line(result, "api_key and api_secret")
