"""Which web pages may talk to us: CORS (WHATWG Fetch), and no strangers while `dev` is on.

A browser sends our requests from any page that its user looks at. Tokens keep strangers out; with
`dev` there are none, so only this machine may ask: its pages alone, by a name of this machine
(against DNS rebinding), over a connection that begins and ends here (the application that we are
mounted in may listen anywhere), and not for somebody else (a proxy).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from sfu.config import Config
from sfu.errors import RemoteError
from signaling.keys import CONFIG
from signaling.setting_checks import is_loopback, origin_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ALLOW_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
ALLOW_HEADERS = "Authorization, Content-Type, If-Match, Range"
EXPOSE_HEADERS = (
    "Location, ETag, Link, Accept-Patch, Accept-Post, Accept-Ranges, Content-Range, "
    "Content-Disposition, Retry-After, WWW-Authenticate"
)
PROXY_HEADERS = (  # each is added by some proxy, nginx and Apache among them, for whom it asks
    hdrs.FORWARDED,
    hdrs.VIA,
    hdrs.X_FORWARDED_FOR,
    hdrs.X_FORWARDED_HOST,
    hdrs.X_FORWARDED_PROTO,
    "X-Real-IP",
)
MAX_AGE = "600"  # s; Chromium keeps preflight results for 7200 at most


def origin_allowed(origin: str, *, host: str, config: Config) -> bool:
    """Whether a page of this web origin may use the HTTP and WebSocket interfaces.

    Args:
        origin: The request's `Origin`.
        host: The request's `Host`; a page that we served ourselves may always ask us.
        config: `dev` and `cors_origins` count.
    """
    normal = origin_of(origin)
    if config.dev:
        return normal is not None and is_loopback(urlsplit(normal).hostname or "")
    if "*" in config.cors_origins:
        return True
    if normal is None:  # "null": a sandboxed frame, a local file
        return False
    # Compared without the scheme: a proxy in front of us may have ended the TLS.
    own = origin_of(f"{urlsplit(normal).scheme}://{host}")
    return normal == own or normal in config.cors_origins


def check_caller(request: web.BaseRequest, config: Config) -> None:
    """Refuse pages that may not talk to us, and with `dev` everyone who is not on this machine.

    Raises:
        RemoteError: "not_allowed"; "bad_request" where the request does not say whom it asks.
    """
    name = _host_name(request)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and not origin_allowed(origin, host=request.host, config=config):
        raise RemoteError(f"Pages of {origin} may not use this server.", name="not_allowed")
    if not config.dev:
        return
    if not is_loopback(name):
        raise RemoteError(
            "With dev on, this server answers only to localhost and loopback addresses.",
            name="not_allowed",
        )
    if not _is_local(request):
        raise RemoteError(
            "With dev on, this server answers only to its own machine, and to no proxy.",
            name="not_allowed",
        )


def _host_name(request: web.BaseRequest) -> str:
    """The name or address that the request's `Host` has (RFC 9112 3.2)."""
    try:
        parts = urlsplit(f"//{request.host}")
        parts.port  # noqa: B018 - it is parsed only here
    except ValueError:
        raise RemoteError("The Host header is malformed.") from None
    return parts.hostname or ""


def _is_local(request: web.BaseRequest) -> bool:
    """Whether the request was made on this machine, as far as can be known."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    # Not `request.remote`: an application that we are mounted in may have set it from a header.
    ends = [request.get_extra_info(name) for name in ("sockname", "peername")]
    return all(isinstance(end, tuple) and is_loopback(end[0]) for end in ends)


async def add_cors_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Let pages of allowed origins read the response, whatever it says."""
    assert isinstance(request, web.Request)
    config = request.app[CONFIG]
    headers = response.headers
    if "*" in config.cors_origins and not config.dev:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    else:
        headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not origin_allowed(origin, host=request.host, config=config):
            return
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSE_HEADERS


@web.middleware
async def cors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer preflight requests; refuse what may not ask."""
    check_caller(request, request.app[CONFIG])
    preflight = (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )
    if not preflight:
        return await handler(request)
    response: web.StreamResponse
    try:
        response = await handler(request)  # where OPTIONS has something to tell by itself
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        response = web.Response(status=204)
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = ALLOW_METHODS
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ALLOW_HEADERS
    response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = MAX_AGE
    return response
