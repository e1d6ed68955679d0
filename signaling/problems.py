"""Errors on HTTP: problem details (RFC 9457) for every one of them.

The body is JSON: `type`, `title` and `status` as RFC 9457 says, `detail` (a sentence for people)
and `error` (the stable name for programs, as in PROTOCOL.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from sfu.errors import SfuError
from signaling.logs import get_logger, loggable_path

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"  # s; about the time in which a participant leaves and a place gets free

STATUS: Mapping[str, int] = {
    "already_joined": 409,
    "bad_request": 400,
    "codec_unsupported": 422,
    "conflict": 409,
    "internal_error": 500,
    "limit_reached": 503,
    "malformed": 400,
    "negotiation_failed": 422,
    "not_allowed": 403,
    "not_joined": 409,
    "participant_not_found": 404,
    "rate_limited": 429,
    "recording_not_found": 404,
    "resume_failed": 404,
    "room_full": 503,
    "room_not_found": 404,
    "server_full": 503,
    "server_shutdown": 503,
    "too_large": 413,
    "too_many_tracks": 422,
    "track_not_found": 404,
    "unauthorized": 401,
}
NEGOTIATION = ("Accept-Post", "Accept-Patch")  # not in aiohttp.hdrs; with 415

ERROR_OF_STATUS: Mapping[int, str] = {
    401: "unauthorized",
    403: "not_allowed",
    409: "conflict",
    412: "conflict",
    413: "too_large",
    429: "rate_limited",
    503: "server_shutdown",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error response."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    error: str


def problem_response(
    status: int, error: str, detail: str, *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error response.

    Args:
        status: HTTP status.
        error: Stable name from PROTOCOL.md.
        detail: A sentence for people.
        headers: Further headers.
    """
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, error=error)
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        headers={**(headers or {}), hdrs.CONTENT_TYPE: MEDIA_TYPE, hdrs.CACHE_CONTROL: "no-store"},
    )


def response_to_error(error: SfuError) -> web.Response:
    """The response that tells an error of ours."""
    status = STATUS.get(error.name, 500)
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"  # RFC 6750 3
    elif status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers[hdrs.RETRY_AFTER] = RETRY_AFTER
    return problem_response(status, error.name, error.message, headers=headers)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into problem details; what nobody expected is logged."""
    try:
        return await handler(request)
    except SfuError as error:
        return response_to_error(error)
    except web.HTTPError as error:
        kept = (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER, *NEGOTIATION)
        return problem_response(
            error.status,
            ERROR_OF_STATUS.get(error.status, "bad_request"),
            _sentence(request, error),
            headers={name: error.headers[name] for name in kept if name in error.headers},
        )
    except web.HTTPException:
        raise  # a redirect
    except Exception:
        if request.writer.output_size > 0:
            raise  # the response, or the WebSocket, has begun: aiohttp can only close
        path = loggable_path(request.rel_url.raw_path)
        log.exception("request failed", method=request.method, path=path)
        return problem_response(
            500, "internal_error", "The server failed to answer; its log has the details."
        )


def _sentence(request: web.Request, error: web.HTTPError) -> str:
    """What went wrong, for people, where aiohttp itself refused."""
    if isinstance(error, web.HTTPNotFound):
        return f"There is nothing at {request.path}."
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return f"{error.method} is not possible here; possible: {allowed}."
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return "The body is too large."
    return (
        error.text
        if error.text and error.text != f"{error.status}: {error.reason}"
        else (f"{error.reason}.")
    )
