"""Errors as sentences: the real ones, as the system and the libraries raise them."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.load.failures import JoinError, allow_many_files, explain
from tests.support.load import load
from tests.support.server import running_server, server_process


async def raised(work: Awaitable[object]) -> Exception:
    """What it raises."""
    try:
        await work
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@asynccontextmanager
async def asked(url: str, **options) -> AsyncIterator[str]:
    """The sentence that comes of a request."""
    async with aiohttp.ClientSession() as http:
        error = await raised(http.get(url, **options))
        yield explain(error, join_timeout=3.0)


async def test_what_is_not_there_is_told() -> None:
    async with asked("http://127.0.0.1:9") as sentence:
        assert sentence == "The server cannot be reached: nobody listens there."
    async with asked("http://localhost:9") as sentence:  # at two addresses, perhaps
        assert sentence == "The server cannot be reached: nobody listens there."
    async with asked("http://nowhere.invalid") as sentence:
        assert sentence == "The server cannot be reached: nobody knows the name nowhere.invalid."


async def test_tls_that_does_not_come_about_is_told() -> None:
    async with (
        running_server() as server,
        asked(server.url.replace("http", "https", 1)) as sentence,
    ):
        assert sentence.startswith("TLS with the server failed (")
        assert "plain HTTP" in sentence


async def test_certificate_that_nobody_signed_is_told_unless_any_will_do(tmp_path: Path) -> None:
    async with server_process(*self_signed(tmp_path)) as server:
        async with asked(server.url) as sentence:
            assert sentence.startswith("The server's certificate is not to be trusted (self")
            assert "--insecure" in sentence
        short = ("--duration", "500ms", "--warmup", "0s", "--packets-per-frame", "1")
        ended = await load(server.url, "--insecure", *short, "--interval", "100ms")
        assert ended.code == 0, ended.errors


def self_signed(folder: Path) -> tuple[str, ...]:
    """Flags of a server with a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "chain.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, form, plain))
    return (
        "--tls-certificate",
        str(folder / "chain.pem"),
        "--tls-key",
        str(folder / "key.pem"),
    )


async def test_server_that_hangs_up_is_told() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, asked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as sentence:
        assert sentence.startswith("The server ")
        assert "broke the connection" in sentence


async def test_missing_websocket_is_told() -> None:
    async with running_server() as server, aiohttp.ClientSession() as http:
        error = await raised(http.ws_connect(f"{server.url}/nothing"))
    assert explain(error, join_timeout=3.0) == (
        f"There is no WebSocket at {server.url}/nothing (404)."
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (JoinError("It does not want us."), "It does not want us."),
        (TimeoutError(), "No answer within 3 s."),
        (KeyError("sdp"), 'The server\'s answer cannot be understood: it lacks "sdp".'),
        (RuntimeError("bug"), "The tester itself has failed: RuntimeError('bug')."),
    ],
)
def test_other_errors_are_sentences(error: Exception, sentence: str) -> None:
    assert explain(error, join_timeout=3.0) == sentence


OUT_OF_FILES = """
import resource, socket
from benchmarks.load.failures import explain, is_out_of_files
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
files = []
try:
    while True:
        files.append(socket.socket())
except OSError as error:
    assert is_out_of_files(error)
    print(explain(error, join_timeout=1))
try:
    socket.getaddrinfo("nowhere.invalid", 80)
except OSError as error:
    assert is_out_of_files(error)
    files.clear()
    assert not is_out_of_files(error)
"""


def test_too_many_files_are_told_with_their_limit_and_are_no_unknown_name() -> None:
    command = [sys.executable, "-c", OUT_OF_FILES]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == "Too many files are open: a process of the tester may have 40.\n"


def test_limit_of_open_files_is_raised() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] // 2, before[1]))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
