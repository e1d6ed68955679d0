"""`aiosfu serve` once its settings are known: listen, say where, and end cleanly."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from sfu.config import Config
from sfu.errors import LocalError
from signaling.app import create_app
from signaling.keys import SERVER
from signaling.logs import get_logger, loggable_path

ACCESS = "signaling.access"
BACKLOG = 1024  # connections that wait to be accepted; a whole audience may come at once
ACCEPTS = 4  # of them at a time, half a millisecond each; then media and timers have their turn

# Objects that come into being, less those that go, until Python looks for cycles among them, and
# how many looks lead to one at what survived. Python's own 700 makes it look again and again while
# caches of packets fill. A look takes 0.3 ms for each 1,000 objects: 3 ms, then 9 ms, and at last
# whatever rooms hold. A session that has ended leaves some 100 objects in cycles, so that hundreds
# of them, a few megabytes, wait for a look.
GC_THRESHOLDS = (10_000, 2, 3)

log = get_logger(__name__)
access_log = get_logger(ACCESS)


class ListenError(LocalError):
    """An address, port or certificate cannot be used; the message is for the operator."""


class _AccessLogger(AbstractAccessLogger):
    """Requests are worth a line only to those who look for something."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        access_log.debug(
            "request",
            method=request.method,
            path=loggable_path(request.rel_url.raw_path),
            status=response.status,
            seconds=round(time, 4),
            remote=request.remote,
        )

    @property
    def enabled(self) -> bool:
        return self.logger.isEnabledFor(logging.DEBUG)


async def serve(config: Config, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        config: Checked settings.
        announce: Called with one line when connections are accepted.

    Raises:
        ListenError: Something that the settings name cannot be used.
    """
    tls = tls_context(config)
    sockets = listen(config)
    runner = web.AppRunner(
        create_app(config),
        access_log_class=_AccessLogger,
        access_log=logging.getLogger(ACCESS),
        handle_signals=False,
        shutdown_timeout=config.shutdown_timeout,
    )
    stop = _stop_on_signals()
    try:
        try:
            await runner.setup()
        except OSError as error:
            raise ListenError(_media_problem(config, error)) from error
        for one in sockets:
            # asyncio accepts as many at a time as its backlog says, which is not the kernel's.
            await web.SockSite(runner, one, ssl_context=tls, backlog=ACCEPTS).start()
            one.listen(BACKLOG)
        settle_memory()
        announce(_greeting(config, runner, sockets, secure=tls is not None))
        network = runner.app[SERVER].health().network
        for path in network.sockets:
            log.info(
                "media port open",
                host=path.host,
                port=network.udp_port,
                batched=path.batched,
                segmentation=path.segmentation,
            )
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
        for one in sockets:
            one.close()


def settle_memory() -> None:
    """Keep the collector of cycles from holding up media: for a process that is ours alone.

    What exists by now stays as long as the process, 80,000 objects of modules before all. They are
    not looked at again, which took up to 70 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def tls_context(config: Config) -> ssl.SSLContext | None:
    """What HTTPS needs, None without a certificate.

    Raises:
        ListenError: The certificate or the key cannot be used.
    """
    if not config.tls_certificate:
        return None
    for name in ("tls_certificate", "tls_key"):
        path = getattr(config, name)
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise ListenError(f"{name}: {path} cannot be read: {error.strerror}.") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty password makes an encrypted key an error instead of a question at the terminal.
        context.load_cert_chain(config.tls_certificate, config.tls_key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ListenError(
            f"tls_certificate and tls_key: {config.tls_certificate} and {config.tls_key} are not "
            f"a certificate and its unencrypted key in PEM ({reason})."
        ) from error
    return context


def listen(config: Config) -> list[socket.socket]:
    """Sockets for HTTP, one for each address. Where the port is 0, all get the same free one.

    Raises:
        ListenError: An address is not of this machine, or the port is in use.
    """
    sockets: list[socket.socket] = []
    port = config.http_port
    for host in config.host:
        try:
            # Not dual stack, as for media: who wants both families names both addresses.
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
            one = socket.create_server(address, family=family, backlog=BACKLOG)
        except OSError as error:
            for opened in sockets:
                opened.close()
            where = _url_host(host)
            raise ListenError(
                f"http_port: cannot listen on {where}:{port}: {_reason(error)}."
            ) from error
        one.setblocking(False)
        port = one.getsockname()[1]
        sockets.append(one)
    return sockets


def _greeting(
    config: Config, runner: web.AppRunner, sockets: list[socket.socket], *, secure: bool
) -> str:
    """Where we are, for the terminal; the ports are those that we really got."""
    port = sockets[0].getsockname()[1]
    scheme = "https" if secure else "http"
    urls = " ".join(f"{scheme}://{_url_host(host)}:{port}" for host in config.host)
    network = runner.app[SERVER].health().network
    media = f"UDP {network.udp_port}"
    if network.tcp_port is not None:
        media += f", TCP {network.tcp_port}"
    dev = "; dev is on, no tokens are needed" if config.dev else ""
    return f"aiosfu is at {urls} (media: {media}{dev})"


def _stop_on_signals() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the loop instead
            loop.add_signal_handler(number, handle)
    return stop


def _media_problem(config: Config, error: OSError) -> str:
    ports = f"udp_port {config.udp_port}"
    if config.ice_tcp:
        ports += f" or tcp_port {config.tcp_port}"
    hosts = ", ".join(map(_url_host, config.media_hosts))
    return f"{ports}: cannot listen on {hosts} for media: {_reason(error)}."


def _reason(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return text[:1].lower() + text[1:]


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
