"""Reading request bodies, bounded whatever the client claims."""

import asyncio

from aiohttp import hdrs, web

from sfu.errors import ParseError, RemoteError

TIMEOUT = 30.0  # s; half a megabyte of offer over a line of 150 kbit/s


async def read_text(
    request: web.Request, *, media_type: str, limit: int, patience: float = TIMEOUT
) -> str:
    """The body as text.

    Args:
        request: The request.
        media_type: What it must be.
        limit: Bytes that it may have, after decompression.
        patience: Seconds in which all of it must come.

    Raises:
        HTTPUnsupportedMediaType: It says that it is something else.
        HTTPRequestTimeout: It does not come.
        RemoteError: "too_large".
        ParseError: It is not UTF-8, or its encoding is broken.
    """
    if request.content_type != media_type:
        # RFC 9110 15.5.16, RFC 5789 2.2: say what would have been taken.
        accepts = "Accept-Patch" if request.method == hdrs.METH_PATCH else "Accept-Post"
        raise web.HTTPUnsupportedMediaType(
            text=f"The body must be {media_type}.", headers={accepts: media_type}
        )
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise RemoteError(f"The body may have {limit} bytes at most.", name="too_large")
        return body.decode()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text="The body did not come in time.") from error
    except web.RequestPayloadError as error:
        raise ParseError("The body is not encoded as its headers say.") from error
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
