"""Files over HTTP, whole or a part of each (RFC 9110 14)."""

import re

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

# One range, as RFC 9110 14.1.2 writes it; numbers that are longer are of no file.
RANGE = re.compile(
    "bytes=(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18}))"
)
BEYOND = f"bytes={10**18}-"  # what no file has


class PartialFileResponse(web.FileResponse):
    """A file, or the one part that `Range` asks for.

    A `Range` that is something else is ignored (14.2): one of an unknown unit, a malformed one, or
    several ranges, which a server need not answer.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head and the file."""
        asked = request.headers.get(hdrs.RANGE)
        if asked is not None:
            headers = request.headers.copy()
            del headers[hdrs.RANGE]
            if wanted := _one_range(asked):
                headers[hdrs.RANGE] = wanted
            request = request.clone(headers=headers)
        return await super().prepare(request)


def _one_range(asked: str) -> str:
    """The range in words that aiohttp understands likewise; empty where it is to be ignored."""
    found = RANGE.fullmatch(asked)
    if found is None or (found["last"] and int(found["last"]) < int(found["first"])):
        return ""
    if found["suffix"] and not int(found["suffix"]):
        return BEYOND  # no last byte: it cannot be satisfied, and aiohttp would send the whole file
    return asked
