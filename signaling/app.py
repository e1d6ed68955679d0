"""The aiohttp application: everything of ours that speaks HTTP, around one media server."""

from collections.abc import AsyncIterator

from aiohttp import hdrs, web

from sfu.config import Config
from signaling import hls, http_api, recordings_api, static, websocket, whep, whip
from signaling.cors import add_cors_headers, cors_middleware
from signaling.keys import CONFIG, SERVER
from signaling.pending import PENDING, PendingSessions
from signaling.problems import problem_middleware
from signaling.server import MediaServer
from signaling.settings import configure
from signaling.turnstile import TURNSTILE, Turnstile


def create_app(config: Config | None = None, **settings: object) -> web.Application:
    """An application that can be run by itself or mounted in another one with `add_subapp`.

    The media server starts and stops with the application. Rooms are reached at
    `app[signaling.keys.SERVER]` from then on.

    Args:
        config: All settings; None for the defaults.
        **settings: Single settings by name, before those of `config`. Neither the environment nor
            a file is read.

    Raises:
        SettingError: A setting is not allowed; the message says which, and what is.
    """
    config = configure(config, settings)
    app = web.Application(
        middlewares=[problem_middleware, cors_middleware], client_max_size=config.max_message_size
    )
    app[CONFIG] = config
    app.cleanup_ctx.append(_media_server)
    app.on_response_prepare.append(add_cors_headers)
    app.on_response_prepare.append(_add_security_headers)
    app.on_shutdown.append(_end_rooms)
    app[PENDING] = PendingSessions(config.max_pending_sessions)
    app[TURNSTILE] = Turnstile()
    websocket.setup(app)
    app.add_routes(
        [
            *http_api.routes(),
            *recordings_api.routes(),
            *hls.routes(),
            *whip.routes(),
            *whep.routes(),
            *static.routes(),
        ]
    )
    return app


async def _media_server(app: web.Application) -> AsyncIterator[None]:
    app[SERVER] = server = await MediaServer.start(app[CONFIG])
    yield
    await server.close()


async def _end_rooms(app: web.Application) -> None:
    """Tell everyone why, before aiohttp closes their connections without a word."""
    server = app[SERVER]
    server.rooms.close(reason="server_shutdown", now=server.now())


async def _add_security_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """What every response should say to browsers; pages add more of their own."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"  # room names stand in the address
    headers.setdefault(hdrs.CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
